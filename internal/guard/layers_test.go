package guard

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module    = "github.com/cronraft/cronraft"
	tableFile = "internal/guard/layers_test.go"
)

// The modules that a row may name. Whoever adds one adds its line to
// docs/DESIGN.md, section Dependencies.
const (
	bbolt      = "go.etcd.io/bbolt"
	boltStore  = "github.com/hashicorp/raft-boltdb/v2"
	btree      = "github.com/tidwall/btree"
	cobra      = "github.com/spf13/cobra"
	cronexpr   = "github.com/gorhill/cronexpr"
	fasthttp   = "github.com/valyala/fasthttp"
	hclog      = "github.com/hashicorp/go-hclog"
	http2      = "golang.org/x/net/http2"
	memberlist = "github.com/hashicorp/memberlist"
	pebble     = "github.com/cockroachdb/pebble/v2"
	pflag      = "github.com/spf13/pflag"
	porcupine  = "github.com/anishathalye/porcupine"
	prometheus = "github.com/prometheus/client_golang"
	protobuf   = "google.golang.org/protobuf"
	raft       = "github.com/hashicorp/raft"
	webhooks   = "github.com/standard-webhooks/standard-webhooks/libraries/go"
	yaml       = "go.yaml.in/yaml/v3"
)

// needsRow are the packages of the standard library that a row has to name too.
var needsRow = []string{"net", "net/http", "os/exec", "log", "plugin", "unsafe"}

// row says what one package may import.
type row struct {
	// layer is where the package stands in the picture of docs/DESIGN.md. All of
	// imports are on lower ones.
	layer int
	// imports are packages of this module.
	imports []string
	// outside are modules, or packages of needsRow, with the packages below them.
	outside []string
	// tests are packages of this module that test files may import too. What
	// test files import from outside is their own affair.
	tests []string
}

// table has one row for each package of the module. Change it on purpose, in the
// commit whose message says why.
var table = map[string]row{
	"internal/guard": {layer: 0},

	"internal/job":         {layer: 0},
	"internal/crashpoint":  {layer: 0},
	"internal/checker":     {layer: 0},
	"internal/crontab":     {layer: 0},
	"internal/group":       {layer: 0},
	"internal/secret":      {layer: 0},
	"fsm/logpb":            {layer: 0, outside: []string{protobuf, "unsafe"}},
	"transport/peerpb":     {layer: 0, outside: []string{protobuf, "unsafe"}},
	"transport/memnet":     {layer: 0, outside: []string{"net"}},
	"httpserver/api":       {layer: 0},
	"httpserver/dashboard": {layer: 0},
	"httpserver/docsui":    {layer: 0},

	"httpserver/client": {
		layer:   1,
		imports: []string{"httpserver/api"},
		outside: []string{"net", "net/http", webhooks},
		tests:   []string{"internal/localcluster"},
	},

	"internal/cron":         {layer: 1, outside: []string{cronexpr}},
	"internal/event":        {layer: 1, imports: []string{"internal/job", "httpserver/api"}},
	"internal/badrequest":   {layer: 1, outside: []string{"net", "net/http"}},
	"internal/receiver":     {layer: 1, outside: []string{"net/http", webhooks}},
	"internal/localcluster": {layer: 1, outside: []string{"net", "net/http", "os/exec"}},

	"fsm": {
		layer:   2,
		imports: []string{"internal/job", "internal/crashpoint", "fsm/logpb"},
		outside: []string{raft, pebble, protobuf, btree},
	},
	"scheduler": {
		layer:   2,
		imports: []string{"internal/job", "internal/crashpoint", "internal/cron", "internal/group"},
		outside: []string{prometheus},
	},
	"transport": {
		layer:   2,
		imports: []string{"internal/job", "internal/group", "transport/peerpb"},
		outside: []string{fasthttp, protobuf, "net"},
		tests:   []string{"internal/secret", "transport/memnet"},
	},
	"internal/executor": {
		layer:   2,
		imports: []string{"internal/job", "internal/crashpoint", "internal/group"},
		outside: []string{"net", "net/http", http2, prometheus},
	},

	"httpserver": {
		layer:   3,
		imports: []string{"internal/job", "internal/crontab", "internal/event", "internal/group", "httpserver/api", "httpserver/dashboard", "httpserver/docsui"},
		outside: []string{fasthttp, prometheus, yaml, "net", "net/http"}, // net/http: its names for statuses and methods
		tests:   []string{"internal/badrequest"},
	},
	"node": {
		layer: 3,
		imports: []string{
			"internal/job", "internal/crashpoint", "internal/event", "internal/group", "internal/secret",
			"fsm", "scheduler", "transport", "internal/executor",
		},
		outside: []string{raft, boltStore, bbolt, hclog, memberlist, pebble + "/vfs", prometheus, "net"},
		tests:   []string{"transport/memnet", "internal/checker", "internal/localcluster"},
	},

	"cmd/cronraft": {
		layer:   4,
		imports: []string{"internal/job", "internal/receiver", "internal/secret", "scheduler", "node", "httpserver"},
		outside: []string{cobra, pflag, prometheus, "net", "net/http"},
		tests:   []string{"fsm", "internal/badrequest", "internal/localcluster"},
	},
	"cmd/failover": {
		layer:   4,
		imports: []string{"internal/checker", "internal/localcluster", "internal/group"},
		outside: []string{porcupine, "net", "net/http", "os/exec"},
	},
	"cmd/bench": {
		layer:   4,
		imports: []string{"internal/localcluster"},
		outside: []string{"net/http"},
	},
}

