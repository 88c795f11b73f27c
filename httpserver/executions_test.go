package httpserver

import (
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// history gives two jobs of two namespaces some executions; the newest is first.
func history(t *testing.T, s *testServer) (ours, theirs string, ids []string) {
	t.Helper()
	theirs = jobPath(s.do("POST", "/jobs", tutorialJob, "X-API-KEY", teamKey).want(201))
	theirID := s.lastID
	ours = jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	id := s.lastID
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, x := range []job.Execution{
		{Result: job.Running, Trigger: job.TriggerManual}, {Result: job.Success, Trigger: job.TriggerScheduled},
		{Result: job.Failed, Trigger: job.TriggerCatchup}, {Result: job.Success, Trigger: job.TriggerBackfill},
	} {
		owner := id
		if i == 1 {
			owner = theirID
		}
		x.ScheduledAt = nextSlot.Add(-time.Duration(i) * time.Hour)
		x.ID = job.SlotExecution(owner, x.ScheduledAt)
		s.executions[owner] = append(s.executions[owner], x)
		ids = append(ids, x.ID.String())
	}
	return ours, theirs, ids
}

func executionIDs(page map[string]any) []string {
	list := []string{}
	for _, x := range page["executions"].([]any) {
		list = append(list, x.(map[string]any)["executionId"].(string))
	}
	return list
}

func TestListExecutions_Filters(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	ours, theirs, ids := history(t, s)
	for path, want := range map[string][]int{
		"/executions?":                                                      {0, 1, 2, 3},
		"/executions?namespace=team":                                        {1},
		"/executions?namespace=default&result=SUCCESS":                      {3},
		"/executions?result=SUCCESS":                                        {1, 3},
		"/executions?result=RUNNING":                                        {0},
		"/executions?result=MISSED":                                         {},
		"/executions?trigger=CATCHUP":                                       {2},
		"/executions?trigger=BACKFILL&result=SUCCESS":                       {3},
		"/executions?from=2026-03-26T15:15:00Z":                             {0, 1},
		"/executions?from=2026-03-26T16:15:00+01:00":                        {0, 1}, // a plus sign that was not escaped
		"/executions?from=2026-03-26T16:15:00%2B01:00":                      {0, 1},
		"/executions?to=2026-03-26T15:15:00Z":                               {2, 3},
		"/executions?from=2026-03-26T14:15:00Z&to=2026-03-26T15:15:00.001Z": {1, 2},
		ours + "/executions?":                                               {0, 2, 3},
		ours + "/executions?trigger=MANUAL":                                 {0},
		ours + "/executions?to=2026-03-26T14:00:00Z&result=SUCCESS":         {3},
		theirs + "/executions?":                                             {1},
	} {
		var names []string
		for _, i := range want {
			names = append(names, ids[i])
		}
		if got := executionIDs(s.do("GET", path, "").want(200)); !slices.Equal(got, names) {
			t.Errorf("%s: got %q, want %q", path, got, names)
		}
	}
	if got := executionIDs(s.do("GET", "/executions", "", "X-API-KEY", readerKey).want(200)); !slices.Equal(got, ids[1:2]) {
		t.Errorf("the team sees %q", got)
	}
	s.do("GET", ours+"/executions", "", "X-API-KEY", teamKey).problem(404, "not_found")
}

func TestListExecutions_AllPages(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	_, _, ids := history(t, s)
	for _, limit := range []int{1, 2, 3, 4, 500} {
		if got := walk(t, s, "/executions", limit, "executions", "executionId"); !slices.Equal(got, ids) {
			t.Errorf("limit %d: got %q, want %q", limit, got, ids)
		}
	}
}

func TestListExecutions_Malformed(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	ours, theirs, _ := history(t, s)
	cursor := s.do("GET", ours+"/executions?limit=1", "").want(200)["nextCursor"].(string)
	for path, want := range map[string][]string{
		"/executions?result=success&trigger=EVENT":                             {"result", "trigger"},
		"/executions?from=yesterday&to=0":                                      {"from", "to"},
		"/executions?from=2026-03-26T15:15:00Z&to=2026-03-26T15:15:00Z":        {"to"},
		"/executions?from=2026-03-26T15:15:00Z&to=2026-03-26T15:15:00%2B01:00": {"to"},
		"/executions?from=1969-12-31T23:59:59Z":                                {"from"},
		"/executions?limit=501&color=x":                                        {"color", "limit"},
		ours + "/executions?namespace=default":                                 {"namespace"},
		ours + "/executions?result=FAILED&cursor=" + cursor:                    {"cursor"},
		theirs + "/executions?cursor=" + cursor:                                {"cursor"},
		"/executions?cursor=" + cursor:                                         {"cursor"},
	} {
		p := s.do("GET", path, "").problem(400, "validation_error")
		if got := fields(p); !slices.Equal(got, want) {
			t.Errorf("%s: fields %q, want %q", path, got, want)
		}
	}
	s.do("POST", "/executions", "{}").problem(405, "method_not_allowed")
}
