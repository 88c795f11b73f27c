package httpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// results are those of a bulk creation.
func (a answer) results() []api.BulkResult {
	a.t.Helper()
	if a.status != 200 {
		a.t.Fatalf("status %d: %s", a.status, clip(a.body))
	}
	var envelope struct {
		Data struct{ Results []api.BulkResult }
	}
	if err := json.Unmarshal([]byte(a.body), &envelope); err != nil {
		a.t.Fatal(err)
	}
	return envelope.Data.Results
}

func bulkOf(jobs ...string) string { return `{"jobs":[` + strings.Join(jobs, ",") + `]}` }

// plainJob is a job with further members.
func plainJob(extra string) string {
	return `{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/"` + extra + `}`
}

func TestBulk(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	s.do("POST", "/jobs", plainJob(`,"externalId":"taken"`)).want(201)
	before := s.writes()
	results := s.do("POST", "/jobs/bulk", bulkOf(
		plainJob(`,"externalId":"a","tags":{"k":"v"}`),
		plainJob(`,"retries":"x","colour":1,"jobId":"j"`),
		`7`,
		tutorialJob,
		plainJob(`,"externalId":"a"`),
		plainJob(`,"externalId":"taken"`),
		`{}`,
		`null`,
	)).results()
	if got := s.writes() - before; got != 1 {
		t.Errorf("%d log entries", got)
	}
	want := []struct {
		status int
		code   string
		fields []string
	}{
		{201, "", nil},
		{400, "validation_error", []string{"colour", "jobId", "retries"}},
		{400, "validation_error", []string{"jobs[2]"}},
		{201, "", nil},
		{409, "conflict", nil},
		{409, "conflict", nil},
		{400, "validation_error", []string{"name", "cronExpression", "targetUrl"}},
		{400, "validation_error", []string{"jobs[7]"}},
	}
	if len(results) != len(want) {
		t.Fatalf("%d results: %+v", len(results), results)
	}
	for i, r := range results {
		if r.Index != i || r.Status != want[i].status || (r.Job != nil) != (r.Status == 201) || (r.Problem == nil) != (r.Status == 201) {
			t.Errorf("result %d is %+v, want status %d", i, r, want[i].status)
			continue
		}
		if p := r.Problem; p != nil && (p.Code != want[i].code || p.Status != r.Status || p.RequestID == "" || !slices.Equal(fields(*p), want[i].fields)) {
			t.Errorf("problem %d is %+v, want %v", i, *p, want[i])
		}
	}
	if j := results[0].Job; j.Tags["k"] != "v" || *j.ExternalID != "a" || j.Version != 1 || j.Namespace != "default" {
		t.Errorf("the first one is %+v", *j)
	}
	if got := results[3].Job.Headers["Authorization"]; got != "***" {
		t.Errorf("a header is shown as %q", got)
	}
	if len(s.jobs) != 3 {
		t.Errorf("%d jobs", len(s.jobs))
	}
}

func TestBulk_Namespaces(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for _, tt := range []struct {
		want    string
		headers []string
	}{
		{"default", nil},
		{"ops", []string{"X-Cron-Namespace", "ops"}},
		{"team", []string{"X-API-KEY", teamKey}},
	} {
		if got := s.do("POST", "/jobs/bulk", bulkOf(plainJob(``)), tt.headers...).results()[0].Job.Namespace; got != tt.want {
			t.Errorf("namespace %q, want %q", got, tt.want)
		}
	}
	s.do("POST", "/jobs/bulk", bulkOf(plainJob(``)), "X-API-KEY", readerKey).problem(403, "forbidden")
	s.do("POST", "/jobs/bulk", bulkOf(plainJob(``)), "X-API-KEY", teamKey, "X-Cron-Namespace", "ops").problem(403, "forbidden")
}

func TestBulk_AllInvalid(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	results := s.do("POST", "/jobs/bulk", bulkOf(`{}`, `[]`), "Idempotency-Key", onceKey).results()
	if len(results) != 2 || results[0].Status != 400 || results[1].Status != 400 || s.writes() != 0 {
		t.Errorf("%d writes: %+v", s.writes(), results)
	}
}

func TestBulk_Once(t *testing.T) {
	t.Parallel()
	leader, follower := pair(t)
	body := bulkOf(plainJob(``), `{}`, plainJob(`,"externalId":"x"`))
	first := leader.do("POST", "/jobs/bulk", body, "Idempotency-Key", onceKey)
	first.results()
	checkReplay(t, "leader", leader.do("POST", "/jobs/bulk", body, "Idempotency-Key", onceKey), first)
	checkReplay(t, "follower", follower.do("POST", "/jobs/bulk", body, "Idempotency-Key", onceKey), first)
	leader.do("POST", "/jobs/bulk", bulkOf(plainJob(``)), "Idempotency-Key", onceKey).problem(422, "idempotency_mismatch")
	if got := leader.writes(); got != 1 || len(leader.jobs) != 2 {
		t.Errorf("%d writes, %d jobs", got, len(leader.jobs))
	}
}

