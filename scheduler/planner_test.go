package scheduler

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// checkConsecutive checks that slots are count consecutive ones from first, each
// planned once and fired as itself.
func checkConsecutive(t *testing.T, slots []job.PlannedSlot, first time.Time, every time.Duration, count int) {
	t.Helper()
	if len(slots) != count {
		t.Errorf("%d slots planned, want %d", len(slots), count)
	}
	for i, s := range slots {
		want := first.Add(time.Duration(i) * every)
		if !s.Slot.Equal(want) || !s.Fire.Equal(want) || !s.Next.Equal(want.Add(every)) || s.Trigger != job.TriggerScheduled {
			t.Fatalf("slot %d is %+v, want %v fired as scheduled", i, s, want)
		}
	}
}

func TestPlanner_EachSlotOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		begin := time.Now()
		for id := range job.ID(50) {
			w.addJob(id+1, everySecond)
		}
		w.addJob(100, cronMinute)
		w.succeed(t, w.start(t))
		time.Sleep(3*time.Minute + 100*time.Millisecond)
		for id := range job.ID(50) {
			checkConsecutive(t, w.planned(id+1), begin.Add(time.Second), time.Second, 180)
		}
		checkConsecutive(t, w.planned(100), begin.Add(time.Minute), time.Minute, 3)
		if plans := len(decisionsOf[job.Plan](w)); plans != 180 {
			t.Errorf("%d log entries for 180 instants, want one each", plans)
		}
	})
}

func TestPlanner_PlansAtTheSlotAndNotBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		w.addJob(1, everyMinute)
		due := time.Now().Add(time.Minute)
		w.start(t)
		time.Sleep(time.Minute - time.Millisecond)
		synctest.Wait()
		if n := len(w.planned(1)); n != 0 {
			t.Fatalf("%d slots planned before they were due", n)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		plans := decisionsOf[job.Plan](w)
		if len(plans) != 1 || !plans[0].At.Equal(due) {
			t.Fatalf("plans = %+v, want one at %v", plans, due)
		}
		if calls := w.callsTo("n1"); !calls[len(calls)-1].at.Equal(due) {
			t.Errorf("assigned at %v, want at once", calls[len(calls)-1].at)
		}
	})
}

func TestPlanner_PokedByANewJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		w.start(t)
		time.Sleep(300 * time.Millisecond)
		soon := time.Now().Add(200 * time.Millisecond)
		w.addJobDueAt(1, everySecond, soon)
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if plans := decisionsOf[job.Plan](w); len(plans) != 1 || !plans[0].At.Equal(soon) {
			t.Errorf("plans = %+v, want one at %v", plans, soon)
		}
	})
}

func TestPlanner_SplitsLargeBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2", "n3")
		const jobs = 2*maxSlotsPerEntry + 1
		for id := range job.ID(jobs) {
			w.addJob(id+1, everyMinute)
		}
		var flying, most atomic.Int32
		w.submit = func(context.Context, job.Decision) error {
			now := flying.Add(1)
			most.Store(max(most.Load(), now))
			time.Sleep(10 * time.Millisecond)
			flying.Add(-1)
			return nil
		}
		w.start(t)
		time.Sleep(time.Minute + 10*time.Millisecond)
		synctest.Wait()
		total := 0
		for _, p := range decisionsOf[job.Plan](w) {
			total += len(p.Slots)
			if len(p.Slots) > maxSlotsPerEntry {
				t.Errorf("%d slots in one entry, want at most %d", len(p.Slots), maxSlotsPerEntry)
			}
		}
		if total != jobs || most.Load() != 3 {
			t.Errorf("%d slots planned, %d entries at a time; want %d and 3", total, most.Load(), jobs)
		}
	})
}

