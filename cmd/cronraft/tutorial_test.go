package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"encoding/base64"
	"io"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// TestTutorial sends every request of the tutorial to each of three nodes and
// compares the shapes of the answers.
func TestTutorial(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	target := startTarget(t, nil)
	for node := range c.Len() {
		body := `{
			"name": "Refresh Cache",
			"cronExpression": "*/5 * * * *",
			"timezone": "UTC",
			"targetUrl": "` + target.URL + `/internal/cache/refresh",
			"httpMethod": "POST",
			"headers": { "Authorization": "Bearer internal-token" },
			"body": "{\"scope\": \"products\"}",
			"overlapPolicy": "SKIP"
		}`
		answer := call(ctx, t, c, node, "POST", "/jobs", body, http.StatusCreated, nil)
		if !strings.HasPrefix(string(answer.Body), `{"status":"OK","data":{`) {
			t.Errorf("the envelope is %.60s", answer.Body)
		}
		var j jobAnswer
		if err := answer.Data(&j); err != nil {
			t.Fatal(err)
		}
		checkTutorialJob(t, j)

		var run struct{ ExecutionID, Trigger, StartedAt string }
		call(ctx, t, c, node, "POST", "/jobs/"+j.JobID+"/run", "", http.StatusAccepted, &run)
		if run.Trigger != "MANUAL" || !strings.HasPrefix(run.ExecutionID, "ex_") || run.StartedAt == "" {
			t.Errorf("run answered %+v", run)
		}
		until(ctx, t, c, 10*time.Second, "the manual run succeeds", func() bool {
			h := history(ctx, t, c, (node+1)%c.Len(), j.JobID)
			return len(h) == 1 && h[0].ExecutionID == run.ExecutionID && h[0].Result == "SUCCESS" && *h[0].HTTPStatus == 200 && *h[0].DurationMs >= 0
		})

		var paused jobAnswer
		call(ctx, t, c, node, "PATCH", "/jobs/"+j.JobID, `{"state":"PAUSED"}`, http.StatusOK, &paused)
		if paused.State != "PAUSED" || paused.NextRunAt != "" {
			t.Errorf("paused: %+v", paused)
		}
	}
	if got, want := target.Count(), c.Len(); got != want {
		t.Errorf("the target got %d callbacks, want %d", got, want)
	}
}

func checkTutorialJob(t *testing.T, j jobAnswer) {
	t.Helper()
	if !strings.HasPrefix(j.JobID, "job_") || j.Name != "Refresh Cache" || j.CronExpression != "*/5 * * * *" || j.State != "ACTIVE" || j.OverlapPolicy != "SKIP" {
		t.Errorf("created %+v", j)
	}
	if j.Headers["Authorization"] != "***" {
		t.Errorf("the header's value is shown: %q", j.Headers)
	}
	next, err := time.Parse(time.RFC3339, j.NextRunAt)
	if err != nil || next.Minute()%5 != 0 || next.Second() != 0 || time.Until(next) > 5*time.Minute {
		t.Errorf("nextRunAt %q", j.NextRunAt)
	}
}

// TestSignature verifies a signed callback of the real binary with the official
// library.
func TestSignature(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	hook, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString([]byte(localcluster.RootKey)))
	if err != nil {
		t.Fatal(err)
	}
	verified := make(chan error, 1)
	target := startTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = hook.Verify(body, r.Header)
		}
		verified <- err
	})
	j := createJob(ctx, t, c, 1, `{"name":"signed","intervalSeconds":31536000,"targetUrl":"`+target.URL+`","body":"{\"a\":1}","signPayloads":true}`)
	call(ctx, t, c, 2, "POST", "/jobs/"+j.JobID+"/run", "", http.StatusAccepted, nil)
	select {
	case err := <-verified:
		if err != nil {
			t.Errorf("verify: %v", err)
		}
	case <-ctx.Done():
		t.Fatal("no callback came")
	}
}

