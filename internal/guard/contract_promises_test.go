package guard

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	goyaml "go.yaml.in/yaml/v3"
)

// openAPI is the contract of the API.
const openAPI = "httpserver/api/openapi.yaml"

// readPromises collects everything that the page has to have, and schemas about which
// nobody has decided where they belong.
func readPromises(root fs.FS, sections map[string]string) ([]promise, []string, error) {
	d, err := readOpenAPI(root)
	if err != nil {
		return nil, nil, err
	}
	promises := d.operations()
	fields, problems := d.schemas(sections)
	promises = append(promises, fields...)
	promises = append(promises, d.answerHeaders()...)
	for _, read := range []func(fs.FS) ([]promise, error){commands, codes, headersOfCallbacks, metrics} {
		found, err := read(root)
		if err != nil {
			return nil, nil, err
		}
		promises = append(promises, found...)
	}
	return promises, problems, nil
}

// tree is a mapping of a YAML document.
type tree = map[string]any

// contract is openapi.yaml.
type contract struct {
	Paths      map[string]tree
	Components struct {
		Schemas, Parameters map[string]tree
	}
	whole tree
}

func readOpenAPI(root fs.FS) (*contract, error) {
	text, err := fs.ReadFile(root, openAPI)
	if err != nil {
		return nil, err
	}
	d := &contract{}
	if err := goyaml.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("%s: %w", openAPI, err)
	}
	return d, goyaml.Unmarshal(text, &d.whole)
}

// operations are the endpoints, their parameters, and the fields of the bodies that
// only they have.
func (d *contract) operations() []promise {
	var promises []promise
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		item := d.Paths[path]
		for _, method := range []string{"get", "put", "post", "delete", "patch", "head"} {
			operation, ok := item[method].(tree)
			if !ok {
				continue
			}
			name := strings.ToUpper(method) + " " + path
			section := firstText(operation["tags"])
			promises = append(promises, promise{name: name, sections: []string{section}, source: openAPI})
			promises = append(promises, d.parameters(name, section, item["parameters"], operation["parameters"])...)
			promises = append(promises, walkSchema(operation["requestBody"], section, "the body of "+name)...)
		}
	}
	return promises
}

func firstText(list any) string {
	if list, ok := list.([]any); ok && len(list) > 0 {
		return fmt.Sprint(list[0])
	}
	return ""
}

// parameters are those of the query and of headers. What many endpoints have is among
// the common rules.
func (d *contract) parameters(operation, section string, lists ...any) []promise {
	var promises []promise
	for _, list := range lists {
		list, _ := list.([]any)
		for _, p := range list {
			p, _ := p.(tree)
			if ref, ok := p["$ref"].(string); ok {
				p = d.Components.Parameters[path.Base(ref)]
			}
			if name, ok := p["name"].(string); ok && p["in"] != "path" {
				promises = append(promises, promise{name: name, sections: []string{section, sectionCommon}, source: operation})
			}
		}
	}
	return promises
}

// schemas are the fields and words of the schemas that have a name.
func (d *contract) schemas(sections map[string]string) (promises []promise, problems []string) {
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		found := walkSchema(d.Components.Schemas[name], sections[name], "the schema "+name)
		used[name] = len(found) > 0
		if used[name] && sections[name] == "" {
			problems = append(problems, fmt.Sprintf("%s has a schema %s: say in schemaSections in which section of %s its fields are", openAPI, name, contractPage))
			continue
		}
		promises = append(promises, found...)
	}
	return promises, append(problems, idleSections(sections, used)...)
}

// walkSchema finds the fields and words of a schema and of those in it that have no name
// of their own.
func walkSchema(v any, section, source string) []promise {
	var promises []promise
	switch v := v.(type) {
	case []any:
		for _, part := range v {
			promises = append(promises, walkSchema(part, section, source)...)
		}
	case tree:
		fields, _ := v["properties"].(tree)
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			promises = append(promises, promise{name: name, sections: []string{section}, source: source})
			promises = append(promises, walkSchema(fields[name], section, source)...)
		}
		words, _ := v["enum"].([]any)
		for _, word := range words {
			if word, ok := word.(string); ok {
				promises = append(promises, promise{name: word, sections: []string{section}, word: true, source: source})
			}
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if !slices.Contains([]string{"properties", "enum", "examples", "example", "default"}, key) {
				promises = append(promises, walkSchema(v[key], section, source)...)
			}
		}
	}
	return promises
}

// answerHeaders are the headers that any response names.
func (d *contract) answerHeaders() []promise {
	names := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		if list, ok := v.([]any); ok {
			for _, part := range list {
				walk(part)
			}
		}
		for key, part := range asTree(v) {
			for name, header := range asTree(part) {
				ref, _ := asTree(header)["$ref"].(string)
				if own := asTree(header)["schema"] != nil; key == "headers" && (own || strings.HasPrefix(ref, "#/components/headers/")) {
					names[name] = true
				}
			}
			walk(part)
		}
	}
	walk(d.whole["paths"])
	walk(asTree(d.whole["components"])["responses"])
	var promises []promise
	for _, name := range slices.Sorted(maps.Keys(names)) {
		promises = append(promises, promise{name: name, sections: []string{sectionAnswerHeaders}, source: openAPI})
	}
	return promises
}

func asTree(v any) tree {
	t, _ := v.(tree)
	return t
}
