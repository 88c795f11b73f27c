package httpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp/fasthttputil"
	"go.uber.org/goleak"

	"github.com/cronraft/cronraft/httpserver/api"
)

// Two goroutines of fasthttp are not waited for: one refreshes the Date header for
// the rest of the process, and a pool's cleaner looks only every idleWorker whether
// its server has stopped.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(wholeContract{m},
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

const testDeadline = 20 * time.Second

// contractBytes is up to which size an exchange is compared with openapi.yaml: that
// takes seconds for a megabyte.
const contractBytes = 256 << 10

// testServer is a server behind an in-memory listener, and its client.
type testServer struct {
	*Server
	*backend
	t        *testing.T
	listener *fasthttputil.InmemoryListener
	client   *http.Client
	logs     *syncBuffer
	registry *prometheus.Registry
	served   chan error
}

// syncBuffer is a log that a test reads while a server writes it.
type syncBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start serves b as the named node until the test ends.
func start(t *testing.T, node string, b *backend, edit ...func(*Config)) *testServer {
	t.Helper()
	s := &testServer{
		backend: b, t: t, listener: fasthttputil.NewInmemoryListener(), logs: &syncBuffer{},
		registry: prometheus.NewRegistry(), served: make(chan error, 1),
	}
	c := b.config(node)
	c.Gatherer, c.Metrics = s.registry, NewMetrics(s.registry)
	c.Logger = slog.New(slog.NewTextHandler(s.logs, nil))
	for _, e := range edit {
		e(&c)
	}
	var err error
	if s.Server, err = New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return s.listener.Dial() }}
	s.client = &http.Client{Transport: transport, Timeout: testDeadline}
	go func() { s.served <- s.Serve(s.listener) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-s.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// startLeader is a server that leads and knows no follower.
func startLeader(t *testing.T) *testServer {
	t.Helper()
	return start(t, "n1", &backend{store: newStore()})
}

// answer is a response, read whole.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// await waits for what a goroutine of the server's does after its client is gone: the
// client is told nothing of it, so it is looked at again and again.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(testDeadline)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, testDeadline)
		}
	}
}

// streamsOpen is how many streams the server counts.
func (s *testServer) streamsOpen() int {
	s.slots.mu.Lock()
	defer s.slots.mu.Unlock()
	return s.slots.all
}

// do sends a request below the base path with the root key; headers come in pairs
// and may replace what it would send.
func (s *testServer) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	return s.doPath(method, basePath+path, body, headers...)
}

func (s *testServer) doPath(method, path, body string, headers ...string) answer {
	s.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://cron.test"+path, reader)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set(headerAPIKey, rootKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	a := answer{t: s.t, status: res.StatusCode, header: res.Header, body: string(text)}
	if len(body)+len(text) < contractBytes {
		checkContract(s.t, r, body, a)
	}
	return a
}

// raw sends bytes on a connection of their own and returns all that comes back.
func (s *testServer) raw(request string) string {
	s.t.Helper()
	c, err := s.listener.Dial()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	go func() { _, _ = io.WriteString(c, request) }() // may be cut short by the answer
	text, err := io.ReadAll(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// want checks the status and returns the data of a success.
func (a answer) want(status int) map[string]any {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	var envelope struct {
		Status string
		Data   map[string]any
	}
	if err := json.Unmarshal([]byte(a.body), &envelope); err != nil || envelope.Status != "OK" {
		a.t.Fatalf("the envelope is %s (%v)", a.body, err)
	}
	return envelope.Data
}

// problem checks that the answer is one and returns it.
func (a answer) problem(status int, code string) api.Problem {
	a.t.Helper()
	var p api.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		a.t.Fatalf("status %d, no problem: %s (%v)", a.status, a.body, err)
	}
	wantType := "/problems/" + strings.ReplaceAll(code, "_", "-")
	if a.status != status || p.Status != status || p.Code != code || p.Type != wantType || p.Title == "" || p.Detail == "" {
		a.t.Errorf("got status %d, want %d with code %s: %s", a.status, status, code, a.body)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("Content-Type %q", got)
	}
	if p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
		a.t.Errorf("requestId %q, header %q", p.RequestID, a.header.Get("X-Request-Id"))
	}
	return p
}

// fields are the names of a problem's invalid fields.
func fields(p api.Problem) []string {
	var names []string
	for _, e := range p.Errors {
		names = append(names, e.Field)
	}
	return names
}

// path of the job in an answer.
func jobPath(data map[string]any) string { return "/jobs/" + data["jobId"].(string) }
