package httpserver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const plainWebhook = `{"url": "https://example.com/hook", "events": ["execution.failed"]}`

// webhookPath of the webhook in an answer.
func webhookPath(data map[string]any) string { return "/webhooks/" + data["webhookId"].(string) }

// createWebhook makes a webhook with a key; the root key if that is empty.
func (s *testServer) createWebhook(key, body string) map[string]any {
	s.t.Helper()
	return s.do("POST", "/webhooks", body, asKey(key)...).want(201)
}

// asKey are the headers of a caller.
func asKey(key string) []string {
	if key == "" {
		key = rootKey
	}
	return []string{headerAPIKey, key}
}

func TestWebhooks_CreateAndRead(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	created := s.do("POST", "/webhooks", `{
		"url": "https://example.com/hook?x=1", "events": ["execution.failed", "job.auto_paused"],
		"tag": "team:pay:ments", "description": "pages", "headers": {"Authorization": "Bearer s3cret"}, "state": "PAUSED"}`)
	data := created.want(201)
	path := webhookPath(data)
	if created.header.Get("Location") != basePath+path || created.header.Get("ETag") != `"1"` {
		t.Errorf("headers %v", created.header)
	}
	read := s.do("GET", path, "")
	for _, a := range []answer{created, read} {
		for _, want := range []string{
			`"url":"https://example.com/hook?x=1"`, `"events":["execution.failed","job.auto_paused"]`, `"tag":"team:pay:ments"`,
			`"description":"pages"`, `"headers":{"Authorization":"***"}`, `"state":"PAUSED"`, `"namespace":"default"`, `"version":1`,
			`"createdAt":"2026-03-26T16:12:30Z"`, `"lastDeliveryAt":null`, `"lastResult":null`, `"counts":{"success":0,`,
		} {
			if !strings.Contains(a.body, want) {
				t.Errorf("the answer lacks %s: %s", want, a.body)
			}
		}
		if strings.Contains(a.body, "s3cret") {
			t.Errorf("a header is shown: %s", a.body)
		}
	}
	if read.header.Get("ETag") != `"1"` || read.status != 200 {
		t.Errorf("status %d, headers %v", read.status, read.header)
	}
	if s.do("GET", "/jobs/"+strings.Replace(path, "/webhooks/wh_", "job_", 1), "").status == 200 {
		t.Error("a webhook is shown as a job")
	}
}

// TestWebhooks_Record shows how the deliveries of a webhook fare.
func TestWebhooks_Record(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	data := s.createWebhook("", plainWebhook)
	id, _ := parseWebhookName(data["webhookId"].(string))
	s.mu.Lock()
	j := s.jobs[id]
	j.LastRunAt, j.LastResult, j.ConsecutiveFailures, j.Counts = now, job.Failed, 2, job.Counts{Success: 3, Failed: 2, Cancelled: 1}
	s.jobs[id] = j
	s.mu.Unlock()
	got := s.do("GET", webhookPath(data), "").want(200)
	if got["lastDeliveryAt"] != "2026-03-26T16:12:30Z" || got["lastResult"] != "FAILED" || got["consecutiveFailures"] != 2.0 ||
		fmt.Sprint(got["counts"]) != "map[cancelled:1 failed:2 missed:0 skipped:0 success:3]" {
		t.Errorf("got %v", got)
	}
}

