package guard

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Where the names of the contract come from that openapi.yaml does not have.
const (
	commandFolder = "cmd/cronraft"
	serverFlags   = "cmd/cronraft/options.go"
	problemCodes  = "internal/job/error.go"
	attemptCodes  = "internal/job/execution.go"
	targetHeaders = "internal/executor/headers.go"
	metricsFile   = "metrics.go"
)

// commands are the program's commands and their flags.
func commands(root fs.FS) ([]promise, error) {
	files, err := fs.Glob(root, commandFolder+"/*.go")
	if err != nil {
		return nil, err
	}
	var promises []promise
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parseGo(root, file)
		if err != nil {
			return nil, err
		}
		section := sectionCommands
		if file == serverFlags {
			section = sectionFlags
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if name := commandOrFlag(n); name != "" {
				promises = append(promises, promise{name: name, sections: []string{section}, source: file})
			}
			return true
		})
	}
	return promises, nil
}

// commandOrFlag is the name of a command or a flag, if n makes one below the program's
// own name.
func commandOrFlag(n ast.Node) string {
	switch n := n.(type) {
	case *ast.KeyValueExpr: // Use: "server" of a cobra.Command
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Use" {
			if name, _, _ := strings.Cut(textOf(n.Value), " "); name != "cronraft" && name != "" {
				return "cronraft " + name
			}
		}
	case *ast.CallExpr: // flags.StringVar(&v, "node-id", ...)
		f, ok := n.Fun.(*ast.SelectorExpr)
		if ok && len(n.Args) > 3 && (strings.HasSuffix(f.Sel.Name, "Var") || strings.HasSuffix(f.Sel.Name, "VarP")) {
			if name := textOf(n.Args[1]); name != "" {
				return "--" + name
			}
		}
	}
	return ""
}

// codes are those of problems and of attempts that failed.
func codes(root fs.FS) ([]promise, error) {
	problems, err := constants(root, problemCodes, func(typ, _ string) bool { return typ == "Code" }, sectionCodes)
	if err != nil {
		return nil, err
	}
	attempts, err := constants(root, attemptCodes, func(typ, _ string) bool { return typ == "ErrorCode" }, sectionErrorCodes)
	return append(problems, attempts...), err
}

func headersOfCallbacks(root fs.FS) ([]promise, error) {
	return constants(root, targetHeaders, func(_, name string) bool { return strings.HasPrefix(name, "header") }, sectionTarget)
}

// metrics are the constants that name them, in any package.
func metrics(root fs.FS) ([]promise, error) {
	var promises []promise
	err := fs.WalkDir(root, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(root, file):
			return fs.SkipDir
		case entry.IsDir() || path.Base(file) != metricsFile:
			return nil
		}
		found, err := constants(root, file, func(string, string) bool { return true }, sectionMetrics)
		for _, p := range found {
			if strings.HasPrefix(p.name, "cronraft_") {
				promises = append(promises, p)
			}
		}
		return err
	})
	return promises, err
}

// constants are the texts of the constants of a file that match by type and name.
func constants(root fs.FS, file string, match func(typ, name string) bool, section string) ([]promise, error) {
	parsed, err := parseGo(root, file)
	if err != nil {
		return nil, err
	}
	var promises []promise
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		typ := ""
		if ident, ok := spec.Type.(*ast.Ident); ok {
			typ = ident.Name
		}
		for i, name := range spec.Names {
			if i < len(spec.Values) && textOf(spec.Values[i]) != "" && match(typ, name.Name) {
				promises = append(promises, promise{name: textOf(spec.Values[i]), sections: []string{section}, source: file})
			}
		}
		return true
	})
	return promises, nil
}

func parseGo(root fs.FS, file string) (*ast.File, error) {
	source, err := fs.ReadFile(root, file)
	if err != nil {
		return nil, err
	}
	return parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
}

// textOf is the value of a string literal; empty for anything else.
func textOf(e ast.Expr) string {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return "" // the parser has refused it
	}
	return text
}
