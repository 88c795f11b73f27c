package fsm

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestRecord_Ends(t *testing.T) {
	t.Parallel()
	cancelled := &job.AttemptError{Code: job.ErrCancelled, Msg: "asked for"}
	tests := map[string]struct {
		err         *job.AttemptError
		want        job.Result
		counts      job.Counts
		consecutive int
	}{
		"success":   {nil, job.Success, job.Counts{Success: 1, Failed: 1}, 0},
		"failure":   {errStatus, job.Failed, job.Counts{Failed: 2}, 2},
		"cancelled": {cancelled, job.Cancelled, job.Counts{Cancelled: 1, Failed: 1}, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := withJob(t, job.OverlapSkip)
			n.do(plan(1))
			n.do(record(2, outcome(ref(slotID(1), 1), errStatus)))
			n.do(plan(2))
			o := outcome(ref(slotID(2), 1), tc.err)
			o.Timings = job.Timings{DNS: time.Millisecond, FirstByte: 1500 * time.Microsecond}
			o.Response = []byte("answer")
			equal(t, "result", n.do(record(3, o)), tc.want)
			want := job.Execution{
				ID: slotID(2), Trigger: job.TriggerScheduled, ScheduledAt: at(2), DueAt: at(2), CreatedAt: plan(2).At,
				StartedAt: o.StartedAt, FinishedAt: o.StartedAt.Add(40 * time.Millisecond), Result: tc.want,
				HTTPStatus: o.HTTPStatus, NodeID: "n1", Err: tc.err, Response: []byte("answer"),
				Attempts: []job.Attempt{{
					Number: 1, NodeID: "n1", StartedAt: o.StartedAt, Duration: 40 * time.Millisecond,
					HTTPStatus: o.HTTPStatus, Err: tc.err, Timings: o.Timings,
				}},
			}
			if got := n.execution(slotID(2)); !reflect.DeepEqual(got, want) {
				t.Errorf("record:\ngot  %+v\nwant %+v", got, want)
			}
			got := n.job(jobA)
			equal(t, "counts", got.Counts, tc.counts)
			equal(t, "consecutive failures", got.ConsecutiveFailures, tc.consecutive)
			equal(t, "last result", got.LastResult, tc.want)
			equal(t, "running", got.Running, 0)
			equal(t, "phase", n.phase(slotID(2)), job.PhaseClosed)
			n.refused(job.ErrStale, record(4, o))
		})
	}
}

func TestRecord_RequestNeverBegun(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	o := outcome(ref(slotID(1), 1), &job.AttemptError{Code: job.ErrBlockedTarget})
	o.StartedAt, o.Duration, o.HTTPStatus = time.Time{}, 0, 0
	n.do(record(3, o))
	x := n.execution(slotID(1))
	equal(t, "started", x.StartedAt, time.Time{})
	equal(t, "finished", x.FinishedAt, at(3))
}

func TestRecord_Retry(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	first := outcome(ref(slotID(1), 1), errStatus)
	first.RetryAt = at(11)
	first.Response = []byte("first")
	equal(t, "result", n.do(record(2, first)), job.Retrying)
	open, _ := n.OpenExecution(slotID(1))
	equal(t, "open", open, job.Open{
		Execution: slotID(1), Trigger: job.TriggerScheduled, ScheduledAt: at(1),
		Phase: job.PhasePending, Attempt: 1, RetryAt: at(11), Failures: 1,
	})
	equal(t, "counts", n.job(jobA).Counts, job.Counts{})
	equal(t, "running", n.job(jobA).Running, 1)

	n.refused(job.ErrStale, record(3, first))
	n.refused(job.ErrStale, begin(11, ref(slotID(1), 1)))
	n.refused(job.ErrStale, begin(11, ref(slotID(1), 3)))
	equal(t, "begun", n.do(begin(11, ref(slotID(1), 2))), job.Running)
	n.refused(job.ErrStale, begin(11, ref(slotID(1), 2)))
	n.refused(job.ErrStale, record(12, first))
	equal(t, "node", n.execution(slotID(1)).NodeID, "n2")

	second := outcome(ref(slotID(1), 2), nil)
	second.StartedAt = at(11)
	second.RetryAt = at(20) // means nothing after a success
	equal(t, "result", n.do(record(12, second)), job.Success)
	x := n.execution(slotID(1))
	equal(t, "started", x.StartedAt, first.StartedAt)
	equal(t, "finished", x.FinishedAt, at(11).Add(40*time.Millisecond))
	equal(t, "attempts", len(x.Attempts), 2)
	equal(t, "error", x.Err, nil)
	equal(t, "response", string(x.Response), "first")
	equal(t, "counts", n.job(jobA).Counts, job.Counts{Success: 1})
}

func TestRecord_CancelledAttemptCostsNoRetry(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	o := outcome(ref(slotID(1), 1), &job.AttemptError{Code: job.ErrCancelled})
	o.RetryAt = at(3)
	equal(t, "result", n.do(record(2, o)), job.Retrying)
	open, _ := n.OpenExecution(slotID(1))
	equal(t, "failures", open.Failures, 0)
}

func TestRecord_KeepsTheNewestAttempts(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	for i := 1; i <= maxAttempts+5; i++ {
		n.do(job.MarkLost{At: at(i), Attempts: []job.AttemptRef{ref(slotID(1), i)}})
		n.do(begin(i, ref(slotID(1), i+1)))
	}
	attempts := n.execution(slotID(1)).Attempts
	equal(t, "attempts", len(attempts), maxAttempts)
	equal(t, "oldest", attempts[0].Number, 6)
}