func TestWebhooks_Invalid(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for body, want := range map[string][]string{
		`{}`: {"events", "url"},
		`{"url": "ftp://x", "events": ["execution.failed"]}`:                                               {"url"},
		`{"url": "https://u:p@x/", "events": []}`:                                                          {"events", "url"},
		`{"url": 1, "events": "execution.failed"}`:                                                         {"events", "url"},
		`{"url": "https://x", "events": ["*", "execution.failed"]}`:                                        {"events[0]"},
		`{"url": "https://x", "events": ["execution.failed", "execution.failed"]}`:                         {"events[1]"},
		`{"url": "https://x", "events": ["execution.started", 7]}`:                                         {"events[0]", "events[1]"},
		`{"url": "https://x", "events": ["webhook.test"]}`:                                                 {"events[0]"},
		`{"url": "https://x", "events": ["*"], "tag": "team"}`:                                             {"tag"},
		`{"url": "https://x", "events": ["*"], "tag": ":x"}`:                                               {"tag"},
		`{"url": "https://x", "events": ["*"], "tag": {"a": "b"}}`:                                         {"tag"},
		`{"url": "https://x", "events": ["*"], "tag": "` + strings.Repeat("k", 64) + `:v"}`:                {"tag"},
		`{"url": "https://x", "events": ["*"], "state": "COMPLETED"}`:                                      {"state"},
		`{"url": "https://x", "events": ["*"], "headers": {"Host": "x"}}`:                                  {"headers.Host"},
		`{"url": "https://x", "events": ["*"], "headers": {"X-A": "***"}}`:                                 {"headers.X-A"},
		`{"url": "https://x", "events": ["*"], "description": "` + strings.Repeat("x", 501) + `"}`:         {"description"},
		`{"url": "https://x", "events": ["*"], "webhookId": "wh_1", "Url": "https://x", "targetUrl": "x"}`: {"Url", "targetUrl", "webhookId"},
		`{"url": "https://x", "events": [` + strings.Repeat(`"execution.failed", `, 20) + `"*"]}`:          {"events"},
	} {
		got := fields(s.do("POST", "/webhooks", body).problem(400, "validation_error"))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", body, got, want)
		}
	}
	if s.writes() != 0 {
		t.Errorf("%d writes", s.writes())
	}
}

func TestWebhooks_AllEvents(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	const body = `{"url": "https://example.com/", "events": ["*"]}`
	all := s.createWebhook("", body)["events"].([]any)
	if len(all) != len(job.WebhookEvents) || !slices.Contains(all, any("cluster.node_lost")) {
		t.Errorf("the root key's: %v", all)
	}
	own := s.createWebhook(defaultKey, body)["events"].([]any)
	if len(own) != len(job.WebhookEvents)-2 || slices.Contains(own, any("cluster.node_lost")) {
		t.Errorf("another key's: %v", own)
	}
	named := s.do("POST", "/webhooks", body, headerNamespace, "team").want(201)
	if events := named["events"].([]any); named["namespace"] != "team" || len(events) != len(own) {
		t.Errorf("the root key's in a namespace: %v", named)
	}
	refused := s.do("POST", "/webhooks", `{"url": "https://x", "events": ["cluster.node_lost"]}`, asKey(defaultKey)...)
	if p := refused.problem(400, "validation_error"); !strings.Contains(p.Errors[0].Message, "root key") {
		t.Errorf("%v", p.Errors)
	}
}

// A webhook of the whole cluster gets what every namespace does, so that no key of the
// namespace that it happens to be in may see it or lead it elsewhere.
func TestWebhooks_ClusterWebhookIsTheRootKeys(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := webhookPath(s.createWebhook("", plainWebhook))
	s.createWebhook(defaultKey, plainWebhook)
	s.createWebhook(teamKey, plainWebhook)
	for _, call := range [][3]string{
		{"GET", path}, {"GET", path + "/deliveries"}, {"POST", path + "/test"}, {"DELETE", path},
		{"PUT", path, plainWebhook}, {"PATCH", path, `{"url": "https://thief.example.com/"}`},
	} {
		s.do(call[0], call[1], call[2], asKey(defaultKey)...).problem(404, "not_found")
	}
	for key, want := range map[string]int{rootKey: 3, defaultKey: 1, teamKey: 1} {
		if got := s.do("GET", "/webhooks", "", asKey(key)...).want(200)["webhooks"].([]any); len(got) != want {
			t.Errorf("%s sees %d webhooks, want %d", key, len(got), want)
		}
	}
	if got := s.do("GET", "/webhooks?namespace=team", "").want(200)["webhooks"].([]any); len(got) != 1 {
		t.Errorf("?namespace=team has %d webhooks", len(got))
	}
	if got := s.do("GET", path, "").want(200)["url"]; got != "https://example.com/hook" {
		t.Errorf("the URL is %v", got)
	}
}

