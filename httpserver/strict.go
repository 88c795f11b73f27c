package httpserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxDepth bounds the nesting of a document.
	maxDepth = 32
	// maxValues bounds the values of a document, which take more memory than its bytes
	// if they are small.
	maxValues = 1 << 18
	// maxFieldErrors bounds what one problem lists.
	maxFieldErrors = 100
	// maxShown bounds how much of a client's own text a message repeats.
	maxShown = 64
)

// A JSON value is one of: nil, bool, string, json.Number, array, object.
type (
	array  []any
	object []member
)

// member is one name and value of an object, in the order of the document.
type member struct {
	name  string
	value any
}

// get is the value of the named member.
func (o object) get(name string) (any, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// parseObject reads a document that is one JSON object, strictly: what
// encoding/json forgives (invalid UTF-8, lone surrogates, duplicate names at any
// depth) is CodeMalformedJSON here.
func parseObject(doc []byte) (object, error) {
	v, err := parseDocument(doc)
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, malformed("the body must be a JSON object, it is %s", kind(v))
	}
	return o, nil
}

// parseDocument is parseObject for a document that may be any value.
func parseDocument(doc []byte) (any, error) {
	if err := checkSyntax(doc); err != nil {
		return nil, err
	}
	p := &parser{dec: json.NewDecoder(bytes.NewReader(doc))}
	p.dec.UseNumber()
	v, err := p.value("", 0)
	if err != nil {
		return nil, err
	}
	if len(p.twice) > 0 {
		err := malformed("an object must not have two members of one name")
		err.Fields = p.twice
		return nil, err
	}
	return v, nil
}

// parseOptional is parseObject for a body that may be left out.
func parseOptional(doc []byte) (object, error) {
	if isBlank(doc) {
		return object{}, nil
	}
	return parseObject(doc)
}

func isBlank(doc []byte) bool { return len(bytes.TrimSpace(doc)) == 0 }

func checkSyntax(doc []byte) error {
	if isBlank(doc) {
		return malformed("the body is empty; a JSON object is required")
	}
	if !utf8.Valid(doc) {
		return malformed("the body is not valid UTF-8")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(doc, &raw); err != nil {
		return syntaxError(err)
	}
	if hasLoneSurrogate(doc) {
		return malformed(`the body has half of a surrogate pair (\ud800 to \udfff), which is no character`)
	}
	return nil
}

func syntaxError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return malformed("%s, at byte %d", syntax.Error(), syntax.Offset)
	}
	return malformed("%s", err.Error())
}

func malformed(format string, args ...any) *job.Error {
	return job.Errorf(job.CodeMalformedJSON, format, args...)
}

// hasLoneSurrogate looks at the escapes of a valid document.
func hasLoneSurrogate(doc []byte) bool {
	for {
		i := bytes.IndexByte(doc, '\\')
		if i < 0 {
			return false
		}
		doc = doc[i:]
		unit, ok := escapedUnit(doc)
		switch {
		case !ok:
			doc = doc[2:] // a two-character escape
		case unit < 0xd800 || unit > 0xdfff:
			doc = doc[escapeLength:]
		default:
			low, ok := escapedUnit(doc[escapeLength:])
			if unit >= 0xdc00 || !ok || low < 0xdc00 || low > 0xdfff {
				return true
			}
			doc = doc[2*escapeLength:]
		}
	}
}

const escapeLength = len(`\u0000`)

func escapedUnit(doc []byte) (uint64, bool) {
	if len(doc) < escapeLength || doc[0] != '\\' || doc[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(doc[2:escapeLength]), 16, 16)
	return unit, err == nil
}

// parser turns the tokens of a valid document into values.
type parser struct {
	dec   *json.Decoder
	count int              // of the values so far
	twice []job.FieldError // members whose name came before
}

// value reads the next value; path names it in errors.
func (p *parser) value(path string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, malformed("the body is nested deeper than %d levels", maxDepth)
	}
	if p.count++; p.count > maxValues {
		return nil, malformed("the body has more than %d values", maxValues)
	}
	token, err := p.dec.Token()
	if err != nil {
		return nil, syntaxError(err)
	}
	switch token {
	case json.Delim('{'):
		return p.object(path, depth)
	case json.Delim('['):
		return p.array(path, depth)
	}
	return token, nil
}

func (p *parser) object(path string, depth int) (any, error) {
	o, seen := object{}, map[string]bool{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return nil, syntaxError(err)
		}
		name, ok := token.(string)
		if !ok {
			return nil, malformed("the name of a member must be a string")
		}
		at := join(path, name)
		v, err := p.value(at, depth+1)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			p.twice = addField(p.twice, at, "is given twice")
			continue
		}
		seen[name] = true
		o = append(o, member{name, v})
	}
	_, err := p.dec.Token() // the closing brace
	return o, err
}

func (p *parser) array(path string, depth int) (any, error) {
	a, at := array{}, path+"[]"
	for p.dec.More() {
		v, err := p.value(at, depth+1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	_, err := p.dec.Token() // the closing bracket
	return a, err
}

// join names a member in messages, short whatever the client sent.
func join(path, name string) string {
	if path == "" {
		return clip(name)
	}
	return path + "." + clip(name)
}

// clip shortens a client's text for a message.
func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}

// addField appends, up to a bound.
func addField(errs []job.FieldError, field, format string, args ...any) []job.FieldError {
	if len(errs) >= maxFieldErrors {
		return errs
	}
	return append(errs, job.FieldError{Field: field, Msg: fmt.Sprintf(format, args...)})
}

// together makes one error of all that is wrong with a request: the invalid fields are
// listed together, wherever they are. An error that is not about fields comes alone.
func together(errs ...error) error {
	var one error
	var fields []job.FieldError
	for _, err := range errs {
		if err == nil {
			continue
		}
		var e *job.Error
		if !errors.As(err, &e) || e.Code != job.CodeValidation || len(e.Fields) == 0 {
			return err
		}
		if len(fields) > 0 {
			err = nil
		}
		one, fields = err, append(fields, e.Fields...)
	}
	if one != nil {
		return one
	}
	return asError(fields[:min(len(fields), maxFieldErrors)])
}

// kind names the type of a value for people.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case array:
		return "an array"
	default:
		return "an object"
	}
}
