package httpserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// pair is a leader and a follower; what the follower forwards reaches the leader.
func pair(t *testing.T) (leader, follower *testServer) {
	t.Helper()
	leader = start(t, "n1", &backend{store: newStore()})
	b := &backend{store: leader.store, follower: true}
	b.forward = func(ctx context.Context, request []byte) ([]byte, error) { return leader.ServeForwarded(ctx, request) }
	return leader, start(t, "n2", b)
}

func TestForward_Write(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	a := s.do("POST", "/jobs", tutorialJob)
	path := jobPath(a.want(201))
	for name, want := range map[string]string{
		"X-Cron-Node": "n2", "ETag": `"1"`, "Location": basePath + path, "X-Cron-Applied-Index": "1", "Content-Type": "application/json; charset=utf-8",
	} {
		if got := a.header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	a = s.do("PATCH", path, `{"name":"m"}`, "If-Match", `"1"`)
	if got := a.want(200)["name"]; got != "m" || a.header.Get("ETag") != `"2"` {
		t.Errorf("patched: %s", a.body)
	}
	s.do("PATCH", path, `{"name":"m"}`, "If-Match", `"1"`).problem(412, "precondition_failed")
	s.do("PATCH", path, `{"retries":99}`).problem(400, "validation_error")
	s.do("POST", path+"/run", "").want(202)
	s.do("POST", path+"/run", "").problem(409, "overlap")
	s.do("DELETE", path, "", "Content-Type", "multipart/form-data; boundary=x").want(200)
	s.do("DELETE", path, "").problem(404, "not_found")
}

func TestForward_ReadsStayLocal(t *testing.T) {
	t.Parallel()
	leader, s := pair(t)
	path := jobPath(leader.do("POST", "/jobs", tutorialJob).want(201))
	s.backend.forward = func(context.Context, []byte) ([]byte, error) { return nil, errors.New("forwarded") }
	s.do("GET", path, "").want(200)
	if logs := s.logs.String(); logs != "" {
		t.Errorf("logged %s", logs)
	}
}

func TestForward_LocalRefusal(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	var forwarded atomic.Int32
	s.backend.forward = func(context.Context, []byte) ([]byte, error) { forwarded.Add(1); return nil, job.ErrNotLeader }
	s.do("POST", "/jobs", "{").problem(400, "malformed_json")
	s.do("POST", "/jobs", "{}").problem(400, "validation_error")
	s.do("POST", "/jobs", tutorialJob, "X-API-KEY", "wrong").problem(401, "unauthorized")
	if n := forwarded.Load(); n != 0 {
		t.Errorf("%d invalid requests were forwarded", n)
	}
}

func TestForward_Errors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer string
		err    error
		code   string
	}{
		"not reached":            {"", job.ErrNotLeader, "no_leader"},
		"not reached, wrapped":   {"", errors.Join(errors.New("dial n1"), job.ErrNotLeader), "no_leader"},
		"unknown":                {"", job.ErrOutcomeUnknown, "outcome_unknown"},
		"broken connection":      {"", errors.New("read: connection reset by n1:8401"), "outcome_unknown"},
		"time is up":             {"", context.DeadlineExceeded, "outcome_unknown"},
		"empty answer":           {"", nil, "outcome_unknown"},
		"no HTTP":                {"what?\r\n\r\n", nil, "outcome_unknown"},
		"half an answer":         {"HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\nX-Cron-Applied-Index: 3\r\nContent-Length: 50\r\n\r\n{}", nil, "outcome_unknown"},
		"more than an answer":    {"HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\nX-Cron-Applied-Index: 3\r\nContent-Length: 2\r\n\r\n{}{}", nil, "outcome_unknown"},
		"answer without index":   {"HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}", nil, "outcome_unknown"},
		"answer with no index":   {"HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\nX-Cron-Applied-Index: x\r\nContent-Length: 2\r\n\r\n{}", nil, "outcome_unknown"},
		"answer of another kind": {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Cron-Applied-Index: 3\r\nContent-Length: 2\r\n\r\n{}", nil, "outcome_unknown"},
		"redirect":               {"HTTP/1.1 302 Found\r\nContent-Type: application/json; charset=utf-8\r\nX-Cron-Applied-Index: 3\r\nContent-Length: 2\r\n\r\n{}", nil, "outcome_unknown"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			s := start(t, "n2", &backend{store: newStore(), follower: true, forward: func(context.Context, []byte) ([]byte, error) {
				calls.Add(1)
				return []byte(tt.answer), tt.err
			}})
			a := s.do("POST", "/jobs", tutorialJob)
			a.problem(503, tt.code)
			if got := a.header.Get("Retry-After"); got != "1" {
				t.Errorf("Retry-After %q", got)
			}
			if got := calls.Load(); got != 1 {
				t.Errorf("forwarded %d times", got)
			}
			if strings.Contains(a.body, "8401") {
				t.Errorf("an internal error is shown: %s", a.body)
			}
		})
	}
}

