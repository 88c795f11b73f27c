package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// firesOf returns the slots of a job that became executions, in the order in
// which they were planned.
func (w *world) firesOf(id job.ID) []fired {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.fires), func(f fired) bool { return f.job != id })
}

// missedOf is how many slots of a job were given up.
func (w *world) missedOf(id job.ID) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	missed := 0
	for _, g := range w.gaps {
		if g.job == id {
			missed += g.Count
		}
	}
	return missed
}

// checkEachSlotOnce checks that each slot of a job after one time and not after
// another was fired, or is in a gap, once; and that gaps count right.
func (w *world) checkEachSlotOnce(t *testing.T, id job.ID, after, until time.Time) {
	t.Helper()
	j, err := w.Job(id)
	if err != nil {
		t.Fatal(err)
	}
	times := map[time.Time]int{}
	for _, f := range w.firesOf(id) {
		times[f.slot]++
	}
	w.mu.Lock()
	gaps := slices.Clone(w.gaps)
	w.mu.Unlock()
	for _, g := range gaps {
		if g.job != id {
			continue
		}
		slots := slotsOf(j.Schedule, g.From.Add(-1), g.To)
		if len(slots) != g.Count {
			t.Errorf("the gap %+v has %d slots", g, len(slots))
		}
		for _, slot := range slots {
			times[slot]++
		}
	}
	want := slotsOf(j.Schedule, after, until)
	for _, slot := range want {
		if times[slot] != 1 {
			t.Errorf("slot %v was accounted for %d times, want once", slot, times[slot])
		}
	}
	if len(times) != len(want) {
		t.Errorf("%d slots accounted for, want %d", len(times), len(want))
	}
}

// slotsOf returns the slots after one time and not after another.
func slotsOf(s job.Schedule, after, until time.Time) []time.Time {
	var slots []time.Time
	for {
		next, ok, err := Next(s, after)
		if err != nil || !ok || next.After(until) {
			return slots
		}
		slots = append(slots, next)
		after = next
	}
}

func triggers(fires []fired) (scheduled, catchup int) {
	for _, f := range fires {
		if f.trigger == job.TriggerCatchup {
			catchup++
		} else {
			scheduled++
		}
	}
	return scheduled, catchup
}

// outage is a time without a leader, from ten seconds before a minute on.
type outage struct {
	policy job.MisfirePolicy
	window time.Duration
	length time.Duration
	// What becomes of the slots that are due when a leader is there again.
	missed, onTime, caughtUp int
}

func TestOutage(t *testing.T) {
	t.Parallel()
	const (
		once, all, skip = job.MisfireFireOnce, job.MisfireFireAll, job.MisfireSkip
		long            = 6 * time.Hour
		short           = 5 * time.Minute
	)
	// A leader is there again twenty seconds after a minute.
	for _, o := range []outage{
		{once, long, 30 * time.Second, 0, 0, 1},
		{all, long, 30 * time.Second, 0, 0, 1},
		{skip, long, 30 * time.Second, 1, 0, 0},
		{once, 0, 30 * time.Second, 1, 0, 0},
		{all, 0, 30 * time.Second, 1, 0, 0},
		{once, long, 10*time.Minute + 30*time.Second, 10, 0, 1},
		{all, long, 10*time.Minute + 30*time.Second, 0, 0, 11},
		{skip, long, 10*time.Minute + 30*time.Second, 11, 0, 0},
		{once, short, 10*time.Minute + 30*time.Second, 10, 0, 1},
		{all, short, 10*time.Minute + 30*time.Second, 6, 0, 5},
		{once, 15 * time.Second, 10*time.Minute + 30*time.Second, 11, 0, 0},
		{once, long, 7*time.Hour + 30*time.Second, 420, 0, 1},
		{all, long, 7*time.Hour + 30*time.Second, 61, 0, 360},
		{skip, long, 7*time.Hour + 30*time.Second, 421, 0, 0},
		{all, short, 7*time.Hour + 30*time.Second, 416, 0, 5},
		// Ten seconds after a minute, that minute's slot is still on time, unless each
		// missed slot is fired.
		{once, long, 20 * time.Second, 0, 1, 0},
		{all, long, 20 * time.Second, 0, 0, 1},
		{skip, long, 20 * time.Second, 0, 1, 0},
		{skip, long, 10*time.Minute + 20*time.Second, 10, 1, 0},
		{once, 0, 10*time.Minute + 20*time.Second, 10, 0, 1},
	} {
		for name, schedule := range map[string]job.Schedule{"interval": everyMinute, "cron": cronMinute} {
			t.Run(fmt.Sprintf("%s %s %v window %v", name, o.policy, o.length, o.window), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testOutage(t, schedule, o) })
			})
		}
	}
}

