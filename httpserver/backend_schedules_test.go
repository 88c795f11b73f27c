package httpserver

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// schedules reads intervals and runs at one time; to it, every cron expression means
// every five minutes, and every zone is UTC. A slot at a full hour has a note.
type schedules struct{}

func (schedules) Check(s job.Schedule) []job.FieldError { return checkSchedule(s) }

func checkSchedule(s job.Schedule) []job.FieldError {
	var errs []job.FieldError
	if s.Cron == "61 * * * *" {
		errs = append(errs, job.FieldError{Field: "cronExpression", Msg: "has a minute above 59"})
	}
	if s.Timezone == "Mars/Olympus" {
		errs = append(errs, job.FieldError{Field: "timezone", Msg: "is not known"})
	}
	return errs
}

func (schedules) Upcoming(s job.Schedule, after time.Time, count int) ([]job.Upcoming, error) {
	var list []job.Upcoming
	for _, slot := range slotsOf(s, after.Add(time.Millisecond), job.MaxTime, count) {
		u := job.Upcoming{At: slot, Local: slot.Format(time.RFC3339)}
		if slot.Minute() == 0 {
			u.Note = "on the hour"
		}
		list = append(list, u)
	}
	return list, nil
}

func (schedules) Between(s job.Schedule, from, to time.Time, limit int) ([]time.Time, error) {
	return slotsOf(s, from, to, limit), nil
}

// slotsOf returns those from a time on and before another one.
func slotsOf(s job.Schedule, from, to time.Time, limit int) []time.Time {
	if !s.RunAt.IsZero() {
		if s.RunAt.Before(from) || !s.RunAt.Before(to) {
			return nil
		}
		return []time.Time{s.RunAt}
	}
	step, origin := s.Interval, time.UnixMilli(0).UTC()
	if s.Cron != "" {
		step = 5 * time.Minute
	} else if !s.StartAt.IsZero() {
		origin = s.StartAt
	}
	if s.StartAt.After(from) {
		from = s.StartAt
	}
	if !s.EndAt.IsZero() && s.EndAt.Before(to) {
		to = s.EndAt.Add(1)
	}
	var list []time.Time
	slot := origin.Add(from.Sub(origin).Truncate(step))
	for ; slot.Before(to) && len(list) < limit; slot = slot.Add(step) {
		if !slot.Before(from) {
			list = append(list, slot)
		}
	}
	return list
}