func TestBulk_Refused(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	large := plainJob(`,"body":"` + strings.Repeat("x", 256<<10) + `"`)
	for name, tt := range map[string]struct {
		path, body string
		headers    []string
		status     int
		code       string
		fields     []string
	}{
		"empty":        {"", "", nil, 400, "malformed_json", nil},
		"array":        {"", "[" + plainJob(``) + "]", nil, 400, "malformed_json", nil},
		"no list":      {"", "{}", nil, 400, "validation_error", []string{"jobs"}},
		"null":         {"", `{"jobs":null}`, nil, 400, "validation_error", []string{"jobs"}},
		"object":       {"", `{"jobs":{}}`, nil, 400, "validation_error", []string{"jobs"}},
		"no job":       {"", `{"jobs":[]}`, nil, 400, "validation_error", []string{"jobs"}},
		"too many":     {"", bulkOf(slices.Repeat([]string{"1"}, MaxChanges+1)...), nil, 400, "validation_error", []string{"jobs"}},
		"other field":  {"", `{"jobs":[{}],"dryRun":true}`, nil, 400, "validation_error", []string{"dryRun"}},
		"twice":        {"", `{"jobs":[],"jobs":[]}`, nil, 400, "malformed_json", []string{"jobs"}},
		"twice in job": {"", bulkOf(plainJob(`,"name":"m"`)), nil, 400, "malformed_json", []string{"jobs[].name"}},
		"trailing":     {"", bulkOf(plainJob(``)) + "x", nil, 400, "malformed_json", nil},
		"too deep":     {"", bulkOf(plainJob(`,"x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth))), nil, 400, "malformed_json", nil},
		"many values":  {"", `{"jobs":[[` + strings.Repeat("1,", maxValues) + `1]]}`, nil, 400, "malformed_json", nil},
		"parameter":    {"?dryRun=true", bulkOf(plainJob(``)), nil, 400, "validation_error", []string{"dryRun"}},
		"form":         {"", "jobs=1", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", nil},
		"large":        {"", bulkOf(slices.Repeat([]string{large}, 9)...), nil, 413, "payload_too_large", nil},
		"larger":       {"", strings.Repeat(" ", maxBulkBytes) + bulkOf(plainJob(``)), nil, 413, "payload_too_large", nil},
		"two keys":     {"", bulkOf(plainJob(``)), []string{"Idempotency-Key", "a b"}, 400, "validation_error", []string{"Idempotency-Key"}},
		"namespace":    {"", bulkOf(plainJob(``)), []string{"X-Cron-Namespace", "A B"}, 400, "validation_error", []string{"X-Cron-Namespace"}},
	} {
		p := s.do("POST", "/jobs/bulk"+tt.path, tt.body, tt.headers...).problem(tt.status, tt.code)
		if got := fields(p); !slices.Equal(got, tt.fields) {
			t.Errorf("%s: fields %q, want %q", name, got, tt.fields)
		}
	}
	s.do("GET", "/jobs/bulk", "").problem(405, "method_not_allowed")
	if s.writes() != 0 {
		t.Errorf("%d of the requests wrote", s.writes())
	}
}

// The largest request there is goes through, from a follower too, and comes again.
func TestBulk_Largest(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	jobs := slices.Repeat([]string{plainJob(`,"body":"` + strings.Repeat("x", 1900) + `"`)}, MaxChanges)
	first := s.do("POST", "/jobs/bulk", bulkOf(jobs...), "Idempotency-Key", onceKey)
	if results := first.results(); len(results) != MaxChanges || results[MaxChanges-1].Status != 201 || results[MaxChanges-1].Index != MaxChanges-1 {
		t.Fatalf("%d results", len(results))
	}
	checkReplay(t, "again", s.do("POST", "/jobs/bulk", bulkOf(jobs...), "Idempotency-Key", onceKey), first)
	if len(s.jobs) != MaxChanges {
		t.Errorf("%d jobs", len(s.jobs))
	}
}

func TestBulk_BackendAnswers(t *testing.T) {
	t.Parallel()
	c := &call{request: &request{id: "req_1"}}
	b := &bulk{requestID: c.id, changes: make([]job.JobChange, 2), refused: make([]*job.Error, 2)}
	if _, err := b.show(make([]job.JobOutcome, 1)); err == nil {
		t.Error("a change without an outcome is no error")
	}
	res, err := b.show([]job.JobOutcome{{Err: job.Errorf(job.CodeDiskFull, "full")}, {Err: job.ErrStale}})
	if err != nil {
		t.Fatal(err)
	}
	results := answer{t: t, status: res.status, body: string(res.body)}.results()
	if results[0].Status != 503 || results[0].Problem.Code != "disk_full" || results[1].Status != 409 {
		t.Errorf("got %+v", results)
	}
}

func TestChangeBytes(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("b", 1000)
	spec := job.Spec{
		Name: "12345", Description: "1234", ExternalID: "123", Tags: []job.Tag{{Key: "12", Value: "1"}}, PauseReason: "1",
		Schedule: job.Schedule{Cron: "123", Timezone: "UTC"}, SuccessStatuses: []string{"2XX", "404"},
		Target: job.Target{URL: "12345", Headers: []job.Header{{Name: "1", Value: "12"}, {Name: "1", Sealed: make([]byte, 30)}}, Body: &body},
	}
	if got, want := changeBytes(&spec), 5+4+3+3+1+6+6+5+3+31+1000; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestBulk_NotLeader(t *testing.T) {
	t.Parallel()
	b := &backend{store: newStore(), follower: true, forward: func(context.Context, []byte) ([]byte, error) {
		return nil, fmt.Errorf("forward: %w", job.ErrNotLeader)
	}}
	start(t, "n1", b).do("POST", "/jobs/bulk", bulkOf(plainJob(``))).problem(503, "no_leader")
}
