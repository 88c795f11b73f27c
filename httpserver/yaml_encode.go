package httpserver

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cronraft/cronraft/httpserver/api"
)

// encodeYAML writes the fields as the one item of a list.
func encodeYAML(fields []definedValue) ([]byte, error) {
	item := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range fields {
		value, err := yamlNode(f.value)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", f.name, err)
		}
		item.Content = append(item.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: f.name}, value)
	}
	return yaml.Marshal(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{item}})
}

// yamlNode is the node of a value of a [definedField].
func yamlNode(v any) (*yaml.Node, error) {
	switch v := v.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	case string:
		return yamlText(v)
	case int64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v, 10)}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}, nil
	case api.Time:
		text, err := v.MarshalJSON()
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: strings.Trim(string(text), `"`)}, err
	case []string:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, s := range v {
			item, err := yamlText(s)
			if err != nil {
				return nil, err
			}
			list.Content = append(list.Content, item)
		}
		return list, nil
	case map[string]string:
		return yamlMap(v)
	}
	return nil, fmt.Errorf("a value of type %T", v)
}

func yamlMap(m map[string]string) (*yaml.Node, error) {
	o := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		key, err := yamlText(name)
		if err != nil {
			return nil, err
		}
		value, err := yamlText(m[name])
		if err != nil {
			return nil, err
		}
		o.Content = append(o.Content, key, value)
	}
	return o, nil
}

// yamlText leaves a text as plain as it can be, and quotes what has more than one line
// or is not ASCII, so that nothing of it is folded or lost.
func yamlText(s string) (*yaml.Node, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: s}, nil
	}
	n := &yaml.Node{}
	return n, n.Encode(s)
}
