package fsm

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// slots is the seconds of job A's records, oldest first.
func (n *node) slots() []int {
	n.Helper()
	list, err := n.Executions(jobA, job.ExecutionID{}, 1000)
	n.must(err)
	var seconds []int
	for _, x := range slices.Backward(list) {
		seconds = append(seconds, int(x.ScheduledAt.Sub(epoch)/time.Second))
	}
	equal(n, "number of records in the state", n.state.records(n, jobA), int64(len(list)))
	return seconds
}

func (st *state) records(t testing.TB, id job.ID) int64 {
	var records int64
	if err := st.get(stateKey(id), func(value []byte) error {
		p, err := readState(value)
		records = p.GetRecords()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return records
}

func (n *node) wantSlots(want ...int) {
	n.Helper()
	if got := n.slots(); !reflect.DeepEqual(got, want) {
		n.Errorf("records: got %v, want %v", got, want)
	}
}

// planKeeping plans a slot of job A and keeps so many records.
func planKeeping(keep, seconds int) job.Plan {
	d := plan(seconds)
	d.HistoryPerJob = keep
	return d
}

func TestTrim_KeepsTheNewest(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	for i := 1; i <= 6; i++ {
		n.do(planKeeping(3, i))
		n.do(succeed(i, ref(slotID(i), 1)))
	}
	n.wantSlots(4, 5, 6)
	equal(t, "counts", n.job(jobA).Counts, job.Counts{Success: 6})
	n.do(planKeeping(2, 7))
	n.wantSlots(6, 7)
	n.do(planKeeping(0, 8))
	n.wantSlots(6, 7, 8)
}

func TestTrim_KeepsOpenOnes(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	for i := 1; i <= 4; i++ {
		n.do(planKeeping(2, i)) // all stay open: none may go
	}
	n.wantSlots(1, 2, 3, 4)
	n.do(succeed(5, ref(slotID(2), 1)))
	n.do(succeed(5, ref(slotID(3), 1)))
	n.do(planKeeping(4, 5))
	n.wantSlots(1, 3, 4, 5)
	n.do(succeed(6, ref(slotID(1), 1)))
	n.do(planKeeping(4, 6)) // the oldest is terminal now
	n.wantSlots(3, 4, 5, 6)
	n.do(planKeeping(1, 7))
	n.wantSlots(4, 5, 6, 7)
}

func TestTrim_CountsGapsAndSkips(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	gap := planKeeping(3, 4)
	gap.Slots[0].Slot, gap.Slots[0].Missed = at(1), job.Gap{From: at(1), To: at(3), Count: 3}
	n.do(gap)
	n.do(planKeeping(3, 5))
	n.wantSlots(1, 4, 5)
	n.do(planKeeping(3, 6))
	n.wantSlots(4, 5, 6)
	n.do(planKeeping(3, 7))
	n.wantSlots(4, 6, 7) // 4 runs
}

func TestTrim_RemovesACancelledRecordThatIsStillAborting(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapCancelPrevious)
	n.do(planKeeping(1, 1))
	n.do(planKeeping(1, 2))
	n.wantSlots(2)
	equal(t, "first", n.phase(slotID(1)), job.PhaseAborting)
	equal(t, "late outcome", n.do(succeed(3, ref(slotID(1), 1))), "")
	n.wantSlots(2)
	equal(t, "second", n.phase(slotID(2)), job.PhasePending)
}

// TestTrim_ManyOpen: what is open leaves half of the room to what has ended.
func TestTrim_ManyOpen(t *testing.T) {
	t.Parallel()
	n := raised(t, func(s *job.Spec) { s.Overlap = job.OverlapAllow })
	for i := 1; i <= 6; i++ {
		n.do(planKeeping(4, i))
	}
	for i := 7; i <= 10; i++ {
		n.do(planKeeping(4, i))
		n.do(succeed(i, ref(slotID(i), 1)))
	}
	n.do(planKeeping(4, 11))
	n.wantSlots(1, 2, 3, 4, 5, 6, 9, 10, 11)
}

// TestTrim_Exact compares with the rule written out, for histories of every
// mixture of open and ended executions.
func TestTrim_Exact(t *testing.T) {
	t.Parallel()
	for pattern := range 64 {
		n := withJob(t, job.OverlapAllow)
		var want []int
		ended := map[int]bool{}
		for i := 1; i <= 12; i++ {
			n.do(planKeeping(3, i))
			want = oldestOut(append(want, i), ended, 3)
			if k := i - 2; k > 0 && pattern>>(k%6)&1 == 1 {
				n.do(succeed(i, ref(slotID(k), 1)))
				ended[k] = true
			}
		}
		n.wantSlots(want...)
	}
}

func oldestOut(records []int, ended map[int]bool, keep int) []int {
	for len(records) > keep {
		oldest := slices.IndexFunc(records, func(i int) bool { return ended[i] })
		if oldest < 0 {
			break
		}
		records = slices.Delete(records, oldest, oldest+1)
	}
	return records
}

func TestPrune_ByAge(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	for i := 1; i <= 5; i++ {
		n.do(plan(i))
	}
	for _, i := range []int{1, 3, 4} {
		n.do(succeed(6, ref(slotID(i), 1)))
	}
	late := outcome(ref(slotID(2), 1), nil)
	late.StartedAt = at(50)
	n.do(record(50, late))

	prune := func(before time.Time) { n.submit(job.Prune{Before: before, Jobs: 9}) }
	prune(at(1))
	n.wantSlots(1, 2, 3, 4, 5)
	prune(at(3))
	n.wantSlots(2, 3, 4, 5) // 2 ended late
	prune(at(49))
	n.wantSlots(2, 5) // 5 is open
	prune(at(51))
	n.wantSlots(5)
	equal(t, "counts", n.job(jobA).Counts, job.Counts{Success: 4})
	n.do(succeed(51, ref(slotID(5), 1)))
	prune(at(60))
	n.wantSlots()
	n.do(planKeeping(1, 6))
	n.wantSlots(6)
}

func TestPrune_ThenTrim(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	for i := 1; i <= 4; i++ {
		n.do(plan(i))
	}
	late := outcome(ref(slotID(1), 1), nil)
	late.StartedAt = at(50)
	n.do(record(50, late))
	n.do(succeed(5, ref(slotID(2), 1)))
	n.submit(job.Prune{Before: at(40), Jobs: 1})
	n.wantSlots(1, 3, 4)
	n.do(planKeeping(3, 5))
	n.wantSlots(3, 4, 5)
}

func TestPrune_Pages(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for id := job.ID(1); id <= 5; id++ {
		n.do(put(id, at(1), spec(job.OverlapSkip)))
		n.do(job.Plan{At: at(2), Slots: []job.PlannedSlot{{Job: id, Slot: at(1), Next: at(2), Missed: job.Gap{From: at(1), To: at(1), Count: 1}}}})
	}
	var pages []job.ID
	for d := (job.Prune{Before: at(3), Jobs: 2}); ; {
		d.After = n.submit(d).Next
		pages = append(pages, d.After)
		if d.After == 0 {
			break
		}
	}
	equal(t, "pages", fmt.Sprint(pages), fmt.Sprint([]job.ID{2, 4, 0}))
	for id := job.ID(1); id <= 5; id++ {
		list, err := n.Executions(id, job.ExecutionID{}, 9)
		n.must(err)
		equal(t, "records", len(list), 0)
	}
	equal(t, "an empty page has an end", n.submit(job.Prune{Before: at(3), After: 5, Jobs: 2}).Next, 0)
	equal(t, "an exact page has one", n.submit(job.Prune{Before: at(3), After: 3, Jobs: 2}).Next, 0)
}

// TestPrune_Bounded: an entry removes so many records at most, and the next goes on in
// the job where it stopped.
func TestPrune_Bounded(t *testing.T) {
	t.Parallel()
	for _, version := range []int{2, 3} {
		n := newNode(t)
		n.do(job.RaiseVersion{Version: version})
		for id := job.ID(10); id < 13; id++ {
			n.do(put(id, at(1), spec(job.OverlapSkip)))
			for i := range maxPruned/5000 - 1 {
				d := job.Plan{At: at(1), HistoryPerJob: maxPruned}
				for k := range 5000 {
					slot := 1 + 5000*i + k
					d.Slots = append(d.Slots, job.PlannedSlot{Job: id, Slot: at(slot), Next: at(slot + 1), Missed: job.Gap{From: at(slot), To: at(slot), Count: 1}})
				}
				n.submit(d)
			}
		}
		left := func() (counts []int64) {
			for id := job.ID(10); id < 13; id++ {
				counts = append(counts, n.state.records(t, id))
			}
			return counts
		}
		var pages []string
		for d := (job.Prune{Before: at(maxPruned), Jobs: 2}); ; {
			d.After = n.submit(d).Next
			pages = append(pages, fmt.Sprint(d.After, left()))
			if d.After == 0 {
				break
			}
		}
		want := map[int][]string{
			2: {"job_000000000000000b [0 0 15000]", "job_0000000000000000 [0 0 0]"},
			3: {"job_000000000000000a [0 10000 15000]", "job_000000000000000b [0 0 5000]", "job_0000000000000000 [0 0 0]"},
		}[version]
		equal(t, "pages", fmt.Sprint(pages), fmt.Sprint(want))
	}
}

func TestExecutions_Pages(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(put(jobB, at(1), spec(job.OverlapSkip)))
	for i := 1; i <= 5; i++ {
		n.do(plan(i))
	}
	tests := []struct {
		before job.ExecutionID
		limit  int
		want   []int
	}{
		{job.ExecutionID{}, 2, []int{5, 4}},
		{slotID(4), 2, []int{3, 2}},
		{slotID(1), 2, nil},
		{job.ManualExecution(jobA, at(3), 1), 9, []int{3, 2, 1}},
	}
	for _, tc := range tests {
		list, err := n.Executions(jobA, tc.before, tc.limit)
		n.must(err)
		var got []int
		for _, x := range list {
			got = append(got, int(x.ScheduledAt.Sub(epoch)/time.Second))
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("before %v: got %v, want %v", tc.before, got, tc.want)
		}
	}
	if _, err := n.Executions(99, job.ExecutionID{}, 9); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("unknown job: got %v", err)
	}
}
