package httpserver

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestPatch_Merge(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	interval := `{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/","misfirePolicy":"SKIP","catchupWindowSeconds":60,"deliveryGuarantee":"AT_MOST_ONCE","timeoutSeconds":5,"retries":3,"successStatuses":["204"],"body":"x","description":"d"}`
	tests := map[string]struct {
		patch string
		want  map[string]any
	}{
		"nothing":             {`{}`, map[string]any{"name": "n", "version": 2.0}},
		"one field":           {`{"name":"m"}`, map[string]any{"name": "m", "retries": 3.0, "body": "x"}},
		"null is the default": {`{"timeoutSeconds":null,"retries":null,"successStatuses":null}`, map[string]any{"timeoutSeconds": 30.0, "retries": 0.0, "successStatuses": []any{"2XX"}}},
		"null removes":        {`{"body":null,"description":null}`, map[string]any{"body": nil, "description": nil}},
		"cron for interval":   {`{"cronExpression":"@daily"}`, map[string]any{"cronExpression": "@daily", "intervalSeconds": nil}},
		"cron and null":       {`{"cronExpression":"@daily","intervalSeconds":null}`, map[string]any{"cronExpression": "@daily", "intervalSeconds": nil}},
		"null and cron":       {`{"intervalSeconds":null,"cronExpression":"@daily"}`, map[string]any{"cronExpression": "@daily", "intervalSeconds": nil}},
		"interval and null":   {`{"intervalSeconds":5,"cronExpression":null}`, map[string]any{"cronExpression": nil, "intervalSeconds": 5.0}},
		"zone":                {`{"timezone":"Europe/Berlin"}`, map[string]any{"timezone": "Europe/Berlin", "intervalSeconds": 60.0}},
		"list is replaced":    {`{"successStatuses":[200,"3XX"]}`, map[string]any{"successStatuses": []any{"200", "3XX"}}},
		"method and body":     {`{"httpMethod":"GET","body":null}`, map[string]any{"httpMethod": "GET", "body": nil}},
		"flags":               {`{"signPayloads":true,"followRedirects":true}`, map[string]any{"signPayloads": true, "followRedirects": true}},
		"backoff":             {`{"retryBackoff":"EXPONENTIAL","retryMaxDelaySeconds":60,"retryDelaySeconds":1}`, map[string]any{"retryBackoff": "EXPONENTIAL", "retryMaxDelaySeconds": 60.0, "retryDelaySeconds": 1.0}},
		"capture":             {`{"captureResponse":"ALWAYS"}`, map[string]any{"captureResponse": "ALWAYS"}},
		"failures": {
			`{"misfirePolicy":"FIRE_ALL","catchupWindowSeconds":0,"deliveryGuarantee":"AT_MOST_ONCE","overlapPolicy":"BUFFER_ONE"}`,
			map[string]any{"misfirePolicy": "FIRE_ALL", "catchupWindowSeconds": 0.0, "deliveryGuarantee": "AT_MOST_ONCE", "overlapPolicy": "BUFFER_ONE"},
		},
		"failures, null": {
			`{"misfirePolicy":null,"catchupWindowSeconds":null,"deliveryGuarantee":null}`,
			map[string]any{"misfirePolicy": "FIRE_ONCE", "catchupWindowSeconds": 21600.0, "deliveryGuarantee": "AT_LEAST_ONCE"},
		},
	}
	for name, tt := range tests {
		path := jobPath(s.do("POST", "/jobs", interval).want(201))
		got := s.do("PATCH", path, tt.patch, "Content-Type", "application/merge-patch+json").want(200)
		for field, want := range tt.want {
			if !reflect.DeepEqual(got[field], want) {
				t.Errorf("%s: %s is %v, want %v", name, field, got[field], want)
			}
		}
	}
}