func TestForward_Once(t *testing.T) {
	t.Parallel()
	var back atomic.Int32
	n1 := start(t, "n1", &backend{store: newStore(), follower: true, forward: func(context.Context, []byte) ([]byte, error) {
		back.Add(1)
		return nil, job.ErrNotLeader
	}})
	n2 := start(t, "n2", &backend{store: newStore(), follower: true, forward: n1.ServeForwarded})
	a := n2.do("POST", "/jobs", tutorialJob)
	a.problem(503, "no_leader")
	if a.header.Get("X-Cron-Node") != "n2" || a.header.Get("Retry-After") != "1" {
		t.Errorf("headers %v", a.header)
	}
	if n := back.Load(); n != 0 {
		t.Errorf("a forwarded request was forwarded %d times", n)
	}
}

func TestForward_LeaderAuthenticates(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	s.authorize = func(context.Context, string) (job.APIKey, error) {
		return job.APIKey{ID: "key_any", Role: job.RoleAdmin, Root: true}, nil
	}
	s.do("POST", "/jobs", tutorialJob, "X-API-KEY", "wrong").problem(401, "unauthorized")
	if s.writes() != 0 {
		t.Error("an unknown key wrote")
	}
}

func TestForward_ReadYourWrite(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	waits, applied := make(chan uint64, 1), make(chan struct{})
	s.backend.waitApplied = func(ctx context.Context, index uint64) error {
		waits <- index
		select {
		case <-applied:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	answered := make(chan answer, 1)
	go func() { answered <- s.do("POST", "/jobs", tutorialJob) }()
	if got := <-waits; got != 1 {
		t.Errorf("waits for index %d, want 1", got)
	}
	select {
	case <-answered:
		t.Error("answered before the write was applied here")
	default:
	}
	close(applied)
	(<-answered).want(201)
}

func TestForward_WaitFails(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	s.backend.waitApplied = func(ctx context.Context, _ uint64) error {
		if _, bounded := ctx.Deadline(); !bounded {
			return errors.New("an endless wait")
		}
		return context.DeadlineExceeded
	}
	s.do("POST", "/jobs", tutorialJob).want(201)
	if logs := s.logs.String(); !strings.Contains(logs, "before it is applied here") || strings.Contains(logs, "endless") {
		t.Errorf("logged %s", logs)
	}
}

func TestForward_RequestID(t *testing.T) {
	t.Parallel()
	leader, s := pair(t)
	leader.create = func(context.Context, job.Spec) (job.Job, error) { return job.Job{}, errDisk }
	a := s.do("POST", "/jobs", tutorialJob, "X-Request-Id", "req_000000000000000000000000", "Connection", "close")
	p := a.problem(500, "internal")
	if !strings.Contains(leader.logs.String(), p.RequestID) {
		t.Errorf("the leader's log does not name %s: %s", p.RequestID, leader.logs)
	}
	if p.RequestID == "req_000000000000000000000000" {
		t.Error("the client chose the request's ID")
	}
}

func TestServeForwarded_NoRequest(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for name, raw := range map[string]string{
		"nothing":      "",
		"noise":        "\x00\x01\x02",
		"half":         "POST /api/cron-service/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{}",
		"two requests": strings.Repeat("DELETE /api/cron-service/jobs HTTP/1.1\r\nHost: x\r\n\r\n", 2),
		"endless":      "POST /api/cron-service/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n{}",
	} {
		if answer, err := s.ServeForwarded(t.Context(), []byte(raw)); err == nil {
			t.Errorf("%s: answered %s", name, answer)
		}
	}
}

func TestOutOfTime(t *testing.T) {
	t.Parallel()
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	b := &backend{store: newStore(), barrier: wait}
	b.create = func(ctx context.Context, _ job.Spec) (job.Job, error) { return job.Job{}, wait(ctx) }
	s := start(t, "n1", b, func(c *Config) { c.RequestTimeout = 20 * time.Millisecond })
	s.do("GET", "/jobs", "").problem(503, "no_leader")
	s.do("POST", "/jobs", tutorialJob).problem(503, "outcome_unknown")
}

// behind is a follower that cannot confirm a read, before a leader that can.
func behind(t *testing.T) (leader, follower *testServer) {
	t.Helper()
	leader, follower = pair(t)
	follower.backend.store = newStore() // it has applied nothing yet
	follower.backend.barrier = func(context.Context) error {
		return errors.Join(errors.New("the disk is full"), job.ErrNotLeader)
	}
	return leader, follower
}

func TestForwardRead(t *testing.T) {
	t.Parallel()
	leader, s := behind(t)
	path := jobPath(leader.do("POST", "/jobs", tutorialJob).want(201))
	run := leader.do("POST", path+"/run", "").want(202)["executionId"].(string)
	for _, read := range []string{path, "/jobs?limit=1&consistency=linearizable", path + "/executions", "/executions/" + run} {
		a, want := s.do("GET", read, ""), leader.do("GET", read, "")
		if a.want(200); a.body != want.body {
			t.Errorf("%s: got  %s\nwant %s", read, a.body, want.body)
		}
		for name, want := range map[string]string{
			"X-Cron-Node": "n2", "X-Cron-Applied-Index": "2", "ETag": want.header.Get("ETag"), "Content-Type": want.header.Get("Content-Type"),
		} {
			if got := a.header.Values(name); strings.Join(got, ";") != want {
				t.Errorf("%s: %s: got %q, want %q", read, name, got, want)
			}
		}
	}
	head := s.do("HEAD", path, "")
	if head.status != 200 || head.body != "" || head.header.Get("ETag") != `"1"` {
		t.Errorf("HEAD: status %d, headers %v, body %q", head.status, head.header, head.body)
	}
	missing := s.do("GET", "/jobs/job_0000000000000001", "")
	missing.problem(404, "not_found")
	if got := missing.header.Get("X-Cron-Applied-Index"); got != "2" {
		t.Errorf("it is missing at index %s, want 2", got)
	}
}

func TestForwardRead_StaleStaysHere(t *testing.T) {
	t.Parallel()
	leader, s := behind(t)
	path := jobPath(leader.do("POST", "/jobs", tutorialJob).want(201))
	s.do("GET", path, "").want(200)
	s.do("GET", path+"?consistency=stale", "").problem(404, "not_found")
	s.do("GET", "/jobs?consistency=soon", "").problem(400, "validation_error")
	s.do("GET", "/cluster", "").want(200)
}

// A node's own state is of no use from another one.
func TestForwardRead_OnlyForAReadPoint(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	s.backend.get = func(context.Context) (job.Job, error) { return job.Job{}, job.ErrNotLeader }
	s.backend.forward = func(context.Context, []byte) ([]byte, error) {
		t.Error("forwarded")
		return nil, job.ErrNotLeader
	}
	s.do("GET", "/jobs/job_0000000000000001", "").problem(503, "no_leader")
}

func TestForwardRead_Fails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		err    error
	}{
		"not reached":          {"", job.ErrNotLeader},
		"broken connection":    {"", errors.New("read: connection reset by n1:8401")},
		"unknown":              {"", job.ErrOutcomeUnknown},
		"empty answer":         {"", nil},
		"answer without index": {"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := behind(t)
			var calls atomic.Int32
			s.backend.forward = func(context.Context, []byte) ([]byte, error) {
				calls.Add(1)
				return []byte(tt.answer), tt.err
			}
			a := s.do("GET", "/jobs", "")
			if p := a.problem(503, "no_leader"); p.Detail != job.ErrNotLeader.Msg || strings.Contains(a.body, "8401") {
				t.Errorf("got %s", a.body)
			}
			if got := calls.Load(); got != 1 {
				t.Errorf("forwarded %d times", got)
			}
			if a.header.Get("X-Cron-Applied-Index") != "0" || a.header.Get("Retry-After") != "1" {
				t.Errorf("headers %v", a.header)
			}
			if logs := s.logs.String(); logs != "" {
				t.Errorf("logged %s", logs)
			}
		})
	}
}

