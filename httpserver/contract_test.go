package httpserver

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	mismatch "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/router"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/cronraft/cronraft/httpserver/api"
)

// contract is openapi.yaml, as the tests hold against it what they send and get.
type contract struct {
	document *v3.Document
	// requests and responses validate them; undeclared members of a response are an
	// error, though the contract allows more of them in the future.
	requests, responses validator.Validator
	routes              router.Router
	// accepted has the IDs of the operations that have accepted a request.
	accepted sync.Map
}

// wholeContract runs all tests, and then wants each operation to have accepted a
// request: what no test sends is held against nothing.
type wholeContract struct{ *testing.M }

func (w wholeContract) Run() int {
	code := w.M.Run()
	c, err := loadContract()
	if code != 0 || err != nil || !isWholeRun() {
		return code
	}
	for path, item := range c.document.Paths.PathItems.FromOldest() {
		for method, o := range item.GetOperations().FromOldest() {
			if _, accepted := c.accepted.Load(o.OperationId); !accepted {
				fmt.Printf("no test sends a request that %s %s accepts\n", strings.ToUpper(method), path)
				code = 1
			}
		}
	}
	return code
}

// isWholeRun reports whether no flag picks some of the tests.
func isWholeRun() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.bench", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return true
}

// freeMembers are objects whose members a client names.
var freeMembers = []string{"$.body.**.headers.*", "$.body.**.tags.*", "$.body.**.summary.*"}

var loadContract = sync.OnceValues(func() (*contract, error) {
	document, err := libopenapi.NewDocument(api.OpenAPI)
	if err != nil {
		return nil, err
	}
	model, err := document.BuildV3Model()
	if err != nil {
		return nil, err
	}
	// Keys are checked by the server, and a test may well send none.
	options := []config.Option{config.WithStrictServerMatching(), config.WithFormatAssertions(), config.WithoutSecurityValidation()}
	strict := append(slices.Clone(options), config.WithStrictMode(), config.WithStrictIgnoredHeadersExtra(pageHeaders...),
		config.WithStrictIgnorePaths(freeMembers...))
	c := &contract{
		document:  &model.Model,
		requests:  validator.NewValidatorFromV3Model(&model.Model, options...),
		responses: validator.NewValidatorFromV3Model(&model.Model, strict...),
		routes:    router.NewRouter(&model.Model),
	}
	c.requests.SetDocument(document)
	return c, nil
})

// checkContract holds an exchange against openapi.yaml: each response, and each request
// that the server accepted. What tests send wrong on purpose is refused.
func checkContract(t *testing.T, r *http.Request, body string, a answer) {
	t.Helper()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.check(r, body, a); err != nil {
		t.Errorf("%s %s: status %d is not what openapi.yaml says: %v\n%s", r.Method, r.URL, a.status, err, a.body)
	}
}

func (c *contract) check(r *http.Request, body string, a answer) error {
	request := func() *http.Request {
		again := forgive(r.Clone(r.Context()))
		again.Body = io.NopCloser(strings.NewReader(body))
		if body == "" {
			again.Body = http.NoBody
		}
		return again
	}
	route, err := c.routes.FindRoute(request())
	switch {
	case r.Method == http.MethodHead: // a GET whose body stays there
		return nil
	case strings.HasPrefix(r.URL.Path, "/docs/"): // what the page consists of
		return nil
	case errors.Is(err, router.ErrMethodNotAllowed) || errors.Is(err, router.ErrPathNotFound):
		if a.status < http.StatusBadRequest {
			return fmt.Errorf("it was accepted, but %w", err)
		}
		return nil
	case err != nil:
		return err
	}
	if err := checkStatus(route.Operation, a.status); err != nil {
		return err
	}
	response := &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(bytes.NewBufferString(a.body)), Request: r}
	if _, errs := c.responses.ValidateHttpResponse(request(), response); len(errs) > 0 {
		return fmt.Errorf("the response: %w", asOne(errs))
	}
	if a.status >= http.StatusBadRequest {
		return nil
	}
	c.accepted.Store(route.Operation.OperationId, true)
	if _, errs := c.requests.ValidateHttpRequestSync(request()); len(errs) > 0 {
		return fmt.Errorf("the request was accepted: %w", asOne(errs))
	}
	return nil
}

