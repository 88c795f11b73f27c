package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// purePackages are the ones that log entries are applied with.
var purePackages = []string{module + "/fsm", module + "/internal/job"}

// Why a thing is refused, and where it belongs instead.
const (
	clock   = "the leader reads the clock, and the reading travels in the entry"
	zone    = "zone data differs from node to node; the leader computes local times"
	chance  = "chance is drawn by the leader and travels in the entry"
	host    = "the state depends on the log alone: use the store's vfs.FS, and Config for all else"
	network = "the state depends on the log alone"
	output  = "Apply neither logs nor ends the process; return an error, or panic on a corrupt entry"
	order   = "a map's order differs from node to node: sort the keys, or say why it does not matter in a comment on this line, // order-free: REASON"
	routine = "what is applied does not depend on a goroutine's progress"
)

// impureImports are refused as a whole, with the packages below them.
var impureImports = map[string]string{
	"crypto/rand":  chance,
	"hash/maphash": chance,
	"io/ioutil":    host,
	"log":          output,
	"math/rand":    chance,
	"net/http":     network,
	"os":           host,
	"syscall":      host,
}

// impureNames are single names, as (*types.Func).FullName writes functions and
// methods.
var impureNames = map[string]string{
	"context.WithDeadline": clock,
	"context.WithTimeout":  clock,
	"time.After":           clock,
	"time.AfterFunc":       clock,
	"time.NewTicker":       clock,
	"time.NewTimer":        clock,
	"time.Now":             clock,
	"time.Since":           clock,
	"time.Sleep":           clock,
	"time.Tick":            clock,
	"time.Until":           clock,

	"(time.Time).Local": zone,
	"time.LoadLocation": zone,
	"time.Local":        zone,

	"(*sync.Map).Range": order,
}

// mapSequences yield in a map's order; sorters make it matter no more.
var (
	mapSequences = []string{"maps.All", "maps.Keys", "maps.Values"}
	sorters      = []string{"slices.Sorted", "slices.SortedFunc", "slices.SortedStableFunc"}
)

var orderFree = regexp.MustCompile(`^//\s*order-free:\s*\S`)

func TestPurity(t *testing.T) {
	t.Parallel()
	listed := list(t, purePackages...)
	imports := importerFor(listed)
	checked := 0
	for _, p := range listed {
		if !slices.Contains(purePackages, p.ImportPath) {
			continue
		}
		checked++
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		problems, err := checkPurity(fset, p.ImportPath, files, imports)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range problems {
			t.Error(problem)
		}
	}
	if checked != len(purePackages) {
		t.Errorf("checked %d packages, want %d", checked, len(purePackages))
	}
}

// listedPackage is what `go list` tells of a package.
type listedPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// list describes the packages and all they import, with compiled export data for
// the type checker.
func list(t *testing.T, packages ...string) []listedPackage {
	t.Helper()
	args := append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", "--"}, packages...)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.Bytes())
	}
	var listed []listedPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return listed
		case err != nil:
			t.Fatalf("%s: %v", cmd, err)
		}
		listed = append(listed, p)
	}
}

// importerFor reads the export data of listed packages. It is for one goroutine.
func importerFor(listed []listedPackage) types.Importer {
	exports := map[string]string{}
	for _, p := range listed {
		exports[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(exports[path])
	})
}

// checkPurity finds what is impure in a package's files, in their order.
// Generated files are only type-checked.
func checkPurity(fset *token.FileSet, path string, files []*ast.File, imports types.Importer) ([]string, error) {
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Uses:  map[*ast.Ident]types.Object{},
	}
	conf := types.Config{Importer: imports}
	if _, err := conf.Check(path, fset, files, info); err != nil {
		return nil, fmt.Errorf("type-check %s: %w", path, err)
	}
	var problems []string
	for _, file := range files {
		if ast.IsGenerated(file) {
			continue
		}
		p := &purity{fset: fset, info: info, excused: excusedLines(fset, file), sorted: map[ast.Expr]bool{}}
		ast.Inspect(file, p.visit)
		problems = append(problems, p.problems...)
	}
	return problems, nil
}