func TestMarkLost(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapCancelPrevious)
	n.do(plan(1))
	lost := job.MarkLost{At: at(9), Attempts: []job.AttemptRef{ref(slotID(1), 1)}}
	equal(t, "result", n.do(lost), job.Retrying)
	open, _ := n.OpenExecution(slotID(1))
	equal(t, "open", open, job.Open{
		Execution: slotID(1), Trigger: job.TriggerScheduled, ScheduledAt: at(1),
		Phase: job.PhasePending, Attempt: 1, RetryAt: at(9),
	})
	x := n.execution(slotID(1))
	equal(t, "attempt", x.Attempts[0].Err.Code, job.ErrNodeLost)
	equal(t, "attempt's node", x.Attempts[0].NodeID, "n1")
	n.refused(job.ErrStale, lost)
	n.refused(job.ErrStale, job.MarkLost{At: at(9), Attempts: []job.AttemptRef{ref(slotID(7), 1)}})

	n.do(begin(9, ref(slotID(1), 2)))
	n.do(plan(2))
	lost.Attempts[0].Attempt = 2
	equal(t, "aborting", n.do(lost), job.Cancelled)
	equal(t, "closed", n.phase(slotID(1)), job.PhaseClosed)
	equal(t, "released", n.phase(slotID(2)), job.PhasePending)
}

// TestMarkLost_Unbegun: it is known that the request of the attempt was never begun.
func TestMarkLost_Unbegun(t *testing.T) {
	t.Parallel()
	n := raised(t, func(s *job.Spec) { s.Overlap = job.OverlapAllow })
	n.do(plan(1))
	lost := job.MarkLost{At: at(9), Unbegun: []job.AttemptRef{ref(slotID(1), 1)}}
	equal(t, "result", n.do(lost), job.Retrying)
	equal(t, "phase", n.phase(slotID(1)), job.PhasePending)
	n.refused(job.ErrStale, lost)
	n.do(begin(9, ref(slotID(1), 2)))
	n.do(job.MarkLost{At: at(10), Attempts: []job.AttemptRef{ref(slotID(1), 2)}})
	attempts := n.execution(slotID(1)).Attempts
	equal(t, "attempts", len(attempts), 2)
	equal(t, "unbegun", attempts[0].Unbegun, true)
	equal(t, "message", attempts[0].Err.Msg, unbegunMessage)
	equal(t, "perhaps begun", attempts[1].Unbegun, false)
	equal(t, "message", attempts[1].Err.Msg, lostMessage)
}

func TestMarkLost_Final(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	retry := outcome(ref(slotID(1), 1), errStatus)
	retry.RetryAt = at(3)
	n.do(record(2, retry))
	n.do(begin(3, ref(slotID(1), 2)))
	lost := job.MarkLost{At: at(9), Final: []job.AttemptRef{ref(slotID(1), 2)}}
	n.refused(job.ErrStale, job.MarkLost{At: at(9), Final: []job.AttemptRef{ref(slotID(1), 1)}})
	equal(t, "result", n.do(lost), job.Failed)
	x := n.execution(slotID(1))
	equal(t, "error", x.Err.Code, job.ErrNodeLost)
	equal(t, "status", x.HTTPStatus, 0)
	equal(t, "started", x.StartedAt, retry.StartedAt)
	equal(t, "finished", x.FinishedAt, at(9))
	equal(t, "attempts", len(x.Attempts), 2)
	equal(t, "the last one's error", x.Attempts[1].Err.Code, job.ErrNodeLost)
	equal(t, "the last one's node", x.Attempts[1].NodeID, "n2")
	got := n.job(jobA)
	equal(t, "counts", got.Counts, job.Counts{Failed: 1})
	equal(t, "last result", got.LastResult, job.Failed)
	equal(t, "consecutive failures", got.ConsecutiveFailures, 1)
	equal(t, "running", got.Running, 0)
	equal(t, "phase", n.phase(slotID(1)), job.PhaseClosed)
	n.refused(job.ErrStale, lost)
	equal(t, "the next slot", n.do(plan(2)), job.Running)
}

func TestMarkLost_FinalOfAnAbort(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapCancelPrevious)
	n.do(plan(1))
	n.do(plan(2))
	equal(t, "result", n.do(job.MarkLost{At: at(9), Final: []job.AttemptRef{ref(slotID(1), 1)}}), job.Cancelled)
	equal(t, "closed", n.phase(slotID(1)), job.PhaseClosed)
	equal(t, "released", n.phase(slotID(2)), job.PhasePending)
}

func TestMarkLost_ItemsInOrder(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	n.do(plan(1))
	n.do(plan(2))
	a := n.submit(job.MarkLost{
		At: at(9), Attempts: []job.AttemptRef{ref(slotID(2), 1)}, Final: []job.AttemptRef{ref(slotID(1), 1)},
		Unbegun: []job.AttemptRef{ref(slotID(7), 1)},
	})
	equal(t, "items", len(a.Items), 3)
	equal(t, "of the attempt", a.Items[0].Result, job.Retrying)
	equal(t, "of the unbegun one", a.Items[1].Err, job.ErrStale)
	equal(t, "of the final one", a.Items[2].Result, job.Failed)
}

func TestApply_OneItemForEachPart(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	d := plan(1)
	d.Slots = append(d.Slots, d.Slots[0], job.PlannedSlot{Job: jobA, Slot: at(2), Next: at(3), Fire: at(2)})
	a := n.submit(d)
	equal(t, "index", a.Index, 2)
	equal(t, "items", len(a.Items), 3)
	equal(t, "first", a.Items[0].Result, job.Running)
	equal(t, "second is stale", errors.Is(a.Items[1].Err, job.ErrStale), true)
	equal(t, "third", a.Items[2].Result, job.Skipped)
}
