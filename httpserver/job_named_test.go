package httpserver

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	namedPath = "/jobs/by-external-id/billing%2Fdaily%20x"
	namedJob  = `{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/"}`
)

func TestNamed_Put(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	a := s.do("PUT", namedPath, namedJob)
	made := a.want(201)
	if made["externalId"] != "billing/daily x" || a.header.Get("ETag") != `"1"` || a.header.Get("Location") != basePath+jobPath(made) {
		t.Errorf("made %v, headers %v", made, a.header)
	}
	for _, body := range []string{
		namedJob, strings.Replace(namedJob, `"n"`, `"m","externalId":"billing/daily x"`, 1), strings.Replace(namedJob, `"n"`, `"m","externalId":null`, 1),
	} {
		got := s.do("PUT", namedPath, body).want(200)
		if got["jobId"] != made["jobId"] || got["externalId"] != "billing/daily x" {
			t.Errorf("%s: %v", body, got)
		}
	}
	if got := s.do("GET", namedPath, "").want(200); got["jobId"] != made["jobId"] || got["version"] != 4.0 {
		t.Errorf("it is read as %v", got)
	}
	if len(s.jobs) != 1 {
		t.Errorf("%d jobs", len(s.jobs))
	}
}

func TestNamed_Namespaces(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	ids := map[any]bool{}
	for _, headers := range [][]string{nil, {"X-API-KEY", teamKey}, {"X-Cron-Namespace", "ops"}} {
		ids[s.do("PUT", namedPath, namedJob, headers...).want(201)["jobId"]] = true
		ids[s.do("PUT", namedPath, namedJob, headers...).want(200)["jobId"]] = true
	}
	if len(ids) != 3 {
		t.Errorf("%d jobs of three namespaces", len(ids))
	}
	for query, want := range map[string]string{"": "default", "?namespace=ops": "ops", "?namespace=team": "team"} {
		if got := s.do("GET", namedPath+query, "").want(200)["namespace"]; got != want {
			t.Errorf("%q: namespace %v, want %s", query, got, want)
		}
	}
	s.do("GET", namedPath+"?namespace=none", "").problem(404, "not_found")
	s.do("GET", namedPath+"?namespace=ops", "", "X-API-KEY", teamKey).problem(403, "forbidden")
	s.do("PUT", namedPath, namedJob, "X-API-KEY", readerKey).problem(403, "forbidden")
	s.do("GET", namedPath, "", "X-API-KEY", readerKey).want(200)
}

func TestNamed_Refused(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	const other = "/jobs/by-external-id/other"
	hidden := strings.Replace(namedJob, `"n"`, `"n","headers":{"A":"***"}`, 1)
	for name, tt := range map[string]struct {
		path, body, ifMatch string
		status              int
		code, field         string
	}{
		"other ID":      {other, strings.Replace(namedJob, `"n"`, `"n","externalId":"x"`, 1), "", 400, "validation_error", "externalId"},
		"number":        {other, strings.Replace(namedJob, `"n"`, `"n","externalId":5`, 1), "", 400, "validation_error", "externalId"},
		"no ID":         {"/jobs/by-external-id/", namedJob, "", 400, "validation_error", "externalId"},
		"long ID":       {"/jobs/by-external-id/" + strings.Repeat("x", 256), namedJob, "", 400, "validation_error", "externalId"},
		"two lines":     {"/jobs/by-external-id/a%0Ab", namedJob, "", 400, "validation_error", "externalId"},
		"no UTF-8":      {"/jobs/by-external-id/%ff", namedJob, "", 400, "validation_error", "externalId"},
		"hidden":        {other, hidden, "", 400, "validation_error", "headers.A"},
		"nothing there": {other, namedJob, `*`, 412, "precondition_failed", ""},
		"no version":    {other, namedJob, `"1"`, 412, "precondition_failed", ""},
		"parameter":     {other + "?namespace=x", namedJob, "", 400, "validation_error", "namespace"},
	} {
		p := s.do("PUT", tt.path, tt.body, "If-Match", tt.ifMatch).problem(tt.status, tt.code)
		if len(p.Errors) > 1 || tt.field != "" && (len(p.Errors) == 0 || p.Errors[0].Field != tt.field) {
			t.Errorf("%s: fields %q, want %s", name, fields(p), tt.field)
		}
	}
	s.do("GET", other, "").problem(404, "not_found")
	s.do("GET", "/jobs/by-external-id/%ff", "").problem(404, "not_found")
	s.do("GET", other+"?limit=1", "").problem(400, "validation_error")
	if s.writes() != 0 {
		t.Errorf("%d of the requests wrote", s.writes())
	}
	s.do("PUT", other, namedJob).want(201)
	s.do("PUT", other, namedJob, "If-Match", `"7"`).problem(412, "precondition_failed")
	s.do("PUT", other, namedJob, "If-Match", `"1"`).want(200)
}

