package httpserver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// backfilled gives slots of the job's gap, which is the third to the fifth minute,
// executions of a backfill that was asked for an hour later.
func backfilled(t *testing.T, s *testServer, results map[int][]job.Result) (ids map[int]string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	ids = map[int]string{}
	asked := nextSlot.Add(time.Hour)
	salt := uint16(1)
	for _, minute := range []int{2, 3, 4} {
		for _, result := range results[minute] {
			x := ended(result, 0, job.Attempt{Number: 1, StartedAt: asked})
			x.ID, x.Trigger = job.ManualExecution(s.lastID, asked, salt), job.TriggerBackfill
			x.ScheduledAt, x.DueAt, x.StartedAt = nextSlot.Add(time.Duration(minute)*time.Minute), asked, asked
			s.executions[s.lastID] = slices.Insert(s.executions[s.lastID], 0, x)
			ids[minute], salt = x.ID.String(), salt+1
		}
	}
	return ids
}

// told is a slot of an audit in short.
func told(slot any) string {
	m := slot.(map[string]any)
	last := ""
	if at, given := m["lastAt"]; given {
		last = fmt.Sprintf(" to %v", at.(string)[14:16])
	}
	return fmt.Sprintf("%v%s %v x%v", m["scheduledAt"].(string)[14:16], last, m["class"], m["count"])
}

func TestAudit_Backfilled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		results map[int][]job.Result
		want    []string
	}{
		"none":         {nil, []string{"17 to 19 MISSED x3"}},
		"one":          {map[int][]job.Result{3: {job.Success}}, []string{"17 to 19 MISSED x2", "18 LATE x1"}},
		"failed":       {map[int][]job.Result{2: {job.Failed}, 4: {job.Running}}, []string{"17 to 19 MISSED x1", "17 FAILED x1", "19 RUNNING x1"}},
		"all":          {map[int][]job.Result{2: {job.Success}, 3: {job.Success}, 4: {job.Cancelled}}, []string{"17 LATE x1", "18 LATE x1", "19 CANCELLED x1"}},
		"again":        {map[int][]job.Result{2: {job.Failed, job.Success}}, []string{"17 to 19 MISSED x2", "17 LATE x1"}},
		"again, worse": {map[int][]job.Result{2: {job.Success, job.Failed}}, []string{"17 to 19 MISSED x2", "17 LATE x1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startLeader(t)
			path, ids := audited(t, s)
			backfilled(t, s, c.results)
			want := slices.Concat([]string{"15 ON_TIME x1", "16 LATE x1"}, c.want, []string{"20 SKIPPED x1", "21 RETRIED x1"})
			for limit := 1; limit <= len(want)+1; limit++ {
				var got []string
				for next := auditHour; next != ""; {
					page := s.do("GET", fmt.Sprintf("%s/audit%s&limit=%d", path, next, limit), "").want(200)
					slots := page["slots"].([]any)
					for _, slot := range slots {
						got = append(got, told(slot))
					}
					cursor, more := page["nextCursor"].(string)
					if next = ""; more {
						next = auditHour + "&cursor=" + cursor
					}
					if len(slots) > limit || len(got) > 2*len(ids)+2 {
						t.Fatalf("limit %d: %d slots on a page; %q", limit, len(slots), got)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("limit %d:\ngot  %q\nwant %q", limit, got, want)
				}
			}
		})
	}
}

// TestAudit_BackfilledSlot: it has the backfill's execution, and is as late as that
// came after the slot.
func TestAudit_BackfilledSlot(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path, _ := audited(t, s)
	ids := backfilled(t, s, map[int][]job.Result{3: {job.Success}})
	page := s.do("GET", path+"/audit"+auditHour, "").want(200)
	slot := page["slots"].([]any)[3].(map[string]any)
	if slot["executionId"] != ids[3] || slot["latenessMs"] != 57.0*60*1000 || slot["attempts"] != 1.0 {
		t.Errorf("got %v", slot)
	}
	summary := page["summary"].(map[string]any)
	if summary["MISSED"] != 2.0 || summary["LATE"] != 2.0 {
		t.Errorf("summary %v", summary)
	}
	// A part of the gap has only its own slots.
	for query, want := range map[string][]string{
		"?from=2026-03-26T16:18:00Z&to=2026-03-26T16:19:00Z": {"17 to 19 MISSED x2", "18 LATE x1"},
		"?from=2026-03-26T16:19:00Z&to=2026-03-26T16:20:00Z": {"17 to 19 MISSED x2"},
		"?from=2026-03-26T16:17:00Z&to=2026-03-26T16:18:00Z": {"17 to 19 MISSED x2"},
	} {
		var got []string
		for _, slot := range s.do("GET", path+"/audit"+query, "").want(200)["slots"].([]any) {
			got = append(got, told(slot))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}
