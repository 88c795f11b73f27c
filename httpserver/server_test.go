package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/cronraft/cronraft/internal/job"
)

func TestPages_NeedNoKey(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	s.doPath("GET", "/", "") // something to count
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ok", "/metrics": metricRequests, "/": "<!doctype html>"} {
		a := s.doPath("GET", path, "", "X-API-KEY", "")
		if a.status != 200 || !strings.Contains(a.body, want) || a.header.Get("X-Cron-Node") != "n1" {
			t.Errorf("%s: status %d, headers %v: %.200s", path, a.status, a.header, a.body)
		}
		if head := s.doPath("HEAD", path, "", "X-API-KEY", ""); head.status != 200 || head.body != "" {
			t.Errorf("HEAD %s: status %d, body %q", path, head.status, head.body)
		}
		s.doPath("POST", path, "", "X-API-KEY", "").problem(405, "method_not_allowed")
	}
	for _, path := range []string{"/favicon.ico", "/api", "/api/cron-servicejobs", "/healthz/x", "/jobs"} {
		s.doPath("GET", path, "").problem(404, "not_found")
	}
}

func TestReady_No(t *testing.T) {
	t.Parallel()
	b := &backend{store: newStore(), ready: func() error { return job.ErrNotLeader }}
	s := start(t, "n1", b)
	if a := s.doPath("GET", "/readyz", ""); a.status != 503 || !strings.Contains(a.body, "no node leads") {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	b.ready = func() error { return errDisk }
	if a := s.doPath("GET", "/readyz", ""); a.status != 503 || strings.Contains(a.body, "secret") {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	if a := s.doPath("GET", "/healthz", ""); a.status != 200 {
		t.Errorf("status %d", a.status)
	}
}

func TestDashboard_Policy(t *testing.T) {
	t.Parallel()
	a := startLeader(t).doPath("GET", "/", "", "X-API-KEY", "")
	policy := a.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'sha256-", "style-src 'sha256-", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("headers %v", a.header)
	}
}

func TestInternalError_IsHidden(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{
		"plain":    errDisk,
		"internal": job.Errorf(job.CodeInternal, "disk on fire at /secret/path"),
		"unknown":  job.Errorf("made_up", "disk on fire at /secret/path"),
	} {
		b := &backend{store: newStore(), get: func(context.Context) (job.Job, error) { return job.Job{}, fmt.Errorf("get: %w", cause) }}
		s := start(t, "n1", b)
		a := s.do("GET", "/jobs/job_0000000000000001", "")
		p := a.problem(500, "internal")
		if p.Detail != "internal error" || strings.Contains(a.body, "secret") {
			t.Errorf("%s: shown: %s", name, a.body)
		}
		if logs := s.logs.String(); !strings.Contains(logs, "/secret/path") || !strings.Contains(logs, p.RequestID) {
			t.Errorf("%s: logged: %s", name, logs)
		}
	}
}

func TestPanic_Is500(t *testing.T) {
	t.Parallel()
	b := &backend{store: newStore(), get: func(context.Context) (job.Job, error) { panic("at the disco") }}
	s := start(t, "n1", b)
	a := s.do("GET", "/jobs/job_0000000000000001", "")
	p := a.problem(500, "internal")
	for _, want := range []string{"at the disco", "server_test.go", p.RequestID} {
		if logs := s.logs.String(); !strings.Contains(logs, want) {
			t.Errorf("the log lacks %q: %s", want, logs)
		}
	}
	if strings.Contains(a.body, "disco") || a.header.Get("X-Cron-Node") != "n1" {
		t.Errorf("headers %v: %s", a.header, a.body)
	}
	s.do("GET", "/cluster", "").want(200)
}

func TestAuthenticate_Errors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"no leader":   {job.ErrNotLeader, 503, "no_leader"},
		"time is up":  {context.DeadlineExceeded, 503, "no_leader"},
		"unknown key": {job.Errorf(job.CodeUnauthorized, "x"), 401, "unauthorized"},
		"broken":      {errDisk, 500, "internal"},
	} {
		b := &backend{store: newStore(), authorize: func(context.Context, string) (job.APIKey, error) { return job.APIKey{}, tt.err }}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start(t, "n1", b).do("POST", "/jobs", tutorialJob).problem(tt.status, tt.code)
			if b.writes() != 0 {
				t.Error("written without a key")
			}
		})
	}
}

