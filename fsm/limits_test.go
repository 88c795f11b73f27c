package fsm

import (
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// change edits job A at second 50; nothing else of it changes.
func (n *node) change(edit func(*job.PutJob)) job.Item {
	n.Helper()
	j := n.job(jobA)
	p := job.PutJob{Job: j}
	edit(&p)
	return n.item(job.PutJobs{At: at(50), Jobs: []job.PutJob{p}})
}

func (n *node) wantState(what string, state job.State, next time.Time) {
	n.Helper()
	j := n.job(jobA)
	equal(n, what+": state", j.State, state)
	equal(n, what+": next run", j.NextRunAt, next)
	_, due := n.NextDue()
	equal(n, what+": in the agenda", due, !next.IsZero())
}

func TestMaxRuns(t *testing.T) {
	t.Parallel()
	n := raised(t, func(s *job.Spec) { s.MaxRuns = 2 })
	n.do(runNow(1, 1, "")) // does not count
	n.do(plan(1))          // SKIPPED, and does not count
	n.do(cancel(2, job.ManualExecution(jobA, at(1), 1)))
	gap := plan(2)
	gap.Slots[0].Missed, gap.Slots[0].Fire = job.Gap{From: at(2), To: at(2), Count: 1}, time.Time{}
	n.do(gap) // MISSED
	equal(t, "runs", n.job(jobA).Runs, 0)
	n.do(plan(3))
	n.wantState("after the first", job.Active, at(4))
	n.do(succeed(4, ref(slotID(3), 1)))
	n.do(backfill("", 1))
	n.complete(backfilled(0))
	equal(t, "runs, one of which counts", n.job(jobA).Runs, 1)
	n.do(plan(4))
	n.wantState("after the last", job.Completed, time.Time{})
	n.refused(job.ErrStale, plan(5))
	n.must(n.Close())
	n.reopen()
	equal(t, "runs after a restart", n.job(jobA).Runs, 2)
}

// TestMaxRuns_Edits: an edit of a leader that has not heard of the last run does not
// give the job another one; a higher limit does.
func TestMaxRuns_Edits(t *testing.T) {
	t.Parallel()
	n := raised(t, func(s *job.Spec) { s.MaxRuns = 1 })
	active := func(p *job.PutJob) { p.Job.State, p.Job.NextRunAt = job.Active, at(60) }
	n.do(plan(1))
	equal(t, "edit", n.change(active).Err, nil)
	n.wantState("an edit that knows nothing", job.Completed, time.Time{})
	n.change(func(p *job.PutJob) { active(p); p.Job.MaxRuns = 2 })
	n.wantState("another run", job.Active, at(60))
	equal(t, "runs", n.job(jobA).Runs, 1)
	n.change(func(p *job.PutJob) { active(p); p.Job.MaxRuns = 1 })
	n.wantState("a lower limit", job.Completed, time.Time{})
	n.change(func(p *job.PutJob) { active(p); p.Job.MaxRuns = 0 })
	n.wantState("no limit", job.Active, at(60))
	equal(t, "runs are counted from the next limit on", n.job(jobA).Runs, 0)
}

func TestMaxRuns_LimitsTheRunsFromThenOn(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(plan(1))
	equal(t, "runs without a limit", n.job(jobA).Runs, 0)
	n.change(func(p *job.PutJob) { p.Job.MaxRuns, p.Job.Overlap = 1, job.OverlapAllow })
	n.wantState("a new limit", job.Active, at(2))
	n.do(plan(2))
	n.wantState("the limit is reached", job.Completed, time.Time{})
}

// failing plans and fails a slot of job A.
func (n *node) failing(seconds int) {
	n.Helper()
	n.do(plan(seconds))
	n.do(fail(seconds, ref(slotID(seconds), 1)))
}

func TestPauseAfterFailures(t *testing.T) {
	t.Parallel()
	n := raised(t, func(s *job.Spec) { s.PauseAfterFailures = 2 })
	n.failing(1)
	n.do(plan(2))
	n.do(succeed(2, ref(slotID(2), 1)))
	n.failing(3)
	n.wantState("not in a row", job.Active, at(4))
	last := n.LastEvent()
	n.failing(4)
	n.wantState("two in a row", job.Paused, time.Time{})
	paused := n.job(jobA)
	equal(t, "reason", paused.PauseReason, "paused by itself after 2 failed executions in a row")
	equal(t, "version", paused.Version, 2)
	equal(t, "updated", paused.UpdatedAt, at(4))
	events := n.since(last)
	got := events[len(events)-1]
	equal(t, "event", got, job.Event{
		ID: got.ID, Type: job.EventJobAutoPaused, At: at(4), Namespace: job.DefaultNamespace, Job: jobA, JobName: "report", Version: 2, Failures: 2,
	})
	n.refused(job.ErrStale, plan(5))

	old := job.PutJob{Job: paused}
	old.Job.Version, old.Job.State, old.Job.NextRunAt = 1, job.Active, at(60)
	n.refused(job.Errorf(job.CodePreconditionFailed, ""), job.PutJobs{At: at(50), Jobs: []job.PutJob{old}})

	n.change(func(p *job.PutJob) { p.Job.State, p.Job.NextRunAt, p.Job.PauseReason = job.Active, at(60), "" })
	n.wantState("made active again", job.Active, at(60))
	equal(t, "failures in a row", n.job(jobA).ConsecutiveFailures, 0)
	n.failing(60)
	n.wantState("the first failure", job.Active, at(61))
	n.failing(61)
	n.wantState("the second one", job.Paused, time.Time{})
}

func TestPauseAfterFailures_WithoutIt(t *testing.T) {
	t.Parallel()
	n := raised(t)
	for i := range 9 {
		n.failing(i + 1)
	}
	n.wantState("nothing pauses it", job.Active, at(10))
	n.change(func(p *job.PutJob) { p.Job.State = job.Paused })
	n.change(func(p *job.PutJob) { p.Job.State, p.Job.NextRunAt = job.Active, at(60) })
	equal(t, "failures in a row stay, as they did before", n.job(jobA).ConsecutiveFailures, 9)
}

// TestPauseAfterFailures_OnlyByAFailure: a lower limit does not make what ends
// otherwise a reason.
func TestPauseAfterFailures_OnlyByAFailure(t *testing.T) {
	t.Parallel()
	n := raised(t, func(s *job.Spec) { s.Overlap = job.OverlapCancelPrevious })
	n.failing(1)
	n.failing(2)
	n.do(plan(3))
	n.change(func(p *job.PutJob) { p.Job.PauseAfterFailures = 1 })
	n.do(plan(4)) // cancels the one before
	n.wantState("a cancellation", job.Active, at(5))
	n.do(succeed(5, ref(slotID(3), 1)))
	n.do(begin(5, ref(slotID(4), 1)))
	n.do(fail(4, ref(slotID(4), 1)))
	n.wantState("a failure", job.Paused, time.Time{})
}

// TestPauseAfterFailures_OfACompletedJob: there is nothing to pause.
func TestPauseAfterFailures_OfACompletedJob(t *testing.T) {
	t.Parallel()
	n := raised(t, func(s *job.Spec) { s.PauseAfterFailures, s.MaxRuns = 1, 1 })
	n.failing(1)
	n.wantState("completed", job.Completed, time.Time{})
	equal(t, "reason", n.job(jobA).PauseReason, "")
}

// TestDue_ByItsShare: the agenda is in the order of the due times, and a plan
// compares the slot.
func TestDue_ByItsShare(t *testing.T) {
	t.Parallel()
	n := raised(t)
	d := put(jobB, at(1), spec(job.OverlapSkip))
	d.Jobs[0].Job.NextDueAt = at(4)
	n.do(d)
	for range 2 {
		equal(t, "next due", n.job(jobB).NextDueAt, at(4))
		equal(t, "due early", len(n.Due(at(3), 9, nil)), 1)
		list := n.Due(at(4), 9, nil)
		equal(t, "due", len(list), 2)
		equal(t, "the last", list[1], job.DueSlot{Job: jobB, Slot: at(1), Due: at(4)})
		n.must(n.Close())
		n.reopen()
	}
	p := plan(1)
	p.Slots[0].Job, p.Slots[0].Next, p.Slots[0].NextDue, p.Slots[0].FireDue = jobB, at(10), at(12), at(4)
	wrong := p
	wrong.Slots = append([]job.PlannedSlot(nil), p.Slots...)
	wrong.Slots[0].Slot = at(4)
	n.refused(job.ErrStale, wrong)
	n.do(p)
	x := n.execution(job.SlotExecution(jobB, at(1)))
	equal(t, "slot", x.ScheduledAt, at(1))
	equal(t, "due at", x.DueAt, at(4))
	for range 2 {
		open, _ := n.OpenExecution(x.ID)
		equal(t, "open, due at", open.DueAt, at(4))
		n.must(n.Close())
		n.reopen()
	}
	equal(t, "next run", n.job(jobB).NextRunAt, at(10))
	equal(t, "next due", n.job(jobB).NextDueAt, at(12))
	n.do(job.DeleteJob{At: at(5), ID: jobB})
	equal(t, "agenda", n.AgendaLen(), 1)
}

// TestPutJobs_KeepNextRunAndItsShare: an edit of the jitter moves the due time of
// the slot that it knows, and leaves one that it does not know.
func TestPutJobs_KeepNextRunAndItsShare(t *testing.T) {
	t.Parallel()
	n := raised(t)
	keep := func(due time.Time) func(*job.PutJob) {
		return func(p *job.PutJob) { p.KeepNextRun, p.Job.NextRunAt, p.Job.NextDueAt = true, at(1), due }
	}
	n.change(keep(at(3)))
	equal(t, "the slot that it knows", n.job(jobA).NextDueAt, at(3))
	p := plan(1)
	p.Slots[0].NextDue = at(9)
	n.do(p)
	n.change(keep(at(5)))
	equal(t, "another slot", n.job(jobA).NextRunAt, at(2))
	equal(t, "its due time", n.job(jobA).NextDueAt, at(9))
	n.change(func(p *job.PutJob) { p.Job.State = job.Paused })
	equal(t, "a paused job", n.job(jobA).NextDueAt, time.Time{})
}

// TestPutJobs_KeepNextRunOfACompletedJob: an edit that was decided before the last slot
// was planned does not make the job ACTIVE again, without a slot.
func TestPutJobs_KeepNextRunOfACompletedJob(t *testing.T) {
	t.Parallel()
	n := raised(t)
	edit := job.PutJob{Job: n.job(jobA), KeepNextRun: true}
	last := plan(1)
	last.Slots[0].Next = time.Time{}
	n.do(last)
	n.wantState("after the last slot", job.Completed, time.Time{})
	n.refused(job.ErrStale, job.PutJobs{At: at(2), Jobs: []job.PutJob{edit}})
	edit.Job.State = job.Completed
	n.do(job.PutJobs{At: at(3), Jobs: []job.PutJob{edit}})
	n.wantState("decided again", job.Completed, time.Time{})
}
