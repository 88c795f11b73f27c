package scheduler

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cronraft/cronraft/internal/job"
)

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
	f(job.Schedule{Cron: "0 0 30 2 *", Timezone: "UTC"}, "cronExpression")
	f(job.Schedule{RunAt: noon, Timezone: "UTC"})
	f(job.Schedule{Interval: time.Hour, StartAt: noon, EndAt: noon, Timezone: "UTC"})
	f(job.Schedule{Interval: time.Hour, EndAt: job.MinTime, Timezone: "UTC"})
	f(job.Schedule{Cron: "0 9 * * *", StartAt: noon, EndAt: noon.Add(20 * time.Hour), Timezone: "UTC"}, "endAt")
	f(job.Schedule{Cron: "0 12 * * *", StartAt: noon, EndAt: noon, Timezone: "UTC"})
	f(job.Schedule{Cron: "0 12 * * *", StartAt: noon.Add(1), EndAt: noon.Add(time.Hour), Timezone: "UTC"}, "endAt")
	f(job.Schedule{Cron: "0 12 29 2 *", EndAt: job.MinTime, Timezone: "UTC"}, "endAt")
	f(job.Schedule{Cron: "0 0 1 1 *", StartAt: time.Date(2099, 1, 1, 0, 0, 1, 0, time.UTC), Timezone: "UTC"}, "startAt")
	// What [job.Schedule.Validate] refuses is not refused twice.
	f(job.Schedule{Interval: time.Minute, StartAt: noon, EndAt: noon.Add(-1), Timezone: "UTC"})
	f(job.Schedule{Timezone: "UTC"})
}

func TestCheckLeft(t *testing.T) {
	t.Parallel()
	f := func(s job.Schedule, want string) {
		t.Helper()
		s.Timezone = "UTC"
		fields := CheckLeft(s, noon)
		if want == "" && len(fields) > 0 || want != "" && (len(fields) != 1 || fields[0].Field != want || fields[0].Msg == "") {
			t.Errorf("CheckLeft(%+v) = %v, want %q", s, fields, want)
		}
	}
	f(everyMinute, "")
	f(job.Schedule{RunAt: noon.Add(time.Hour)}, "")
	f(job.Schedule{RunAt: noon.Add(time.Millisecond - runAtGrace)}, "")
	f(job.Schedule{RunAt: noon.Add(-runAtGrace)}, "runAt")
	f(job.Schedule{Interval: time.Minute, EndAt: noon.Add(time.Minute)}, "")
	f(job.Schedule{Interval: time.Minute, EndAt: noon.Add(59 * time.Second)}, "endAt")
	f(job.Schedule{Interval: time.Minute, EndAt: noon.Add(-time.Minute)}, "endAt")
	f(job.Schedule{Cron: "0 12 * * *", EndAt: noon}, "endAt")
	f(job.Schedule{Cron: "nonsense", EndAt: noon}, "")
	f(job.Schedule{Cron: "* * * * *", RunAt: noon.Add(-time.Hour)}, "")
}

func TestFirst(t *testing.T) {
	t.Parallel()
	f := func(s job.Schedule, want time.Time) {
		t.Helper()
		got, ok, err := First(s, noon)
		if err != nil || ok == want.IsZero() || !got.Equal(want) {
			t.Errorf("First(%+v) = %v, %t, %v, want %v", s, got, ok, err, want)
		}
	}
	f(everyMinute, noon.Add(time.Minute))
	f(cronMinute, noon.Add(time.Minute))
	f(job.Schedule{RunAt: noon.Add(time.Second)}, noon.Add(time.Second))
	f(job.Schedule{RunAt: noon.Add(time.Second - runAtGrace)}, noon.Add(time.Second-runAtGrace))
	f(job.Schedule{RunAt: noon.Add(-runAtGrace)}, time.Time{})
}