func TestMetrics_Requests(t *testing.T) {
	t.Parallel()
	leader, s := pair(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	s.do("GET", path, "").want(200)
	s.do("GET", path, "").want(200)
	s.do("GET", "/jobs/job_0000000000000001", "").problem(404, "not_found")
	s.do("GET", "/a/b/c", "").problem(404, "not_found")
	s.doPath("GET", "/healthz", "")
	want := []string{
		`cronraft_http_requests_total{code="200",route="/healthz"} 1`,
		`cronraft_http_requests_total{code="200",route="/jobs/{id}"} 2`,
		`cronraft_http_requests_total{code="201",route="/jobs"} 1`,
		`cronraft_http_requests_total{code="404",route="/jobs/{id}"} 1`,
		`cronraft_http_requests_total{code="404",route="unmatched"} 1`,
	}
	if got := counted(s); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// The leader counts what its own clients sent, not what was forwarded to it.
	if got := counted(leader); got != nil {
		t.Errorf("the leader counted %q", got)
	}
}

// counted are the request counters that /metrics shows.
func counted(s *testServer) []string {
	var lines []string
	for line := range strings.Lines(s.doPath("GET", "/metrics", "").body) {
		if strings.HasPrefix(line, metricRequests+"{") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestOutcomes_Complete(t *testing.T) {
	t.Parallel()
	want := map[job.Code]int{
		job.CodeValidation: 400, job.CodeMalformedJSON: 400, job.CodeUnauthorized: 401, job.CodeForbidden: 403, job.CodeNotFound: 404,
		job.CodeMethodNotAllowed: 405, job.CodeConflict: 409, job.CodeOverlap: 409, job.CodePreconditionFailed: 412,
		job.CodeInUse: 409, job.CodePayloadTooLarge: 413, job.CodeUnsupportedMedia: 415, job.CodeIdempotencyMismatch: 422,
		job.CodeRateLimited: 429, job.CodeInternal: 500,
		job.CodeNoLeader: 503, job.CodeOutcomeUnknown: 503, job.CodeDiskFull: 503,
	}
	for code, status := range want {
		got := outcomeOf(code)
		if got.status != status || got.title == "" {
			t.Errorf("%s: %+v, want status %d", code, got, status)
		}
		if retry := got.retryAfter != ""; retry != (status == 503) {
			t.Errorf("%s: Retry-After %q with status %d", code, got.retryAfter, status)
		}
	}
	if len(outcomes) != len(want) {
		t.Errorf("the table has %d codes, want %d", len(outcomes), len(want))
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	full := job.Errorf(job.CodeDiskFull, "the disk of n1 is full; make room, it goes on by itself")
	leader := start(t, "n1", &backend{store: newStore(), create: func(context.Context, job.Spec) (job.Job, error) { return job.Job{}, full }})
	follower := start(t, "n2", &backend{store: leader.store, follower: true, forward: leader.ServeForwarded})
	for _, s := range []*testServer{leader, follower} {
		a := s.do("POST", "/jobs", tutorialJob)
		if p := a.problem(503, "disk_full"); p.Detail != full.Msg || a.header.Get("Retry-After") != retryLater {
			t.Errorf("Retry-After %q: %s", a.header.Get("Retry-After"), a.body)
		}
	}
}

// Only the endpoints that take large bodies read them.
func TestServer_ReadsLargeBodiesWhereTheyBelong(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for target, want := range map[string]int{
		"POST /api/cron-service/jobs/bulk":            maxBulkBytes + maxBodyBytes,
		"POST /api/cron-service/jobs/bulk?x=/":        maxBulkBytes + maxBodyBytes,
		"POST /api/cron-service/jobs/apply":           maxListBytes + maxBodyBytes,
		"POST /api/cron-service/jobs/import":          maxListBytes + maxBodyBytes,
		"GET /api/cron-service/jobs/bulk":             0,
		"POST /api/cron-service/jobs":                 0,
		"POST /api/cron-service/nothing/here":         0,
		"POST /api/cron-service/jobs/%zz":             0,
		"POST /jobs/bulk":                             0,
		"POST http://x/api/cron-service/jobs/bulk#/a": 0,
	} {
		var h fasthttp.RequestHeader
		method, uri, _ := strings.Cut(target, " ")
		h.SetMethod(method)
		h.SetRequestURI(uri)
		got := s.expect(&h)
		if got.MaxRequestBodySize != want || (got.ReadTimeout > readTimeout) != (want > 0) {
			t.Errorf("%s: got %+v, want %d", target, got, want)
		}
	}
	length := fmt.Sprint(readLimit + 1)
	got := s.raw("POST /api/cron-service/jobs HTTP/1.1\r\nHost: x\r\nX-API-KEY: " + rootKey + "\r\nContent-Length: " + length + "\r\n\r\n")
	if !strings.Contains(got, " 413 ") || !strings.Contains(got, "/limits") {
		t.Errorf("got %s", got)
	}
}

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	whole := (&backend{store: newStore()}).config("n1")
	whole.Gatherer = prometheus.NewRegistry()
	for name, edit := range map[string]func(*Config){
		"NodeID":    func(c *Config) { c.NodeID = "" },
		"Jobs":      func(c *Config) { c.Jobs = nil },
		"Schedules": func(c *Config) { c.Schedules = nil },
		"Events":    func(c *Config) { c.Events = nil },
		"Cluster":   func(c *Config) { c.Cluster = nil },
		"Gatherer":  func(c *Config) { c.Gatherer = nil },
		"limits":    func(c *Config) { c.RequestTimeout = -1 },
		"the rate":  func(c *Config) { c.Limits.Rate = -1 },
	} {
		c := whole
		edit(&c)
		if _, err := New(t.Context(), c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(t.Context(), whole); err != nil {
		t.Error(err)
	}
}

func TestShutdown_WaitsForRequests(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	b := &backend{store: newStore(), get: func(ctx context.Context) (job.Job, error) {
		close(entered)
		<-release
		return job.Job{ID: 1, Namespace: job.DefaultNamespace, Version: 1, Spec: job.DefaultSpec()}, ctx.Err()
	}}
	s := start(t, "n1", b)
	answered := make(chan answer, 1)
	go func() { answered <- s.do("GET", "/jobs/job_0000000000000001", "") }()
	<-entered
	shut := make(chan error, 1)
	go func() { shut <- s.Shutdown(t.Context()) }()
	err := <-s.served // no more connections
	s.served <- err
	close(release)
	(<-answered).want(200)
	if err := <-shut; err != nil {
		t.Error(err)
	}
}

func TestShutdown_OutOfPatience(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	b := &backend{store: newStore(), get: func(ctx context.Context) (job.Job, error) {
		close(entered)
		<-ctx.Done()
		return job.Job{}, ctx.Err()
	}}
	s := start(t, "n1", b)
	answered := make(chan answer, 1)
	go func() { answered <- s.do("GET", "/jobs/job_0000000000000001", "") }()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	(<-answered).problem(503, "no_leader")
}

func TestServe_AfterShutdown(t *testing.T) {
	t.Parallel()
	c := (&backend{store: newStore()}).config("n1")
	c.Gatherer = prometheus.NewRegistry()
	s, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := s.Serve(fasthttputil.NewInmemoryListener()); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServe_ListenerFails(t *testing.T) {
	t.Parallel()
	c := (&backend{store: newStore()}).config("n1")
	c.Gatherer = prometheus.NewRegistry()
	s, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ln := fasthttputil.NewInmemoryListener()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(ln); err == nil {
		t.Error("Serve returned without Shutdown and without an error")
	}
}

func TestKeepAlive_RequestsDoNotMix(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for i := range 20 {
		name := strings.Repeat("x", 1+i%7)
		body := strings.Replace(tutorialJob, "Refresh Cache", name, 1)
		s.do("POST", "/jobs", body).want(201)
		s.do("GET", "/jobs?limit=1", "").want(200)
	}
	for id, j := range s.jobs {
		if strings.Trim(j.Name, "x") != "" || j.Target.Headers[0].Name != "Authorization" || j.Target.Method != http.MethodPost {
			t.Errorf("%v was overwritten: %+v", id, j)
		}
	}
}