func testOutage(t *testing.T, schedule job.Schedule, o outage) {
	w := newWorld("n1", "n2")
	q := w.makeRequests(always(700 * time.Millisecond))
	begin := time.Now()
	w.addJob(1, schedule)
	w.edit(1, func(s *job.Spec) { s.Misfire, s.CatchupWindow = o.policy, o.window })
	_, stop := w.startTerm(t)
	time.Sleep(3*time.Minute - 10*time.Second)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	before := len(w.firesOf(1))
	time.Sleep(o.length)
	back := time.Now()
	w.startTerm(t)
	time.Sleep(5*time.Minute + 30*time.Second) // long enough to fire 360 slots one by one
	w.checkEachSlotOnce(t, 1, begin, time.Now())
	fires := w.firesOf(1)
	var made []fired // of what was due
	for _, f := range fires[before:] {
		if !f.slot.After(back) {
			made = append(made, f)
		}
	}
	onTime, caughtUp := triggers(made)
	if got := (outage{o.policy, o.window, o.length, w.missedOf(1), onTime, caughtUp}); got != o {
		t.Errorf("the outage came to %+v\nwant %+v", got, o)
	}
	if !slices.IsSortedFunc(fires, func(a, b fired) int { return a.slot.Compare(b.slot) }) {
		t.Error("slots were not fired oldest first")
	}
	for _, f := range fires {
		id := job.SlotExecution(1, f.slot)
		if f.result != job.Running || w.result(id) != job.Success || q.madeOf(id) != 1 {
			t.Errorf("slot %+v ended %q after %d requests, want one that succeeded", f, w.result(id), q.madeOf(id))
		}
	}
	if most := q.mostOpen(); most != 1 {
		t.Errorf("%d requests were open at once, want one", most)
	}
}

// A second's job misses more than it can make up for before the next is due.
func TestOutage_EverySecond(t *testing.T) {
	t.Parallel()
	for policy, want := range map[job.MisfirePolicy]struct{ missed, onTime, caughtUp int }{
		job.MisfireFireOnce: {29, 0, 1},
		job.MisfireFireAll:  {0, 0, 30},
		job.MisfireSkip:     {20, 10, 0},
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld("n1", "n2")
				w.makeRequests(always(50 * time.Millisecond))
				begin := time.Now()
				w.addJob(1, everySecond)
				w.edit(1, func(s *job.Spec) { s.Misfire, s.Overlap = policy, job.OverlapAllow })
				_, stop := w.startTerm(t)
				time.Sleep(5500 * time.Millisecond)
				_ = stop()
				before := len(w.firesOf(1))
				time.Sleep(30 * time.Second)
				back := time.Now()
				w.startTerm(t)
				time.Sleep(20 * time.Second)
				w.checkEachSlotOnce(t, 1, begin, time.Now())
				late := slices.DeleteFunc(w.firesOf(1)[before:], func(f fired) bool { return f.slot.After(back) })
				onTime, caughtUp := triggers(late)
				if policy == job.MisfireFireAll {
					onTime, caughtUp = 0, onTime+caughtUp // those of the last two seconds
				}
				if missed := w.missedOf(1); missed != want.missed || onTime != want.onTime || caughtUp != want.caughtUp {
					t.Errorf("missed %d, on time %d, caught up %d; want %+v", missed, onTime, caughtUp, want)
				}
			})
		})
	}
}

// The replay waits for what an outage has left open, and whose outcome nobody
// could commit: it is no overlap that the user meant.
func TestReplay_WaitsForWhatTheOutageLeftOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		q := w.makeRequests(always(20 * time.Second))
		begin := time.Now()
		w.addJob(1, everyMinute)
		w.edit(1, func(s *job.Spec) { s.Misfire = job.MisfireFireAll })
		_, stop := w.startTerm(t)
		time.Sleep(65 * time.Second)
		_ = stop() // while the first one is open
		time.Sleep(10 * time.Minute)
		w.startTerm(t)
		time.Sleep(10 * time.Minute)
		w.checkEachSlotOnce(t, 1, begin, time.Now())
		for _, f := range w.firesOf(1) {
			if f.result != job.Running {
				t.Errorf("slot %+v was not fired", f)
			}
		}
		if most, missed := q.mostOpen(), w.missedOf(1); most != 1 || missed != 0 {
			t.Errorf("%d requests open at once, %d slots missed; want 1 and none", most, missed)
		}
	})
}

func TestReplay_TenAtATimeWhereTheyMayOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		q := w.makeRequests(always(5 * time.Second))
		begin := time.Now()
		w.addJobDueAt(1, everyMinute, begin.Add(time.Minute))
		w.edit(1, func(s *job.Spec) { s.Misfire, s.Overlap = job.MisfireFireAll, job.OverlapAllow })
		time.Sleep(30*time.Minute + 30*time.Second)
		w.startTerm(t)
		time.Sleep(16 * time.Second)
		if n := len(w.firesOf(1)); n != 30 {
			t.Errorf("%d slots fired in 16s, want 30 in three lots of 5s", n)
		}
		if most := q.mostOpen(); most != maxReplays {
			t.Errorf("%d requests open at once, want %d", most, maxReplays)
		}
	})
}

