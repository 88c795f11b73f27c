package httpserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// response is an answer, before it has anything to do with fasthttp.
type response struct {
	status      int
	contentType string
	body        []byte
	headers     []header
	// stream, if it is not nil, comes instead of body.
	stream stream
	// size is how many bytes the stream has; zero if that is not known.
	size int64
	// drop, unless it is nil, frees what the stream holds, if it never runs.
	drop func() error
}

const (
	contentJSON    = "application/json; charset=utf-8"
	contentProblem = "application/problem+json"
	contentText    = "text/plain; charset=utf-8"
	contentHTML    = "text/html; charset=utf-8"
)

// success wraps data in the envelope.
func success(status int, data any) (*response, error) {
	body, err := encodeJSON(api.Response{Status: api.StatusOK, Data: data})
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return &response{status: status, contentType: contentJSON, body: body}, nil
}

// jobAnswer is success with the job and its ETag.
func jobAnswer(status int, j job.Job) (*response, error) {
	r, err := success(status, encodeJob(j))
	if err != nil {
		return nil, err
	}
	return r.with(headerETag, etag(j.Version)), nil
}

// plain is an answer in text, for probes.
func plain(status int, text string) *response {
	return &response{status: status, contentType: contentText, body: []byte(text + "\n")}
}

// with adds a header.
func (r *response) with(name, value string) *response {
	r.headers = append(r.headers, header{name, value})
	return r
}

// header is the value that with has set; empty if there is none.
func (r *response) header(name string) string {
	for _, h := range r.headers {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

// encodeJSON leaves <, > and & readable: nobody puts an answer into HTML unescaped.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// problem shows e. A code that is not for people has no detail.
func problem(e *job.Error, requestID string) *response {
	o := outcomeOf(e.Code)
	return problemWithStatus(o.status, e, requestID)
}

// problemWithStatus is problem for the few failures below HTTP's semantics, which
// no code of the API stands for.
func problemWithStatus(status int, e *job.Error, requestID string) *response {
	body, err := encodeJSON(encodeProblem(status, e, requestID))
	if err != nil { // strings and an int: cannot happen
		return plain(http.StatusInternalServerError, internalDetail)
	}
	r := &response{status: status, contentType: contentProblem, body: body}
	if seconds := outcomeOf(e.Code).retryAfter; seconds != "" {
		r.with(headerRetryAfter, seconds)
	}
	return r
}

func encodeProblem(status int, e *job.Error, requestID string) api.Problem {
	p := api.Problem{
		Type: problemType(e.Code), Title: outcomeOf(e.Code).title, Status: status,
		Detail: e.Msg + outcomeOf(e.Code).advice, Code: string(e.Code), RequestID: requestID,
	}
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, api.FieldError{Field: f.Field, Message: f.Msg})
	}
	return p
}

const internalDetail = "internal error"

// writeTo fills what fasthttp sends.
func (r *response) writeTo(out *fasthttp.Response) {
	out.SetStatusCode(r.status)
	out.Header.SetContentType(r.contentType)
	out.Header.Set("X-Content-Type-Options", "nosniff")
	for _, h := range r.headers {
		out.Header.Set(h.name, h.value)
	}
	out.SetBodyRaw(r.body)
}

// etag is the entity tag of a job's version.
func etag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }
