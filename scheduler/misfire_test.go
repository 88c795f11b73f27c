package scheduler

import (
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestPlanSlot(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	on := func(s job.Schedule, misfire job.MisfirePolicy, window time.Duration) job.Spec {
		return job.Spec{Schedule: s, Misfire: misfire, CatchupWindow: window}
	}
	once := func(s job.Schedule) job.Spec { return on(s, job.MisfireFireOnce, 1000*time.Hour) }
	all := func(s job.Schedule) job.Spec { return on(s, job.MisfireFireAll, time.Hour) }
	skip := func(s job.Schedule) job.Spec { return on(s, job.MisfireSkip, time.Hour) }
	for name, c := range map[string]struct {
		spec job.Spec
		late time.Duration
		want slotPlan
	}{
		"on time": {once(everyMinute), 0,
			slotPlan{next: at(time.Minute), fire: noon, trigger: job.TriggerScheduled}},
		"late within the grace, later slots due too": {once(everySecond), misfireGrace,
			slotPlan{next: at(time.Second), fire: noon, trigger: job.TriggerScheduled}},
		"one late slot": {once(everyMinute), 30 * time.Second,
			slotPlan{next: at(time.Minute), fire: noon, trigger: job.TriggerCatchup, steps: 1}},
		"two late slots": {once(everyMinute), time.Minute,
			slotPlan{next: at(2 * time.Minute), fire: at(time.Minute), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: noon, Count: 1}}},
		"a long gap of an interval": {once(everyMinute), time.Hour + time.Second,
			slotPlan{next: at(61 * time.Minute), fire: at(time.Hour), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: at(59 * time.Minute), Count: 60}}},
		"a gap of a cron job": {once(cronMinute), 5*time.Minute + time.Second,
			slotPlan{next: at(6 * time.Minute), fire: at(5 * time.Minute), trigger: job.TriggerCatchup, steps: 6,
				missed: job.Gap{From: noon, To: at(4 * time.Minute), Count: 5}}},
		"a gap of a cron job too long to walk": {once(cronMinute), 10000 * time.Minute,
			slotPlan{next: at(5000 * time.Minute), trigger: job.TriggerCatchup, steps: maxWalk,
				missed: job.Gap{From: noon, To: at(4999 * time.Minute), Count: 5000}}},
		"the policy of a job that has none": {on(everyMinute, "", time.Hour), 30 * time.Second,
			slotPlan{next: at(time.Minute), fire: noon, trigger: job.TriggerCatchup, steps: 1}},
		"the latest at the edge of the window": {on(everyMinute, job.MisfireFireOnce, 30*time.Second), 30 * time.Second,
			slotPlan{next: at(time.Minute), fire: noon, trigger: job.TriggerCatchup, steps: 1}},
		"the latest outside the window": {on(everyMinute, job.MisfireFireOnce, 30*time.Second), 91 * time.Second,
			slotPlan{next: at(2 * time.Minute), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: at(time.Minute), Count: 2}}},
		"no window, the latest within the grace": {on(everyMinute, job.MisfireFireOnce, 0), 65 * time.Second,
			slotPlan{next: at(2 * time.Minute), fire: at(time.Minute), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: noon, Count: 1}}},

		"SKIP, on time": {skip(everyMinute), misfireGrace,
			slotPlan{next: at(time.Minute), fire: noon, trigger: job.TriggerScheduled}},
		"SKIP, one late slot": {skip(everyMinute), misfireGrace + 1,
			slotPlan{next: at(time.Minute), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: noon, Count: 1}}},
		"SKIP, what is within the grace is left": {skip(everySecond), 30 * time.Second,
			slotPlan{next: at(20 * time.Second), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: at(19 * time.Second), Count: 20}}},
		"SKIP, a gap of a cron job": {skip(cronMinute), 5*time.Minute + 9*time.Second,
			slotPlan{next: at(5 * time.Minute), trigger: job.TriggerCatchup, steps: 5,
				missed: job.Gap{From: noon, To: at(4 * time.Minute), Count: 5}}},

		"FIRE_ALL, on time": {all(everyMinute), replayGrace,
			slotPlan{next: at(time.Minute), fire: noon, trigger: job.TriggerScheduled}},
		"FIRE_ALL, late": {all(everyMinute), replayGrace + 1,
			slotPlan{next: at(time.Minute), fire: noon, trigger: job.TriggerCatchup}},
		"FIRE_ALL, at the edge of the window": {all(everyMinute), time.Hour,
			slotPlan{next: at(time.Minute), fire: noon, trigger: job.TriggerCatchup}},
		"FIRE_ALL, older than the window": {all(everyMinute), time.Hour + 150*time.Second,
			slotPlan{next: at(3 * time.Minute), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: at(2 * time.Minute), Count: 3}}},
		"FIRE_ALL, a cron job's older than the window": {all(cronMinute), time.Hour + 150*time.Second,
			slotPlan{next: at(3 * time.Minute), trigger: job.TriggerCatchup, steps: 3,
				missed: job.Gap{From: noon, To: at(2 * time.Minute), Count: 3}}},
		"FIRE_ALL, no window, within the grace": {on(everyMinute, job.MisfireFireAll, 0), misfireGrace,
			slotPlan{next: at(time.Minute), fire: noon, trigger: job.TriggerCatchup}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.want.nextDue, c.want.fireDue = c.want.next, c.want.fire
			got, err := planSlot(&job.Job{Spec: c.spec, NextRunAt: noon}, noon.Add(c.late))
			if err != nil || got != c.want {
				t.Errorf("planSlot = %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestPlanSlot_IntervalAndCronAgree(t *testing.T) {
	t.Parallel()
	for _, misfire := range []job.MisfirePolicy{job.MisfireFireOnce, job.MisfireFireAll, job.MisfireSkip} {
		for late := time.Duration(0); late < 20*time.Minute; late += 7 * time.Second {
			spec := job.Spec{Schedule: everyMinute, Misfire: misfire, CatchupWindow: 10 * time.Minute}
			byInterval, err := planSlot(&job.Job{Spec: spec, NextRunAt: noon}, noon.Add(late))
			spec.Schedule = cronMinute
			byCron, err2 := planSlot(&job.Job{Spec: spec, NextRunAt: noon}, noon.Add(late))
			byInterval.steps, byCron.steps = 0, 0
			if err != nil || err2 != nil || byInterval != byCron {
				t.Fatalf("%s, %v late: interval %+v, %v; cron %+v, %v", misfire, late, byInterval, err, byCron, err2)
			}
		}
	}
}

func TestMustWait(t *testing.T) {
	t.Parallel()
	scheduled := job.Open{Trigger: job.TriggerScheduled}
	manual := job.Open{Trigger: job.TriggerManual, Phase: job.PhasePending}
	catchup := job.Open{Trigger: job.TriggerCatchup}
	queued := job.Open{Trigger: job.TriggerBackfill, Phase: job.PhaseQueued}
	backfill := job.Open{Trigger: job.TriggerBackfill, Phase: job.PhaseRunning}
	nine := slices.Repeat([]job.Open{catchup}, maxReplays-1)
	f := func(overlap job.OverlapPolicy, trigger job.Trigger, want bool, open ...job.Open) {
		t.Helper()
		if got := mustWait(overlap, trigger, open); got != want {
			t.Errorf("mustWait(%s, %s, %v) = %t, want %t", overlap, trigger, open, got, want)
		}
	}
	for _, overlap := range []job.OverlapPolicy{job.OverlapSkip, job.OverlapCancelPrevious, job.OverlapBufferOne} {
		f(overlap, job.TriggerCatchup, false)
		f(overlap, job.TriggerCatchup, true, catchup)
		f(overlap, job.TriggerCatchup, true, scheduled)
		f(overlap, job.TriggerCatchup, true, manual)
		f(overlap, job.TriggerCatchup, false, queued)
		f(overlap, job.TriggerCatchup, false, queued, backfill)
		f(overlap, job.TriggerScheduled, false, queued, backfill)
		f(overlap, job.TriggerScheduled, true, scheduled, catchup)
		f(overlap, job.TriggerScheduled, false, scheduled, manual)
	}
	f(job.OverlapAllow, job.TriggerCatchup, false, append(nine, scheduled)...)
	f(job.OverlapAllow, job.TriggerCatchup, true, append(nine, catchup)...)
	f(job.OverlapAllow, job.TriggerScheduled, false, append(nine, catchup)...)
}

// TestPlanGivenUp: what a job gave up when it paused itself, due or not, is one gap.
func TestPlanGivenUp(t *testing.T) {
	t.Parallel()
	f := func(s job.Schedule, until time.Duration, want slotPlan) {
		t.Helper()
		spec := job.Spec{Schedule: s, Jitter: time.Hour, Misfire: job.MisfireFireAll}
		got, err := planGivenUp(&job.Job{Spec: spec, GivenUp: job.Period{From: noon, Until: noon.Add(until)}})
		want.trigger, want.missed.From = job.TriggerCatchup, noon
		if got.steps = 0; err != nil || got != want {
			t.Errorf("planGivenUp(%+v, %v) = %+v, %v, want %+v", s, until, got, err, want)
		}
	}
	for _, s := range []job.Schedule{everyMinute, cronMinute} {
		f(s, 0, slotPlan{missed: job.Gap{To: noon, Count: 1}})
		f(s, 59*time.Second, slotPlan{missed: job.Gap{To: noon, Count: 1}})
		f(s, 2*time.Minute, slotPlan{missed: job.Gap{To: noon.Add(2 * time.Minute), Count: 3}})
	}
	f(cronMinute, maxWalk*time.Minute, slotPlan{
		next: noon.Add(maxWalk * time.Minute), missed: job.Gap{To: noon.Add((maxWalk - 1) * time.Minute), Count: maxWalk},
	})
}