// TestEntries_SmallerWithWebhooks: each event of an entry is delivered to all webhooks,
// and whoever applies it keeps all others waiting.
func TestEntries_SmallerWithWebhooks(t *testing.T) {
	t.Parallel()
	receivers := 0
	cfg := Config{Receivers: func() int { return receivers }}.withDefaults()
	for _, tc := range []struct{ receivers, slots, outcomes int }{{0, 2000, 500}, {3, 2000, 500}, {4, 1000, 250}, {40, 181, 45}} {
		receivers = tc.receivers
		r, l := newRecorder(cfg), newLosses(cfg)
		outcomes := make([]job.Outcome, 2*maxOutcomesPerEntry)
		r.enqueue(&report{open: len(outcomes)}, outcomes)
		var lost []loss
		for i := range 2 * maxLossesPerEntry {
			lost = append(lost, loss{open: running("n1", uint64(i))})
			lost[i].open.Attempt = i + 1
		}
		l.add(lost)
		if got := len(r.take()); got != tc.outcomes {
			t.Errorf("%d webhooks: %d outcomes in an entry, want %d", tc.receivers, got, tc.outcomes)
		}
		if got := len(l.some()); got != tc.slots/2 {
			t.Errorf("%d webhooks: %d losses in an entry, want %d", tc.receivers, got, tc.slots/2)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		for id := range job.ID(2 * 181) {
			w.addJob(id+1, everyMinute)
		}
		cfg := w.config()
		cfg.Receivers = func() int { return 40 }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- NewTerm(cfg).Run(ctx) }()
		time.Sleep(time.Minute + 10*time.Millisecond)
		synctest.Wait()
		cancel()
		<-done
		var sizes []int
		for _, p := range decisionsOf[job.Plan](w) {
			sizes = append(sizes, len(p.Slots))
		}
		if !slices.Equal(sizes, []int{181, 181}) {
			t.Errorf("plans of %v slots, want 181 each", sizes)
		}
	})
}

func TestPlanner_SlowSubmitPlansNothingTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		first := time.Now().Add(time.Second)
		w.addJob(1, everySecond)
		w.addJob(2, cronMinute)
		var submitted atomic.Int32
		w.submit = func(_ context.Context, d job.Decision) error {
			if _, ok := d.(job.Plan); ok {
				time.Sleep(4 * time.Second)
				submitted.Add(1)
			}
			return nil
		}
		w.start(t)
		time.Sleep(61 * time.Second)
		// Each plan takes four seconds, so the job falls behind until its slots are
		// later than the grace; then it catches up.
		slots, covered := w.planned(1), first
		for i, s := range slots {
			if !s.Slot.Equal(covered) {
				t.Fatalf("plan %d is of slot %v, want %v", i, s.Slot, covered)
			}
			covered = s.Next
		}
		if len(slots) != int(submitted.Load()) {
			t.Errorf("%d plans submitted, %d of them took effect", submitted.Load(), len(slots))
		}
		time.Sleep(10 * time.Second)
		checkConsecutive(t, w.planned(2), first.Add(59*time.Second), time.Minute, 1)
	})
}

func TestPlanner_SlowSubmitDoesNotHoldUpOtherJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		begin := time.Now()
		w.addJobDueAt(1, everyMinute, begin.Add(time.Second))
		w.addJobDueAt(2, everyMinute, begin.Add(1500*time.Millisecond))
		w.submit = func(_ context.Context, d job.Decision) error {
			if p, ok := d.(job.Plan); ok && p.Slots[0].Job == 1 {
				time.Sleep(5 * time.Second)
			}
			return nil
		}
		w.start(t)
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if len(w.planned(1)) != 0 || len(w.planned(2)) != 1 {
			t.Errorf("planned %v and %v, want the second job only", w.planned(1), w.planned(2))
		}
	})
}

func TestPlanner_FailedSubmitIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"outcome unknown": job.ErrOutcomeUnknown,
		"other":           errors.New("disk on fire"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld("n1")
				w.addJob(1, everySecond)
				w.submit = failingSubmit[job.Plan](3, failure)
				first := time.Now().Add(time.Second)
				w.start(t)
				time.Sleep(time.Second + 3*retryPause)
				synctest.Wait()
				checkConsecutive(t, w.planned(1), first, time.Second, 1)
			})
		})
	}
}

func TestPlanner_UnknownOutcomeThatTookEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		first := time.Now().Add(time.Second)
		w.addJob(1, everySecond)
		w.submit = func(_ context.Context, d job.Decision) error {
			if _, ok := d.(job.Plan); !ok {
				return nil
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.apply(d)
			return job.ErrOutcomeUnknown
		}
		w.start(t)
		time.Sleep(5500 * time.Millisecond)
		checkConsecutive(t, w.planned(1), first, time.Second, 5)
	})
}

