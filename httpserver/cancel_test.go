package httpserver

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestCancel(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	id := s.do("POST", path+"/run", "").want(202)["executionId"].(string)
	want := map[string]any{
		"executionId": id, "jobId": strings.TrimPrefix(path, "/jobs/"), "trigger": "MANUAL",
		"scheduledAt": "2026-03-26T16:27:45Z", "dueAt": "2026-03-26T16:27:45Z", "startedAt": nil, "finishedAt": "2026-03-26T16:27:46Z",
		"durationMs": nil, "latenessMs": nil, "httpStatus": nil, "result": "CANCELLED", "attempt": 0.0, "nodeId": nil,
		"error": map[string]any{"code": "CANCELLED", "message": "cancelled by a request"},
	}
	for _, body := range []string{"", "{}", " { } "} { // cancelled already is no error
		if got := s.do("POST", "/executions/"+id+"/cancel", body).want(202); !reflect.DeepEqual(got, want) {
			t.Errorf("body %q: got  %v\nwant %v", body, got, want)
		}
	}
	if got := s.do("GET", "/executions/"+id, "").want(200)["result"]; got != "CANCELLED" {
		t.Errorf("it is read as %v", got)
	}
	s.do("POST", path+"/run", "").want(202) // nothing overlaps any more
}

func TestCancel_Ended(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	s.do("POST", "/jobs", tutorialJob).want(201)
	for i, result := range []job.Result{job.Success, job.Failed, job.Skipped, job.Missed} {
		x := finished(s.lastID, nextSlot.Add(time.Duration(i)*time.Minute), 0, time.Second, 200, nil)
		x.Result = result
		s.executions[s.lastID] = append(s.executions[s.lastID], x)
		before := s.writes()
		p := s.do("POST", "/executions/"+x.ID.String()+"/cancel", "").problem(409, "conflict")
		if !strings.Contains(p.Detail, string(result)) || s.writes() != before {
			t.Errorf("%s: %q, %d writes", result, p.Detail, s.writes()-before)
		}
	}
}
