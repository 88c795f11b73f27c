package scheduler

import (
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestNext(t *testing.T) {
	t.Parallel()
	f := func(s job.Schedule, after, want time.Time) {
		t.Helper()
		got, ok, err := Next(s, after)
		if err != nil || !ok || !got.Equal(want) {
			t.Errorf("Next(%+v, %v) = %v, %t, %v, want %v", s, after, got, ok, err, want)
		}
	}
	f(everyMinute, noon, noon.Add(time.Minute))
	f(everyMinute, noon.Add(59999*time.Millisecond), noon.Add(time.Minute))
	f(everySecond, noon.Add(time.Microsecond), noon.Add(time.Second))
	f(everyMinute, time.Unix(-90, 0), time.Unix(-60, 0))
	f(cronMinute, noon, noon.Add(time.Minute))
	f(job.Schedule{Cron: "0 9 * * *", Timezone: "Europe/Berlin"}, noon, noon.Add(20*time.Hour))
}

func TestNext_UnreadableSchedule(t *testing.T) {
	t.Parallel()
	for _, s := range []job.Schedule{
		{},
		{Interval: time.Millisecond},
		{Cron: "nonsense", Timezone: "UTC"},
		{Cron: "* * * * *", Timezone: "Mars/Olympus"},
	} {
		if _, ok, err := Next(s, noon); err == nil || ok {
			t.Errorf("Next(%+v) = %t, %v, want an error", s, ok, err)
		}
	}
}

func TestCheckSchedule(t *testing.T) {
	t.Parallel()
	f := func(s job.Schedule, want ...string) {
		t.Helper()
		fields := CheckSchedule(s)
		if len(fields) != len(want) {
			t.Fatalf("CheckSchedule(%+v) = %v, want fields %v", s, fields, want)
		}
		for i, field := range fields {
			if field.Field != want[i] || field.Msg == "" {
				t.Errorf("CheckSchedule(%+v)[%d] = %+v, want a message for %s", s, i, field, want[i])
			}
		}
	}
	f(everyMinute)
	f(cronMinute)
	f(job.Schedule{Cron: "61 * * * *", Timezone: "UTC"}, "cronExpression")
	f(job.Schedule{Cron: "* * * * * *", Timezone: "Nowhere"}, "cronExpression", "timezone")
	f(job.Schedule{Interval: time.Minute, Timezone: "Nowhere"}, "timezone")
}

func TestPlanSlot(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	for name, c := range map[string]struct {
		schedule job.Schedule
		late     time.Duration
		want     slotPlan
	}{
		"on time": {everyMinute, 0,
			slotPlan{next: at(time.Minute), fire: noon, trigger: job.TriggerScheduled}},
		"late within the grace, later slots due too": {everySecond, misfireGrace,
			slotPlan{next: at(time.Second), fire: noon, trigger: job.TriggerScheduled}},
		"one late slot": {everyMinute, 30 * time.Second,
			slotPlan{next: at(time.Minute), fire: noon, trigger: job.TriggerCatchup, steps: 1}},
		"two late slots": {everyMinute, time.Minute,
			slotPlan{next: at(2 * time.Minute), fire: at(time.Minute), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: noon, Count: 1}}},
		"a long gap of an interval": {everyMinute, time.Hour + time.Second,
			slotPlan{next: at(61 * time.Minute), fire: at(time.Hour), trigger: job.TriggerCatchup, steps: 1,
				missed: job.Gap{From: noon, To: at(59 * time.Minute), Count: 60}}},
		"a gap of a cron job": {cronMinute, 5*time.Minute + time.Second,
			slotPlan{next: at(6 * time.Minute), fire: at(5 * time.Minute), trigger: job.TriggerCatchup, steps: 6,
				missed: job.Gap{From: noon, To: at(4 * time.Minute), Count: 5}}},
		"a gap of a cron job too long to walk": {cronMinute, 10000 * time.Minute,
			slotPlan{next: at(5000 * time.Minute), trigger: job.TriggerCatchup, steps: maxWalk,
				missed: job.Gap{From: noon, To: at(4999 * time.Minute), Count: 5000}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := planSlot(c.schedule, noon, noon.Add(c.late))
			if err != nil || got != c.want {
				t.Errorf("planSlot = %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestPlanSlot_IntervalAndCronAgree(t *testing.T) {
	t.Parallel()
	for late := time.Duration(0); late < 20*time.Minute; late += 7 * time.Second {
		byInterval, err := planSlot(everyMinute, noon, noon.Add(late))
		byCron, err2 := planSlot(cronMinute, noon, noon.Add(late))
		byInterval.steps, byCron.steps = 0, 0
		if err != nil || err2 != nil || byInterval != byCron {
			t.Fatalf("%v late: interval %+v, %v; cron %+v, %v", late, byInterval, err, byCron, err2)
		}
	}
}
