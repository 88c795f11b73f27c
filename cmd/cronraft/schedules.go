package main

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/scheduler"
)

// schedules gives the API what the scheduler knows of schedules.
type schedules struct{}

// Check is [scheduler.CheckSchedule].
func (schedules) Check(s job.Schedule) []job.FieldError { return scheduler.CheckSchedule(s) }

// Upcoming is [scheduler.Upcoming].
func (schedules) Upcoming(s job.Schedule, after time.Time, count int) ([]job.Upcoming, error) {
	return scheduler.Upcoming(s, after, count)
}

// Between are the slots from a time on and before another one, at most limit.
func (schedules) Between(s job.Schedule, from, to time.Time, limit int) ([]time.Time, error) {
	var slots []time.Time
	for after := from.Add(-1); len(slots) < limit; {
		next, ok, err := scheduler.Next(s, after)
		if err != nil {
			return nil, err
		}
		if !ok || !next.Before(to) {
			break
		}
		slots = append(slots, next)
		after = next
	}
	return slots, nil
}
