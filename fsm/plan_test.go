package fsm

import (
	"reflect"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestPlan_Fires(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	d := plan(1)
	d.Slots[0].Version = 1
	equal(t, "result", n.do(d), job.Running)
	want := job.Execution{
		ID: slotID(1), Trigger: job.TriggerScheduled, ScheduledAt: at(1), DueAt: at(1),
		CreatedAt: plan(1).At, Result: job.Running, NodeID: "n1",
	}
	if got := n.execution(slotID(1)); !reflect.DeepEqual(got, want) {
		t.Errorf("record: got %+v, want %+v", got, want)
	}
	open, _ := n.OpenExecution(slotID(1))
	equal(t, "open", open, job.Open{
		Execution: slotID(1), Trigger: job.TriggerScheduled, ScheduledAt: at(1), Phase: job.PhaseRunning, Attempt: 1, Node: n1,
	})
	got := n.job(jobA)
	equal(t, "next", got.NextRunAt, at(2))
	equal(t, "last run", got.LastRunAt, plan(1).At)
	equal(t, "running", got.Running, 1)
	equal(t, "version", got.Version, 1)
	n.refused(job.ErrStale, plan(1))
}

func TestPlan_Stale(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.refused(job.ErrStale, plan(2))
	edited := plan(1)
	edited.Slots[0].Version = 2
	n.refused(job.ErrStale, edited)
	missing := plan(1)
	missing.Slots[0].Job = jobB
	n.refused(job.ErrStale, missing)
	paused := put(jobA, at(1), spec(job.OverlapSkip))
	paused.Jobs[0].Job.Version, paused.Jobs[0].Job.State = 1, job.Paused
	n.do(paused)
	n.refused(job.ErrStale, plan(1))
	n.refused(job.ErrStale, job.Plan{At: at(1), Slots: []job.PlannedSlot{{Job: jobA}}})
}

func TestPlan_LastSlotCompletes(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	last := plan(1)
	last.Slots[0].Next = time.Time{}
	equal(t, "result", n.do(last), job.Running)
	equal(t, "state", n.job(jobA).State, job.Completed)
	equal(t, "next", n.job(jobA).NextRunAt, time.Time{})
	_, due := n.NextDue()
	equal(t, "due", due, false)
}

func TestPlan_Gap(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fire       time.Time
		history    []job.Result
		lastResult job.Result
		lastRun    time.Time
	}{
		"nothing fires":         {time.Time{}, []job.Result{job.Missed}, job.Missed, time.Time{}},
		"the latest slot fires": {at(4), []job.Result{job.Missed, job.Running}, "", at(4).Add(5 * time.Millisecond)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := withJob(t, job.OverlapSkip)
			d := plan(4)
			d.Slots[0].Slot, d.Slots[0].Fire, d.Slots[0].Trigger = at(1), tc.fire, job.TriggerCatchup
			d.Slots[0].Missed = job.Gap{From: at(1), To: at(3), Count: 3}
			n.do(d)
			if got := n.history(); !reflect.DeepEqual(got, tc.history) {
				t.Errorf("history: got %v, want %v", got, tc.history)
			}
			got := n.job(jobA)
			equal(t, "counts", got.Counts, job.Counts{Missed: 3})
			equal(t, "last result", got.LastResult, tc.lastResult)
			equal(t, "last run", got.LastRunAt, tc.lastRun)
			equal(t, "next", got.NextRunAt, at(5))
			x := n.execution(job.GapExecution(jobA, at(1)))
			equal(t, "from", x.MissedFrom, at(1))
			equal(t, "to", x.MissedTo, at(3))
			equal(t, "count", x.MissedCount, 3)
			equal(t, "finished", x.FinishedAt, d.At)
		})
	}
}

func TestPlan_RecordedSlotIsNotFiredAgain(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	n.do(plan(1))
	n.do(succeed(2, ref(slotID(1), 1)))
	before := n.execution(slotID(1))
	edit := put(jobA, at(1), spec(job.OverlapAllow)) // a leader whose clock is behind
	edit.Jobs[0].Job.Version = 1
	n.do(edit)
	equal(t, "result", n.do(plan(1)), job.Success)
	if got := n.execution(slotID(1)); !reflect.DeepEqual(got, before) {
		t.Errorf("record: got %+v, want %+v", got, before)
	}
	equal(t, "counts", n.job(jobA).Counts, job.Counts{Success: 1})
	equal(t, "next", n.job(jobA).NextRunAt, at(2))
}

func TestOverlap_Skip(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	equal(t, "result", n.do(plan(2)), job.Skipped)
	x := n.execution(slotID(2))
	equal(t, "error", *x.Err, job.AttemptError{Code: job.ErrOverlap, Msg: overlapMessage})
	equal(t, "finished", x.FinishedAt, plan(2).At)
	got := n.job(jobA)
	equal(t, "counts", got.Counts, job.Counts{Skipped: 1})
	equal(t, "last run", got.LastRunAt, plan(1).At)
	equal(t, "last result", got.LastResult, job.Skipped)

	retry := outcome(ref(slotID(1), 1), errStatus)
	retry.RetryAt = at(9)
	n.do(record(2, retry))
	equal(t, "between attempts", n.do(plan(3)), job.Skipped)
	n.do(begin(9, ref(slotID(1), 2)))
	n.do(succeed(9, ref(slotID(1), 2)))
	equal(t, "after the end", n.do(plan(4)), job.Running)
}

