package fsm

import (
	"errors"
	"reflect"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// backfill asks at second 100 for so many slots of job A, from second 10 on.
func backfill(overlap job.OverlapPolicy, slots int) job.Backfill {
	d := job.Backfill{At: at(100), HistoryPerJob: 200, Job: jobA, Overlap: overlap}
	for i := range slots {
		d.Slots = append(d.Slots, job.BackfillSlot{Slot: at(10 + i), Execution: backfilled(i)})
	}
	return d
}

// backfilled is the execution of a backfill's i-th slot.
func backfilled(i int) job.ExecutionID { return job.ManualExecution(jobA, at(100), uint16(i+1)) }

// complete begins an execution that is pending, and lets it succeed.
func (n *node) complete(id job.ExecutionID) {
	n.Helper()
	n.do(begin(101, ref(id, 1)))
	n.do(succeed(102, ref(id, 1)))
}

// wantPhases checks where the executions of a backfill stand.
func (n *node) wantPhases(what string, want ...job.Phase) {
	n.Helper()
	got := make([]job.Phase, len(want))
	for i := range want {
		got[i] = n.phase(backfilled(i))
	}
	if !reflect.DeepEqual(got, want) {
		n.Errorf("%s: got phases %v, want %v", what, got, want)
	}
}

func TestBackfill_OneAtATime(t *testing.T) {
	t.Parallel()
	for _, overlap := range []job.OverlapPolicy{job.OverlapSkip, job.OverlapBufferOne, job.OverlapCancelPrevious} {
		n := withJob(t, overlap)
		equal(t, "result", n.do(backfill("", 3)), job.Running)
		n.wantPhases("at first", job.PhasePending, job.PhaseQueued, job.PhaseQueued)
		open, _ := n.OpenExecution(backfilled(0))
		equal(t, "first", open, job.Open{
			Execution: backfilled(0), Trigger: job.TriggerBackfill, ScheduledAt: at(10), DueAt: at(100), Phase: job.PhasePending, RetryAt: at(100),
		})
		want := job.Execution{
			ID: backfilled(1), Trigger: job.TriggerBackfill, ScheduledAt: at(11), DueAt: at(100), CreatedAt: at(100), Result: job.Running,
		}
		if got := n.execution(backfilled(1)); !reflect.DeepEqual(got, want) {
			t.Errorf("record: got %+v, want %+v", got, want)
		}
		equal(t, "running", n.job(jobA).Running, 3)
		equal(t, "last run", n.job(jobA).LastRunAt, at(100))
		n.refused(job.ErrStale, begin(101, ref(backfilled(1), 1)))
		n.complete(backfilled(0))
		n.wantPhases("after the first", job.PhaseClosed, job.PhasePending, job.PhaseQueued)
		n.complete(backfilled(1))
		n.complete(backfilled(2))
		equal(t, "running at the end", n.job(jobA).Running, 0)
		equal(t, "counts", n.job(jobA).Counts, job.Counts{Success: 3})
	}
}

func TestBackfill_ManyAtATime(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	n.do(backfill(job.OverlapAllow, job.BackfillWidth+2))
	begun := 0
	for i := range job.BackfillWidth + 2 {
		if n.phase(backfilled(i)) == job.PhasePending {
			begun++
			equal(t, "the first ones begin", i < job.BackfillWidth, true)
		}
	}
	equal(t, "begun beside the one that runs", begun, job.BackfillWidth)
	n.complete(backfilled(3))
	equal(t, "the next", n.phase(backfilled(job.BackfillWidth)), job.PhasePending)
	equal(t, "the one after", n.phase(backfilled(job.BackfillWidth+1)), job.PhaseQueued)
	n.do(cancel(103, backfilled(4)))
	equal(t, "after a cancellation", n.phase(backfilled(job.BackfillWidth+1)), job.PhasePending)
}

// TestBackfill_WaitsForWhatRuns: what is queued begins once nothing else is open,
// and is not in the way of it.
func TestBackfill_WaitsForWhatRuns(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapBufferOne)
	n.do(plan(1))
	n.do(backfill("", 2))
	n.wantPhases("behind a slot", job.PhaseQueued, job.PhaseQueued)
	equal(t, "running", n.job(jobA).Running, 3)
	n.do(plan(2))
	equal(t, "a slot is buffered before them", n.phase(slotID(2)), job.PhaseBuffered)
	n.do(succeed(3, ref(slotID(1), 1)))
	equal(t, "and begins before them", n.phase(slotID(2)), job.PhasePending)
	n.wantPhases("behind the buffered one", job.PhaseQueued, job.PhaseQueued)
	n.do(cancel(4, slotID(2)))
	n.wantPhases("after a cancellation", job.PhasePending, job.PhaseQueued)
}