func TestLayers(t *testing.T) {
	t.Parallel()
	for _, problem := range checkTable(table) {
		t.Error(problem)
	}
	problems, err := checkImports(os.DirFS("../.."), table)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Error(problem)
	}
}

// checkTable finds rows that allow an import of the same or a higher layer, or
// of a package without a row.
func checkTable(table map[string]row) []string {
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(table)) {
		for _, imported := range table[name].imports {
			switch below, ok := table[imported]; {
			case !ok:
				problems = append(problems, fmt.Sprintf("the row of %s allows %s, which has no row", name, imported))
			case below.layer >= table[name].layer:
				problems = append(problems, fmt.Sprintf("the row of %s (layer %d) allows %s (layer %d): imports point down",
					name, table[name].layer, imported, below.layer))
			}
		}
	}
	return problems
}

// checkImports compares the imports of every Go file below root with the table,
// in both directions: what no row allows, and what a row allows for nothing.
func checkImports(root fs.FS, table map[string]row) ([]string, error) {
	var problems []string
	used := map[string]map[string]bool{} // by package, the permissions that its files need
	err := fs.WalkDir(root, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(root, file):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(file) != ".go":
			return nil
		}
		name := path.Dir(file)
		if used[name] == nil {
			used[name] = map[string]bool{}
			if _, ok := table[name]; !ok {
				problems = append(problems, fmt.Sprintf("package %s has no row in %s: add one with its layer and what it may import",
					name, tableFile))
			}
		}
		if rule, ok := table[name]; ok {
			found, err := checkFile(root, file, rule, used[name])
			problems = append(problems, found...)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return append(problems, idle(table, used)...), nil
}

// idle finds rows, and permissions in them, that nothing uses.
func idle(table map[string]row, used map[string]map[string]bool) []string {
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if used[name] == nil {
			problems = append(problems, fmt.Sprintf("%s has a row for %s, which does not exist: remove the row", tableFile, name))
			continue
		}
		rule := table[name]
		for _, permission := range slices.Concat(rule.imports, rule.outside, rule.tests) {
			if !used[name][permission] {
				problems = append(problems, fmt.Sprintf("the row of %s allows %s for nothing: remove it from %s", name, permission, tableFile))
			}
		}
	}
	return problems
}

// skipped tells which folders hold no packages of the module.
func skipped(root fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	_, err := fs.Stat(root, path.Join(dir, "go.mod"))
	return base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || err == nil
}

// checkFile finds the imports that the row does not allow, and adds the
// permissions of the others to used.
func checkFile(root fs.FS, file string, rule row, used map[string]bool) ([]string, error) {
	source, err := fs.ReadFile(root, file)
	if err != nil {
		return nil, err
	}
	tree, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, spec := range tree.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		permission, ok := rule.permission(imported, path.Dir(file), strings.HasSuffix(file, "_test.go"))
		used[permission] = true
		if !ok {
			problems = append(problems, fmt.Sprintf(
				"%s imports %s, which the row of %s does not allow: state an interface where it is used, move the code, or change %s on purpose",
				file, imported, path.Dir(file), tableFile))
		}
	}
	return problems, nil
}

// permission is what in the row allows a file of the package name, for tests or
// not, to import the path; empty if that needs none.
func (r row) permission(imported, name string, test bool) (permission string, ok bool) {
	if below, ok := strings.CutPrefix(imported, module+"/"); ok {
		return below, slices.Contains(r.imports, below) || test && (below == name || slices.Contains(r.tests, below))
	}
	isStd := !strings.Contains(strings.Split(imported, "/")[0], ".")
	if test || isStd && !restricted(imported) {
		return "", true
	}
	i := slices.IndexFunc(r.outside, func(allowed string) bool { return covers(allowed, imported) })
	if i < 0 {
		return "", false
	}
	return r.outside[i], true
}

func restricted(imported string) bool {
	return slices.Contains(needsRow, imported) || strings.HasPrefix(imported, "net/http/")
}

// covers reports whether a row that names allowed allows imported: the package
// itself or one below it. "net" does not cover "net/http".
func covers(allowed, imported string) bool {
	if slices.Contains(needsRow, imported) {
		return imported == allowed
	}
	return imported == allowed || allowed != "net" && strings.HasPrefix(imported, allowed+"/")
}
