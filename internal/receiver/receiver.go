// Package receiver is a target for callbacks, for trying things out and for
// tests: it prints every request it gets, verifies signatures with the official
// Standard Webhooks library, and answers as the request's URL asks for:
//
//	?status=503   that status instead of 200
//	?delay=10s    only after that time; should the caller close the connection
//	              meanwhile, it says so
package receiver

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	maxBody    = 1 << 20
	maxPrinted = 1 << 10
	maxDelay   = time.Hour
)

// Config is what a receiver is made of.
type Config struct {
	// APIKeys are those that signatures are verified with; a signature by any of
	// them is valid. They are never printed.
	APIKeys []string
	// Out gets the lines about each request, in one write an event; required.
	Out io.Writer
	// Verbose prints every header and the whole body.
	Verbose bool
}

// New makes the receiver. It answers requests to any path.
func New(cfg Config) http.Handler { return &receiver{cfg: cfg} }

type receiver struct {
	cfg Config
	mu  sync.Mutex // one writer at a time
}

// answer is what the URL of a request asks for.
type answer struct {
	status int
	delay  time.Duration
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		rc.print("%s %s %s: the body could not be read: %v\n", clock(arrived), r.Method, r.RequestURI, err)
		http.Error(w, "the body could not be read", http.StatusRequestEntityTooLarge)
		return
	}
	rc.print("%s", rc.describe(arrived, r, body))
	want, err := parseAnswer(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !wait(r, want.delay) {
		rc.print("%s %s %s: connection closed by the caller after %s\n", clock(time.Now()), r.Method, r.RequestURI,
			time.Since(arrived).Round(time.Millisecond))
		return
	}
	w.WriteHeader(want.status)
	if want.status != http.StatusNoContent && want.status != http.StatusNotModified {
		_, _ = fmt.Fprintln(w, cmp.Or(http.StatusText(want.status), "answered")) // the caller may be gone
	}
}

func parseAnswer(query url.Values) (answer, error) {
	want := answer{status: http.StatusOK}
	var err error
	if s := query.Get("status"); s != "" {
		if want.status, err = strconv.Atoi(s); err != nil || want.status < 200 || want.status > 599 {
			return answer{}, errors.New("status must be from 200 to 599")
		}
	}
	if s := query.Get("delay"); s != "" {
		if want.delay, err = time.ParseDuration(s); err != nil || want.delay < 0 || want.delay > maxDelay {
			return answer{}, fmt.Errorf("delay must be a duration such as 10s, at most %s", maxDelay)
		}
	}
	return want, nil
}

// wait lets the delay pass; false if the caller went away meanwhile.
func wait(r *http.Request, delay time.Duration) bool {
	if delay == 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		return false
	case <-timer.C:
		return true
	}
}

// describe is what is printed about a request.
func (rc *receiver) describe(arrived time.Time, r *http.Request, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s  signature: %s\n", clock(arrived), r.Method, r.RequestURI, rc.signature(r.Header, body))
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if rc.cfg.Verbose || strings.HasPrefix(name, "X-Cron-") {
			fmt.Fprintf(&b, "    %s: %s\n", name, printable(strings.Join(r.Header[name], ", ")))
		}
	}
	if len(body) > 0 {
		fmt.Fprintf(&b, "    body, %d bytes: %s\n", len(body), rc.excerpt(body))
	}
	return b.String()
}

func (rc *receiver) excerpt(body []byte) string {
	text := rc.redact(string(body)) // before a cut could hide a part of a key
	if rc.cfg.Verbose || len(text) <= maxPrinted {
		return printable(text)
	}
	return printable(text[:maxPrinted]) + " …"
}

// printable escapes what could play tricks on a terminal.
func printable(s string) string {
	quoted := strconv.Quote(s)
	plain := quoted[1 : len(quoted)-1]
	return strings.ReplaceAll(plain, `\"`, `"`)
}

// signature is the verdict on a request.
func (rc *receiver) signature(h http.Header, body []byte) string {
	if h.Get(webhooks.HeaderWebhookSignature) == "" {
		return "unsigned"
	}
	if len(rc.cfg.APIKeys) == 0 {
		return "not checked, no API key given"
	}
	var reason error
	for _, key := range rc.cfg.APIKeys {
		if reason = verify(key, h, body); reason == nil {
			return "valid"
		}
	}
	return "INVALID, " + reasonText(reason)
}

func verify(key string, h http.Header, body []byte) error {
	wh, err := webhooks.NewWebhookRaw([]byte(key))
	if err != nil {
		return err
	}
	return wh.Verify(body, h)
}

// reasonText is the innermost error's: the library wraps it in the same words
// each time.
func reasonText(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return printable(err.Error())
}

// print writes one event.
func (rc *receiver) print(format string, args ...any) {
	text := rc.redact(fmt.Sprintf(format, args...))
	rc.mu.Lock()
	defer rc.mu.Unlock()
	_, _ = io.WriteString(rc.cfg.Out, text) // there is nowhere else to say it
}

// redact hides the API keys.
func (rc *receiver) redact(text string) string {
	for _, key := range rc.cfg.APIKeys {
		if key != "" {
			text = strings.ReplaceAll(text, key, "***")
		}
	}
	return text
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