func TestBackfill_CancelAndDelete(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	n.do(backfill("", 3))
	equal(t, "cancelled in the queue", n.do(cancel(101, backfilled(1))), job.Cancelled)
	n.wantPhases("one of three", job.PhaseQueued, job.PhaseClosed, job.PhaseQueued)
	n.do(succeed(102, ref(slotID(1), 1)))
	n.complete(backfilled(0))
	n.wantPhases("the rest goes on", job.PhaseClosed, job.PhaseClosed, job.PhasePending)
	n.do(backfillAt(200, 2))
	n.do(job.DeleteJob{At: at(201), ID: jobA})
	equal(t, "open after the deletion", len(n.state.opens.all()), 0)
	equal(t, "queues", len(n.state.opens.queues), 0)
}

// backfillAt is a backfill of so many slots at another time.
func backfillAt(seconds, slots int) job.Backfill {
	d := job.Backfill{At: at(seconds), HistoryPerJob: 200, Job: jobA}
	for i := range slots {
		d.Slots = append(d.Slots, job.BackfillSlot{Slot: at(i), Execution: job.ManualExecution(jobA, at(seconds), uint16(i+1))})
	}
	return d
}

// TestBackfill_OldestSlotFirst: the queue is in the order of the slots, also of
// several backfills, and after a restart.
func TestBackfill_OldestSlotFirst(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	n.do(backfill("", 2))      // slots 10 and 11
	n.do(backfillAt(99, 2))    // slots 0 and 1, by IDs before those
	late := backfillAt(200, 2) // slots 0 and 1 again
	late.Slots[0].Slot, late.Slots[1].Slot = at(12), at(5)
	n.do(late)
	n.must(n.Close())
	n.reopen()
	var slots []int
	for _, x := range n.state.opens.inQueue(jobA) {
		slots = append(slots, int(x.ScheduledAt.Sub(epoch).Seconds()))
	}
	if want := []int{0, 1, 5, 10, 11, 12}; !reflect.DeepEqual(slots, want) {
		t.Errorf("got %v, want %v", slots, want)
	}
	n.do(succeed(2, ref(slotID(1), 1)))
	equal(t, "the oldest begins", n.phase(job.ManualExecution(jobA, at(99), 1)), job.PhasePending)
}

func TestBackfill_Refused(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(backfill("", 2))
	n.refused(job.ErrStale, backfill("", 1))
	twice := backfillAt(200, 2)
	twice.Slots[1].Execution = twice.Slots[0].Execution
	n.refused(job.ErrStale, twice)
	full := backfillAt(200, maxQueued)
	n.refused(job.Errorf(job.CodeConflict, ""), full)
	full.Slots = full.Slots[1:]
	n.do(full)
	equal(t, "queued", n.state.opens.queued(jobA), maxQueued)
	other := backfillAt(300, 1)
	other.Namespace = "other"
	n.refused(job.ErrNotFound, other)
}

func TestBackfill_Once(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	d := backfill("", 2)
	d.Once = once(1, "queued")
	n.do(d)
	d.At = at(101)
	for i := range d.Slots {
		d.Slots[i].Execution = job.ManualExecution(jobA, at(101), uint16(i+1))
	}
	equal(t, "answer", string(n.submit(d).Answer), "queued")
	equal(t, "records", len(n.history()), 2)
	d.Once.Request[0]++
	if a := n.submit(d); len(a.Items) != 1 || !errors.Is(a.Items[0].Err, job.ErrIdempotencyMismatch) {
		t.Errorf("another request: got %+v", a)
	}
}

// TestBackfill_KeepsHistory: what is queued does not push out what has ended.
func TestBackfill_KeepsHistory(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(planKeeping(2, 1))
	n.do(succeed(2, ref(slotID(1), 1)))
	d := backfill("", 5)
	d.HistoryPerJob = 2
	n.do(d)
	equal(t, "the old record", n.execution(slotID(1)).Result, job.Success)
	n.complete(backfilled(0))
	n.complete(backfilled(1))
	n.do(cancel(103, backfilled(2)))
	n.do(planKeeping(2, 2))
	n.wantSlots(2, 12, 13, 14)
}
