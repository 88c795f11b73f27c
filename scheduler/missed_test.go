package scheduler

import (
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestMissed(t *testing.T) {
	t.Parallel()
	f := func(s job.Schedule, late time.Duration, wantTo time.Time, wantCount int) {
		t.Helper()
		got, err := Missed(s, noon, noon.Add(late), NewSteps())
		if want := (job.Gap{From: noon, To: wantTo, Count: wantCount}); err != nil || got != want {
			t.Errorf("Missed(%+v, %v late) = %+v, %v, want %+v", s, late, got, err, want)
		}
	}
	for _, s := range []job.Schedule{everyMinute, cronMinute} {
		f(s, 0, noon, 1)
		f(s, 59*time.Second, noon, 1)
		f(s, time.Minute, noon.Add(time.Minute), 2)
		f(s, 3*maxWalk*time.Minute+time.Second, noon.Add(3*maxWalk*time.Minute), 3*maxWalk+1)
	}
	if _, err := Missed(job.Schedule{Cron: "nonsense", Timezone: "UTC"}, noon, noon, NewSteps()); err == nil {
		t.Error("Missed of a schedule that cannot be read: no error")
	}
}

// TestMissed_StepsOfARequest: the gaps of one request share its steps. Those of cron
// schedules go on to their last slots when there are none left, without a full count.
func TestMissed_StepsOfARequest(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	steps := &Steps{left: 100}
	f := func(what string, s job.Schedule, late time.Duration, wantTo time.Time, wantCount int) {
		t.Helper()
		got, err := Missed(s, noon, noon.Add(late), steps)
		if want := (job.Gap{From: noon, To: wantTo, Count: wantCount}); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", what, got, err, want)
		}
	}
	weekdays := job.Schedule{Cron: "0 12 * * MON-FRI", Timezone: "UTC"} // noon is a Monday's
	f("counted", cronMinute, 9*time.Minute+time.Second, noon.Add(9*time.Minute), 10)
	f("counted to the end of the steps", cronMinute, 365*day+time.Second, noon.Add(365*day), 91)
	f("not counted", cronMinute, 30*day-time.Second, noon.Add(30*day-time.Minute), 2)
	f("not counted, with the last slot long ago", weekdays, 7*day-time.Second, noon.Add(4*day), 2)
	f("one slot, or two", weekdays, day-1, noon, 1)
	f("one slot, or two", weekdays, day, noon.Add(day), 2)
	f("an interval", everyMinute, 365*day, noon.Add(365*day), 365*24*60+1)
}
