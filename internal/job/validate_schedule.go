package job

import "time"

// MinTime and MaxTime are the first and the last instant that a schedule can name.
// The Unix epoch is none, for the state has it as "no time".
var (
	MinTime = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)
	MaxTime = time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC)
)

// Validate returns every field of s that breaks a rule, but for those of
// [Spec.Validate] that it leaves to package cron.
func (s Schedule) Validate() []FieldError {
	v := &validation{}
	v.schedule(s)
	return v.fields
}

func (v *validation) schedule(s Schedule) {
	const kinds = "exactly one of cronExpression, intervalSeconds and runAt is "
	switch {
	case s.Cron == "" && s.Interval == 0 && s.RunAt.IsZero():
		v.add("cronExpression", kinds+"required")
	case s.Cron != "" && s.Interval != 0:
		v.add("intervalSeconds", kinds+"allowed")
	case !s.RunAt.IsZero() && (s.Cron != "" || s.Interval != 0):
		v.add("runAt", kinds+"allowed")
	case s.Interval != 0:
		v.seconds("intervalSeconds", s.Interval, time.Second, maxInterval)
	case len(s.Cron) > maxCronBytes:
		v.add("cronExpression", "must have at most %d bytes", maxCronBytes)
	}
	if len(s.Timezone) > maxTimezoneBytes {
		v.add("timezone", "must have at most %d bytes", maxTimezoneBytes)
	}
	v.instant("runAt", s.RunAt)
	v.bound("startAt", s.StartAt, s.RunAt)
	v.bound("endAt", s.EndAt, s.RunAt)
	if !s.StartAt.IsZero() && !s.EndAt.IsZero() && s.EndAt.Before(s.StartAt) {
		v.add("endAt", "must not be before startAt")
	}
}

// bound is an end of a schedule that repeats.
func (v *validation) bound(field string, t, runAt time.Time) {
	if !t.IsZero() && !runAt.IsZero() {
		v.add(field, "is not allowed with runAt, which is the only run")
		return
	}
	v.instant(field, t)
}

func (v *validation) instant(field string, t time.Time) {
	if !t.IsZero() && (t.Before(MinTime) || t.After(MaxTime)) {
		v.add(field, "must be in the years %d to %d, in UTC", MinTime.Year(), MaxTime.Year())
	}
}
