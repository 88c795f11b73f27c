package httpserver

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

const (
	// paramLateAfter is from which lateness on a slot is LATE, in milliseconds.
	paramLateAfter   = "lateAfterMs"
	defaultLateAfter = 1000
	maxLateAfter     = 86400000

	// auditPeriod is what an audit without a from looks back.
	auditPeriod = 24 * time.Hour
)

// audit is the period whose slots are asked about, and the place of the page in it.
type audit struct {
	from, to time.Time
	page     time.Time
	// inGap: the page begins in a gap that an earlier one has told of.
	inGap     bool
	lateAfter time.Duration
}

// getAudit is GET /jobs/{id}/audit.
func (s *Server) getAudit(ctx context.Context, c *call) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	q := c.listQuery(paramFrom, paramTo, paramLateAfter)
	a, limit := q.audit(time.Now()), q.limit()
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	list, err := s.config.Executions.Slots(ctx, c.namespace(), id, a.page, a.to, limit)
	if err != nil {
		return nil, err
	}
	entries, next := a.cut(a.entries(list), list, limit)
	out := a.encode(entries, list.CompleteFrom)
	out.JobID = id.String()
	if next != nil {
		out.NextCursor = q.pageCursor(*next)
	}
	return success(http.StatusOK, out)
}

// audit reads the period: up to now if there is no to, and the last day of it if there
// is no from. A later page has the period of the first one, whatever the time is now.
func (q *query) audit(now time.Time) audit {
	a := audit{lateAfter: time.Duration(q.number(paramLateAfter, defaultLateAfter, 0, maxLateAfter)) * time.Millisecond}
	a.from, a.to = q.period()
	if a.to.IsZero() {
		a.to = job.Instant(now)
	}
	if a.from.IsZero() {
		a.from = latest(minInstant, a.to.Add(-auditPeriod))
	}
	if len(q.errs) == 0 && !a.from.Before(a.to) {
		q.add(paramFrom, "must be earlier than the end of the period, %s", a.to.Format(time.RFC3339))
	}
	a.page = a.from
	q.position(func(b []byte) (ok bool) {
		a.from, a.to, a.page, a.inGap, ok = parsePeriod(b)
		return ok
	})
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// encode shows a page.
func (a audit) encode(entries []auditEntry, complete time.Time) api.Audit {
	out := api.Audit{
		From: api.Time{Time: a.from}, To: api.Time{Time: a.to}, CompleteFrom: api.Time{Time: latest(a.from, complete)},
		Summary: map[string]int{}, Slots: make([]api.AuditSlot, 0, len(entries)),
	}
	for _, e := range entries {
		out.Summary[e.Class] += e.Count
		out.Slots = append(out.Slots, e.AuditSlot)
	}
	return out
}

func encodeSlot(x *job.Execution, lateAfter time.Duration) api.AuditSlot {
	return api.AuditSlot{
		ScheduledAt: api.Time{Time: x.ScheduledAt}, Count: 1, Class: classify(x, lateAfter),
		ExecutionID: optional(x.ID.String()), LatenessMs: latenessMs(x), Attempts: len(x.Attempts),
	}
}

// slotEnd is the last slot that a record is about.
func slotEnd(x *job.Execution) time.Time {
	if x.MissedTo.After(x.ScheduledAt) {
		return x.MissedTo
	}
	return x.ScheduledAt
}

// classify says what became of a slot. What happened to its target comes before how
// late it was.
func classify(x *job.Execution, lateAfter time.Duration) string {
	switch x.Result {
	case job.Missed:
		return api.AuditMissed
	case job.Skipped:
		return api.AuditSkipped
	case job.Cancelled:
		return api.AuditCancelled
	case job.Failed:
		return api.AuditFailed
	case job.Success:
	default:
		return api.AuditRunning
	}
	late, _ := x.Lateness()
	made := slices.DeleteFunc(slices.Clone(x.Attempts), func(a job.Attempt) bool { return a.Unbegun })
	switch {
	case slices.ContainsFunc(made[:max(0, len(made)-1)], isMaybeRequested):
		return api.AuditDuplicated
	case len(made) > 1:
		return api.AuditRetried
	case late > lateAfter:
		return api.AuditLate
	}
	return api.AuditOnTime
}

// isMaybeRequested reports whether nobody knows if an attempt reached the target: it
// was lost with its node, which is not known not to have begun the request.
func isMaybeRequested(a job.Attempt) bool { return a.MayBeDuplicate() }