func TestPlanner_CatchesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		now := job.Instant(time.Now())
		w.addJobDueAt(1, everyMinute, now.Add(-time.Hour))
		w.addJobDueAt(2, cronMinute, now.Add(-12000*time.Minute))
		w.start(t)
		time.Sleep(time.Second)
		slots := w.planned(1)
		want := job.Gap{From: now.Add(-time.Hour), To: now.Add(-time.Minute), Count: 60}
		if len(slots) != 1 || slots[0].Missed != want || !slots[0].Fire.Equal(now) || slots[0].Trigger != job.TriggerCatchup {
			t.Errorf("the interval job's plans are %+v, want the gap %+v and %v fired", slots, want, now)
		}
		slots = w.planned(2)
		missed := 0
		for _, s := range slots {
			missed += s.Missed.Count
		}
		last := slots[len(slots)-1]
		if len(slots) != 3 || missed != 12000 || !last.Fire.Equal(now) || !last.Next.Equal(now.Add(time.Minute)) {
			t.Errorf("the cron job's plans are %+v, want 12000 slots missed in three plans and %v fired", slots, now)
		}
	})
}

func TestPlanner_CompletesAJobWithoutFurtherSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		last := time.Date(2099, 12, 31, 23, 59, 0, 0, time.UTC)
		time.Sleep(time.Until(last))
		w.addJobDueAt(1, cronMinute, last)
		w.start(t)
		if slots := w.planned(1); len(slots) != 1 || !slots[0].Next.IsZero() || !slots[0].Fire.Equal(last) {
			t.Errorf("planned %+v, want the last slot and none after it", slots)
		}
	})
}

func TestPlanner_LeavesOutAnUnreadableSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		first := time.Now().Add(time.Second)
		w.addJobDueAt(1, job.Schedule{Cron: "nonsense", Timezone: "UTC"}, first)
		w.addJob(2, everySecond)
		w.start(t)
		time.Sleep(10500 * time.Millisecond)
		checkConsecutive(t, w.planned(2), first, time.Second, 10)
		if len(w.planned(1)) != 0 {
			t.Error("a job was planned whose schedule cannot be read")
		}
		w.addJobDueAt(1, everyMinute, first)
		time.Sleep(unreadablePause)
		if len(w.planned(1)) == 0 {
			t.Error("a job was not planned after its schedule was repaired")
		}
	})
}

func TestPlanner_WaitsForANode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		w.node("n1", func(n *fakeNode) { n.down = true })
		w.addJob(1, everySecond)
		w.start(t)
		time.Sleep(5500 * time.Millisecond)
		if n := len(w.planned(1)); n != 0 {
			t.Fatalf("%d slots planned without a node", n)
		}
		w.node("n1", func(n *fakeNode) { n.down = false })
		time.Sleep(time.Second + time.Millisecond)
		if n := len(w.planned(1)); n < 5 {
			t.Errorf("%d slots planned once a node answers, want each in order", n)
		}
	})
}

func TestPlanner_LeastLoadedNodeTakingTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2", "n3")
		for i := range 10 { // n1 is busy
			w.setOpen(job.Open{
				Execution: job.SlotExecution(999, time.Now().Add(time.Duration(i)*time.Second)),
				Phase:     job.PhaseRunning, Attempt: 1, Node: job.NodeRef{ID: "n1", Incarnation: 1},
			})
		}
		for id := range job.ID(50) {
			w.addJob(id+1, everyMinute)
		}
		w.start(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		count := map[string]int{}
		for _, s := range decisionsOf[job.Plan](w)[0].Slots {
			count[s.Node.ID]++
		}
		if count["n1"] != 10 || count["n2"] != 20 || count["n3"] != 20 {
			t.Errorf("planned %v, want n1 10, n2 20, n3 20", count)
		}
	})
}

func TestPlanner_SingleSlotsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2", "n3")
		w.addJob(1, everySecond)
		w.succeed(t, w.start(t))
		time.Sleep(30500 * time.Millisecond)
		count := map[string]int{}
		for _, s := range w.planned(1) {
			count[s.Node.ID]++
		}
		if len(count) != 3 || count["n1"] != 10 || count["n2"] != 10 {
			t.Errorf("planned %v, want 10 on each node", count)
		}
	})
}

func TestPlanner_PassesOverANodeThatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		w.addJob(1, everySecond)
		w.succeed(t, w.start(t))
		time.Sleep(2500 * time.Millisecond)
		w.node("n2", func(n *fakeNode) { n.down = true })
		time.Sleep(8 * time.Second)
		late := w.planned(1)[4:]
		if slices.ContainsFunc(late, func(s job.PlannedSlot) bool { return s.Node.ID != "n1" }) {
			t.Errorf("planned %+v, want nothing for the node that is down", late)
		}
	})
}
