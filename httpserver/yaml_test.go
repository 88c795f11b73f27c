package httpserver

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cronraft/cronraft/internal/job"
)

func TestYAML_Values(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		"a":                    "a",
		"'a'":                  "a",
		"~":                    nil,
		"null":                 nil,
		"true":                 true,
		"yes":                  "yes",
		"12":                   json.Number("12"),
		"-1.5e3":               json.Number("-1.5e3"),
		`"12"`:                 "12",
		"!!str 12":             "12",
		"2026-03-26T16:15:00Z": "2026-03-26T16:15:00Z",
		"[1, a]":               array{json.Number("1"), "a"},
		"{a: 1, b: {c: d}}":    object{{"a", json.Number("1")}, {"b", object{{"c", "d"}}}},
		"a: &x 1\nb: *x":       object{{"a", json.Number("1")}, {"b", json.Number("1")}},
		"a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}": object{
			{"a", object{{"k", json.Number("1")}, {"l", json.Number("2")}}}, {"b", object{{"l", json.Number("3")}, {"k", json.Number("1")}}},
		},
		"a: &x {k: 1}\nb: &y {k: 2}\nc: {<<: [*x, *y]}": object{
			{"a", object{{"k", json.Number("1")}}}, {"b", object{{"k", json.Number("2")}}}, {"c", object{{"k", json.Number("1")}}},
		},
		"|\n  a\n  b\n":            "a\nb\n",
		"1: a":                     object{{"1", "a"}},
		"# comment\n---\na\n...\n": "a",
	} {
		doc, err := parseYAML([]byte(text))
		if err != nil || !reflect.DeepEqual(doc.value, want) {
			t.Errorf("%q: got %#v, %v, want %#v", text, doc, err, want)
		}
	}
}

func TestYAML_Refused(t *testing.T) {
	t.Parallel()
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("a%d: &a%d [*a%d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d]\n", i+1, i+1, i)
	}
	long := "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.Repeat("*a, ", 20) + "*a]"
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"  \n", "is empty"},
		"no document":    {"# nothing", "no document"},
		"two documents":  {"a\n---\nb\n", "more than one document; the second begins at line"},
		"syntax":         {"a: b: c", "is not valid YAML: "},
		"second broken":  {"a\n---\n[", "is not valid YAML: "},
		"not UTF-8":      {"a: \xff", "UTF-8"},
		"twice":          {"a: 1\nb:\n  c: 1\n  c: 2\na: 3", "two entries of one name"},
		"octal":          {"0777", "must be written as in JSON"},
		"hex":            {"0x1f", "must be written as in JSON"},
		"infinite":       {".inf", "must be written as in JSON"},
		"underscores":    {"1_000", "must be written as in JSON"},
		"odd boolean":    {"!!bool yes", "must be true or false"},
		"binary":         {"!!binary aGk=", "the tag !!binary at line 1"},
		"own tag":        {"!job {a: 1}", "the tag !job"},
		"own list tag":   {"!jobs [a]", "the tag !jobs"},
		"list as a name": {"[a]: b", "must be a string"},
		"null as a name": {"!!null ~: b", "must be a string"},
		"merge a text":   {"<<: a", "must be a mapping"},
		"unknown anchor": {"a: *b", "is not valid YAML"},
		"holds itself":   {"a: &a [*a]", "nested deeper"},
		"deep":           {strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2), "nested deeper"},
		"bomb":           {bomb, "with all aliases resolved"},
		"long bomb":      {long, "with all aliases resolved"},
		"too large":      {strings.Repeat("#", maxYAMLBytes+1), "must have at most"},
	} {
		doc, err := parseYAML([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || job.CodeOf(err) == job.CodeInternal {
			t.Errorf("%s: got %v, %v, want %q", name, doc, err, c.want)
		}
	}
}

// FuzzYAML compares with what the library itself makes of a document.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{
		"jobs:\n- name: a\n  tags: {b: 'c'}\n  retries: 1\n", "[]", "a: &x {k: 1}\nb: {<<: *x}\n", "- |\n  text\n- >-\n  folded\n", "? a\n: b\n", "!!str 1", "a: [1, 2.5, true, ~]", "{\"a\": \"\\u00e9\\x7f\"}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := parseYAML([]byte(text))
		if err != nil {
			if job.CodeOf(err) == job.CodeInternal {
				t.Fatal(err)
			}
			return
		}
		if _, err := doc.jobs(); err != nil && job.CodeOf(err) != job.CodeValidation {
			t.Fatal(err)
		}
		s, isText := doc.value.(string)
		if !isText {
			return
		}
		again, err := yamlText(s)
		if err != nil {
			t.Fatal(err)
		}
		b, err := yaml.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if doc, err := parseYAML(b); err != nil || doc.value != s {
			t.Fatalf("%q is written as %q, which is %v (%v)", s, b, doc, err)
		}
	})
}
