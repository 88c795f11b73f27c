package scheduler

import (
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestUpcoming(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at.UTC()
	}
	f := func(s job.Schedule, after string, count int, want ...job.Upcoming) {
		t.Helper()
		for i := range want {
			want[i].At = at(want[i].Local)
		}
		if got, err := Upcoming(s, at(after), count); err != nil || !slices.Equal(got, want) {
			t.Errorf("%+v: got %+v, %v\nwant %+v", s, got, err, want)
		}
	}
	const gone = " does not exist on this day because clocks go forward; runs at "
	f(job.Schedule{Cron: "30 2 * * *", Timezone: "America/New_York"}, "2026-03-07T00:00:00Z", 3,
		job.Upcoming{Local: "2026-03-07T02:30:00-05:00"},
		job.Upcoming{Local: "2026-03-08T03:00:00-04:00", Note: "02:30" + gone + "03:00"},
		job.Upcoming{Local: "2026-03-09T02:30:00-04:00"},
	)
	f(job.Schedule{Cron: "30 * * * *", Timezone: "Europe/Berlin", EndAt: at("2026-10-25T01:30:00Z")}, "2026-10-24T22:30:00Z", 9,
		job.Upcoming{Local: "2026-10-25T01:30:00+02:00"},
		job.Upcoming{Local: "2026-10-25T02:30:00+02:00", Note: "02:30 comes twice on this day because clocks go back; runs both times, this is the first"},
		job.Upcoming{Local: "2026-10-25T02:30:00+01:00", Note: "02:30 comes twice on this day because clocks go back; runs both times, this is the second"},
	)
	// Intervals and single runs do not go by the clock on the wall.
	f(job.Schedule{Interval: time.Hour, Timezone: "Europe/Berlin"}, "2026-10-25T00:00:00Z", 2,
		job.Upcoming{Local: "2026-10-25T02:00:00+01:00"}, job.Upcoming{Local: "2026-10-25T03:00:00+01:00"})
	f(job.Schedule{RunAt: at("2026-10-25T00:30:00.25Z"), Timezone: "UTC"}, "2026-10-25T00:00:00Z", 5,
		job.Upcoming{Local: "2026-10-25T00:30:00.250Z"})
	f(everyMinute, "2026-10-25T00:00:00Z", 0)
	for _, s := range []job.Schedule{{Cron: "nonsense", Timezone: "UTC"}, {Interval: time.Hour, Timezone: "Nowhere"}, {Timezone: "UTC"}} {
		if got, err := Upcoming(s, noon, 3); err == nil {
			t.Errorf("Upcoming(%+v) = %v, want an error", s, got)
		}
	}
}