func TestWebhooks_Pages(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	made := map[string]bool{}
	for range 5 {
		made[webhookPath(s.createWebhook("", plainWebhook))] = true
	}
	s.do("POST", "/jobs", tutorialJob).want(201)
	next := ""
	for range 3 {
		page := s.do("GET", "/webhooks?limit=2"+next, "").want(200)
		for _, w := range page["webhooks"].([]any) {
			delete(made, webhookPath(w.(map[string]any)))
		}
		if page["nextCursor"] == nil {
			break
		}
		next = "&cursor=" + page["nextCursor"].(string)
	}
	if len(made) != 0 {
		t.Errorf("not listed: %v", made)
	}
	s.do("GET", "/webhooks?cursor=abc", "").problem(400, "validation_error")
}

func TestWebhooks_Patch(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := webhookPath(s.createWebhook("", `{"url": "https://example.com/", "events": ["*"], "tag": "a:b", "headers": {"X-A": "1", "X-B": "2"}}`))
	a := s.do("PATCH", path, `{"events": ["job.completed"], "tag": null, "headers": {"X-A": null, "x-b": "***"}, "state": "PAUSED"}`, "If-Match", `"1"`)
	data := a.want(200)
	if a.header.Get("ETag") != `"2"` || data["state"] != "PAUSED" || data["tag"] != nil || data["url"] != "https://example.com/" {
		t.Errorf("headers %v: %s", a.header, a.body)
	}
	if got := fmt.Sprint(data["headers"], data["events"]); got != "map[X-B:***] [job.completed]" {
		t.Errorf("got %s", got)
	}
	s.do("PATCH", path, `{"state": "ACTIVE"}`, "If-Match", `"1"`).problem(412, "precondition_failed")
	s.do("PATCH", path, `{"url": null}`).problem(400, "validation_error")
	s.do("PATCH", path, `{"events": null}`).problem(400, "validation_error")
	s.do("PATCH", path, `{"headers": {"X-New": "***"}}`).problem(400, "validation_error")
	s.do("PATCH", "/webhooks/wh_0000000000000001", `{}`).problem(404, "not_found")
	s.do("PATCH", "/webhooks/job_0000000000000001", `{}`).problem(404, "not_found")
}

func TestWebhooks_Put(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	created := s.createWebhook("", `{"url": "https://example.com/", "events": ["*"], "tag": "a:b", "description": "d", "state": "PAUSED", "headers": {"X-A": "1", "X-B": "2"}}`)
	path := webhookPath(created)
	data := s.do("PUT", path, `{"url": "https://example.org/", "events": ["job.completed"], "headers": {"X-B": "***", "X-C": "3"}}`).want(200)
	if got := fmt.Sprintln(data["url"], data["tag"], data["description"], data["state"], data["headers"], data["events"], data["version"]); got !=
		"https://example.org/ <nil> <nil> ACTIVE map[X-B:*** X-C:***] [job.completed] 2\n" {
		t.Errorf("got %s", got)
	}
	id, _ := parseWebhookName(created["webhookId"].(string))
	s.mu.Lock()
	stored := s.jobs[id].Target.Headers
	s.mu.Unlock()
	if len(stored) != 2 || string(stored[0].Sealed) != "2" || string(stored[1].Sealed) != "3" {
		t.Errorf("stored %q", stored)
	}
	s.do("PUT", path, `{"url": "https://example.org/"}`).problem(400, "validation_error")
	s.do("PUT", path, plainWebhook, "If-Match", `"1"`).problem(412, "precondition_failed")
}

func TestWebhooks_Delete(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	data := s.createWebhook(teamKey, plainWebhook)
	path := webhookPath(data)
	s.do("DELETE", path, "", headerAPIKey, defaultKey).problem(404, "not_found")
	s.do("DELETE", path, "", "If-Match", `"7"`).problem(412, "precondition_failed")
	s.do("DELETE", path+"?force=true", "").problem(400, "validation_error")
	if got := s.do("DELETE", path, "", headerAPIKey, teamKey).want(200); got["deleted"] != true || got["webhookId"] != data["webhookId"] {
		t.Errorf("got %v", got)
	}
	s.do("GET", path, "").problem(404, "not_found")
}