func TestPatch_Headers(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	tests := map[string]struct {
		patch string
		want  []string // name and sealed value
	}{
		"none":             {`{"name":"m"}`, []string{"Authorization=1-dlo", "X-B=2-dlo"}},
		"empty":            {`{"headers":{}}`, []string{"Authorization=1-dlo", "X-B=2-dlo"}},
		"add":              {`{"headers":{"X-C":"new"}}`, []string{"Authorization=1-dlo", "X-B=2-dlo", "X-C=wen"}},
		"keep":             {`{"headers":{"Authorization":"***"}}`, []string{"Authorization=1-dlo", "X-B=2-dlo"}},
		"keep, other case": {`{"headers":{"x-b":"***"}}`, []string{"Authorization=1-dlo", "X-B=2-dlo"}},
		"replace":          {`{"headers":{"authorization":"new"}}`, []string{"authorization=wen", "X-B=2-dlo"}},
		"remove":           {`{"headers":{"AUTHORIZATION":null}}`, []string{"X-B=2-dlo"}},
		"remove unknown":   {`{"headers":{"X-Z":null}}`, []string{"Authorization=1-dlo", "X-B=2-dlo"}},
		"remove all":       {`{"headers":null}`, nil},
	}
	for name, tt := range tests {
		path := jobPath(s.do("POST", "/jobs", `{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/","headers":{"Authorization":"old-1","X-B":"old-2"}}`).want(201))
		s.do("PATCH", path, tt.patch).want(200)
		var got []string
		for _, h := range s.jobs[s.lastID].Target.Headers {
			got = append(got, fmt.Sprintf("%s=%s", h.Name, h.Sealed))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestPatch_CompletedJob(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	j := s.jobs[s.lastID]
	j.State = job.Completed
	s.jobs[s.lastID] = j
	if got := s.do("PATCH", path, `{"name":"m"}`).want(200); got["name"] != "m" || got["nextRunAt"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestCreate_Defaults(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	minimal := `{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/"`
	s.do("POST", "/jobs", minimal+"}").want(201)
	first := s.jobs[s.lastID].Spec
	s.do("POST", "/jobs", minimal+`,"timezone":null,"state":null,"headers":null,"body":null,"retries":null,"cronExpression":null,"signPayloads":null,"overlapPolicy":null,"description":null,"misfirePolicy":null,"catchupWindowSeconds":null,"deliveryGuarantee":null}`).want(201)
	if got := s.jobs[s.lastID].Spec; !reflect.DeepEqual(got, first) {
		t.Errorf("null is not the default: %+v, %+v", got, first)
	}
	want := job.DefaultSpec()
	want.Name, want.Schedule.Interval, want.Target.URL = "n", time.Minute, "http://t.test/"
	if !reflect.DeepEqual(first, want) {
		t.Errorf("got %+v, want %+v", first, want)
	}
}

func TestCreate_MediaTypes(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for _, media := range []string{"", "application/json", "application/json;charset=utf-8", `Application/JSON; Charset="UTF-8"`} {
		s.do("POST", "/jobs", tutorialJob, "Content-Type", media).want(201)
	}
	s.do("POST", "/jobs", tutorialJob, "Content-Encoding", "identity").want(201)
}

func TestCreate_BackendFields(t *testing.T) {
	t.Parallel()
	b := &backend{store: newStore(), create: func(context.Context, job.Spec) (job.Job, error) {
		return job.Job{}, fmt.Errorf("create: %w", job.Invalid([]job.FieldError{{Field: "timezone", Msg: "is not known"}}))
	}}
	p := start(t, "n1", b).do("POST", "/jobs", tutorialJob).problem(400, "validation_error")
	if len(p.Errors) != 1 || p.Errors[0].Field != "timezone" || p.Errors[0].Message != "is not known" {
		t.Errorf("got %+v", p)
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	team := []string{"X-API-KEY", teamKey}
	theirs := jobPath(s.do("POST", "/jobs", tutorialJob, team...).want(201))
	ours := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	if got := s.jobs[s.lastID].Namespace; got != job.DefaultNamespace {
		t.Errorf("the root key's job is in %q", got)
	}
	s.do("GET", ours, "", team...).problem(404, "not_found")
	s.do("PATCH", ours, `{"name":"m"}`, team...).problem(404, "not_found")
	s.do("POST", ours+"/run", "", team...).problem(404, "not_found")
	if got := len(s.do("GET", "/jobs", "", team...).want(200)["jobs"].([]any)); got != 1 {
		t.Errorf("the team sees %d jobs, want 1", got)
	}
	s.do("GET", theirs, "").want(200)
	if got := len(s.do("GET", "/jobs", "").want(200)["jobs"].([]any)); got != 2 {
		t.Errorf("the root key sees %d jobs, want 2", got)
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for condition, want := range map[string]int{
		"": 200, "*": 200, ` "1" `: 200, `"1"`: 200, `"7","1"`: 200, `"x", "1" , "9"`: 200, `"2"`: 412, `"2","3"`: 412, `"18446744073709551616"`: 412,
	} {
		path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
		a := s.do("PATCH", path, `{"name":"m"}`, "If-Match", condition)
		if a.status != want {
			t.Errorf("PATCH, If-Match: %s: status %d, want %d", condition, a.status, want)
		}
		if got := a.header.Get("ETag"); want == 200 && got != `"2"` {
			t.Errorf("PATCH, If-Match: %s: ETag %s", condition, got)
		}
		path = jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
		if a := s.do("DELETE", path, "", "If-Match", condition); a.status != want {
			t.Errorf("DELETE, If-Match: %s: status %d, want %d", condition, a.status, want)
		}
	}
}

func TestIfMatch_StopsAtOtherErrors(t *testing.T) {
	t.Parallel()
	var tried []uint64
	b := &backend{store: newStore(), update: func(version uint64) (job.Job, error) {
		tried = append(tried, version)
		if version == 4 {
			return job.Job{}, job.ErrOutcomeUnknown
		}
		return job.Job{}, errVersion
	}}
	s := start(t, "n1", b)
	s.do("PATCH", "/jobs/job_0000000000000001", `{}`, "If-Match", `"3","4","5"`).problem(503, "outcome_unknown")
	if want := []uint64{3, 4}; !slices.Equal(tried, want) {
		t.Errorf("tried %v, want %v", tried, want)
	}
}

func TestListJobs_Pages(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	var want []string
	for range 7 {
		want = append(want, s.do("POST", "/jobs", tutorialJob).want(201)["jobId"].(string))
	}
	for _, limit := range []int{1, 3, 6, 7, 500} {
		if got := walk(t, s, "/jobs", limit, "jobs", "jobId"); !slices.Equal(got, want) {
			t.Errorf("limit %d: got %q, want %q", limit, got, want)
		}
	}
}

func TestListJobs_DefaultLimit(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for range defaultLimit + 1 {
		s.do("POST", "/jobs", tutorialJob).want(201)
	}
	list := s.do("GET", "/jobs", "").want(200)
	if got := len(list["jobs"].([]any)); got != defaultLimit || list["nextCursor"] == nil {
		t.Errorf("%d jobs, cursor %v", got, list["nextCursor"])
	}
}

func TestListJobs_Empty(t *testing.T) {
	t.Parallel()
	a := startLeader(t).do("GET", "/jobs", "")
	if want := `{"status":"OK","data":{"jobs":[],"nextCursor":null}}`; strings.TrimSpace(a.body) != want {
		t.Errorf("got %s, want %s", a.body, want)
	}
}

func TestListJobs_WhileDataChanges(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	var paths []string
	for range 6 {
		paths = append(paths, jobPath(s.do("POST", "/jobs", tutorialJob).want(201)))
	}
	first := s.do("GET", "/jobs?limit=3", "").want(200)
	s.do("DELETE", paths[2], "").want(200) // what the cursor names
	s.do("DELETE", paths[4], "").want(200)
	rest := s.do("GET", "/jobs?limit=3&cursor="+first["nextCursor"].(string), "").want(200)
	var got []string
	for _, j := range rest["jobs"].([]any) {
		got = append(got, jobPath(j.(map[string]any)))
	}
	if want := []string{paths[3], paths[5]}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestListExecutions_Pages(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	var want []string
	for i := range 5 {
		x := finished(s.lastID, nextSlot.Add(-time.Duration(i)*time.Minute), 0, time.Second, 200, nil)
		s.executions[s.lastID] = append(s.executions[s.lastID], x)
		want = append(want, x.ID.String())
	}
	for _, limit := range []int{1, 2, 5, 500} {
		if got := walk(t, s, path+"/executions", limit, "executions", "executionId"); !slices.Equal(got, want) {
			t.Errorf("limit %d: got %q, want %q", limit, got, want)
		}
	}
}

// walk follows the cursors of a list to its end.
func walk(t *testing.T, s *testServer, path string, limit int, list, id string) []string {
	t.Helper()
	var ids []string
	for cursor := ""; ; {
		page := s.do("GET", fmt.Sprintf("%s?limit=%d%s", path, limit, cursor), "").want(200)
		items := page[list].([]any)
		if len(items) > limit || len(ids) > 100 {
			t.Fatalf("a page of %d after %d", len(items), len(ids))
		}
		for _, item := range items {
			ids = append(ids, item.(map[string]any)[id].(string))
		}
		next, more := page["nextCursor"].(string)
		if !more {
			return ids
		}
		cursor = "&cursor=" + next
	}
}

func TestReads_Consistency(t *testing.T) {
	t.Parallel()
	b := &backend{store: newStore(), barrier: func(context.Context) error { return job.ErrNotLeader }}
	s := start(t, "n1", b)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	x := finished(s.lastID, nextSlot, 0, time.Second, 200, nil)
	s.executions[s.lastID] = []job.Execution{x}
	for _, read := range []string{"/jobs", path, path + "/executions", "/executions/" + x.ID.String()} {
		for _, query := range []string{"", "?consistency=linearizable"} {
			a := s.do("GET", read+query, "")
			a.problem(503, "no_leader")
			if a.header.Get("Retry-After") != "1" {
				t.Errorf("%s: no Retry-After", read)
			}
		}
		a := s.do("GET", read+"?consistency=stale", "")
		a.want(200)
		if a.header.Get("X-Cron-Applied-Index") != "1" || a.header.Get("X-Cron-Node") != "n1" {
			t.Errorf("%s: headers %v", read, a.header)
		}
	}
	s.do("GET", "/cluster", "").want(200)
}

func TestReads_Head(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	a := s.do("HEAD", path, "")
	if a.status != 200 || a.body != "" || a.header.Get("ETag") != `"1"` || a.header.Get("Content-Length") == "0" {
		t.Errorf("status %d, headers %v, body %q", a.status, a.header, a.body)
	}
}
