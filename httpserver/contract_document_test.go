package httpserver

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	yaml "github.com/pb33f/go-yaml"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"github.com/pb33f/libopenapi/datamodel/high/base"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

func TestContract_IsValid(t *testing.T) {
	t.Parallel()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := c.requests.ValidateDocument(); len(errs) > 0 {
		t.Error(asOne(errs))
	}
}

// TestContract_TextsAreWhole looks for the ends of texts that YAML takes for keys, as after
// a comma within braces. Nothing but an example has a key without a value.
func TestContract_TextsAreWhole(t *testing.T) {
	t.Parallel()
	var document yaml.Node
	if err := yaml.Unmarshal(api.OpenAPI, &document); err != nil {
		t.Fatal(err)
	}
	keys := 0
	var look func(n *yaml.Node)
	look = func(n *yaml.Node) {
		for i, part := range n.Content {
			if n.Kind != yaml.MappingNode {
				look(part)
				continue
			}
			if i%2 == 0 { // a key; its value comes next
				keys++
				continue
			}
			switch key := n.Content[i-1]; {
			case strings.HasPrefix(key.Value, "example"):
			case part.Tag == "!!null":
				t.Errorf("openapi.yaml, line %d: %q has no value: quote the text that it ends", key.Line, key.Value)
			default:
				look(part)
			}
		}
	}
	look(&document)
	if keys < 1000 {
		t.Errorf("looked at %d keys", keys)
	}
}

// TestContract_HasEveryRoute compares the routes of the server with the paths of the
// contract, in both directions.
func TestContract_HasEveryRoute(t *testing.T) {
	t.Parallel()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for path, item := range c.document.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			if len(item.Servers) == 0 {
				described[strings.ToUpper(method)+" "+withoutNames(path)] = true
			}
		}
	}
	served := map[string]bool{}
	for _, r := range startLeader(t).api {
		for method := range r.methods {
			served[method+" "+r.pattern] = true
		}
	}
	for _, route := range slices.Sorted(maps.Keys(served)) {
		if !described[route] {
			t.Errorf("openapi.yaml lacks %s", route)
		}
		delete(described, route)
	}
	for _, route := range slices.Sorted(maps.Keys(described)) {
		t.Errorf("openapi.yaml has %s, which is not served", route)
	}
}

// withoutNames writes the open part of a path as routes do.
func withoutNames(path string) string {
	before, rest, found := strings.Cut(path, "{")
	if !found {
		return path
	}
	_, after, _ := strings.Cut(rest, "}")
	return before + openPart + after
}

// TestContract_NamesEveryWord compares the words of the contract with those of the
// domain.
func TestContract_NamesEveryWord(t *testing.T) {
	t.Parallel()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	codes := []string{}
	for code := range outcomes {
		codes = append(codes, string(code))
	}
	problemCodes := c.document.Components.Schemas.GetOrZero("Problem").Schema().Properties.GetOrZero("code")
	for name, tt := range map[string]struct{ got, want []string }{
		"events":         {wordsOf(c.document.Components.Schemas.GetOrZero("EventType")), strings.Split(enumerate(streamedEvents), ", ")},
		"webhook events": {wordsOf(c.document.Components.Schemas.GetOrZero("WebhookEvent")), strings.Split(enumerate(job.WebhookEvents), ", ")},
		"codes":          {wordsOf(problemCodes), codes},
	} {
		slices.Sort(tt.got)
		slices.Sort(tt.want)
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("openapi.yaml names the %s %v, want %v", name, tt.got, tt.want)
		}
	}
}

// wordsOf are the values of an enum.
func wordsOf(s *base.SchemaProxy) []string {
	var words []string
	for _, node := range s.Schema().Enum {
		words = append(words, node.Value)
	}
	return words
}

// TestContract_ExamplesAreValid holds every example of a JSON body, and of a schema,
// against its schema.
func TestContract_ExamplesAreValid(t *testing.T) {
	t.Parallel()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	check := func(where string, schema *base.Schema, example *yaml.Node) {
		if example == nil {
			return
		}
		checked++
		var value any
		if err := example.Decode(&value); err != nil {
			t.Errorf("%s: %v", where, err)
			return
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			return
		}
		if _, errs := schema_validation.NewSchemaValidator(config.WithFormatAssertions()).ValidateSchemaBytes(schema, text); len(errs) > 0 {
			t.Errorf("%s: %s is not what the schema says: %v", where, text, asOne(errs))
		}
	}
	for name, proxy := range c.document.Components.Schemas.FromOldest() {
		for _, example := range proxy.Schema().Examples {
			check(name, proxy.Schema(), example)
		}
	}
	for _, item := range c.document.Paths.PathItems.FromOldest() {
		for _, o := range item.GetOperations().FromOldest() {
			if o.RequestBody == nil {
				continue
			}
			media := o.RequestBody.Content.GetOrZero(mediaJSON)
			check(o.OperationId, media.Schema.Schema(), media.Example)
			for _, example := range media.Examples.FromOldest() {
				check(o.OperationId, media.Schema.Schema(), example.Value)
			}
		}
	}
	if checked < 25 {
		t.Errorf("only %d examples", checked)
	}
}