// Another request may create or delete the job between the look and the write.
func TestNamed_Races(t *testing.T) {
	t.Parallel()
	b := &backend{store: newStore()}
	s := start(t, "n1", b)
	theirs := jobPath(s.do("PUT", "/jobs/by-external-id/x", namedJob).want(201))
	looks := 0
	b.named = func(namespace, externalID string) (job.Job, error) {
		if looks++; looks == 1 {
			return job.Job{}, job.ErrNotFound // not made yet
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.byExternalID(namespace, externalID)
	}
	if got := jobPath(s.do("PUT", "/jobs/by-external-id/x", namedJob).want(200)); got != theirs || looks != 2 {
		t.Errorf("got %s after %d looks", got, looks)
	}
	b.named = func(string, string) (job.Job, error) { return job.Job{ID: 7}, nil } // deleted each time
	s.do("PUT", "/jobs/by-external-id/x", namedJob).problem(404, "not_found")
}

// A follower must not decide by what it does not know yet.
func TestNamed_StaleFollower(t *testing.T) {
	t.Parallel()
	leader := startLeader(t)
	leader.do("PUT", "/jobs/by-external-id/x", strings.Replace(namedJob, `"n"`, `"n","headers":{"A":"a"}`, 1)).want(201)
	b := &backend{store: newStore(), follower: true, forward: leader.ServeForwarded, barrier: func(context.Context) error { return job.ErrNotLeader }}
	s := start(t, "n2", b)
	s.do("PUT", "/jobs/by-external-id/x", strings.Replace(namedJob, `"n"`, `"n","headers":{"A":"***"}`, 1)).want(200)
}

func TestCreate_ExternalIDTaken(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	body := strings.Replace(namedJob, `"n"`, `"n","externalId":"x"`, 1)
	s.do("POST", "/jobs", body).want(201)
	s.do("POST", "/jobs", body).problem(409, "conflict")
	s.do("POST", "/jobs", body, "X-Cron-Namespace", "ops").want(201)
}

func TestOnce_NamespaceOfTheRequest(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	s.do("POST", "/jobs", namedJob, "Idempotency-Key", onceKey, "X-Cron-Namespace", "ops").want(201)
	s.do("POST", "/jobs", namedJob, "Idempotency-Key", onceKey, "X-Cron-Namespace", "dev").problem(422, "idempotency_mismatch")
	s.do("POST", "/jobs", namedJob, "Idempotency-Key", onceKey).problem(422, "idempotency_mismatch")
	if got := s.do("POST", "/jobs", namedJob, "Idempotency-Key", onceKey, "X-Cron-Namespace", "ops").want(201); got["namespace"] != "ops" || len(s.jobs) != 1 {
		t.Errorf("got %v, %d jobs", got, len(s.jobs))
	}
}

// TestNamed_IfNoneMatch: a caller that only wants to make a job never replaces one.
func TestNamed_IfNoneMatch(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	for value, other := range map[string]string{`"1"`: "", `W/"1"`: "", "*, *": "", "": "", " *": `"1"`} {
		a := s.do("PUT", namedPath, namedJob, headerIfNoneMatch, " "+value, headerIfMatch, other)
		if got := fields(a.problem(400, "validation_error")); !slices.Equal(got, []string{headerIfNoneMatch}) {
			t.Errorf("%q: fields %v", value, got)
		}
	}
	made := s.do("PUT", namedPath, namedJob, headerIfNoneMatch, "*").want(201)
	again := s.do("PUT", namedPath, strings.Replace(namedJob, `"n"`, `"m"`, 1), headerIfNoneMatch, "*").problem(412, "precondition_failed")
	if !strings.Contains(again.Detail, headerIfNoneMatch) {
		t.Errorf("the detail is %q", again.Detail)
	}
	if got := s.do("GET", namedPath, "").want(200); got["name"] != "n" || got["version"] != 1.0 {
		t.Errorf("the job is %v", got)
	}
	for method, path := range map[string]string{"PUT": jobPath(made), "PATCH": jobPath(made), "DELETE": jobPath(made), "POST": "/jobs"} {
		body := namedJob
		if method == "DELETE" {
			body = ""
		}
		a := s.do(method, path, body, headerIfNoneMatch, "*")
		if got := fields(a.problem(400, "validation_error")); !slices.Equal(got, []string{headerIfNoneMatch}) {
			t.Errorf("%s: fields %v", method, got)
		}
	}
}

// TestNamed_PutResumesNothing: who paused the job is not who declares it.
func TestNamed_PutResumesNothing(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	made := s.do("PUT", namedPath, namedJob).want(201)
	s.do("PATCH", jobPath(made), `{"state":"PAUSED","pauseReason":"the target is down"}`).want(200)
	for _, state := range []string{``, `"state":null,`} {
		got := s.do("PUT", namedPath, strings.Replace(namedJob, `{`, `{`+state, 1)).want(200)
		if got["state"] != "PAUSED" || got["pauseReason"] != "the target is down" {
			t.Errorf("%q made it %v, %v", state, got["state"], got["pauseReason"])
		}
	}
	if got := s.do("PUT", namedPath, strings.Replace(namedJob, `{`, `{"state":"ACTIVE",`, 1)).want(200); got["state"] != "ACTIVE" || got["pauseReason"] != nil {
		t.Errorf("it was not resumed: %v", got)
	}
	s.do("PATCH", jobPath(made), `{"state":"PAUSED"}`).want(200)
	if got := s.do("PUT", jobPath(made), namedJob).want(200); got["state"] != "ACTIVE" {
		t.Errorf("PUT by ID leaves it %v", got["state"])
	}
}