// TestBadInput sends malformed requests to a real cluster: each is refused with
// a problem, and none has an effect.
func TestBadInput(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	ok := func(extra string) string {
		return `{"name":"n","intervalSeconds":60,"targetUrl":"http://127.0.0.1:9/"` + extra + `}`
	}
	tests := []struct {
		name, method, path, body string
		status                   int
		code, field              string
	}{
		{"empty body", "POST", "/jobs", " ", 400, "malformed_json", ""},
		{"no JSON", "POST", "/jobs", "name=x", 400, "malformed_json", ""},
		{"array", "POST", "/jobs", "[]", 400, "malformed_json", ""},
		{"string", "POST", "/jobs", `"x"`, 400, "malformed_json", ""},
		{"null", "POST", "/jobs", "null", 400, "malformed_json", ""},
		{"unfinished", "POST", "/jobs", `{"name":`, 400, "malformed_json", ""},
		{"trailing data", "POST", "/jobs", ok("") + "{}", 400, "malformed_json", ""},
		{"trailing comma", "POST", "/jobs", ok(","), 400, "malformed_json", ""},
		{"duplicate key", "POST", "/jobs", ok(`,"name":"m"`), 400, "malformed_json", ""},
		{"invalid UTF-8", "POST", "/jobs", ok(",\"description\":\"\xff\""), 400, "malformed_json", ""},
		{"unknown field", "POST", "/jobs", ok(`,"colour":"red"`), 400, "validation_error", "colour"},
		{"misspelt field", "POST", "/jobs", ok(`,"targetURL":"http://x/"`), 400, "validation_error", "targetURL"},
		{"read-only field", "POST", "/jobs", ok(`,"jobId":"job_1"`), 400, "validation_error", "jobId"},
		{"name missing", "POST", "/jobs", `{"intervalSeconds":60,"targetUrl":"http://x/"}`, 400, "validation_error", "name"},
		{"name of wrong type", "POST", "/jobs", `{"name":7,"intervalSeconds":60,"targetUrl":"http://x/"}`, 400, "validation_error", "name"},
		{"no schedule", "POST", "/jobs", `{"name":"n","targetUrl":"http://x/"}`, 400, "validation_error", "cronExpression"},
		{"two schedules", "POST", "/jobs", ok(`,"cronExpression":"* * * * *"`), 400, "validation_error", "intervalSeconds"},
		{"six fields", "POST", "/jobs", `{"name":"n","cronExpression":"* * * * * *","targetUrl":"http://x/"}`, 400, "validation_error", "cronExpression"},
		{"minute 60", "POST", "/jobs", `{"name":"n","cronExpression":"60 * * * *","targetUrl":"http://x/"}`, 400, "validation_error", "cronExpression"},
		{"30 February", "POST", "/jobs", `{"name":"n","cronExpression":"0 0 30 2 *","targetUrl":"http://x/"}`, 400, "validation_error", "cronExpression"},
		{"unknown zone", "POST", "/jobs", ok(`,"timezone":"Mars/Olympus"`), 400, "validation_error", "timezone"},
		{"local zone", "POST", "/jobs", ok(`,"timezone":"Local"`), 400, "validation_error", "timezone"},
		{"interval zero", "POST", "/jobs", `{"name":"n","intervalSeconds":0,"targetUrl":"http://x/"}`, 400, "validation_error", ""},
		{"interval negative", "POST", "/jobs", `{"name":"n","intervalSeconds":-5,"targetUrl":"http://x/"}`, 400, "validation_error", "intervalSeconds"},
		{"interval fraction", "POST", "/jobs", `{"name":"n","intervalSeconds":1.5,"targetUrl":"http://x/"}`, 400, "validation_error", "intervalSeconds"},
		{"interval huge", "POST", "/jobs", `{"name":"n","intervalSeconds":1e30,"targetUrl":"http://x/"}`, 400, "validation_error", "intervalSeconds"},
		{"URL missing", "POST", "/jobs", `{"name":"n","intervalSeconds":60}`, 400, "validation_error", "targetUrl"},
		{"URL with another scheme", "POST", "/jobs", `{"name":"n","intervalSeconds":60,"targetUrl":"ftp://x/"}`, 400, "validation_error", "targetUrl"},
		{"URL with a user", "POST", "/jobs", `{"name":"n","intervalSeconds":60,"targetUrl":"http://a:b@x/"}`, 400, "validation_error", "targetUrl"},
		{"URL with a fragment", "POST", "/jobs", `{"name":"n","intervalSeconds":60,"targetUrl":"http://x/#f"}`, 400, "validation_error", "targetUrl"},
		{"URL without host", "POST", "/jobs", `{"name":"n","intervalSeconds":60,"targetUrl":"http:///p"}`, 400, "validation_error", "targetUrl"},
		{"method", "POST", "/jobs", ok(`,"httpMethod":"TRACE"`), 400, "validation_error", "httpMethod"},
		{"body with GET", "POST", "/jobs", ok(`,"httpMethod":"GET","body":"x"`), 400, "validation_error", "body"},
		{"forbidden header", "POST", "/jobs", ok(`,"headers":{"Host":"x"}`), 400, "validation_error", "headers.Host"},
		{"header injection", "POST", "/jobs", ok(`,"headers":{"X-A":"a\r\nX-B: b"}`), 400, "validation_error", "headers.X-A"},
		{"header name", "POST", "/jobs", ok(`,"headers":{"X A":"a"}`), 400, "validation_error", "headers"},
		{"retries", "POST", "/jobs", ok(`,"retries":51`), 400, "validation_error", "retries"},
		{"timeout", "POST", "/jobs", ok(`,"timeoutSeconds":0`), 400, "validation_error", "timeoutSeconds"},
		{"overlap", "POST", "/jobs", ok(`,"overlapPolicy":"skip"`), 400, "validation_error", "overlapPolicy"},
		{"status pattern", "POST", "/jobs", ok(`,"successStatuses":["9XX"]`), 400, "validation_error", "successStatuses"},
		{"too large", "POST", "/jobs", ok(`,"description":"` + strings.Repeat("x", 2<<20) + `"`), 413, "payload_too_large", ""},
		{"job of no shape", "GET", "/jobs/7", "", 404, "not_found", ""},
		{"job that is not there", "GET", "/jobs/job_0000000000000001", "", 404, "not_found", ""},
		{"execution that is not there", "GET", "/executions/ex_00000000000000010000000000000001", "", 404, "not_found", ""},
		{"run what is not there", "POST", "/jobs/job_0000000000000001/run", "", 404, "not_found", ""},
		{"patch what is not there", "PATCH", "/jobs/job_0000000000000001", `{"name":"m"}`, 404, "not_found", ""},
		{"delete what is not there", "DELETE", "/jobs/job_0000000000000001", "", 404, "not_found", ""},
		{"limit", "GET", "/jobs?limit=501", "", 400, "validation_error", "limit"},
		{"limit of no number", "GET", "/jobs?limit=many", "", 400, "validation_error", "limit"},
		{"cursor", "GET", "/jobs?cursor=%21%21", "", 400, "validation_error", "cursor"},
		{"unknown parameter", "GET", "/jobs?colour=red", "", 400, "validation_error", "colour"},
		{"unknown path", "GET", "/nothing", "", 404, "not_found", ""},
		{"wrong method", "PUT", "/jobs", ok(""), 405, "method_not_allowed", ""},
	}
	for i, tt := range tests {
		answer, err := c.Call(ctx, i%c.Len(), tt.method, tt.path, tt.body)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		checkProblem(t, tt.name, answer, tt.status, tt.code, tt.field)
	}
	var list struct{ Jobs []jobAnswer }
	call(ctx, t, c, 0, "GET", "/jobs", "", http.StatusOK, &list)
	if len(list.Jobs) != 0 {
		t.Errorf("malformed requests made %d jobs", len(list.Jobs))
	}
}

func checkProblem(t *testing.T, name string, a localcluster.Answer, status int, code, field string) {
	t.Helper()
	var p struct {
		Type, Title, Code, RequestID string
		Status                       int
		Errors                       []struct{ Field, Message string }
	}
	if err := json.Unmarshal(a.Body, &p); err != nil {
		t.Errorf("%s: status %d, body %q: %v", name, a.Status, a.Body, err)
		return
	}
	if a.Status != status || p.Status != status || p.Code != code || p.Title == "" || p.RequestID == "" || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: status %d, want %d with code %s: %s", name, a.Status, status, code, a.Body)
	}
	for _, e := range p.Errors {
		if e.Field == field {
			return
		}
	}
	if field != "" {
		t.Errorf("%s: no error for the field %q: %s", name, field, a.Body)
	}
}