// forgive makes a request what the contract says of it, where the server understands
// more: a body without a type, one whose type a parameter tells, a flag without a value,
// and a plus sign that has become a blank.
func forgive(r *http.Request) *http.Request {
	values := r.URL.Query()
	media := map[string]string{"json": "application/json", "yaml": "application/yaml", "crontab": "text/plain"}[values.Get(paramFormat)]
	if media == "" && r.Header.Get(headerContentType) == "" {
		media = mediaJSON
	}
	if media != "" {
		r.Header.Set(headerContentType, media)
	}
	for name, texts := range values {
		switch text := texts[0]; name {
		case paramPrune, paramDryRun:
			values.Set(name, cmp.Or(text, "true"))
		case paramFrom, paramTo:
			values.Set(name, strings.Replace(text, " ", "+", 1))
		}
	}
	r.URL.RawQuery = values.Encode()
	return r
}

// pageHeaders are those that browsers want, and no client of the API.
var pageHeaders = []string{
	"X-Content-Type-Options", "Content-Security-Policy", "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
}

// checkStatus wants the operation to name the status.
func checkStatus(o *v3.Operation, status int) error {
	if _, named := o.Responses.Codes.Get(fmt.Sprint(status)); named {
		return nil
	}
	return fmt.Errorf("%s does not name the status", o.OperationId)
}

// asOne shows validation errors with their reasons.
func asOne(errs []*mismatch.ValidationError) error {
	var all []error
	for _, e := range errs {
		all = append(all, fmt.Errorf("%s: %s", e.Message, e.Reason))
		for _, s := range e.SchemaValidationErrors {
			all = append(all, fmt.Errorf("  at %s: %s", s.FieldPath, s.Reason))
		}
	}
	return errors.Join(all...)
}

// TestContract_Notices makes sure that the check is one.
func TestContract_Notices(t *testing.T) {
	t.Parallel()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	s := startLeader(t)
	a := s.do("POST", "/jobs", tutorialJob)
	send := func(method, path string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://cron.test"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	create := send("POST", basePath+"/jobs")
	if err := c.check(create, tutorialJob, a); err != nil {
		t.Fatal(err)
	}
	change := func(old, new string) answer {
		b := a
		b.body = strings.Replace(a.body, old, new, 1)
		return b
	}
	elsewhere := a
	elsewhere.status = 200
	noTag := a
	noTag.header = a.header.Clone()
	noTag.header.Set("ETag", "3")
	for name, err := range map[string]error{
		"a field that is missing":      c.check(create, tutorialJob, change(`"version":1,`, "")),
		"a field that is not declared": c.check(create, tutorialJob, change(`"version":1,`, `"version":1,"colour":"red",`)),
		"another type":                 c.check(create, tutorialJob, change(`"version":1,`, `"version":"1",`)),
		"another word":                 c.check(create, tutorialJob, change(`"state":"ACTIVE"`, `"state":"BUSY"`)),
		"a time of another form":       c.check(create, tutorialJob, change(`"createdAt":"2026`, `"createdAt":"in 2026`)),
		"another status":               c.check(create, tutorialJob, elsewhere),
		"a header of another form":     c.check(create, tutorialJob, noTag),
		"a request with more":          c.check(create, strings.Replace(tutorialJob, "{", `{"colour": "red",`, 1), a),
		"a parameter of another form":  c.check(send("GET", basePath+"/jobs?limit=x"), "", s.do("GET", "/jobs", "")),
		"a path that is not there":     c.check(send("GET", basePath+"/tasks"), "", s.do("GET", "/jobs", "")),
	} {
		if err == nil {
			t.Errorf("%s is not noticed", name)
		}
	}
}
