package client_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/httpserver/client"
)

// soon is a client that gives up in time for a test.
var soon = client.Config{RetryFor: 15 * time.Second, Timeout: 10 * time.Second}

func TestRetry_PostKeepsItsKey(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]http.HandlerFunc{
		"no leader":       problem(503, "no_leader", ""),
		"outcome unknown": problem(503, "outcome_unknown", ""),
		"rate limited":    problem(429, "rate_limited", ""),
		"disk full":       problem(503, "disk_full", ""),
		"proxy":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"cut":             cut,
		"half an answer":  half,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newFake(t, failure), newFake(t, data(201, someJob))
			c := newClient(t, soon, refusing(t), a.URL, b.URL)
			j, err := c.CreateJob(t.Context(), client.JobSpec{Name: "n"})
			if err != nil || j.JobID != "job_1" || j.Version != 3 {
				t.Fatalf("got %+v, %v", j, err)
			}
			if got := len(b.seen()); got != 1 {
				t.Errorf("the second server got %d requests", got)
			}
			requests := append(a.seen(), b.seen()...)
			onceKeys(t, requests...)
			for _, r := range requests {
				if r.body != `{"name":"n"}` || r.header.Get("X-API-KEY") != testKey {
					t.Errorf("got %+v", r)
				}
			}
		})
	}
}

func TestRetry_CallersKey(t *testing.T) {
	t.Parallel()
	a := newFake(t, data(201, someJob))
	c := newClient(t, soon, a.URL)
	for range 2 {
		if _, err := c.CreateJob(t.Context(), client.JobSpec{}, client.IdempotencyKey("mine")); err != nil {
			t.Fatal(err)
		}
	}
	if got := onceKeys(t, a.seen()...); got != "mine" {
		t.Errorf("the key is %q", got)
	}
}

// A server that asked for a pause is not asked meanwhile as long as there is another.
func TestRetry_ServerIsLeftAlone(t *testing.T) {
	t.Parallel()
	a, b := newFake(t, problem(429, "rate_limited", "3600")), newFake(t, problem(503, "no_leader", ""), data(200, someJob))
	c := newClient(t, soon, a.URL, b.URL)
	for range 5 {
		if _, err := c.Job(t.Context(), "job_1"); err != nil {
			t.Fatal(err)
		}
	}
	if na, nb := len(a.seen()), len(b.seen()); na != 1 || nb != 6 {
		t.Errorf("the servers got %d and %d requests, want 1 and 6", na, nb)
	}
}

func TestRetry_StaysWithAServer(t *testing.T) {
	t.Parallel()
	a, b := newFake(t, data(200, someJob)), newFake(t, data(200, someJob))
	c := newClient(t, soon, refusing(t), a.URL, b.URL)
	for range 4 {
		if _, err := c.Job(t.Context(), "job_1"); err != nil {
			t.Fatal(err)
		}
	}
	if na, nb := len(a.seen()), len(b.seen()); na != 4 || nb != 0 {
		t.Errorf("the servers got %d and %d requests, want 4 and 0", na, nb)
	}
}

// A POST whose answer was lost and that nobody answers again is not reported as failed.
func TestRetry_LostPost(t *testing.T) {
	t.Parallel()
	cfg := soon
	cfg.RetryFor = 2 * time.Second
	a := newFake(t, cut, problem(503, "no_leader", ""))
	_, err := newClient(t, cfg, a.URL).RunJob(t.Context(), "job_1", client.RunOptions{})
	if !errors.Is(err, client.ErrOutcomeUnknown) || !errors.Is(err, client.ErrNoLeader) {
		t.Errorf("no leader: got %v", err)
	}
	b := newFake(t, cut, problem(409, "overlap", ""))
	_, err = newClient(t, cfg, b.URL).RunJob(t.Context(), "job_1", client.RunOptions{})
	if !errors.Is(err, client.ErrOverlap) || errors.Is(err, client.ErrOutcomeUnknown) {
		t.Errorf("overlap: got %v", err)
	}
}

// Leadership goes to whichever node is best when nobody is named, so that is not
// repeated.
func TestRetry_TransferLeadership(t *testing.T) {
	t.Parallel()
	a := newFake(t, cut, data(200, api.LeadershipTransferred{LeaderID: "n2"}))
	_, err := newClient(t, soon, a.URL).TransferLeadership(t.Context(), "")
	if !errors.Is(err, client.ErrOutcomeUnknown) {
		t.Errorf("got %v", err)
	}
	b := newFake(t, cut, data(200, api.LeadershipTransferred{LeaderID: "n2"}))
	if leader, err := newClient(t, soon, b.URL).TransferLeadership(t.Context(), "n2"); err != nil || leader != "n2" {
		t.Errorf("got %q, %v", leader, err)
	}
}

