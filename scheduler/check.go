package scheduler

import (
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/cron"
	"github.com/cronraft/cronraft/internal/job"
)

// CheckSchedule says what is wrong with s beyond what [job.Schedule.Validate] looks
// at: with the cron expression, the time zone, and a schedule that never has a slot.
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
	if len(fields) > 0 || len(s.Validate()) > 0 {
		return fields
	}
	return checkAnySlot(s)
}

// checkAnySlot refuses a schedule whose bounds leave no slot.
func checkAnySlot(s job.Schedule) []job.FieldError {
	if _, ok, err := Next(s, epoch); ok || err != nil {
		return nil // the text was checked before
	}
	switch {
	case s.EndAt.IsZero():
		return []job.FieldError{{Field: "startAt", Msg: "the schedule has no slot from then on"}}
	case s.StartAt.IsZero():
		return []job.FieldError{{Field: "endAt", Msg: "the schedule has no slot until then"}}
	default:
		return []job.FieldError{{Field: "endAt", Msg: "the schedule has no slot between startAt and endAt"}}
	}
}

// CheckLeft refuses a schedule of which nothing is left at a time, which is no use
// for a new job. It has nothing to say about one that [CheckSchedule] refuses.
func CheckLeft(s job.Schedule, now time.Time) []job.FieldError {
	if len(s.Validate()) > 0 || len(CheckSchedule(s)) > 0 {
		return nil
	}
	if _, ok, err := First(s, now); ok || err != nil {
		return nil
	}
	switch {
	case !s.RunAt.IsZero():
		return []job.FieldError{{Field: "runAt", Msg: "is in the past"}}
	case !s.EndAt.IsZero() && s.EndAt.Before(now):
		return []job.FieldError{{Field: "endAt", Msg: "is in the past"}}
	case !s.EndAt.IsZero():
		return []job.FieldError{{Field: "endAt", Msg: "the schedule has no slot between now and then"}}
	default:
		return []job.FieldError{{Field: "cronExpression", Msg: "there is no slot any more before the year 2100"}}
	}
}
