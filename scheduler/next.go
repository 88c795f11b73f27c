package scheduler

import (
	"fmt"
	"time"

	"github.com/cronraft/cronraft/internal/cron"
	"github.com/cronraft/cronraft/internal/job"
)

// runAtGrace is how old a RunAt may be when its schedule is given: whoever asks for
// a run now has a clock of his own, and his request takes time.
const runAtGrace = time.Minute

// epoch is what the slots of an interval are counted from that has no StartAt.
var epoch = time.Unix(0, 0)

// Next is the first slot of s strictly after the given time; false if there is
// none any more. The error says why s cannot be read, which does not happen to
// a schedule that [CheckSchedule] accepted.
func Next(s job.Schedule, after time.Time) (time.Time, bool, error) {
	if !s.StartAt.IsZero() && after.Before(s.StartAt) {
		after = s.StartAt.Add(-1)
	}
	next, ok, err := nextUnbounded(s, after)
	if err != nil || !ok || next.After(job.MaxTime) || !s.EndAt.IsZero() && next.After(s.EndAt) {
		return time.Time{}, false, err
	}
	return next, true, nil
}

// First is the first slot of a schedule that is given now: the next one, or a RunAt
// that has just been.
func First(s job.Schedule, now time.Time) (time.Time, bool, error) {
	if !s.RunAt.IsZero() {
		now = now.Add(-runAtGrace)
	}
	return Next(s, now)
}

// nextUnbounded is Next without regard to StartAt and EndAt as bounds.
func nextUnbounded(s job.Schedule, after time.Time) (time.Time, bool, error) {
	switch {
	case !s.RunAt.IsZero():
		return s.RunAt, s.RunAt.After(after), nil
	case s.Interval != 0:
		next, err := nextOfInterval(s, after)
		return next, err == nil, err
	default:
		return nextOfCron(s, after)
	}
}

func nextOfInterval(s job.Schedule, after time.Time) (time.Time, error) {
	if s.Interval < time.Second || s.Interval%time.Second != 0 {
		return time.Time{}, fmt.Errorf("interval %v is not a positive number of whole seconds", s.Interval)
	}
	anchor := epoch
	if !s.StartAt.IsZero() {
		anchor = s.StartAt
	}
	return cron.NextInterval(after, anchor, s.Interval), nil
}

func nextOfCron(s job.Schedule, after time.Time) (time.Time, bool, error) {
	expr, zone, err := read(s)
	if err != nil {
		return time.Time{}, false, err
	}
	next, ok := expr.Next(after, zone)
	return job.Instant(next), ok, nil
}

// read parses the text of a schedule with a cron expression.
func read(s job.Schedule) (*cron.Expression, *cron.Zone, error) {
	expr, err := cron.Parse(s.Cron)
	if err != nil {
		return nil, nil, fmt.Errorf("parse cron expression %q: %w", s.Cron, err)
	}
	zone, err := cron.LoadZone(s.Timezone)
	if err != nil {
		return nil, nil, fmt.Errorf("load time zone %q: %w", s.Timezone, err)
	}
	return expr, zone, nil
}
