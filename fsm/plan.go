package fsm

import (
	"time"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// plan decides one due slot: it moves the job on to its next slot, records what
// was missed, and executes the slot to fire as the overlap policy allows.
func (t *tx) plan(d job.Plan, p job.PlannedSlot) job.Item {
	r := t.row(p.Job)
	if r == nil || r.due.slot == 0 || r.due.slot != millis(p.Slot) || p.Version != 0 && p.Version != r.GetVersion() {
		return refuse(job.ErrStale)
	}
	if r.GetGivenUpFrom() != 0 {
		return t.recordGivenUp(r, d, p)
	}
	setNext(r, p.Next, p.NextDue)
	if p.Missed.Count > 0 && t.miss(r, d.At, p.Trigger, p.Missed) && p.Fire.IsZero() {
		r.LastResult = logpb.Result_RESULT_MISSED
	}
	result := t.fire(r, d.At, p)
	if p.Next.IsZero() || isExhausted(r) {
		t.complete(r, d.At)
	}
	t.trim(r, d.HistoryPerJob)
	t.save(r)
	return job.Item{Result: result}
}

// recordGivenUp records slots that the job gave up when it paused itself: all of
// them, or as far as the leader has come.
func (t *tx) recordGivenUp(r *row, d job.Plan, p job.PlannedSlot) job.Item {
	if p.Missed.Count == 0 || !p.Fire.IsZero() {
		return refuse(job.ErrStale)
	}
	t.giveUp(d.At, r, p.Missed)
	if r.GivenUpFrom = millis(p.Next); r.GivenUpFrom == 0 {
		r.GivenUpUntil = 0
	}
	t.trim(r, d.HistoryPerJob)
	t.save(r)
	return job.Item{}
}

// miss records a gap; false if it has a record already. The job's last result is
// then MISSED, unless something is fired after the gap: the caller knows.
func (t *tx) miss(r *row, at time.Time, trigger job.Trigger, gap job.Gap) bool {
	id := job.GapExecution(r.id, gap.From)
	if t.recorded(r, id) {
		return false
	}
	x := &job.Execution{
		ID:          id,
		Trigger:     trigger,
		ScheduledAt: gap.From,
		DueAt:       gap.From,
		CreatedAt:   at,
		FinishedAt:  at,
		Result:      job.Missed,
		MissedFrom:  gap.From,
		MissedTo:    gap.To,
		MissedCount: gap.Count,
	}
	t.addRecord(r, x)
	t.countEnd(r, x)
	r.Missed += int64(gap.Count)
	t.tellOf(r, job.EventExecutionMissed, x, at)
	return true
}

// fire executes a slot. One that has a record was planned before, which happens
// if its job was edited while the leader's clock was behind: it is not executed
// again.
func (t *tx) fire(r *row, at time.Time, p job.PlannedSlot) job.Result {
	if p.Fire.IsZero() {
		return ""
	}
	id := job.SlotExecution(r.id, p.Fire)
	if t.recorded(r, id) {
		return t.execution(id).Result
	}
	x := &job.Execution{ID: id, Trigger: p.Trigger, ScheduledAt: p.Fire, DueAt: dueAt(p.Fire, p.FireDue), CreatedAt: at, Result: job.Running}
	if t.mustYield(r.id, r.GetOverlap()) {
		t.skip(r, x, whyYield(r.GetOverlap()))
		return x.Result
	}
	t.start(r, x, job.Open{Phase: job.PhaseRunning, Attempt: 1, Node: p.Node}, r.GetOverlap())
	if r.GetMaxRuns() > 0 {
		r.Runs++
	}
	return x.Result
}

// dueAt is when a slot is due: at the slot itself, unless due says otherwise.
func dueAt(slot, due time.Time) time.Time {
	if due.IsZero() {
		return slot
	}
	return due
}

// skip records an execution that gave way to open ones.
func (t *tx) skip(r *row, x *job.Execution, why string) {
	x.Result = job.Skipped
	x.FinishedAt = x.CreatedAt
	x.Err = &job.AttemptError{Code: job.ErrOverlap, Msg: why}
	t.addRecord(r, x)
	t.countEnd(r, x)
	count(r, job.Skipped)
	t.tellOf(r, job.EventExecutionSkipped, x, x.CreatedAt)
}

// start opens an execution as the phase in open says; or to wait, if requests of
// the job have to be aborted first; or to wait for what runs.
func (t *tx) start(r *row, x *job.Execution, open job.Open, overlap logpb.OverlapPolicy) {
	if overlap != logpb.OverlapPolicy_OVERLAP_ALLOW {
		t.makeWay(r.id)
	}
	switch overlap {
	case logpb.OverlapPolicy_OVERLAP_CANCEL_PREVIOUS:
		t.cancelPrevious(r, x.CreatedAt)
		if t.state.opens.blocked(r.id) {
			open = job.Open{Phase: job.PhaseWaiting}
		}
	case logpb.OverlapPolicy_OVERLAP_BUFFER_ONE, logpb.OverlapPolicy_OVERLAP_SKIP:
		if t.state.opens.inTurn(r.id) > 0 { // for SKIP, a backfill's
			open = job.Open{Phase: job.PhaseBuffered}
		}
	}
	open = openOf(x, open)
	t.setOpen(open)
	x.NodeID = open.Node.ID
	t.addRecord(r, x)
	r.LastRunAt = millis(x.CreatedAt)
	t.tellOf(r, job.EventExecutionStarted, x, x.CreatedAt)
}

// openOf is an execution that is open, with what it shares with its record.
func openOf(x *job.Execution, open job.Open) job.Open {
	open.Execution, open.Trigger, open.ScheduledAt = x.ID, x.Trigger, x.ScheduledAt
	if !x.DueAt.Equal(x.ScheduledAt) {
		open.DueAt = x.DueAt
	}
	return open
}

// run opens an execution that a person asked for.
func (t *tx) run(d job.Run) job.Item {
	id := d.Execution
	r, refusal := t.runnable(id.Job, d.Namespace)
	if refusal != nil {
		return refuse(refusal)
	}
	overlap := r.GetOverlap()
	if d.Overlap != "" {
		overlap = number[logpb.OverlapPolicy](&t.w, overlaps, d.Overlap)
	}
	switch {
	case t.recorded(r, id):
		return refuse(job.ErrStale)
	case t.mustYield(r.id, overlap):
		return refuse(overlapRefusal(r.id, overlap))
	}
	x := &job.Execution{ID: id, Trigger: job.TriggerManual, ScheduledAt: d.At, DueAt: d.At, CreatedAt: d.At, Result: job.Running}
	t.keep(d.HistoryPerJob)
	t.start(r, x, job.Open{Phase: job.PhasePending, RetryAt: d.At}, overlap)
	t.trim(r, d.HistoryPerJob)
	t.save(r)
	return job.Item{Result: job.Running}
}
