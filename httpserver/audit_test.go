package httpserver

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

var errNodeLost = &job.AttemptError{Code: job.ErrNodeLost, Msg: "lost"}

// ended is the record of a slot whose first request began late, with its attempts.
func ended(result job.Result, late time.Duration, attempts ...job.Attempt) job.Execution {
	x := job.Execution{Trigger: job.TriggerScheduled, ScheduledAt: nextSlot, DueAt: nextSlot, Result: result, Attempts: attempts}
	for _, a := range attempts {
		if x.StartedAt.IsZero() && !a.StartedAt.IsZero() {
			x.StartedAt = nextSlot.Add(late)
		}
	}
	return x
}

func TestClassify(t *testing.T) {
	t.Parallel()
	begun := job.Attempt{StartedAt: nextSlot}
	failed := job.Attempt{StartedAt: nextSlot, Err: &job.AttemptError{Code: job.ErrTimeout}}
	lost, lostBegun := job.Attempt{Err: errNodeLost}, job.Attempt{StartedAt: nextSlot, Err: errNodeLost}
	unbegun := job.Attempt{Err: errNodeLost, Unbegun: true}
	for name, tt := range map[string]struct {
		x    job.Execution
		want string
	}{
		"on time":             {ended(job.Success, 0, begun), "ON_TIME"},
		"just on time":        {ended(job.Success, time.Second, begun), "ON_TIME"},
		"late":                {ended(job.Success, time.Second+1, begun), "LATE"},
		"retried":             {ended(job.Success, 0, failed, begun), "RETRIED"},
		"retried and late":    {ended(job.Success, time.Minute, failed, begun), "RETRIED"},
		"lost":                {ended(job.Success, 0, lost, begun), "DUPLICATED"},
		"lost while open":     {ended(job.Success, 0, lostBegun, begun), "DUPLICATED"},
		"lost after a retry":  {ended(job.Success, 0, failed, lost, begun), "DUPLICATED"},
		"lost unbegun":        {ended(job.Success, 0, unbegun, begun), "ON_TIME"},
		"unbegun, and late":   {ended(job.Success, time.Minute, unbegun, unbegun, begun), "LATE"},
		"unbegun and retried": {ended(job.Success, 0, unbegun, failed, begun), "RETRIED"},
		"unbegun and lost":    {ended(job.Success, 0, unbegun, lost, begun), "DUPLICATED"},
		"lost, then unbegun":  {ended(job.Success, 0, lost, unbegun, begun), "DUPLICATED"},
		"failed":              {ended(job.Failed, 0, failed, failed), "FAILED"},
		"failed after a loss": {ended(job.Failed, 0, lost, failed), "FAILED"},
		"lost for good":       {ended(job.Failed, 0, lost), "FAILED"},
		"skipped":             {ended(job.Skipped, 0), "SKIPPED"},
		"missed":              {ended(job.Missed, 0), "MISSED"},
		"cancelled":           {ended(job.Cancelled, 0, begun), "CANCELLED"},
		"running":             {ended(job.Running, 0), "RUNNING"},
		"retrying":            {ended(job.Retrying, 0, failed), "RUNNING"},
	} {
		if got := classify(&tt.x, time.Second); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// audited is a job with the record of a slot each minute, but for a gap of three.
func audited(t *testing.T, s *testServer) (path string, ids []string) {
	t.Helper()
	path = jobPath(s.do("POST", "/jobs", plainJob(``)).want(201))
	id := s.lastID
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := job.Attempt{Number: 1, StartedAt: nextSlot}
	for i, x := range []job.Execution{
		ended(job.Success, 0, begun), ended(job.Success, 2*time.Second, begun), ended(job.Missed, 0), ended(job.Skipped, 0), ended(job.Success, 0, begun, begun),
	} {
		slot := nextSlot.Add(time.Duration(i) * time.Minute)
		if i > 2 {
			slot = slot.Add(2 * time.Minute)
		}
		if x.ID, x.ScheduledAt, x.DueAt = job.SlotExecution(id, slot), slot, slot; !x.StartedAt.IsZero() {
			x.StartedAt = x.StartedAt.Add(slot.Sub(nextSlot))
		}
		if x.Result == job.Missed {
			x.MissedFrom, x.MissedTo, x.MissedCount = slot, slot.Add(2*time.Minute), 3
		}
		s.executions[id] = slices.Insert(s.executions[id], 0, x)
		ids = append(ids, x.ID.String())
	}
	manual := job.Execution{ID: job.ManualExecution(id, nextSlot, 5), Trigger: job.TriggerManual, ScheduledAt: nextSlot, Result: job.Success}
	s.executions[id] = append(s.executions[id], manual)
	return path, ids
}

const auditHour = "?from=2026-03-26T16:00:00Z&to=2026-03-26T17:00:00Z"

func TestAudit(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path, ids := audited(t, s)
	got := s.do("GET", path+"/audit"+auditHour, "").want(200)
	want := map[string]any{
		"jobId": strings.TrimPrefix(path, "/jobs/"), "from": "2026-03-26T16:00:00Z", "to": "2026-03-26T17:00:00Z", "completeFrom": "2026-03-26T16:00:00Z",
		"summary": map[string]any{"ON_TIME": 1.0, "LATE": 1.0, "MISSED": 3.0, "SKIPPED": 1.0, "RETRIED": 1.0}, "nextCursor": nil,
		"slots": []any{
			map[string]any{"scheduledAt": "2026-03-26T16:15:00Z", "count": 1.0, "class": "ON_TIME", "executionId": ids[0], "latenessMs": 0.0, "attempts": 1.0},
			map[string]any{"scheduledAt": "2026-03-26T16:16:00Z", "count": 1.0, "class": "LATE", "executionId": ids[1], "latenessMs": 2000.0, "attempts": 1.0},
			map[string]any{"scheduledAt": "2026-03-26T16:17:00Z", "lastAt": "2026-03-26T16:19:00Z", "count": 3.0, "class": "MISSED", "executionId": ids[2], "latenessMs": nil, "attempts": 0.0},
			map[string]any{"scheduledAt": "2026-03-26T16:20:00Z", "count": 1.0, "class": "SKIPPED", "executionId": ids[3], "latenessMs": nil, "attempts": 0.0},
			map[string]any{"scheduledAt": "2026-03-26T16:21:00Z", "count": 1.0, "class": "RETRIED", "executionId": ids[4], "latenessMs": 0.0, "attempts": 2.0},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for late, want := range map[string]string{"0": "LATE", "1999": "LATE", "2000": "ON_TIME", "86400000": "ON_TIME"} {
		slots := s.do("GET", path+"/audit"+auditHour+"&lateAfterMs="+late, "").want(200)["slots"].([]any)
		if got := slots[1].(map[string]any)["class"]; got != want {
			t.Errorf("lateAfterMs=%s: %v, want %s", late, got, want)
		}
	}
}

func TestAudit_Period(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path, ids := audited(t, s)
	for query, want := range map[string][]int{
		"?from=2026-03-26T16:16:00Z&to=2026-03-26T16:21:00Z":            {1, 2, 3},
		"?from=2026-03-26T16:18:00Z&to=2026-03-26T16:18:00.001Z":        {2}, // the gap reaches into it
		"?from=2026-03-26T16:15:00.001Z&to=2026-03-26T17:16:00%2B01:00": {},
		"?to=2026-03-27T16:15:00Z":                                      {0, 1, 2, 3, 4}, // the day before it
		"?to=2026-03-27T16:15:00.001Z":                                  {1, 2, 3, 4},
	} {
		var names []string
		for _, i := range want {
			names = append(names, ids[i])
		}
		var got []string
		for _, slot := range s.do("GET", path+"/audit"+query, "").want(200)["slots"].([]any) {
			got = append(got, slot.(map[string]any)["executionId"].(string))
		}
		if !slices.Equal(got, names) {
			t.Errorf("%s: got %q, want %q", query, got, names)
		}
	}
	recent := s.do("GET", path+"/audit", "").want(200)
	to, err := time.Parse(time.RFC3339, recent["to"].(string))
	if err != nil || time.Since(to) > time.Minute || time.Since(to) < -time.Second {
		t.Errorf("it ends at %v", recent["to"])
	}
}

func TestAudit_CompleteFrom(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path, _ := audited(t, s)
	for from, want := range map[time.Time]string{
		nextSlot:                      "2026-03-26T16:15:00Z",
		nextSlot.Add(-24 * time.Hour): "2026-03-26T16:00:00Z",
	} {
		s.completeFrom = from
		if got := s.do("GET", path+"/audit"+auditHour, "").want(200)["completeFrom"]; got != want {
			t.Errorf("records from %v on: %v, want %s", from, got, want)
		}
	}
}

func TestAudit_Pages(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path, ids := audited(t, s)
	for limit := 1; limit <= 6; limit++ {
		var got []string
		missed := 0.0
		// Later pages keep the period of the first one.
		for next := auditHour; next != ""; {
			page := s.do("GET", fmt.Sprintf("%s/audit%s&limit=%d", path, next, limit), "").want(200)
			for _, slot := range page["slots"].([]any) {
				got = append(got, slot.(map[string]any)["executionId"].(string))
			}
			n, _ := page["summary"].(map[string]any)["MISSED"].(float64)
			missed += n
			if page["from"] != "2026-03-26T16:00:00Z" || page["to"] != "2026-03-26T17:00:00Z" || len(got) > 10 {
				t.Fatalf("page %v", page)
			}
			cursor, more := page["nextCursor"].(string)
			if next = ""; more {
				next = auditHour + "&cursor=" + cursor
			}
		}
		if !slices.Equal(got, ids) || missed != 3 {
			t.Errorf("limit %d: got %q, want %q; %v missed", limit, got, ids, missed)
		}
	}
}

// The period that is not named ends now; that of a later page is the first one's.
func TestAudit_PagesOfNow(t *testing.T) {
	t.Parallel()
	a := audit{from: now, to: now.Add(time.Hour)}
	first := listCall("/jobs/x/audit", "", theRootKey).listQuery(paramFrom, paramTo, paramLateAfter)
	a.page, a.inGap = now.Add(time.Minute), true
	cursor := first.pageCursor(a)
	next := listCall("/jobs/x/audit", "cursor="+*cursor, theRootKey).listQuery(paramFrom, paramTo, paramLateAfter)
	if got := next.audit(now.Add(5 * time.Hour)); next.err() != nil || !got.from.Equal(a.from) || !got.to.Equal(a.to) || !got.page.Equal(a.page) || !got.inGap {
		t.Errorf("%+v, %v", got, next.err())
	}
}

func TestAudit_Malformed(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path, _ := audited(t, s)
	cursor := s.do("GET", path+"/audit"+auditHour+"&limit=1", "").want(200)["nextCursor"].(string)
	for query, want := range map[string][]string{
		"from=x&to=y": {"from", "to"},
		"from=2026-03-26T16:00:00Z&to=2026-03-26T16:00:00Z": {"to"},
		"from=9999-01-01T00:00:00Z":                         {"from"},
		"lateAfterMs=-1":                                    {"lateAfterMs"},
		"lateAfterMs=86400001":                              {"lateAfterMs"},
		"lateAfterMs=1s&limit=0&class=LATE":                 {"class", "lateAfterMs", "limit"},
		"cursor=" + cursor:                                  {"cursor"},
		auditHour[1:] + "&lateAfterMs=5&cursor=" + cursor:   {"cursor"},
	} {
		p := s.do("GET", path+"/audit?"+query, "").problem(400, "validation_error")
		if got := fields(p); !slices.Equal(got, want) {
			t.Errorf("%s: fields %q, want %q", query, got, want)
		}
	}
	s.do("GET", path+"/audit", "", "X-API-KEY", teamKey).problem(404, "not_found")
	s.do("GET", "/jobs/7/audit", "").problem(404, "not_found")
	s.do("GET", "/jobs/job_0000000000000001/audit", "").problem(404, "not_found")
	s.do("POST", path+"/audit", "{}").problem(405, "method_not_allowed")
}

// A period at the beginning of time has no day before it.
func TestAudit_BeginOfTime(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path, _ := audited(t, s)
	if got := s.do("GET", path+"/audit?to=1970-01-01T00:00:01Z", "").want(200)["from"]; got != "1970-01-01T00:00:00Z" {
		t.Errorf("from %v", got)
	}
	s.do("GET", path+"/audit?to=1970-01-01T00:00:00Z", "").problem(400, "validation_error")
}
