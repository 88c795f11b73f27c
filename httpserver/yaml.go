package httpserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/cronraft/cronraft/internal/job"
)

// maxYAMLBytes bounds a document of YAML, whose parser takes much more memory than
// the document does.
const maxYAMLBytes = 4 << 20

// parseYAML reads one document of YAML, as strictly as one of JSON. Aliases and merge
// keys are resolved, up to the bounds of a document of JSON.
func parseYAML(doc []byte) (*document, error) {
	switch {
	case len(doc) > maxYAMLBytes:
		return nil, errBodyTooLarge(maxYAMLBytes)
	case isBlank(doc):
		return nil, malformed("the body is empty; a list of jobs is required")
	case !utf8.Valid(doc):
		return nil, malformed("the body is not valid UTF-8")
	}
	dec := yaml.NewDecoder(bytes.NewReader(doc))
	var root, more yaml.Node
	if err := dec.Decode(&root); err != nil {
		return nil, yamlSyntax(err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, yamlSyntax(err)
		}
		return nil, malformed("the body has more than one document; the second begins at line %d", more.Line)
	}
	r := yamlReader{lines: map[string]int{}}
	v, err := r.value(&root, "", 0)
	if err != nil {
		return nil, err
	}
	if len(r.twice) > 0 {
		err := malformed("a mapping must not have two entries of one name")
		err.Fields = r.twice
		return nil, err
	}
	return &document{value: v, lines: r.lines}, nil
}

func yamlSyntax(err error) error {
	if errors.Is(err, io.EOF) {
		return malformed("the body has no document; a list of jobs is required")
	}
	return malformed("the body is not valid YAML: %s", clip(strings.TrimPrefix(err.Error(), "yaml: ")))
}

// yamlReader turns nodes into the values that a document of JSON has.
type yamlReader struct {
	lines map[string]int
	twice []job.FieldError // entries whose name came before
	count int              // of the values so far
	size  int              // of their texts
}

// value reads a node; path names it in errors.
func (r *yamlReader) value(n *yaml.Node, path string, depth int) (any, error) {
	if r.count++; r.count > maxValues || r.size > maxBulkBytes {
		return nil, malformed("the body has more than %d values, or more than %d bytes of them, with all aliases resolved", maxValues, maxBulkBytes)
	}
	if depth > maxDepth {
		return nil, malformed("line %d is nested deeper than %d levels", n.Line, maxDepth)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return r.value(n.Content[0], path, depth)
	case yaml.AliasNode:
		return r.value(n.Alias, path, depth+1)
	case yaml.MappingNode:
		return r.mapping(n, path, depth)
	case yaml.SequenceNode:
		return r.sequence(n, path, depth)
	}
	r.size += len(n.Value)
	return yamlScalar(n)
}

func (r *yamlReader) sequence(n *yaml.Node, path string, depth int) (any, error) {
	if tag := n.ShortTag(); tag != "!!seq" {
		return nil, badTag(n)
	}
	if path == "" {
		path = fieldJobs // a list alone is that of the jobs
	}
	a := make(array, 0, len(n.Content))
	for i, item := range n.Content {
		at := path + "[]"
		if depth <= 1 {
			at = fmt.Sprintf("%s[%d]", path, i)
			r.lines[at] = item.Line
		}
		v, err := r.value(item, at, depth+1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	return a, nil
}

func (r *yamlReader) mapping(n *yaml.Node, path string, depth int) (any, error) {
	if tag := n.ShortTag(); tag != "!!map" {
		return nil, badTag(n)
	}
	o, seen := object{}, map[string]bool{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, item := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merged = append(merged, item)
			continue
		}
		name, err := yamlKey(key)
		if err != nil {
			return nil, err
		}
		at := join(path, name)
		if seen[name] {
			r.twice = addField(r.twice, at, "is given twice (line %d)", key.Line)
			continue
		}
		seen[name] = true
		if depth <= 2 {
			r.lines[at] = key.Line
		}
		v, err := r.value(item, at, depth+1)
		if err != nil {
			return nil, err
		}
		r.size += len(name)
		o = append(o, member{name, v})
	}
	for _, item := range merged {
		var err error
		if o, err = r.merge(o, item, path, depth); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// merge adds what a merge key stands for: a mapping, or a list of them, of which what
// is there already stays.
func (r *yamlReader) merge(o object, n *yaml.Node, path string, depth int) (object, error) {
	v, err := r.value(n, path, depth+1)
	if err != nil {
		return nil, err
	}
	sources := array{v}
	if list, ok := v.(array); ok {
		sources = list
	}
	for _, source := range sources {
		members, ok := source.(object)
		if !ok {
			return nil, malformed("the value of << at line %d must be a mapping or a list of them", n.Line)
		}
		for _, m := range members {
			if _, there := o.get(m.name); !there {
				o = append(o, m)
			}
		}
	}
	return o, nil
}

// yamlKey is the name of an entry.
func yamlKey(key *yaml.Node) (string, error) {
	if key.Kind == yaml.AliasNode {
		key = key.Alias
	}
	if key.Kind != yaml.ScalarNode || key.Tag == "!!null" || key.Tag == "!!binary" {
		return "", malformed("the name of the entry at line %d must be a string", key.Line)
	}
	return key.Value, nil
}

// yamlScalar reads a value. A time is a string, as it is in JSON.
func yamlScalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!bool":
		v, err := strconv.ParseBool(n.Value)
		if err != nil {
			return nil, malformed("%q at line %d must be true or false", clip(n.Value), n.Line)
		}
		return v, nil
	case "!!int", "!!float":
		if !jsonNumber.MatchString(n.Value) {
			return nil, malformed("the number %q at line %d must be written as in JSON: decimal, without leading zeros; quote it if it is a text", clip(n.Value), n.Line)
		}
		return json.Number(n.Value), nil
	}
	return nil, badTag(n)
}

// jsonNumber is RFC 8259, section 6.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func badTag(n *yaml.Node) error {
	return malformed("the tag %s at line %d is not known here", clip(n.ShortTag()), n.Line)
}