func TestOverlap_SkipWaitsForAborts(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapCancelPrevious)
	n.do(plan(1))
	n.do(plan(2)) // slot 1 is being aborted, slot 2 waits
	edit := put(jobA, at(3), spec(job.OverlapSkip))
	edit.Jobs[0].Job.Version = 1
	n.do(edit)
	equal(t, "result", n.do(plan(3)), job.Skipped)
}

func TestOverlap_Allow(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	equal(t, "first", n.do(plan(1)), job.Running)
	equal(t, "second", n.do(plan(2)), job.Running)
	equal(t, "running", n.job(jobA).Running, 2)
	n.do(succeed(3, ref(slotID(1), 1)))
	equal(t, "running", n.job(jobA).Running, 1)
}

func TestOverlap_CancelPrevious(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapCancelPrevious)
	n.do(plan(1))
	equal(t, "result", n.do(plan(2)), job.Running)
	cancelled := n.execution(slotID(1))
	equal(t, "result of the first", cancelled.Result, job.Cancelled)
	equal(t, "finished", cancelled.FinishedAt, plan(2).At)
	equal(t, "error", cancelled.Err.Code, job.ErrOverlap)
	equal(t, "first", n.phase(slotID(1)), job.PhaseAborting)
	equal(t, "second", n.phase(slotID(2)), job.PhaseWaiting)
	equal(t, "node of the second", n.execution(slotID(2)).NodeID, "")
	equal(t, "counts", n.job(jobA).Counts, job.Counts{Cancelled: 1})
	equal(t, "running", n.job(jobA).Running, 1)

	n.do(plan(3)) // cancels what waits, too
	equal(t, "second", n.phase(slotID(2)), job.PhaseClosed)
	equal(t, "result of the second", n.execution(slotID(2)).Result, job.Cancelled)
	equal(t, "third", n.phase(slotID(3)), job.PhaseWaiting)

	late := outcome(ref(slotID(1), 1), nil)
	equal(t, "late outcome", n.do(record(4, late)), job.Cancelled)
	got := n.execution(slotID(1))
	equal(t, "result stays", got.Result, job.Cancelled)
	equal(t, "end stays", got.FinishedAt, cancelled.FinishedAt)
	equal(t, "error stays", got.Err.Code, job.ErrOverlap)
	equal(t, "attempts", len(got.Attempts), 1)
	equal(t, "first", n.phase(slotID(1)), job.PhaseClosed)
	third, _ := n.OpenExecution(slotID(3))
	equal(t, "third", third.Phase, job.PhasePending)
	equal(t, "third begins", third.RetryAt, at(4))
	n.do(begin(4, ref(slotID(3), 1)))
	equal(t, "third", n.phase(slotID(3)), job.PhaseRunning)
	equal(t, "counts", n.job(jobA).Counts, job.Counts{Cancelled: 2})
}

func TestOverlap_CancelPreviousWithNothingToAbort(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapCancelPrevious)
	n.do(runNow(1, 1, ""))
	n.do(plan(1))
	equal(t, "pending run", n.phase(job.ManualExecution(jobA, at(1), 1)), job.PhaseClosed)
	equal(t, "slot", n.phase(slotID(1)), job.PhaseRunning)
}

func TestRun(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	id := job.ManualExecution(jobA, at(1), 9)
	equal(t, "result", n.do(runNow(1, 9, "")), job.Running)
	open, _ := n.OpenExecution(id)
	equal(t, "open", open, job.Open{
		Execution: id, Trigger: job.TriggerManual, ScheduledAt: at(1), Phase: job.PhasePending, RetryAt: at(1),
	})
	equal(t, "next", n.job(jobA).NextRunAt, at(1))
	equal(t, "last run", n.job(jobA).LastRunAt, at(1))

	n.refused(job.Errorf(job.CodeOverlap, ""), runNow(2, 9, ""))
	n.refused(job.ErrStale, runNow(1, 9, job.OverlapAllow)) // the same execution
	other := runNow(2, 9, "")
	other.Namespace = "other"
	n.refused(job.ErrNotFound, other)
	other.Namespace, other.Execution.Job = "", jobB
	n.refused(job.ErrNotFound, other)

	n.do(runNow(2, 9, job.OverlapAllow))
	equal(t, "running", n.job(jobA).Running, 2)
	n.do(begin(2, ref(id, 1)))
	n.do(runNow(3, 9, job.OverlapCancelPrevious))
	equal(t, "begun", n.phase(id), job.PhaseAborting)
	equal(t, "not begun", n.phase(job.ManualExecution(jobA, at(2), 9)), job.PhaseClosed)
	equal(t, "new", n.phase(job.ManualExecution(jobA, at(3), 9)), job.PhaseWaiting)
}

func TestRun_PausedJob(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	s := spec(job.OverlapSkip)
	s.State = job.Paused
	n.do(put(jobA, time.Time{}, s))
	equal(t, "result", n.do(runNow(1, 1, "")), job.Running)
	equal(t, "state", n.job(jobA).State, job.Paused)
}
