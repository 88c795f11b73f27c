package guard

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestCheckTable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		table map[string]row
		want  string // part of the one problem; empty for none
	}{
		"down": {
			table: map[string]row{"a": {layer: 1, imports: []string{"b"}}, "b": {layer: 0}},
		},
		"sideways": {
			table: map[string]row{"a": {layer: 1, imports: []string{"b"}}, "b": {layer: 1}},
			want:  "imports point down",
		},
		"up": {
			table: map[string]row{"a": {layer: 0, imports: []string{"b"}}, "b": {layer: 1}},
			want:  "imports point down",
		},
		"no row": {
			table: map[string]row{"a": {layer: 1, imports: []string{"b"}}},
			want:  "b, which has no row",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expectProblem(t, checkTable(tc.table), tc.want)
		})
	}
}

func TestCheckImports(t *testing.T) {
	t.Parallel()
	table := map[string]row{
		"low":   {layer: 0, outside: []string{"net"}},
		"other": {layer: 0},
		"high":  {layer: 1, imports: []string{"low"}, outside: []string{raft, "net/http"}, tests: []string{"other"}},
	}
	uses := map[string]string{ // of every permission
		"low/use.go":       `import "net"`,
		"high/use.go":      `import ("` + module + `/low"; "` + raft + `"; "net/http")`,
		"high/use_test.go": `import "` + module + `/other"`,
	}
	tests := map[string]struct {
		file, source string
		want         string // part of the one problem; empty for none
	}{
		"allowed import":                   {"high/a.go", `import "` + module + `/low"`, ""},
		"upward import":                    {"low/a.go", `import "` + module + `/high"`, "low/a.go imports " + module + "/high"},
		"import without a row":             {"high/a.go", `import "` + module + `/other"`, "the row of high"},
		"named import":                     {"low/a.go", `import x "` + module + `/high"`, "low/a.go imports"},
		"blank import":                     {"low/a.go", `import _ "` + module + `/high"`, "low/a.go imports"},
		"import behind a build tag":        {"low/a_windows.go", `import "` + module + `/high"`, "low/a_windows.go imports"},
		"import for tests":                 {"high/a_test.go", `import "` + module + `/other"`, ""},
		"import not even for tests":        {"low/a_test.go", `import "` + module + `/other"`, "low/a_test.go imports"},
		"external test":                    {"low/a_test.go", `import "` + module + `/low"`, ""},
		"allowed module":                   {"high/a.go", `import "` + raft + `"`, ""},
		"package of an allowed module":     {"high/a.go", `import "` + raft + `/fuzzy"`, ""},
		"module with an allowed beginning": {"high/a.go", `import "` + raft + `-wal"`, "imports " + raft + "-wal"},
		"foreign module":                   {"low/a.go", `import "` + raft + `"`, "low/a.go imports " + raft},
		"foreign module in a test":         {"low/a_test.go", `import "` + raft + `"`, ""},
		"standard library":                 {"low/a.go", `import "net/url"`, ""},
		"restricted standard library":      {"other/a.go", `import "net"`, "other/a.go imports net,"},
		"net is not net/http":              {"low/a.go", `import "net/http"`, "low/a.go imports net/http,"},
		"net/http is not net":              {"high/a.go", `import "net"`, "high/a.go imports net,"},
		"below net/http":                   {"high/a.go", `import "net/http/httptrace"`, ""},
		"below net/http without it":        {"low/a.go", `import "net/http/httptrace"`, "low/a.go imports net/http/httptrace,"},
		"package without a row":            {"new/a.go", `import "fmt"`, "package new has no row in " + tableFile},
		"testdata is no package":           {"low/testdata/a.go", `import "` + module + `/high"`, ""},
		"hidden folder is no package":      {".cache/a.go", `import "` + module + `/high"`, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := fstest.MapFS{}
			root["other/doc.go"] = &fstest.MapFile{Data: []byte("package p\n")}
			root[tc.file] = &fstest.MapFile{Data: []byte("package p\n\n" + tc.source + "\n")}
			for name, source := range uses {
				root[name] = &fstest.MapFile{Data: []byte("package p\n\n" + source + "\n")}
			}
			problems, err := checkImports(root, table)
			if err != nil {
				t.Fatal(err)
			}
			expectProblem(t, problems, tc.want)
		})
	}
}

func TestCheckImports_OtherModule(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{
		"tool/go.mod": {Data: []byte("module tool\n")},
		"tool/a.go":   {Data: []byte("package tool\n")},
	}
	problems, err := checkImports(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	expectProblem(t, problems, "")
}

func TestCheckImports_Idle(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{
		"low/a.go":       {Data: []byte("package low\n")},
		"high/a.go":      {Data: []byte("package high\n\nimport \"fmt\"\n")},
		"high/a_test.go": {Data: []byte("package high\n\nimport \"" + raft + "\"\n")},
	}
	tests := map[string]struct {
		high row
		want string
	}{
		"nothing":                              {row{}, ""},
		"import":                               {row{imports: []string{"low"}}, "the row of high allows low for nothing"},
		"import, tests":                        {row{tests: []string{"low"}}, "the row of high allows low for nothing"},
		"module":                               {row{outside: []string{pebble}}, "the row of high allows " + pebble + " for nothing"},
		"tests need no permission for modules": {row{outside: []string{raft}}, "the row of high allows " + raft + " for nothing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, err := checkImports(root, map[string]row{"low": {}, "high": tc.high})
			if err != nil {
				t.Fatal(err)
			}
			expectProblem(t, problems, tc.want)
		})
	}
}

func TestCheckImports_RowWithoutPackage(t *testing.T) {
	t.Parallel()
	problems, err := checkImports(fstest.MapFS{}, map[string]row{"gone": {}})
	if err != nil {
		t.Fatal(err)
	}
	expectProblem(t, problems, "a row for gone, which does not exist")
}

func TestCheckImports_BrokenFile(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{"low/a.go": {Data: []byte("no Go")}}
	if _, err := checkImports(root, map[string]row{"low": {}}); err == nil {
		t.Error("a file that cannot be parsed was accepted")
	}
}

// expectProblem wants exactly one problem that contains want, or none if want is
// empty.
func expectProblem(t *testing.T, problems []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(problems) > 0:
		t.Errorf("got %q, want no problem", problems)
	case want != "" && (len(problems) != 1 || !strings.Contains(problems[0], want)):
		t.Errorf("got %q, want one problem with %q", problems, want)
	}
}