func TestForwardRead_Once(t *testing.T) {
	t.Parallel()
	_, n1 := behind(t)
	n1.backend.forward = func(context.Context, []byte) ([]byte, error) {
		t.Error("a forwarded read was forwarded")
		return nil, job.ErrNotLeader
	}
	_, n2 := behind(t)
	n2.backend.forward = n1.ServeForwarded
	n2.do("GET", "/jobs", "").problem(503, "no_leader")
}

func TestForwardRead_OutOfTime(t *testing.T) {
	t.Parallel()
	b := &backend{store: newStore(), follower: true, barrier: func(ctx context.Context) error {
		<-ctx.Done()
		return fmt.Errorf("%w (this node lags behind: %w)", job.ErrNotLeader, ctx.Err())
	}}
	b.forward = func(context.Context, []byte) ([]byte, error) {
		t.Error("forwarded when there was no time left")
		return nil, job.ErrNotLeader
	}
	s := start(t, "n2", b, func(c *Config) { c.RequestTimeout = 20 * time.Millisecond })
	s.do("GET", "/jobs", "").problem(503, "no_leader")
}

func TestOutcomeUnknown_Advice(t *testing.T) {
	t.Parallel()
	leader, s := pair(t)
	leader.create = func(context.Context, job.Spec) (job.Job, error) { return job.Job{}, job.ErrOutcomeUnknown }
	for _, from := range []*testServer{leader, s} {
		p := from.do("POST", "/jobs", tutorialJob).problem(503, "outcome_unknown")
		if strings.Count(p.Detail, "Idempotency-Key") != 1 || strings.Count(p.Detail, "If-Match") != 1 {
			t.Errorf("got %q", p.Detail)
		}
	}
}
