package fsm

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// gapPlan misses the slots of job A from one second to another, and fires the one
// after them.
func gapPlan(from, to int) job.Plan {
	p := plan(to + 1)
	s := &p.Slots[0]
	s.Slot, s.Trigger = at(from), job.TriggerCatchup
	s.Missed = job.Gap{From: at(from), To: at(to), Count: to - from + 1}
	return p
}

func (n *node) audited(from, to, limit int) job.SlotRecords {
	n.Helper()
	list, err := n.Slots(jobA, at(from), at(to), limit)
	n.must(err)
	return list
}

func wantSlots(t *testing.T, what string, got job.SlotRecords, seconds ...int) {
	t.Helper()
	equal(t, what, len(got.Records), len(seconds))
	for i, s := range seconds {
		if i < len(got.Records) {
			equal(t, what, got.Records[i].ScheduledAt, at(s))
		}
	}
}

func TestSlots(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	n.do(plan(1))
	n.do(plan(2))
	n.do(runNow(3, 1, ""))
	n.do(gapPlan(3, 6))
	n.do(runNow(5, 7, ""))
	n.do(runNow(6, 7, ""))
	n.do(plan(8))

	wantSlots(t, "all", n.audited(0, 100, 10), 1, 2, 3, 7, 8)
	wantSlots(t, "period", n.audited(2, 7, 10), 2, 3)
	wantSlots(t, "gap reaches into it", n.audited(5, 8, 10), 3, 7)
	wantSlots(t, "gap ends with its first slot", n.audited(6, 7, 10), 3)
	wantSlots(t, "gap ended before", n.audited(7, 8, 10), 7)
	wantSlots(t, "empty", n.audited(20, 30, 10))
	equal(t, "complete from", n.audited(0, 9, 10).CompleteFrom, time.Time{})

	first := n.audited(0, 100, 2)
	wantSlots(t, "page", first, 1, 2)
	equal(t, "more", first.More, true)
	equal(t, "no more", n.audited(0, 100, 5).More, false)
	if _, err := n.Slots(jobB, at(0), at(9), 10); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("no such job: got %v", err)
	}
}

// TestSlots_BehindManyOthers: executions that are no slots hide none, however many.
func TestSlots_BehindManyOthers(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.must(n.Close())
	n.cfg.looks = 3
	n.reopen()
	n.do(put(jobA, at(1), spec(job.OverlapAllow)))
	equal(t, "no slot", n.lastSlot(), time.Time{})
	n.do(gapPlan(1, 300))
	for i := range 20 {
		n.do(runNow(302+i, 1, ""))
		n.do(runNow(302+i, 0xffff, ""))
	}
	n.do(backfillAt(330, 50))
	wantSlots(t, "a gap reaches into it", n.audited(200, 300, 10), 1)
	equal(t, "the last slot", n.lastSlot(), at(301))
	wantSlots(t, "nothing reaches into it", n.audited(310, 400, 10))
	equal(t, "stale", n.item(plan(301)).Err, job.ErrStale)
	n.do(plan(302))
	wantSlots(t, "the slot of a run's second", n.audited(301, 400, 10), 301, 302)
	equal(t, "the last slot", n.lastSlot(), at(302))
	skipped := givenUpPlan(303, 340, 341)
	n.do(skipped)
	equal(t, "the end of a gap", n.lastSlot(), at(340))
}

func (n *node) lastSlot() time.Time {
	n.Helper()
	last, err := n.LastSlot(jobA)
	n.must(err)
	return last
}

// TestSlots_CompleteFrom: an execution that ends late is older than what was
// removed meanwhile, and does not make the history complete.
func TestSlots_CompleteFrom(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]time.Time{1: at(2), 3: at(4).Add(time.Millisecond)} {
		n := withJob(t, job.OverlapAllow)
		n.submit(job.RaiseVersion{Version: version})
		for i := 1; i <= 7; i++ {
			p := plan(i)
			p.HistoryPerJob = 4
			n.do(p)
			if i != 2 {
				n.do(succeed(i, ref(slotID(i), 1)))
			}
		}
		wantSlots(t, "kept", n.audited(0, 100, 10), 2, 5, 6, 7)
		equal(t, "complete from", n.audited(0, 9, 10).CompleteFrom, at(4).Add(time.Millisecond))
		n.do(succeed(8, ref(slotID(2), 1)))
		equal(t, "complete from, after a late end", n.audited(0, 9, 10).CompleteFrom, want)
	}
}

// TestSlots_Backfills has the executions that backfilled slots of a page's gaps, also
// while they run, and no others.
func TestSlots_Backfills(t *testing.T) {
	t.Parallel()
	n := raised(t, func(s *job.Spec) { s.Overlap = job.OverlapAllow })
	n.do(gapPlan(1, 4))
	n.do(gapPlan(6, 7))
	fill := func(second int, salt uint16, slots ...int) (ids []job.ExecutionID) {
		d := job.Backfill{At: at(second), Job: jobA, HistoryPerJob: 100, Overlap: job.OverlapAllow}
		for i, slot := range slots {
			id := job.ManualExecution(jobA, at(second), salt+uint16(i))
			d.Slots, ids = append(d.Slots, job.BackfillSlot{Slot: at(slot), Execution: id}), append(ids, id)
		}
		n.do(d)
		return ids
	}
	first := fill(20, 1, 4, 5, 2)
	n.do(runNow(21, 3, ""))
	second := fill(22, 1, 4, 7, 0)
	want := []job.ExecutionID{first[2], first[0], second[0]}
	check := func(what string, list job.SlotRecords, want ...job.ExecutionID) {
		t.Helper()
		var got []job.ExecutionID
		for _, x := range list.Backfills {
			got = append(got, x.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	check("all", n.audited(0, 100, 10), append(slices.Clone(want), second[1])...)
	check("the first gap", n.audited(0, 100, 1), want...)
	check("a gap that reaches into it", n.audited(3, 5, 10), want...)
	check("no gap", n.audited(5, 6, 10))
	check("the last gap", n.audited(6, 8, 10), second[1])
}
