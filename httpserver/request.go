package httpserver

import (
	"bytes"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/cronraft/cronraft/internal/job"
)

// The headers of the API.
const (
	headerAPIKey       = "X-API-KEY"
	headerNamespace    = "X-Cron-Namespace"
	headerNode         = "X-Cron-Node"
	headerAppliedIndex = "X-Cron-Applied-Index"
	headerRequestID    = "X-Request-Id"
	headerIfMatch      = "If-Match"
	headerIfNoneMatch  = "If-None-Match"
	headerOnce         = "Idempotency-Key"
	headerReplayed     = "Idempotency-Replayed"
	headerETag         = "ETag"
	headerLocation     = "Location"
	headerRetryAfter   = "Retry-After"
	headerAllow        = "Allow"
	headerContentType  = "Content-Type"
	headerEncoding     = "Content-Encoding"
)

// hopByHop are the headers that concern one connection, or that a forwarded
// request gets anew.
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
	"Expect": true, "Content-Length": true, "Host": true, headerRequestID: true,
}

// header is one header field.
type header struct{ name, value string }

// request is a client's request, copied: it outlives what fasthttp lent.
type request struct {
	id      string
	method  string
	path    string // as the client wrote it, still escaped
	query   string
	headers []header
	body    []byte
	// remote is the network that it came from; empty if it was forwarded.
	remote string
	// forwarded marks a request that another node has sent on to this one.
	forwarded bool
}

// copyRequest copies all of r, and gives it a new ID.
func copyRequest(r *fasthttp.Request) *request {
	c := &request{
		id:     newRequestID(),
		method: string(r.Header.Method()),
		path:   string(r.URI().PathOriginal()),
		query:  string(r.URI().QueryString()),
		body:   bytes.Clone(r.Body()),
	}
	for name, value := range r.Header.All() {
		c.headers = append(c.headers, header{string(name), string(value)})
	}
	return c
}

// header is the first value of the named header; empty if there is none.
func (r *request) header(name string) string {
	for _, h := range r.headers {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

// headerLines are the values of all lines of a header.
func (r *request) headerLines(name string) []string {
	var values []string
	for _, h := range r.headers {
		if strings.EqualFold(h.name, name) {
			values = append(values, h.value)
		}
	}
	return values
}

// headerError is for a header whose value breaks a rule.
func headerError(name, format string, args ...any) error {
	rule := fmt.Sprintf(format, args...)
	e := job.Errorf(job.CodeValidation, "the header %s %s", name, rule)
	e.Fields = []job.FieldError{{Field: name, Msg: rule}}
	return e
}

// mediaTypes that a body may have.
const (
	mediaJSON       = "application/json"
	mediaMergePatch = "application/merge-patch+json"
)

// checkMedia refuses a body that does not say it is JSON; one that says nothing
// is taken for it.
func (r *request) checkMedia() error {
	allowed := []string{mediaJSON}
	if r.method == http.MethodPatch {
		allowed = append(allowed, mediaMergePatch)
	}
	_, err := r.mediaType(allowed...)
	return err
}

// mediaType is which of the allowed ones the body says it is. The first one is what
// a body is taken for that says nothing, and what the error advises.
func (r *request) mediaType(allowed ...string) (string, error) {
	if err := r.checkEncoding(); err != nil {
		return "", err
	}
	given := r.header(headerContentType)
	if len(r.body) == 0 || given == "" {
		return allowed[0], nil
	}
	media, params, _ := strings.Cut(given, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if !slices.Contains(allowed, media) || !isUTF8Charset(params) {
		return "", job.Errorf(job.CodeUnsupportedMedia,
			"send the header Content-Type: %s (curl: -H 'Content-Type: %[1]s'), not %q", allowed[0], clip(given))
	}
	return media, nil
}

// checkEncoding refuses a compressed body.
func (r *request) checkEncoding() error {
	for _, e := range r.headerLines(headerEncoding) {
		if e != "" && !strings.EqualFold(e, "identity") {
			return job.Errorf(job.CodeUnsupportedMedia, "send the body without Content-Encoding, not with %q", clip(e))
		}
	}
	return nil
}

// isUTF8Charset accepts no parameter, or charset=utf-8.
func isUTF8Charset(params string) bool {
	name, value, _ := strings.Cut(strings.TrimSpace(params), "=")
	if name == "" {
		return true
	}
	return strings.EqualFold(name, "charset") && strings.EqualFold(strings.Trim(value, `"`), "utf-8")
}

// encode writes the request as another node can read it, with the ID in a header.
func (r *request) encode() ([]byte, error) {
	var out fasthttp.Request
	out.Header.SetNoDefaultContentType(true)
	out.Header.SetMethod(r.method)
	out.Header.SetRequestURI(r.path + querySuffix(r.query))
	for _, h := range r.headers {
		if !hopByHop[textproto.CanonicalMIMEHeaderKey(h.name)] {
			out.Header.Add(h.name, h.value)
		}
	}
	out.Header.SetHost(forwardedHost)
	out.Header.Set(headerRequestID, r.id)
	out.SetBodyRaw(r.body)
	var b bytes.Buffer
	_, err := out.WriteTo(&b)
	return b.Bytes(), err
}

// forwardedHost is a placeholder: HTTP/1.1 wants a Host, and no handler reads it.
const forwardedHost = "leader"

func querySuffix(query string) string {
	if query == "" {
		return ""
	}
	return "?" + query
}

// adopt gives a forwarded request the ID that its first node gave it, so that both
// nodes' logs name the same one.
func (r *request) adopt() {
	r.forwarded = true
	if id := r.header(headerRequestID); isRequestID(id) {
		r.id = id
	}
}

// splitPath returns the parts of a path that begins with a slash, unescaped; false
// if an escape is broken.
func splitPath(path string) ([]string, bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, p := range parts {
		s, err := url.PathUnescape(p)
		if err != nil {
			return nil, false
		}
		parts[i] = s
	}
	return parts, true
}
