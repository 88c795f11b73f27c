package scheduler

import (
	"time"

	"github.com/cronraft/cronraft/internal/cron"
	"github.com/cronraft/cronraft/internal/job"
)

// Upcoming are the first slots of s after the given time, at most count, with a
// note where a change of the clocks has a hand in it. The errors are those of [Next];
// further an error for a time zone that does not exist.
func Upcoming(s job.Schedule, after time.Time, count int) ([]job.Upcoming, error) {
	zone, err := cron.LoadZone(s.Timezone)
	if err != nil {
		return nil, err
	}
	note := func(time.Time) string { return "" }
	if s.Cron != "" {
		expr, _, err := read(s)
		if err != nil {
			return nil, err
		}
		note = func(at time.Time) string { return expr.Note(at, zone) }
	}
	var coming []job.Upcoming
	for len(coming) < count {
		next, ok, err := Next(s, after)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		coming = append(coming, job.Upcoming{At: next, Local: local(next, zone), Note: note(next)})
		after = next
	}
	return coming, nil
}

// local is an instant on the clocks of a zone, with milliseconds where they are not
// zero.
func local(at time.Time, zone *cron.Zone) string {
	layout := time.RFC3339
	if at.Nanosecond() != 0 {
		layout = "2006-01-02T15:04:05.000Z07:00"
	}
	return at.In(zone.Location()).Format(layout)
}