func TestNext_Bounds(t *testing.T) {
	t.Parallel()
	f := func(s job.Schedule, after, want time.Time) {
		t.Helper()
		got, ok, err := Next(s, after)
		if err != nil || ok == want.IsZero() || !got.Equal(want) {
			t.Errorf("Next(%+v, %v) = %v, %t, %v, want %v", s, after, got, ok, err, want)
		}
	}
	none, hour := time.Time{}, time.Hour
	at := job.Schedule{RunAt: noon}
	f(at, noon.Add(-1), noon)
	f(at, noon, none)
	odd := noon.Add(250 * time.Millisecond)
	every := job.Schedule{Interval: 7 * time.Second, StartAt: odd, EndAt: odd.Add(21 * time.Second)}
	f(every, noon.Add(-100*hour), odd)
	f(every, odd, odd.Add(7*time.Second))
	f(every, odd.Add(14*time.Second), odd.Add(21*time.Second))
	f(every, odd.Add(21*time.Second), none)
	daily := job.Schedule{Cron: "0 12 * * *", Timezone: "UTC", StartAt: noon, EndAt: noon.Add(24 * hour)}
	f(daily, noon.Add(-100*hour), noon)
	f(daily, noon, noon.Add(24*hour))
	f(daily, noon.Add(24*hour), none)
	daily.StartAt = noon.Add(time.Millisecond)
	f(daily, noon.Add(-100*hour), noon.Add(24*hour))
	yearly := job.Schedule{Interval: 365 * 24 * hour, StartAt: job.MaxTime.Add(-hour)}
	f(yearly, noon, yearly.StartAt)
	f(yearly, yearly.StartAt, none)
}

// TestNext_BruteForce compares with a walk over seconds that looks at each.
func TestNext_BruteForce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const span = 4 * 60 * 60 // seconds
		second := func(name string) time.Time {
			return noon.Add(time.Duration(rapid.IntRange(0, span).Draw(t, name)) * time.Second)
		}
		s := job.Schedule{Timezone: "UTC"}
		var isSlot func(at time.Time) bool
		switch rapid.SampledFrom([]string{"interval", "cron", "runAt"}).Draw(t, "kind") {
		case "interval":
			s.Interval = time.Duration(rapid.IntRange(1, 3000).Draw(t, "interval")) * time.Second
			isSlot = func(at time.Time) bool {
				if s.StartAt.IsZero() {
					return at.Unix()%int64(s.Interval/time.Second) == 0
				}
				return at.Sub(s.StartAt)%s.Interval == 0
			}
		case "cron":
			s.Cron = "*/7 12-14 * * *"
			isSlot = func(at time.Time) bool {
				return at.Second() == 0 && at.Minute()%7 == 0 && at.Hour() >= 12 && at.Hour() <= 14
			}
		case "runAt":
			s.RunAt = second("runAt")
			isSlot = s.RunAt.Equal
		}
		if s.RunAt.IsZero() && rapid.Bool().Draw(t, "starts") {
			s.StartAt = second("startAt")
		}
		if s.RunAt.IsZero() && rapid.Bool().Draw(t, "ends") {
			s.EndAt = second("endAt")
		}
		after := second("after").Add(time.Duration(rapid.IntRange(0, 999).Draw(t, "milliseconds")) * time.Millisecond)
		want, end := time.Time{}, noon.Add(span*time.Second)
		for at := after.Truncate(time.Second).Add(time.Second); want.IsZero() && !at.After(end); at = at.Add(time.Second) {
			inside := !at.Before(s.StartAt) && (s.EndAt.IsZero() || !at.After(s.EndAt))
			if inside && isSlot(at) {
				want = at
			}
		}
		got, ok, err := Next(s, after)
		if err != nil || ok == got.IsZero() {
			t.Fatalf("Next(%+v, %v) = %v, %t, %v", s, after, got, ok, err)
		}
		if found := ok && !got.After(end); found == want.IsZero() || found && !got.Equal(want) {
			t.Fatalf("Next(%+v, %v) = %v, want %v", s, after, got, want)
		}
	})
}

func TestCheckSchedule_NamesTheFieldOnce(t *testing.T) {
	t.Parallel()
	fields := CheckSchedule(job.Schedule{Cron: "* * *", Timezone: "UTC"})
	if len(fields) != 1 || fields[0].Field != "cronExpression" || strings.Contains(fields[0].Msg, "expression: ") {
		t.Errorf("got %+v", fields)
	}
}
