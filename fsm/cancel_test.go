package fsm

import (
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestCancel_Running(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	d := cancel(3, slotID(1))
	d.Namespace = job.DefaultNamespace
	equal(t, "result", n.do(d), job.Cancelled)
	x := n.execution(slotID(1))
	equal(t, "result", x.Result, job.Cancelled)
	equal(t, "finished", x.FinishedAt, at(3))
	equal(t, "error", *x.Err, job.AttemptError{Code: job.ErrCancelled, Msg: "cancelled by request"})
	equal(t, "phase", n.phase(slotID(1)), job.PhaseAborting)
	got := n.job(jobA)
	equal(t, "counts", got.Counts, job.Counts{Cancelled: 1})
	equal(t, "last result", got.LastResult, job.Cancelled)
	equal(t, "running", got.Running, 0)
	equal(t, "while it is aborted", n.do(plan(2)), job.Skipped)

	before := n.contents()
	equal(t, "again", n.do(cancel(4, slotID(1))), job.Cancelled)
	equal(t, "again, state", n.contents(), before)

	equal(t, "late outcome", n.do(succeed(5, ref(slotID(1), 1))), job.Cancelled)
	x = n.execution(slotID(1))
	equal(t, "the result stays", x.Err.Code, job.ErrCancelled)
	equal(t, "the end stays", x.FinishedAt, at(3))
	equal(t, "attempts", len(x.Attempts), 1)
	equal(t, "phase", n.phase(slotID(1)), job.PhaseClosed)
	equal(t, "afterwards", n.do(plan(3)), job.Running)
}

func TestCancel_ClosesAtOnceWhatHasNoRequest(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		policy    job.OverlapPolicy
		decisions []job.Decision
		cancelled job.ExecutionID
	}{
		"a manual run": {job.OverlapSkip, []job.Decision{runNow(1, 1, "")}, job.ManualExecution(jobA, at(1), 1)},
		"between attempts": {job.OverlapSkip, []job.Decision{plan(1), job.MarkLost{At: at(2), Attempts: []job.AttemptRef{ref(slotID(1), 1)}}},
			slotID(1)},
		"waiting":  {job.OverlapCancelPrevious, []job.Decision{plan(1), plan(2)}, slotID(2)},
		"buffered": {job.OverlapBufferOne, []job.Decision{plan(1), plan(2)}, slotID(2)},
	}
	for name, tc := range tests {
		n := withJob(t, tc.policy)
		for _, d := range tc.decisions {
			n.do(d)
		}
		equal(t, name, n.do(cancel(9, tc.cancelled)), job.Cancelled)
		equal(t, name+": result", n.execution(tc.cancelled).Result, job.Cancelled)
		equal(t, name+": phase", n.phase(tc.cancelled), job.PhaseClosed)
	}
}

// TestCancel_WhatWaits: a further execution waits for the same abort as before.
func TestCancel_WhatWaits(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	n.do(plan(1))
	n.do(plan(2))
	n.do(runNow(3, 1, job.OverlapCancelPrevious)) // waits for two aborts
	manual := job.ManualExecution(jobA, at(3), 1)
	n.do(runNow(4, 1, "")) // runs beside them
	n.do(cancel(5, job.ManualExecution(jobA, at(4), 1)))
	equal(t, "after another is cancelled", n.phase(manual), job.PhaseWaiting)
	n.do(succeed(6, ref(slotID(1), 1)))
	n.do(succeed(7, ref(slotID(2), 1)))
	equal(t, "after both aborts", n.phase(manual), job.PhasePending)
}

func TestCancel_Refused(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	n.refused(job.ErrNotFound, cancel(2, slotID(2)))
	n.refused(job.ErrNotFound, cancel(2, job.SlotExecution(jobB, at(1))))
	other := cancel(2, slotID(1))
	other.Namespace = "other"
	n.refused(job.ErrNotFound, other)
	conflict := job.Errorf(job.CodeConflict, "")
	n.do(plan(2))
	n.refused(conflict, cancel(3, slotID(2))) // SKIPPED
	n.do(succeed(3, ref(slotID(1), 1)))
	n.refused(conflict, cancel(4, slotID(1)))
	gap := plan(3)
	gap.Slots[0].Fire, gap.Slots[0].Missed = time.Time{}, job.Gap{From: at(3), To: at(3), Count: 1}
	n.do(gap)
	n.refused(conflict, cancel(4, job.GapExecution(jobA, at(3))))
	n.do(plan(4))
	n.do(job.DeleteJob{At: at(5), ID: jobA})
	n.refused(job.ErrNotFound, cancel(5, slotID(4))) // it is being aborted
}
