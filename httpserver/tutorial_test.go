package httpserver

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const tutorialJob = `{
"name": "Refresh Cache",
"cronExpression": "*/5 * * * *",
"timezone": "UTC",
"targetUrl": "https://api.mycompany.com/internal/cache/refresh",
"httpMethod": "POST",
"headers": { "Authorization": "Bearer internal-token" },
"body": "{\"scope\": \"products\"}",
"overlapPolicy": "SKIP"
}`

func TestTutorial_Create(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	a := s.do("POST", "/jobs", tutorialJob)
	got := a.want(201)
	want := map[string]any{
		"jobId": "job_8e4f2a1b00000001", "name": "Refresh Cache", "description": nil, "tags": map[string]any{}, "externalId": nil,
		"cronExpression": "*/5 * * * *", "intervalSeconds": nil, "runAt": nil, "timezone": "UTC", "startAt": nil, "endAt": nil, "maxRuns": nil, "jitterSeconds": 0.0, "state": "ACTIVE", "pauseReason": nil,
		"targetUrl": "https://api.mycompany.com/internal/cache/refresh", "httpMethod": "POST",
		"headers": map[string]any{"Authorization": "***"}, "body": `{"scope": "products"}`,
		"timeoutSeconds": 30.0, "successStatuses": []any{"2XX"}, "followRedirects": false, "signPayloads": false,
		"captureResponse": "ON_FAILURE", "retries": 0.0, "retryDelaySeconds": 10.0, "retryBackoff": "FIXED",
		"retryMaxDelaySeconds": 3600.0, "overlapPolicy": "SKIP",
		"misfirePolicy": "FIRE_ONCE", "catchupWindowSeconds": 21600.0, "deliveryGuarantee": "AT_LEAST_ONCE",
		"pauseAfterConsecutiveFailures": 0.0, "namespace": "default",
		"version": 1.0, "createdAt": "2026-03-26T16:12:30Z", "updatedAt": "2026-03-26T16:12:30Z",
		"nextRunAt": "2026-03-26T16:15:00Z", "lastRunAt": nil, "lastResult": nil, "consecutiveFailures": 0.0, "runningCount": 0.0,
		"counts": map[string]any{"success": 0.0, "failed": 0.0, "skipped": 0.0, "missed": 0.0, "cancelled": 0.0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for name, want := range map[string]string{
		"ETag": `"1"`, "Location": "/api/cron-service/jobs/job_8e4f2a1b00000001", "X-Cron-Node": "n1",
		"X-Cron-Applied-Index": "1", "Content-Type": "application/json; charset=utf-8",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	stored := s.jobs[0x8e4f2a1b00000001]
	if len(stored.Target.Headers) != 1 || string(stored.Target.Headers[0].Sealed) != "nekot-lanretni reraeB" {
		t.Errorf("the header's value did not arrive: %q", stored.Target.Headers)
	}
}

func TestTutorial_Executions(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	id := s.lastID
	ok := finished(id, nextSlot, 120*time.Millisecond, 230*time.Millisecond, 200, nil)
	failed := finished(id, nextSlot.Add(-5*time.Minute), 0, 8012*time.Millisecond, 504, &job.AttemptError{Code: job.ErrHTTPStatus, Msg: "status 504"})
	s.executions[id] = []job.Execution{ok, failed}

	list := s.do("GET", path+"/executions?limit=5", "").want(200)
	if list["nextCursor"] != nil {
		t.Errorf("nextCursor %v", list["nextCursor"])
	}
	want := []any{
		map[string]any{
			"executionId": ok.ID.String(), "jobId": id.String(), "trigger": "SCHEDULED",
			"scheduledAt": "2026-03-26T16:15:00Z", "dueAt": "2026-03-26T16:15:00Z", "startedAt": "2026-03-26T16:15:00.120Z",
			"finishedAt": "2026-03-26T16:15:00.350Z", "durationMs": 230.0, "latenessMs": 120.0, "httpStatus": 200.0,
			"result": "SUCCESS", "attempt": 1.0, "nodeId": "n2", "error": nil,
		},
		map[string]any{
			"executionId": failed.ID.String(), "jobId": id.String(), "trigger": "SCHEDULED",
			"scheduledAt": "2026-03-26T16:10:00Z", "dueAt": "2026-03-26T16:10:00Z", "startedAt": "2026-03-26T16:10:00Z",
			"finishedAt": "2026-03-26T16:10:08.012Z", "durationMs": 8012.0, "latenessMs": 0.0, "httpStatus": 504.0,
			"result": "FAILED", "attempt": 1.0, "nodeId": "n2", "error": map[string]any{"code": "HTTP_STATUS", "message": "status 504"},
		},
	}
	if !reflect.DeepEqual(list["executions"], want) {
		t.Errorf("got  %v\nwant %v", list["executions"], want)
	}
}

// finished is the record of a slot that was called once.
func finished(id job.ID, slot time.Time, late, took time.Duration, status int, failure *job.AttemptError) job.Execution {
	start := slot.Add(late)
	x := job.Execution{
		ID: job.SlotExecution(id, slot), Trigger: job.TriggerScheduled, ScheduledAt: slot, DueAt: slot, CreatedAt: slot,
		StartedAt: start, FinishedAt: start.Add(took), Result: job.Success, HTTPStatus: status, NodeID: "n2", Err: failure,
		Attempts: []job.Attempt{{
			Number: 1, NodeID: "n2", StartedAt: start, Duration: took, HTTPStatus: status, Err: failure,
			Timings: job.Timings{Connect: 1500 * time.Microsecond, FirstByte: took},
		}},
	}
	if failure != nil {
		x.Result = job.Failed
	}
	return x
}

func TestTutorial_Run(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	a := s.do("POST", path+"/run", "")
	run := a.want(202)
	id := run["executionId"].(string)
	want := map[string]any{"executionId": id, "trigger": "MANUAL", "startedAt": "2026-03-26T16:27:45Z"}
	if !reflect.DeepEqual(run, want) || !strings.HasPrefix(id, "ex_") {
		t.Errorf("got %v, want %v", run, want)
	}
	if got, want := a.header.Get("Location"), basePath+"/executions/"+id; got != want {
		t.Errorf("Location %q, want %q", got, want)
	}
	x := s.do("GET", "/executions/"+id, "").want(200)
	if x["result"] != "RUNNING" || x["startedAt"] != nil || x["attempt"] != 1.0 || !reflect.DeepEqual(x["attempts"], []any{}) || x["responseBody"] != nil {
		t.Errorf("the running execution is %v", x)
	}

	s.do("POST", path+"/run", "").problem(409, "overlap")
	s.do("POST", path+"/run", `{"overlapPolicy":"ALLOW"}`).want(202)
	s.do("POST", path+"/run", `{"overlapPolicy":null}`).problem(409, "overlap")
	s.do("POST", path+"/run", `{}`).problem(409, "overlap")
	s.do("POST", path+"/run", `{"overlapPolicy":"BUFFER_ONE"}`).want(202)
	if want := []job.OverlapPolicy{job.OverlapSkip, job.OverlapAllow, job.OverlapBufferOne}; !slices.Equal(s.overlaps, want) {
		t.Errorf("ran with %q, want %q", s.overlaps, want)
	}
}

func TestTutorial_PauseResumeDelete(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	paused := s.do("PATCH", path, `{"state":"PAUSED","pauseReason":"maintenance"}`).want(200)
	if paused["state"] != "PAUSED" || paused["nextRunAt"] != nil || paused["pauseReason"] != "maintenance" || paused["version"] != 2.0 {
		t.Errorf("paused: %v", paused)
	}
	resumed := s.do("PATCH", path, `{"state":"ACTIVE","pauseReason":null}`).want(200)
	if resumed["state"] != "ACTIVE" || resumed["nextRunAt"] != "2026-03-26T16:15:00Z" || resumed["pauseReason"] != nil {
		t.Errorf("resumed: %v", resumed)
	}
	deleted := s.do("DELETE", path, "").want(200)
	if deleted["deleted"] != true || "/jobs/"+deleted["jobId"].(string) != path {
		t.Errorf("deleted: %v", deleted)
	}
	s.do("GET", path, "").problem(404, "not_found")
	s.do("DELETE", path, "").problem(404, "not_found")
}

func TestExecution_Detail(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	s.do("POST", "/jobs", tutorialJob).want(201)
	x := finished(s.lastID, nextSlot, time.Second, 8*time.Second, 504, &job.AttemptError{Code: job.ErrHTTPStatus, Msg: "status 504"})
	x.Attempts[0].Number = 2
	x.Attempts = append([]job.Attempt{{Number: 1, NodeID: "n1", Err: &job.AttemptError{Code: job.ErrNodeLost, Msg: "gone"}}}, x.Attempts...)
	x.Response = []byte("bad \xffgateway")
	s.executions[s.lastID] = []job.Execution{x}

	got := s.do("GET", "/executions/"+x.ID.String(), "").want(200)
	want := []any{
		map[string]any{
			"attempt": 1.0, "nodeId": "n1", "startedAt": nil, "durationMs": nil, "httpStatus": nil, "error": map[string]any{"code": "NODE_LOST", "message": "gone"},
			"dnsMs": nil, "connectMs": nil, "tlsMs": nil, "firstByteMs": nil,
		},
		map[string]any{
			"attempt": 2.0, "nodeId": "n2", "startedAt": "2026-03-26T16:15:01Z", "durationMs": 8000.0, "httpStatus": 504.0,
			"error": map[string]any{"code": "HTTP_STATUS", "message": "status 504"}, "dnsMs": nil, "connectMs": 1.5, "tlsMs": nil, "firstByteMs": 8000.0,
		},
	}
	if !reflect.DeepEqual(got["attempts"], want) {
		t.Errorf("got  %v\nwant %v", got["attempts"], want)
	}
	if got["responseBody"] != "bad \uFFFDgateway" || got["attempt"] != 2.0 {
		t.Errorf("got %v", got)
	}
}

func TestExecution_Missed(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	to := nextSlot.Add(10 * time.Minute)
	s.executions[s.lastID] = []job.Execution{{
		ID: job.GapExecution(s.lastID, nextSlot), Trigger: job.TriggerScheduled, ScheduledAt: nextSlot, DueAt: nextSlot,
		FinishedAt: to, Result: job.Missed, MissedFrom: nextSlot, MissedTo: to, MissedCount: 3,
	}}
	x := s.do("GET", path+"/executions", "").want(200)["executions"].([]any)[0].(map[string]any)
	if x["result"] != "MISSED" || x["missedFrom"] != "2026-03-26T16:15:00Z" || x["missedTo"] != "2026-03-26T16:25:00Z" || x["missedCount"] != 3.0 {
		t.Errorf("got %v", x)
	}
	if x["startedAt"] != nil || x["httpStatus"] != nil || x["durationMs"] != nil || x["nodeId"] != nil || x["attempt"] != 0.0 {
		t.Errorf("got %v", x)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	got := s.do("GET", "/cluster", "").want(200)
	want := map[string]any{"nodeId": "n1", "leaderId": "n2", "term": 7.0, "nodes": []any{
		map[string]any{
			"nodeId": "n1", "httpAddr": "127.0.0.1:8400", "peerAddr": "127.0.0.1:8401", "role": "FOLLOWER", "state": "ALIVE",
			"appliedIndex": 41.0, "openAttempts": 2.0, "version": "1.0.0", "clockSkewMs": -1501.0, "readOnly": true,
		},
		map[string]any{
			"nodeId": "n2", "httpAddr": "", "peerAddr": "", "role": "LEADER", "state": "ALIVE",
			"appliedIndex": 0.0, "openAttempts": 0.0, "version": "", "clockSkewMs": nil, "readOnly": false,
		},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	got = s.do("GET", "/cluster/state-hash?consistency=stale", "").want(200)
	want = map[string]any{"nodeId": "n1", "appliedIndex": 41.0, "hash": "c0ffee"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
