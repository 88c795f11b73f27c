package guard

import (
	"fmt"
	"go/ast"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// pageRow is one row of a table of the page.
type pageRow struct {
	line int
	// sections are the titles above it.
	sections []string
	cells    int
	// names are what is marked as code in the first cell, words what is in any but the
	// last, and proofs what is in that.
	names, words, proofs []string
}

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	ruler    = regexp.MustCompile(`^\|[-| :]+\|$`)
)

// parsePage reads the rows of all tables.
func parsePage(text string) []pageRow {
	var rows []pageRow
	var sections []string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if level := len(line) - len(strings.TrimLeft(line, "#")); level > 0 && strings.HasPrefix(line[level:], " ") {
			// The page's title is no section.
			sections = append(slices.Clone(sections[:min(max(0, level-2), len(sections))]), strings.TrimSpace(line[level:]))
			if level == 1 {
				sections = nil
			}
		}
		isHead := i+1 < len(lines) && ruler.MatchString(lines[i+1])
		if strings.HasPrefix(line, "|") && !isHead && !ruler.MatchString(line) {
			rows = append(rows, parseRow(i+1, sections, line))
		}
	}
	return rows
}

func parseRow(number int, sections []string, line string) pageRow {
	const escaped = "\x00" // a bar that belongs to a cell
	line = strings.ReplaceAll(line, `\|`, escaped)
	cells := strings.Split(strings.Trim(line, "| "), "|")
	r := pageRow{line: number, sections: sections, cells: len(cells)}
	for i, cell := range cells {
		for _, span := range codeSpan.FindAllStringSubmatch(cell, -1) {
			text := strings.ReplaceAll(span[1], escaped, "|")
			if i == 0 {
				r.names = append(r.names, text)
			}
			if i == len(cells)-1 {
				r.proofs = append(r.proofs, text)
			} else {
				r.words = append(r.words, text)
			}
		}
	}
	return r
}

// proof is the name of a test: its package, its function, and a subtest.
var proof = regexp.MustCompile(`^([a-z0-9/]+)\.((?:Test|Fuzz|Example)\w*)(?:/(.+))?$`)

// checkProofs finds rows without a test, and tests that are not there.
func checkProofs(root fs.FS, rows []pageRow) ([]string, error) {
	var problems []string
	packages := map[string]*tests{}
	for _, r := range rows {
		where := fmt.Sprintf("%s, line %d", contractPage, r.line)
		if r.cells != 3 || len(r.proofs) == 0 {
			problems = append(problems, fmt.Sprintf("%s has no test that proves it: the third column names at least one, such as `httpserver.TestMalformed`", where))
			continue
		}
		for _, name := range r.proofs {
			parts := proof.FindStringSubmatch(name)
			if parts == nil {
				problems = append(problems, fmt.Sprintf("%s: `%s` is no name of a test: write package.TestFunction or package.TestFunction/subtest", where, name))
				continue
			}
			folder := parts[1]
			if packages[folder] == nil {
				found, err := readTests(root, folder)
				if err != nil {
					return nil, err
				}
				packages[folder] = found
			}
			if problem := packages[folder].lack(parts[2], parts[3]); problem != "" {
				problems = append(problems, fmt.Sprintf("%s: `%s`: the tests of %s have %s", where, name, folder, problem))
			}
		}
	}
	return problems, nil
}

var quotedText = regexp.MustCompile(`"([^"\\]+)"`)

// tests are the test functions of a package, and the texts that name subtests: those in
// its tests, and those in testdata, with the names of the files.
type tests struct{ functions, texts map[string]bool }

func readTests(root fs.FS, folder string) (*tests, error) {
	files, err := fs.Glob(root, folder+"/*_test.go")
	if err != nil {
		return nil, err
	}
	found := &tests{functions: map[string]bool{}, texts: map[string]bool{}}
	for _, file := range files {
		parsed, err := parseGo(root, file)
		if err != nil {
			return nil, err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				found.functions[n.Name.Name] = n.Recv == nil
			case *ast.BasicLit:
				found.texts[textOf(n)] = true
			}
			return true
		})
	}
	return found, found.readCases(root, folder)
}

func (t *tests) readCases(root fs.FS, folder string) error {
	for _, pattern := range []string{"testdata/*/*.json", folder + "/testdata/*.json"} {
		files, err := fs.Glob(root, pattern)
		if err != nil {
			return err
		}
		for _, file := range files {
			text, err := fs.ReadFile(root, file)
			if err != nil {
				return err
			}
			t.texts[strings.TrimSuffix(path.Base(file), ".json")] = true
			for _, found := range quotedText.FindAllSubmatch(text, -1) {
				t.texts[string(found[1])] = true
			}
		}
	}
	return nil
}

// lack says what is missing of a test; empty if it is there. The name of a subtest, or
// each part of it, has to be a text in the tests of the package, or two of them.
func (t *tests) lack(function, subtest string) string {
	if !t.functions[function] {
		return "no function " + function
	}
	if subtest == "" || t.has(subtest) {
		return ""
	}
	for part := range strings.SplitSeq(subtest, "/") {
		if !t.has(part) {
			return fmt.Sprintf("no subtest %q", part)
		}
	}
	return ""
}

func (t *tests) has(name string) bool {
	for i := range name {
		if t.texts[name[i:]] && (i == 0 || t.texts[name[:i]]) {
			return true
		}
	}
	return false
}
