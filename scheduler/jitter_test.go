package scheduler

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cronraft/cronraft/internal/job"
)

// addJittered adds an active job with jitter.
func (w *world) addJittered(id job.ID, s job.Schedule, jitter time.Duration) {
	spec := job.DefaultSpec()
	spec.Schedule, spec.Jitter = s, jitter
	next, _, err := Next(s, time.Now())
	if err != nil {
		panic(err)
	}
	due, err := DueAt(id, &spec, next)
	if err != nil {
		panic(err)
	}
	w.putJob(job.Job{ID: id, Version: 1, Spec: spec, NextRunAt: next, NextDueAt: due})
}

func TestJitter_EachSlotOnceWhenItIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const jobs = 40
		w := newWorld("n1", "n2")
		begin := time.Now()
		for id := range job.ID(jobs) {
			schedule := cronMinute
			if id%2 == 0 {
				schedule = everyMinute
			}
			w.addJittered(id+1, schedule, time.Duration(id+1)*5*time.Second) // up to 200 s
		}
		w.succeed(t, w.start(t))
		const minutes = 10
		time.Sleep((minutes+1)*time.Minute - time.Millisecond)
		synctest.Wait()
		for id := job.ID(1); id <= jobs; id++ {
			j, _ := w.Job(id)
			w.checkEachSlotOnce(t, id, begin, begin.Add(minutes*time.Minute))
			fires := w.firesOf(id)
			for i, s := range w.planned(id) {
				due, _ := DueAt(id, &j.Spec, s.Slot)
				nextDue, _ := DueAt(id, &j.Spec, s.Next)
				if !s.Fire.Equal(s.Slot) || !s.FireDue.Equal(due) || !s.NextDue.Equal(nextDue) || s.Trigger != job.TriggerScheduled {
					t.Fatalf("job %v: planned %+v, want it fired as scheduled, due at %v, the next one at %v", id, s, due, nextDue)
				}
				if !fires[i].at.Equal(due) {
					t.Fatalf("job %v: slot %v was fired at %v, want %v", id, s.Slot, fires[i].at, due)
				}
			}
		}
	})
}

// TestJitter_AcrossAnOutage: what is late is late from when it was due.
func TestJitter_AcrossAnOutage(t *testing.T) {
	t.Parallel()
	for _, policy := range []job.MisfirePolicy{job.MisfireFireOnce, job.MisfireFireAll, job.MisfireSkip} {
		for name, schedule := range map[string]job.Schedule{"interval": everyMinute, "cron": cronMinute} {
			t.Run(fmt.Sprintf("%s %s", policy, name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld("n1", "n2")
					w.makeRequests(always(50 * time.Millisecond))
					begin := time.Now()
					for id := job.ID(1); id <= 8; id++ {
						w.addJittered(id, schedule, time.Minute)
						w.edit(id, func(s *job.Spec) { s.Misfire, s.CatchupWindow = policy, 5*time.Minute })
					}
					_, stop := w.startTerm(t)
					time.Sleep(2 * time.Minute)
					_ = stop()
					time.Sleep(7*time.Minute + 30*time.Second)
					back := time.Now()
					w.startTerm(t)
					time.Sleep(2*time.Minute + 30*time.Second - time.Millisecond)
					for id := job.ID(1); id <= 8; id++ {
						w.checkEachSlotOnce(t, id, begin, begin.Add(11*time.Minute))
						w.checkNoneEarly(t, id, back)
					}
				})
			})
		}
	}
}

// checkNoneEarly checks that each slot was fired when it was due, or later as
// catch-up, and that all is as usual a minute after the leader was back.
func (w *world) checkNoneEarly(t *testing.T, id job.ID, back time.Time) {
	t.Helper()
	j, err := w.Job(id)
	if err != nil {
		t.Fatal(err)
	}
	grace := misfireGrace
	if j.Misfire == job.MisfireFireAll {
		grace = replayGrace
	}
	for _, f := range w.firesOf(id) {
		due, err := DueAt(id, &j.Spec, f.slot)
		if err != nil || f.at.Before(due) {
			t.Errorf("job %v: slot %v was fired at %v, due at %v, %v", id, f.slot, f.at, due, err)
		}
		// The latest of a gap makes up for it, whenever it was due.
		latest := j.Misfire == job.MisfireFireOnce && f.trigger == job.TriggerCatchup && !due.After(back)
		if late := f.at.Sub(due); !latest && (f.trigger == job.TriggerCatchup) != (late > grace) {
			t.Errorf("job %v: slot %v was fired %v after it was due, as %s", id, f.slot, late, f.trigger)
		}
		if f.at.After(back.Add(time.Minute)) && !f.at.Equal(due) {
			t.Errorf("job %v: slot %v was fired at %v, due at %v", id, f.slot, f.at, due)
		}
	}
}

