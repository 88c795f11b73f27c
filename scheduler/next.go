package scheduler

import (
	"fmt"
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/cron"
	"github.com/cronraft/cronraft/internal/job"
)

// Next is the first slot of s strictly after the given time; false if there is
// none any more. The error says why s cannot be read, which does not happen to
// a schedule that [CheckSchedule] accepted.
func Next(s job.Schedule, after time.Time) (time.Time, bool, error) {
	if s.Cron == "" {
		next, err := nextMultiple(s.Interval, after)
		return next, err == nil, err
	}
	expr, err := cron.Parse(s.Cron)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("parse cron expression %q: %w", s.Cron, err)
	}
	zone, err := cron.LoadZone(s.Timezone)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("load time zone %q: %w", s.Timezone, err)
	}
	next, ok := expr.Next(after, zone)
	return job.Instant(next), ok, nil
}

// nextMultiple is the next slot of an interval.
func nextMultiple(interval time.Duration, after time.Time) (time.Time, error) {
	if interval < time.Second || interval%time.Second != 0 {
		return time.Time{}, fmt.Errorf("interval %v is not a positive number of whole seconds", interval)
	}
	return cron.NextInterval(after, interval), nil
}

// CheckSchedule says what is wrong with the cron expression and the time zone
// of s, beyond what [job.Spec.Validate] looks at.
func CheckSchedule(s job.Schedule) []job.FieldError {
	var fields []job.FieldError
	if s.Cron != "" {
		if _, err := cron.Parse(s.Cron); err != nil {
			// The field's name says already that it is the expression.
			msg := strings.TrimPrefix(err.Error(), "expression: ")
			fields = append(fields, job.FieldError{Field: "cronExpression", Msg: msg})
		}
	}
	if _, err := cron.LoadZone(s.Timezone); err != nil {
		fields = append(fields, job.FieldError{Field: "timezone", Msg: err.Error()})
	}
	return fields
}