// A job that waits is looked at ten times a second, and again as soon as what it
// waits for has ended; other jobs do not wait with it.
func TestReplay_Held(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		w.makeRequests(always(10*time.Second + 37*time.Millisecond))
		now := time.Now()
		w.addJobDueAt(1, everyMinute, now.Add(-5*time.Minute))
		w.edit(1, func(s *job.Spec) { s.Misfire = job.MisfireFireAll })
		w.addJob(2, everySecond)
		w.edit(2, func(s *job.Spec) { s.Overlap = job.OverlapAllow })
		w.start(t)
		time.Sleep(20 * time.Second)
		w.mu.Lock()
		looks := w.looks
		w.mu.Unlock()
		if looks > 250 {
			t.Errorf("the job that waits was looked at %d times in 20s, want ten times a second", looks)
		}
		if n := len(w.firesOf(2)); n < 19 {
			t.Errorf("%d slots of another job were fired in 20s", n)
		}
		fires := w.firesOf(1)
		if len(fires) != 2 || fires[1].at.Sub(fires[0].at) != 10*time.Second+37*time.Millisecond {
			t.Errorf("the replay fired %+v, want the second slot when the first had ended", fires)
		}
	})
}

func TestClock_SteppedBackFiresNothingTwice(t *testing.T) {
	t.Parallel()
	for _, policy := range []job.MisfirePolicy{job.MisfireFireOnce, job.MisfireFireAll, job.MisfireSkip} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld("n1")
				w.makeRequests(always(time.Second))
				begin := time.Now()
				w.addJob(1, everyMinute)
				w.edit(1, func(s *job.Spec) { s.Misfire = policy })
				w.start(t)
				time.Sleep(10*time.Minute + 30*time.Second)
				w.setClock(-time.Hour)
				time.Sleep(time.Hour)
				if n := len(w.firesOf(1)); n != 10 {
					t.Errorf("%d slots fired within the hour that comes twice, want the 10 of before", n)
				}
				time.Sleep(10 * time.Minute)
				w.checkEachSlotOnce(t, 1, begin, w.now())
				if missed := w.missedOf(1); missed != 0 {
					t.Errorf("%d slots missed, want none", missed)
				}
			})
		})
	}
}

func TestClock_SteppedForwardObeysTheMisfirePolicy(t *testing.T) {
	t.Parallel()
	for policy, want := range map[job.MisfirePolicy]struct{ missed, caughtUp int }{
		job.MisfireFireOnce: {59, 1},
		job.MisfireFireAll:  {30, 30}, // the window is half an hour
		job.MisfireSkip:     {60, 0},
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld("n1")
				w.makeRequests(always(time.Second))
				begin := time.Now()
				w.addJob(1, everyMinute)
				w.edit(1, func(s *job.Spec) { s.Misfire, s.CatchupWindow = policy, 30*time.Minute })
				w.start(t)
				time.Sleep(10*time.Minute + 30*time.Second)
				w.setClock(time.Hour)
				time.Sleep(5 * time.Minute)
				w.checkEachSlotOnce(t, 1, begin, w.now())
				_, caughtUp := triggers(w.firesOf(1))
				if missed := w.missedOf(1); missed != want.missed || caughtUp != want.caughtUp {
					t.Errorf("missed %d, caught up %d; want %+v", missed, caughtUp, want)
				}
			})
		})
	}
}

func TestClock_RetriesGoByIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		w.setClock(time.Hour)
		term := w.start(t)
		w.endWith(t, term, &job.AttemptError{Code: job.ErrHTTPStatus})
		begin := w.now()
		w.retrying(func(s *job.Spec) { s.Retries, s.RetryDelay = 1, 10*time.Second })
		time.Sleep(15 * time.Second)
		begins := decisionsOf[job.Begin](w)
		if len(begins) != 1 || !begins[0].At.Equal(begin.Add(10*time.Second)) {
			t.Errorf("begins = %+v, want one at %v", begins, begin.Add(10*time.Second))
		}
	})
}

func TestClock_LossesGoByIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		w.setClock(-time.Hour)
		w.start(t)
		o := running("n1", 99) // of an earlier life
		w.setOpen(o)
		time.Sleep(time.Second)
		if got := w.openOf(o.Execution); got.Phase != job.PhaseRunning || got.Attempt != 2 {
			t.Errorf("the execution is %+v, want its second attempt at once", got)
		}
	})
}

// Pauses and leases do not go by the wall clock.
func TestClock_StepsLoseNothing(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{-time.Hour, time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorldWithJob("n1", "n2")
				term := w.start(t)
				o := running("n2", 1)
				w.setOpen(o)
				time.Sleep(5 * time.Second)
				w.setClock(step)
				time.Sleep(20 * time.Second)
				if at := w.lostAt(ref(o)); !at.IsZero() {
					t.Errorf("lost at %v, though the node answers", at)
				}
				for _, n := range term.Nodes() {
					if n.State != NodeAlive {
						t.Errorf("%+v, want it alive", n)
					}
				}
			})
		})
	}
}