func TestPlanSlot_Jitter(t *testing.T) {
	t.Parallel()
	const id, jitter = 1, time.Minute
	part := share(id, jitter) // some 34 s
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	due := func(d time.Duration) time.Time { return noon.Add(d + part) }
	for name, c := range map[string]struct {
		misfire job.MisfirePolicy
		late    time.Duration // after the slot was due
		want    slotPlan
	}{
		"on time": {job.MisfireFireOnce, misfireGrace,
			slotPlan{next: at(time.Minute), nextDue: due(time.Minute), fire: noon, fireDue: due(0), trigger: job.TriggerScheduled}},
		"the next slot has been, and is not due": {job.MisfireFireOnce, time.Minute - time.Millisecond,
			slotPlan{next: at(time.Minute), nextDue: due(time.Minute), fire: noon, fireDue: due(0), trigger: job.TriggerCatchup, steps: 1}},
		"the next slot is due": {job.MisfireFireOnce, time.Minute,
			slotPlan{next: at(2 * time.Minute), nextDue: due(2 * time.Minute), fire: at(time.Minute), fireDue: due(time.Minute), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: noon, Count: 1}}},
		"SKIP gives up what was due": {job.MisfireSkip, time.Minute + misfireGrace,
			slotPlan{next: at(time.Minute), nextDue: due(time.Minute), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: noon, Count: 1}}},
		"FIRE_ALL, at the edge of the window": {job.MisfireFireAll, time.Hour,
			slotPlan{next: at(time.Minute), nextDue: due(time.Minute), fire: noon, fireDue: due(0), trigger: job.TriggerCatchup}},
		"FIRE_ALL, older than the window": {job.MisfireFireAll, time.Hour + time.Minute,
			slotPlan{next: at(time.Minute), nextDue: due(time.Minute), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: noon, Count: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := job.Spec{Schedule: everyMinute, Jitter: jitter, Misfire: c.misfire, CatchupWindow: time.Hour}
			j := job.Job{ID: id, Spec: spec, NextRunAt: noon, NextDueAt: due(0)}
			got, err := planSlot(&j, due(c.late))
			if err != nil || got != c.want {
				t.Errorf("planSlot = %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

// TestPlanSlot_LastSlot: a schedule that ends is caught up with like others.
func TestPlanSlot_LastSlot(t *testing.T) {
	t.Parallel()
	end := noon.Add(2 * time.Minute)
	for name, s := range map[string]job.Schedule{
		"interval": {Interval: time.Minute, EndAt: end},
		"cron":     {Cron: "* * * * *", Timezone: "UTC", EndAt: end},
	} {
		j := job.Job{Spec: job.Spec{Schedule: s, CatchupWindow: 2 * time.Hour}, NextRunAt: noon}
		got, err := planSlot(&j, noon.Add(time.Hour))
		got.steps = 0
		want := slotPlan{fire: end, fireDue: end, trigger: job.TriggerCatchup, missed: job.Gap{From: noon, To: noon.Add(time.Minute), Count: 2}}
		if err != nil || got != want {
			t.Errorf("%s: planSlot = %+v, %v\nwant %+v", name, got, err, want)
		}
	}
	once := job.Job{Spec: job.Spec{Schedule: job.Schedule{RunAt: noon}}, NextRunAt: noon}
	got, err := planSlot(&once, noon)
	if want := (slotPlan{fire: noon, fireDue: noon, trigger: job.TriggerScheduled}); err != nil || got != want {
		t.Errorf("planSlot of a single run = %+v, %v\nwant %+v", got, err, want)
	}
}

// TestPlanner_JobThatAnEditHasPutOff: the agenda knew the job as due, and the job as
// it is now is not.
func TestPlanner_JobThatAnEditHasPutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		now := job.Instant(time.Now())
		spec := job.DefaultSpec()
		spec.Schedule, spec.Jitter = everyMinute, time.Minute
		w.putJob(job.Job{ID: 1, Version: 1, Spec: spec, NextRunAt: now, NextDueAt: now.Add(30 * time.Second)})
		p := newPlanner(w.config().withDefaults(), newRoster(newPace(defaultNodeLostAfter)))
		f := flight{due: []job.DueSlot{{Job: 1, Slot: now, Due: now}}}
		if slots := p.decide(&f, now, &picker{}); len(slots) != 0 || len(f.refused) != 1 {
			t.Errorf("decided %+v, refused %v; want the job left alone for a moment", slots, f.refused)
		}
	})
}

// TestMetrics_LatenessIsFromWhenItWasDue: jitter is not lateness.
func TestMetrics_LatenessIsFromWhenItWasDue(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	record := func(trigger job.Trigger, due, late time.Duration) {
		open := job.Open{Trigger: trigger, ScheduledAt: noon, Phase: job.PhaseRunning}
		if due > 0 {
			open.DueAt = noon.Add(due)
		}
		o := job.Outcome{AttemptRef: job.AttemptRef{Attempt: 1}, StartedAt: noon.Add(due + late)}
		m.recorded(&o, open, job.Success)
	}
	record(job.TriggerScheduled, 0, time.Second)
	record(job.TriggerScheduled, time.Hour, 2*time.Second)
	record(job.TriggerBackfill, 0, time.Hour)
	record(job.TriggerEvent, 0, time.Hour)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if h := f.GetMetric()[0].GetHistogram(); f.GetName() == metricLateness && (h.GetSampleCount() != 2 || h.GetSampleSum() != 3) {
			t.Errorf("observed %d, together %v s; want 2, and 3 s", h.GetSampleCount(), h.GetSampleSum())
		}
	}
	want := map[string]float64{
		metricAttempts + " SUCCESS":             4,
		metricExecutions + " SUCCESS SCHEDULED": 2,
		metricExecutions + " SUCCESS BACKFILL":  1,
		metricDeliveries + " SUCCESS":           1,
		metricMissed:                            0,
		metricLost:                              0,
	}
	if got := counters(t, registry); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted %v\nwant %v", got, want)
	}
}