// A server that accepts the connection and says nothing is left for another one.
func TestRetry_ServerHangs(t *testing.T) {
	t.Parallel()
	cfg := soon
	cfg.Timeout = 300 * time.Millisecond
	a, b := newFake(t, hang), newFake(t, data(200, someJob))
	if _, err := newClient(t, cfg, a.URL, b.URL).Job(t.Context(), "job_1"); err != nil {
		t.Fatal(err)
	}
	_, err := newClient(t, cfg, a.URL, b.URL).UpdateJob(t.Context(), "job_1", client.JobPatch{})
	if !errors.Is(err, client.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("a change: %v", err)
	}
}

func TestRetry_Never(t *testing.T) {
	t.Parallel()
	a, b := newFake(t, problem(503, "no_leader", "")), newFake(t, data(200, someJob))
	_, err := newClient(t, client.Config{RetryFor: -1}, a.URL, b.URL).Job(t.Context(), "job_1")
	if !errors.Is(err, client.ErrNoLeader) || len(b.seen()) != 0 {
		t.Errorf("got %v, and %d further requests", err, len(b.seen()))
	}
}

// What a server refuses is not asked again anywhere.
func TestRetry_Refused(t *testing.T) {
	t.Parallel()
	for code, status := range map[string]int{
		"validation_error": 400, "unauthorized": 401, "forbidden": 403, "not_found": 404, "conflict": 409,
		"idempotency_mismatch": 422,
	} {
		a, b := newFake(t, problem(status, code, "")), newFake(t, data(201, someJob))
		_, err := newClient(t, soon, a.URL, b.URL).CreateJob(t.Context(), client.JobSpec{})
		if client.CodeOf(err) != code || len(a.seen())+len(b.seen()) != 1 {
			t.Errorf("%s: got %v after %s", code, err, methods(append(a.seen(), b.seen()...)))
		}
	}
}

// brokenAnswers are of servers that may have done what they were asked to.
var brokenAnswers = map[string]http.HandlerFunc{
	"internal": problem(500, "internal", ""),
	"proxy":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusHTTPVersionNotSupported) },
	"no JSON":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hello") },
	"no data":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":"OK"}`) },
}

// What has broken may have broken after the write.
func TestRetry_Broken(t *testing.T) {
	t.Parallel()
	for name, answer := range brokenAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newFake(t, answer), newFake(t, data(201, someJob))
			if j, err := newClient(t, soon, a.URL, b.URL).CreateJob(t.Context(), client.JobSpec{}); err != nil || j.JobID != "job_1" {
				t.Errorf("a POST that is sent again: got %+v, %v", j, err)
			}
			onceKeys(t, append(a.seen(), b.seen()...)...)
			_, err := newClient(t, soon, a.URL, b.URL).UpdateJob(t.Context(), "job_1", client.JobPatch{})
			if !errors.Is(err, client.ErrOutcomeUnknown) || len(b.seen()) != 1 {
				t.Errorf("a PATCH that is not: got %v", err)
			}
			cfg := soon
			cfg.RetryFor = -1
			_, err = newClient(t, cfg, a.URL).CreateJob(t.Context(), client.JobSpec{})
			if !errors.Is(err, client.ErrOutcomeUnknown) || !errors.Is(err, client.ErrInternal) && !errors.Is(err, client.ErrUnexpected) {
				t.Errorf("a POST that must not be sent again: got %v", err)
			}
		})
	}
	a, b := newFake(t, problem(500, "internal", "")), newFake(t, data(200, someJob))
	if _, err := newClient(t, soon, a.URL, b.URL).Job(t.Context(), "job_1"); err != nil {
		t.Errorf("a read: %v", err)
	}
}

// An answer that is too long is told as that, and not as one that cannot be read.
func TestRetry_AnswerTooLarge(t *testing.T) {
	t.Parallel()
	a := newFake(t, data(200, someJob))
	cfg := soon
	cfg.RetryFor = -1
	c := newClient(t, cfg, a.URL)
	c.SetMaxAnswer(20)
	_, err := c.Job(t.Context(), "job_1")
	if !errors.Is(err, client.ErrUnexpected) || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a read: got %v", err)
	}
	_, err = c.UpdateJob(t.Context(), "job_1", client.JobPatch{})
	if !errors.Is(err, client.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a change: got %v", err)
	}
}