func TestWebhooks_Test(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	data := s.createWebhook(teamKey, plainWebhook)
	path := webhookPath(data) + "/test"
	first := s.do("POST", path, "", "Idempotency-Key", "a")
	got := first.want(202)
	if got["webhookId"] != data["webhookId"] || got["result"] != "RUNNING" || got["event"].(map[string]any)["type"] != "webhook.test" {
		t.Errorf("got %v", got)
	}
	if again := s.do("POST", path, "", "Idempotency-Key", "a"); again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the repetition got %s", again.body)
	}
	s.do("POST", path, `{"event": "job.completed"}`).problem(400, "validation_error")
	s.do("POST", path, "", headerAPIKey, defaultKey).problem(404, "not_found")
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	data := s.createWebhook(teamKey, plainWebhook)
	id, _ := parseWebhookName(data["webhookId"].(string))
	failed := delivery(id, 2, job.Event{ID: job.EventID{Index: 41, Part: 3}, Type: job.EventExecutionFailed, At: now, Namespace: "team", Job: 7, JobName: "pay",
		Execution: job.SlotExecution(7, now), Result: job.Failed, HTTPStatus: 500, Err: &job.AttemptError{Code: job.ErrHTTPStatus, Msg: "500"}, Failures: 2})
	failed.Result, failed.FinishedAt, failed.HTTPStatus = job.Failed, now.Add(time.Hour), 503
	failed.Err = &job.AttemptError{Code: job.ErrHTTPStatus, Msg: "the target answered 503"}
	failed.Attempts = []job.Attempt{{Number: 1}, {Number: 2}}
	s.mu.Lock()
	s.executions[id] = []job.Execution{failed, delivery(id, 1, job.Event{Type: job.EventTest, At: now}), delivery(id, 0, job.Event{Type: job.EventTest, At: now})}
	s.mu.Unlock()

	path := webhookPath(data) + "/deliveries"
	a := s.do("GET", path+"?result=FAILED", "")
	if list := a.want(200)["deliveries"].([]any); len(list) != 1 {
		t.Fatalf("%d deliveries: %s", len(list), a.body)
	}
	for _, want := range []string{
		`"deliveryId":"` + failed.ID.String() + `"`, `"attempt":2`, `"httpStatus":503`, `"result":"FAILED"`, `"finishedAt":"2026-03-26T17:12:30Z"`,
		`"event":{"id":"41-3","type":"execution.failed","timestamp":"2026-03-26T16:12:30Z","namespace":"team","data":{"jobId":"job_0000000000000007","jobName":"pay"`,
		`"error":{"code":"HTTP_STATUS","message":"the target answered 503"}`,
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the answer lacks %s: %s", want, a.body)
		}
	}
	page := s.do("GET", path+"?limit=2", "").want(200)
	rest := s.do("GET", path+"?limit=2&cursor="+page["nextCursor"].(string), "").want(200)
	if n, m := len(page["deliveries"].([]any)), len(rest["deliveries"].([]any)); n != 2 || m != 1 || rest["nextCursor"] != nil {
		t.Errorf("pages of %d and %d, then %v", n, m, rest["nextCursor"])
	}
	s.do("GET", path+"?result=SKIPPED", "").problem(400, "validation_error")
	s.do("GET", path, "", headerAPIKey, defaultKey).problem(404, "not_found")
	plain := s.do("POST", "/jobs", tutorialJob).want(201)
	s.do("GET", strings.Replace(jobPath(plain), "/jobs/job_", "/webhooks/wh_", 1)+"/deliveries", "").problem(404, "not_found")
}

func TestWebhooks_Roles(t *testing.T) {
	t.Parallel()
	reader := job.APIKey{ID: "key_reader", Namespace: "team", Role: job.RoleReader}
	s := start(t, "n1", &backend{store: newStore(), authorize: keyIs(reader)})
	for _, call := range [][2]string{
		{http.MethodPost, "/webhooks"}, {http.MethodPut, "/webhooks/wh_0000000000000001"}, {http.MethodPatch, "/webhooks/wh_0000000000000001"},
		{http.MethodDelete, "/webhooks/wh_0000000000000001"}, {http.MethodPost, "/webhooks/wh_0000000000000001/test"},
	} {
		s.do(call[0], call[1], plainWebhook).problem(403, "forbidden")
	}
	s.do("GET", "/webhooks", "").want(200)
}