// excusedLines are those that say why an order does not matter.
func excusedLines(fset *token.FileSet, file *ast.File) map[int]bool {
	lines := map[int]bool{}
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if orderFree.MatchString(comment.Text) {
				lines[fset.Position(comment.Pos()).Line] = true
			}
		}
	}
	return lines
}

// purity inspects one file.
type purity struct {
	fset     *token.FileSet
	info     *types.Info
	excused  map[int]bool
	sorted   map[ast.Expr]bool // calls that are the argument of a sorter
	problems []string
}

func (p *purity) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec:
		p.importSpec(n)
	case *ast.GoStmt:
		p.report(n, "go statement", routine)
	case *ast.RangeStmt:
		if p.isMap(n.X) {
			p.reportOrder(n, "range over a map")
		}
	case *ast.CallExpr:
		p.call(n)
	case *ast.Ident:
		p.name(n)
	}
	return true
}

func (p *purity) importSpec(n *ast.ImportSpec) {
	path, err := strconv.Unquote(n.Path.Value)
	if err != nil {
		return // the type checker has refused it
	}
	if path == "net" {
		p.report(n, "import of net", network)
	}
	for refused, why := range impureImports {
		if path == refused || strings.HasPrefix(path, refused+"/") {
			p.report(n, "import of "+path, why)
		}
	}
}

// call finds sequences of a map's keys or values that nothing sorts.
func (p *purity) call(n *ast.CallExpr) {
	name := p.callee(n)
	if slices.Contains(sorters, name) && len(n.Args) > 0 {
		p.sorted[ast.Unparen(n.Args[0])] = true
	}
	if slices.Contains(mapSequences, name) && !p.sorted[n] {
		p.reportOrder(n, name)
	}
}

func (p *purity) callee(n *ast.CallExpr) string {
	fun := ast.Unparen(n.Fun)
	switch indexed := fun.(type) { // explicit type arguments
	case *ast.IndexExpr:
		fun = indexed.X
	case *ast.IndexListExpr:
		fun = indexed.X
	}
	if selector, ok := fun.(*ast.SelectorExpr); ok {
		return fullName(p.info.Uses[selector.Sel])
	}
	return ""
}

func (p *purity) name(n *ast.Ident) {
	name := fullName(p.info.Uses[n])
	why, ok := impureNames[name]
	switch {
	case !ok:
	case why == order:
		p.reportOrder(n, name)
	default:
		p.report(n, name, why)
	}
}

// fullName is the name of a function, method or package variable with its
// package; empty for anything else.
func fullName(o types.Object) string {
	switch o := o.(type) {
	case *types.Func:
		return o.FullName()
	case *types.Var:
		if o.Pkg() != nil && o.Parent() == o.Pkg().Scope() {
			return o.Pkg().Path() + "." + o.Name()
		}
	}
	return ""
}

// isMap reports whether x is a map, or a type parameter that may be one.
func (p *purity) isMap(x ast.Expr) bool {
	t := p.info.TypeOf(x)
	if t == nil {
		return false
	}
	if parameter, ok := types.Unalias(t).(*types.TypeParam); ok {
		return hasMapTerm(parameter)
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

func hasMapTerm(parameter *types.TypeParam) bool {
	constraint, ok := parameter.Constraint().Underlying().(*types.Interface)
	if !ok {
		return false
	}
	for embedded := range constraint.EmbeddedTypes() {
		union, ok := embedded.(*types.Union)
		if !ok {
			union = types.NewUnion([]*types.Term{types.NewTerm(false, embedded)})
		}
		for term := range union.Terms() {
			if _, ok := term.Type().Underlying().(*types.Map); ok {
				return true
			}
		}
	}
	return false
}

func (p *purity) reportOrder(n ast.Node, what string) {
	if !p.excused[p.fset.Position(n.Pos()).Line] {
		p.report(n, what, order)
	}
}

func (p *purity) report(n ast.Node, what, why string) {
	p.problems = append(p.problems, fmt.Sprintf("%s: %s: %s", p.fset.Position(n.Pos()), what, why))
}
