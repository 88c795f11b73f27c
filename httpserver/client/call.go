package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// The headers of the API.
const (
	headerAPIKey       = "X-API-KEY"
	headerNamespace    = "X-Cron-Namespace"
	headerNode         = "X-Cron-Node"
	headerAppliedIndex = "X-Cron-Applied-Index"
	headerRequestID    = "X-Request-Id"
	headerOnce         = "Idempotency-Key"
	headerReplayed     = "Idempotency-Replayed"
	headerIfMatch      = "If-Match"
	headerRetryAfter   = "Retry-After"
	headerContentType  = "Content-Type"
	headerLastEventID  = "Last-Event-ID"
)

const (
	mediaJSON    = "application/json"
	mediaPatch   = "application/merge-patch+json"
	mediaProblem = "application/problem+json"
	mediaBinary  = "application/octet-stream"
	mediaEvents  = "text/event-stream"
)

// call is one call of the API: the request, and how to treat it.
type call struct {
	method string
	path   string // escaped, below basePath
	query  url.Values
	header http.Header
	body   []byte
	meta   *Meta
	// isStream leaves the answer's body to the caller, in stream.
	isStream bool
	stream   io.ReadCloser
	// from is the server of the answer, and media its Content-Type.
	from  *server
	media string
	// size is the answer's length, -1 if that is not known, and disposition what its
	// server says a file of it is called.
	size        int64
	disposition string
	// out gets the data of the answer.
	out any
	// reads: the call changes nothing, and may be sent again after any failure.
	reads bool
	// repeats: the call changes something once, however often it is sent.
	repeats bool
	// err is what is wrong with the call before it is made.
	err error
}

// newCall begins a call of the path, whose parts are escaped here.
func newCall(method string, parts ...string) *call {
	q := &call{method: method, query: url.Values{}, header: http.Header{}, reads: method == http.MethodGet}
	q.repeats = method == http.MethodDelete // by an ID that nothing else gets
	for _, part := range parts {
		if part == "" {
			q.fail("an ID in the path is empty")
		}
		q.path += "/" + escape(part)
	}
	return q
}

// escape also escapes what a path is not to have as a part, although it may.
func escape(part string) string {
	if part == "." || part == ".." {
		return strings.ReplaceAll(part, ".", "%2E")
	}
	return url.PathEscape(part)
}

func (q *call) fail(format string, args ...any) {
	if q.err == nil {
		q.err = fmt.Errorf("client: %s %s: %w", q.method, q.path, fmt.Errorf(format, args...))
	}
}

// json gives the call a body.
func (q *call) json(v any) *call {
	body, err := json.Marshal(v)
	if err != nil {
		q.fail("%w", err)
	}
	media := mediaJSON
	if q.method == http.MethodPatch {
		media = mediaPatch
	}
	return q.raw(media, body)
}

func (q *call) raw(media string, body []byte) *call {
	q.body = body
	q.header.Set(headerContentType, media)
	return q
}

// set adds a parameter unless it is empty.
func (q *call) set(name, value string) *call {
	if value != "" {
		q.query.Set(name, value)
	}
	return q
}

// with applies the options that the call takes. A POST that writes gets an
// Idempotency-Key in any case.
func (q *call) with(c *Client, t takes, opts []Option) *call {
	o := options{namespace: c.namespace}
	for _, opt := range opts {
		opt(&o)
	}
	if err := o.check(t); err != nil {
		q.fail("%w", err)
	}
	q.meta = o.meta
	if o.given&takesStale != 0 {
		q.query.Set("consistency", "stale")
	}
	if o.given&takesIfMatch != 0 {
		q.header.Set(headerIfMatch, etag(o.version))
		q.repeats = true
	}
	switch {
	case o.namespace == "":
	case t&takesNamespace != 0:
		q.query.Set("namespace", o.namespace)
	case t&takesNewNamespace != 0:
		q.header.Set(headerNamespace, o.namespace)
	}
	if t&takesOnceKey != 0 {
		q.header.Set(headerOnce, cmp.Or(o.onceKey, newOnceKey()))
		q.repeats = true
	}
	return q
}

// request is the HTTP request to a server.
func (q *call) request(ctx context.Context, c *Client, base string) (*http.Request, error) {
	address := base + basePath + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	var body io.Reader = http.NoBody
	if q.body != nil {
		body = bytes.NewReader(q.body)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, address, body)
	if err != nil {
		return nil, err
	}
	for name, values := range q.header {
		r.Header[name] = values
	}
	r.Header.Set(headerAPIKey, c.key)
	r.Header.Set("User-Agent", c.agent)
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", mediaJSON)
	}
	return r, nil
}
