package client_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/httpserver/client"
)

const testKey = "cron_live_0123456789abcdef0123456789abcdef"

// got is a request that a fake server got.
type got struct {
	method, uri, body string
	header            http.Header
}

// fake is a server that answers each request by the next of its answers, and by the
// last one from then on.
type fake struct {
	*httptest.Server

	// mu guards the fields below.
	mu       sync.Mutex
	answers  []http.HandlerFunc
	requests []got
}

func newFake(t *testing.T, answers ...http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{answers: answers}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.next(r)(w, r) }))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) next(r *http.Request) http.HandlerFunc {
	body, _ := io.ReadAll(r.Body) // a body that breaks off is seen as what came
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, got{method: r.Method, uri: r.RequestURI, body: string(body), header: r.Header.Clone()})
	return f.answers[min(len(f.requests), len(f.answers))-1]
}

// seen are the requests so far.
func (f *fake) seen() []got {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]got(nil), f.requests...)
}

// data answers with success.
func data(status int, v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(api.Response{Status: api.StatusOK, Data: v}) // the client may be gone
	}
}

// problem answers with a problem; retryAfter may be empty.
func problem(status int, code, retryAfter string, fields ...api.FieldError) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(api.Problem{Status: status, Code: code, Detail: "the detail", Errors: fields, RequestID: "req_1"})
	}
}

// cut closes the connection instead of an answer.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// half answers with a body that is shorter than it says.
func half(w http.ResponseWriter, _ *http.Request) {
	text := `{"status":"OK","data":{"jobId":"job_1"`
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(text)+10))
	_, _ = io.WriteString(w, text)
	panic(http.ErrAbortHandler)
}

// hang answers nothing until the client goes away.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// refusing is an address at which nobody listens, and nobody will while the test runs:
// a socket has it that is bound only.
func refusing(t *testing.T) string {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Close(socket); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	address, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", address.(*syscall.SockaddrInet4).Port)
}

func newClient(t *testing.T, cfg client.Config, servers ...string) *client.Client {
	t.Helper()
	cfg.Servers, cfg.APIKey = servers, testKey
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// someJob is an answer that all tests of writes use.
var someJob = api.Job{JobID: "job_1", Name: "n", Version: 3}

// onceKeys are the Idempotency-Keys of the requests, which all are one.
func onceKeys(t *testing.T, requests ...got) string {
	t.Helper()
	key := requests[0].header.Get("Idempotency-Key")
	for _, r := range requests {
		if k := r.header.Get("Idempotency-Key"); k == "" || k != key {
			t.Errorf("the Idempotency-Keys are %q and %q, want the same one", key, k)
		}
	}
	return key
}

// took checks how long something took since began, by the clock of a bubble.
func took(t *testing.T, began time.Time, least, most time.Duration) {
	t.Helper()
	if d := time.Since(began); d < least || d > most {
		t.Errorf("it took %v, want %v to %v", d, least, most)
	}
}

func methods(requests []got) string {
	var all []string
	for _, r := range requests {
		all = append(all, r.method)
	}
	return strings.Join(all, " ")
}
