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

func TestNew_Config(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]client.Config{
		"no key":          {Servers: []string{"http://a"}},
		"key with a line": {Servers: []string{"http://a"}, APIKey: "abc\n"},
		"no servers":      {APIKey: "k"},
		"no address":      {APIKey: "k", Servers: []string{"http://"}},
		"other scheme":    {APIKey: "k", Servers: []string{"ftp://a"}},
		"a query":         {APIKey: "k", Servers: []string{"http://a?b"}},
		"user-info":       {APIKey: "k", Servers: []string{"http://u:p@a"}},
		"timeout":         {APIKey: "k", Servers: []string{"a:1"}, Timeout: -1},
	} {
		if _, err := client.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNew_Addresses(t *testing.T) {
	t.Parallel()
	a := newFake(t, data(200, someJob))
	host := strings.TrimPrefix(a.URL, "http://")
	for address, prefix := range map[string]string{
		host: "", " " + host + " ": "", a.URL + "/": "", a.URL + "/api/cron-service": "", a.URL + "/api/cron-service/": "", a.URL + "/proxied/": "/proxied",
	} {
		if _, err := newClient(t, soon, address).Job(t.Context(), "job_1"); err != nil {
			t.Errorf("%q: %v", address, err)
		}
		all := a.seen()
		if got, want := all[len(all)-1].uri, prefix+"/api/cron-service/jobs/job_1"; got != want {
			t.Errorf("%q: got %s, want %s", address, got, want)
		}
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	a := newFake(t, problem(400, "validation_error", "", api.FieldError{Field: "name", Message: "is required"}))
	_, err := newClient(t, soon, a.URL).CreateJob(t.Context(), client.JobSpec{})
	var e *client.Error
	if !errors.As(err, &e) || !errors.Is(err, client.ErrValidation) || errors.Is(err, client.ErrNotFound) {
		t.Fatalf("got %#v", err)
	}
	if e.Status != 400 || len(e.Fields) != 1 || e.Fields[0].Field != "name" || e.RequestID != "req_1" {
		t.Errorf("got %+v", e)
	}
	if got, want := err.Error(), "validation_error: the detail; name: is required (request req_1)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := client.ProblemError(&api.Problem{Code: "conflict"}); !errors.Is(err, client.ErrConflict) {
		t.Errorf("got %v", err)
	}
	if err := client.ProblemError(nil); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestError_NoCronraft(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a page":       func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hello") },
		"other JSON":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"a":1}`) },
		"another type": data(200, []int{1}),
		"404 page":     http.NotFound,
	} {
		a := newFake(t, answer)
		if _, err := newClient(t, soon, a.URL).Job(t.Context(), "job_1"); !errors.Is(err, client.ErrUnexpected) || len(a.seen()) != 1 {
			t.Errorf("%s: got %v after %d requests", name, err, len(a.seen()))
		}
	}
}

// The API key goes to no other server than those it was given for.
func TestClient_NoRedirects(t *testing.T) {
	t.Parallel()
	other := newFake(t, data(200, someJob))
	a := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.RequestURI, http.StatusTemporaryRedirect)
	})
	for _, hc := range []*http.Client{nil, {}} {
		_, err := newClient(t, client.Config{HTTPClient: hc}, a.URL).Job(t.Context(), "job_1")
		if !errors.Is(err, client.ErrUnexpected) || !strings.Contains(err.Error(), other.URL) || len(other.seen()) != 0 {
			t.Errorf("got %v", err)
		}
	}
}

func TestOptions_Refused(t *testing.T) {
	t.Parallel()
	a := newFake(t, data(200, someJob))
	c := newClient(t, soon, a.URL)
	for name, opt := range map[string]client.Option{
		"IfMatch": client.IfMatch(1), "IdempotencyKey": client.IdempotencyKey("k"), "Namespace": client.Namespace("n"),
	} {
		if _, err := c.Job(t.Context(), "job_1", opt); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := c.DeleteJob(t.Context(), "job_1", client.Stale()); err == nil {
		t.Error("a deletion took Stale")
	}
	if _, err := c.Job(t.Context(), ""); err == nil {
		t.Error("an empty ID was taken")
	}
	if n := len(a.seen()); n != 0 {
		t.Errorf("the server got %d requests", n)
	}
}

func TestOptions_Meta(t *testing.T) {
	t.Parallel()
	a := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"X-Cron-Node": "n2", "X-Cron-Applied-Index": "41", "X-Request-Id": "req_9", "Idempotency-Replayed": "true",
		} {
			w.Header().Set(name, value)
		}
		data(200, someJob)(w, r)
	})
	var m client.Meta
	if _, err := newClient(t, soon, a.URL).CreateJob(t.Context(), client.JobSpec{}, client.WithMeta(&m)); err != nil {
		t.Fatal(err)
	}
	if want := (client.Meta{Server: a.URL, Node: "n2", RequestID: "req_9", AppliedIndex: 41, Replayed: true}); m != want {
		t.Errorf("got %+v", m)
	}
}

// The namespace of the config is used wherever a call takes one, and only there.
func TestConfig_Namespace(t *testing.T) {
	t.Parallel()
	a := newFake(t, data(200, api.JobList{}), data(201, someJob), data(200, someJob), data(201, someJob))
	c := newClient(t, client.Config{Namespace: "team"}, a.URL)
	if _, err := c.JobPage(t.Context(), client.JobFilter{}); err != nil {
		t.Error(err)
	}
	if _, err := c.CreateJob(t.Context(), client.JobSpec{}); err != nil {
		t.Error(err)
	}
	if _, err := c.Job(t.Context(), "job_1"); err != nil {
		t.Error(err)
	}
	if _, err := c.CreateJob(t.Context(), client.JobSpec{}, client.Namespace("other")); err != nil {
		t.Error(err)
	}
	var got []string
	for _, r := range a.seen() {
		_, query, _ := strings.Cut(r.uri, "?")
		got = append(got, query+"/"+r.header.Get("X-Cron-Namespace"))
	}
	if want := "namespace=team/ /team / /other"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	next := new("c2")
	a := newFake(t,
		data(200, api.JobList{Jobs: []api.Job{{JobID: "job_1"}, {JobID: "job_2"}}, NextCursor: next}),
		data(200, api.JobList{NextCursor: new("c3")}), // a page may be empty
		data(200, api.JobList{Jobs: []api.Job{{JobID: "job_3"}}}),
	)
	var ids []string
	for j, err := range newClient(t, soon, a.URL).Jobs(t.Context(), client.JobFilter{State: "ACTIVE"}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.JobID)
	}
	if got := strings.Join(ids, " "); got != "job_1 job_2 job_3" {
		t.Errorf("got %s", got)
	}
	var uris []string
	for _, r := range a.seen() {
		uris = append(uris, strings.TrimPrefix(r.uri, "/api/cron-service/jobs?"))
	}
	if got := strings.Join(uris, " "); got != "limit=100&state=ACTIVE cursor=c2&limit=100&state=ACTIVE cursor=c3&limit=100&state=ACTIVE" {
		t.Errorf("got %s", got)
	}
}

func TestPages_Break(t *testing.T) {
	t.Parallel()
	a := newFake(t, data(200, api.ExecutionList{Executions: make([]api.Execution, 3), NextCursor: new("c2")}), problem(500, "internal", ""))
	c := newClient(t, soon, a.URL)
	count := 0
	for _, err := range c.Executions(t.Context(), client.ExecutionFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if count++; count == 2 {
			break
		}
	}
	if got := len(a.seen()); count != 2 || got != 1 {
		t.Errorf("%d items of %d requests, want 2 of 1", count, got)
	}
}

func TestPages_Error(t *testing.T) {
	t.Parallel()
	a := newFake(t, data(200, api.WebhookList{Webhooks: make([]api.Webhook, 1), NextCursor: new("c2")}), problem(403, "forbidden", ""))
	var errs []error
	for _, err := range newClient(t, soon, a.URL).Webhooks(t.Context()) {
		errs = append(errs, err)
	}
	if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], client.ErrForbidden) {
		t.Errorf("got %v", errs)
	}
}

func TestExportDocument(t *testing.T) {
	t.Parallel()
	text := "jobs:\n- name: a\n"
	a := newFake(t, problem(503, "no_leader", ""), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = io.WriteString(w, text)
		if len(r.URL.Query()["tag"]) == 0 {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	c := newClient(t, soon, a.URL)
	whole := func(f client.JobFilter) (string, error) {
		r, err := c.ExportDocument(t.Context(), client.YAML, f)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		return string(b), err
	}
	if got, err := whole(client.JobFilter{Tags: map[string]string{"a": "b"}}); err != nil || got != text {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := whole(client.JobFilter{}); err == nil {
		t.Error("a document that broke off looks whole")
	}
}

func TestSpecOf(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	j := api.Job{
		Name: "n", IntervalSeconds: new(int64(60)), StartAt: &api.Time{Time: at}, State: "COMPLETED", Headers: map[string]string{"A": client.Hidden},
		RetryDelaySeconds: 0, Body: new(""),
	}
	s := client.SpecOf(j)
	if s.Name != "n" || s.IntervalSeconds != 60 || !s.StartAt.Equal(at) || !s.EndAt.IsZero() || s.State != "" || s.Headers["A"] != "***" ||
		*s.RetryDelaySeconds != 0 || *s.Body != "" {
		t.Errorf("got %+v", s)
	}
	if s := client.SpecOf(api.Job{State: "PAUSED"}); s.State != "PAUSED" {
		t.Errorf("got %+v", s)
	}
}
