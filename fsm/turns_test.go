package fsm

import (
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// TestBackfill_ScheduleGoesFirst: a backfill whose executions go one by one is in
// nobody's way. What has a request open is waited for, and not beside it.
func TestBackfill_ScheduleGoesFirst(t *testing.T) {
	t.Parallel()
	waits := map[job.OverlapPolicy]job.Phase{
		job.OverlapSkip: job.PhaseBuffered, job.OverlapBufferOne: job.PhaseBuffered, job.OverlapCancelPrevious: job.PhaseWaiting,
	}
	for overlap, phase := range waits { // order-free: each has a node of its own
		n := withJob(t, overlap)
		n.do(backfill("", 3))
		n.do(begin(101, ref(backfilled(0), 1)))
		equal(t, "a slot beside a request", n.do(plan(1)), job.Running)
		equal(t, "it waits", n.phase(slotID(1)), phase)
		n.wantPhases("while one runs", job.PhaseRunning, job.PhaseQueued, job.PhaseQueued)
		n.do(succeed(102, ref(backfilled(0), 1)))
		equal(t, "it begins", n.phase(slotID(1)), job.PhasePending)
		n.wantPhases("behind the slot", job.PhaseClosed, job.PhaseQueued, job.PhaseQueued)
		n.complete(slotID(1))
		n.wantPhases("after the slot", job.PhaseClosed, job.PhasePending, job.PhaseQueued)
		equal(t, "a slot before one that has not begun", n.do(plan(2)), job.Running)
		equal(t, "it runs", n.phase(slotID(2)), job.PhaseRunning)
		n.wantPhases("which made way", job.PhaseClosed, job.PhaseQueued, job.PhaseQueued)
		n.do(succeed(103, ref(slotID(2), 1)))
		n.complete(backfilled(1))
		n.complete(backfilled(2))
		equal(t, "counts", n.job(jobA).Counts, job.Counts{Success: 5})
	}
}

// TestBackfill_OwnOverlap: of slots that wait for a backfill's request, the overlap
// policy decides as ever.
func TestBackfill_OwnOverlap(t *testing.T) {
	t.Parallel()
	second := map[job.OverlapPolicy]job.Result{
		job.OverlapSkip: job.Skipped, job.OverlapBufferOne: job.Skipped, job.OverlapCancelPrevious: job.Running,
	}
	for overlap, want := range second { // order-free: each has a node of its own
		n := withJob(t, overlap)
		n.do(backfill("", 2))
		n.do(begin(101, ref(backfilled(0), 1)))
		n.do(plan(1))
		equal(t, "the second slot", n.do(plan(2)), want)
		first := job.Running
		if want == job.Running {
			first = job.Cancelled
		}
		equal(t, "the first slot", n.execution(slotID(1)).Result, first)
		n.wantPhases("all the while", job.PhaseRunning, job.PhaseQueued)
	}
}

// TestBackfill_RetriesMakeWay: an execution of a backfill that is to be tried again
// goes back into the queue, and keeps the time of its retry and what it was.
func TestBackfill_RetriesMakeWay(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(backfill("", 2))
	n.do(begin(101, ref(backfilled(0), 1)))
	n.do(plan(1))
	failed := outcome(ref(backfilled(0), 1), errStatus)
	failed.RetryAt = at(200)
	n.do(record(102, failed))
	n.wantPhases("after a failure", job.PhaseQueued, job.PhaseQueued)
	equal(t, "the slot that waited", n.phase(slotID(1)), job.PhasePending)
	equal(t, "its result", n.execution(backfilled(0)).Result, job.Retrying)
	last := n.LastEvent()
	n.complete(slotID(1))
	open, _ := n.OpenExecution(backfilled(0))
	equal(t, "again its turn", open, job.Open{
		Execution: backfilled(0), Trigger: job.TriggerBackfill, ScheduledAt: at(10), DueAt: at(100),
		Phase: job.PhasePending, Attempt: 1, RetryAt: at(200), Failures: 1,
	})
	equal(t, "no event but the slot's", len(n.since(last)), 1)
	n.do(begin(200, ref(backfilled(0), 2)))
	n.do(job.MarkLost{At: at(201), Attempts: []job.AttemptRef{ref(backfilled(0), 2)}})
	n.wantPhases("lost, and nothing waits", job.PhasePending, job.PhaseQueued)
}

// TestBackfill_RunsByHandGoFirst as slots do.
func TestBackfill_RunsByHandGoFirst(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(backfill("", 2))
	n.do(runNow(101, 1, ""))
	n.wantPhases("behind the run", job.PhaseQueued, job.PhaseQueued)
	n.refused(&job.Error{Code: job.CodeOverlap}, runNow(101, 2, ""))
	n.complete(job.ManualExecution(jobA, at(101), 1))
	n.wantPhases("after it", job.PhasePending, job.PhaseQueued)
}

// TestBackfill_BesideTheSchedule: those that may overlap run beside whatever comes, and
// are cancelled by nothing.
func TestBackfill_BesideTheSchedule(t *testing.T) {
	t.Parallel()
	for _, overlap := range []job.OverlapPolicy{job.OverlapSkip, job.OverlapBufferOne, job.OverlapCancelPrevious} {
		n := withJob(t, overlap)
		n.do(backfill(job.OverlapAllow, 2))
		n.do(begin(101, ref(backfilled(0), 1)))
		n.do(plan(1))
		equal(t, "a slot", n.phase(slotID(1)), job.PhaseRunning)
		n.do(cancel(102, backfilled(0)))
		n.do(plan(2))
		n.wantPhases("beside it", job.PhaseAborting, job.PhasePending)
		n.do(record(103, outcome(ref(slotID(1), 1), nil)))
		want := map[job.OverlapPolicy]job.Phase{job.OverlapBufferOne: job.PhasePending, job.OverlapCancelPrevious: job.PhasePending}
		equal(t, "the next slot waited for the first one only", n.phase(slotID(2)), want[overlap])
	}
}

// TestBackfill_HeldByAPause: nothing of a queue begins while the job is PAUSED.
func TestBackfill_HeldByAPause(t *testing.T) {
	t.Parallel()
	n := raised(t, func(s *job.Spec) { s.PauseAfterFailures = 1 })
	n.do(backfill("", 4))
	n.do(begin(101, ref(backfilled(0), 1)))
	n.do(fail(101, ref(backfilled(0), 1)))
	equal(t, "state", n.job(jobA).State, job.Paused)
	n.wantPhases("paused by itself", job.PhaseClosed, job.PhaseQueued, job.PhaseQueued, job.PhaseQueued)
	n.do(backfillAt(102, 1))
	n.do(cancel(103, backfilled(1)))
	n.do(givenUpPlan(1, 101, 0))
	n.change(func(p *job.PutJob) { p.Job.Description = "x" })
	n.wantPhases("still", job.PhaseClosed, job.PhaseClosed, job.PhaseQueued, job.PhaseQueued)
	n.change(func(p *job.PutJob) { p.Job.State, p.Job.NextRunAt = job.Active, at(200) })
	equal(t, "the oldest slot after that", n.phase(job.ManualExecution(jobA, at(102), 1)), job.PhasePending)
	n.complete(job.ManualExecution(jobA, at(102), 1))
	n.change(func(p *job.PutJob) { p.Job.State = job.Paused })
	n.complete(backfilled(2))
	n.wantPhases("what has begun ends", job.PhaseClosed, job.PhaseClosed, job.PhaseClosed, job.PhaseQueued)
}
