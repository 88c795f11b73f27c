package node

import (
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/scheduler"
)

var noon = time.Date(2026, 3, 26, 12, 0, 0, 0, time.UTC)

// hourly is a job of each full hour, ACTIVE, whose next slot is in an hour.
func hourly() job.Job {
	j := job.Job{ID: 7, Spec: job.DefaultSpec(), NextRunAt: noon.Add(time.Hour), NextDueAt: noon.Add(time.Hour)}
	j.Name, j.Schedule.Interval, j.Target.URL = "hourly", time.Hour, "http://example.com/"
	return j
}

// completed is the same job after its last run, with a schedule that is over.
func completed() job.Job {
	j := hourly()
	j.State, j.Schedule.EndAt, j.NextRunAt, j.NextDueAt = job.Completed, noon.Add(-time.Hour), time.Time{}, time.Time{}
	return j
}

// used is the same job after all the runs that it may have.
func used() job.Job {
	j := completed()
	j.Schedule.EndAt, j.MaxRuns, j.Runs = time.Time{}, 3, 3
	return j
}

func TestSettle_Edit(t *testing.T) {
	t.Parallel()
	paused := hourly()
	paused.State, paused.PauseReason, paused.NextRunAt = job.Paused, "holidays", time.Time{}
	once := hourly()
	once.Schedule.Interval, once.Schedule.RunAt, once.NextRunAt = 0, noon.Add(-time.Second), noon.Add(-time.Second)
	once.NextDueAt = once.NextRunAt
	tests := map[string]struct {
		before  job.Job
		edit    func(*job.Job)
		state   job.State
		next    time.Time
		invalid string // field
	}{
		"a name":                              {hourly(), func(j *job.Job) { j.Name = "x" }, job.Active, noon.Add(time.Hour), ""},
		"a name, while the last slot is due":  {once, func(j *job.Job) { j.Name = "x" }, job.Active, noon.Add(-time.Second), ""},
		"a schedule":                          {hourly(), func(j *job.Job) { j.Schedule.Interval = time.Minute }, job.Active, noon.Add(time.Minute), ""},
		"a run that has just been":            {hourly(), func(j *job.Job) { runAt(j, noon.Add(-30*time.Second)) }, job.Active, noon.Add(-30 * time.Second), ""},
		"a run of the past":                   {hourly(), func(j *job.Job) { runAt(j, noon.Add(-2*time.Minute)) }, "", time.Time{}, "runAt"},
		"the end":                             {hourly(), func(j *job.Job) { j.Schedule.EndAt = noon.Add(-time.Second) }, job.Completed, time.Time{}, ""},
		"a pause":                             {hourly(), func(j *job.Job) { j.State = job.Paused }, job.Paused, time.Time{}, ""},
		"a pause of what is over":             {completed(), func(j *job.Job) { j.State = job.Paused }, job.Paused, time.Time{}, ""},
		"no more runs than there were":        {ran(hourly(), 5), func(j *job.Job) { j.MaxRuns = 5 }, job.Completed, time.Time{}, ""},
		"one run more":                        {ran(hourly(), 5), func(j *job.Job) { j.MaxRuns = 6 }, job.Active, noon.Add(time.Hour), ""},
		"resumed":                             {paused, func(j *job.Job) { j.State = job.Active }, job.Active, noon.Add(time.Hour), ""},
		"a name of a paused job":              {paused, func(j *job.Job) { j.Name = "x" }, job.Paused, time.Time{}, ""},
		"COMPLETED, which nobody can ask for": {paused, func(j *job.Job) { j.State = job.Completed }, job.Paused, time.Time{}, ""},

		"a name of what is over":              {completed(), func(j *job.Job) { j.Name = "x" }, job.Completed, time.Time{}, ""},
		"the end, later":                      {completed(), func(j *job.Job) { j.Schedule.EndAt = noon.Add(2 * time.Hour) }, job.Active, noon.Add(time.Hour), ""},
		"the end, not late enough":            {completed(), func(j *job.Job) { j.Schedule.EndAt = noon }, job.Completed, time.Time{}, ""},
		"ACTIVE, though the schedule is over": {completed(), func(j *job.Job) { j.State = job.Active }, "", time.Time{}, "state"},
		"ACTIVE, with an end that is later":   {completed(), func(j *job.Job) { j.State, j.Schedule.EndAt = job.Active, time.Time{} }, job.Active, noon.Add(time.Hour), ""},
		"a name of what was used":             {used(), func(j *job.Job) { j.Name = "x" }, job.Completed, time.Time{}, ""},
		"a schedule of what was used":         {used(), func(j *job.Job) { j.Schedule.Interval = time.Minute }, job.Completed, time.Time{}, ""},
		"more runs":                           {used(), func(j *job.Job) { j.MaxRuns = 4 }, job.Active, noon.Add(time.Hour), ""},
		"fewer runs":                          {used(), func(j *job.Job) { j.MaxRuns = 2 }, job.Completed, time.Time{}, ""},
		"any number of runs":                  {used(), func(j *job.Job) { j.MaxRuns = 0 }, job.Active, noon.Add(time.Hour), ""},
		"ACTIVE, though it was used":          {used(), func(j *job.Job) { j.State = job.Active }, "", time.Time{}, "state"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := tt.before
			tt.edit(&after)
			err := settling{job: &after, before: &tt.before, now: noon}.settle()
			if tt.invalid != "" {
				wantField(t, err, tt.invalid)
				return
			}
			due := tt.next
			if !due.IsZero() && !due.Equal(tt.before.NextRunAt) {
				due = latest(due, noon) // a new slot is not late
			}
			if err != nil || after.State != tt.state || !after.NextRunAt.Equal(tt.next) || !after.NextDueAt.Equal(due) {
				t.Errorf("%s, next at %v, due at %v: %v\nwant %s, next at %v, due at %v", after.State, after.NextRunAt, after.NextDueAt, err, tt.state, tt.next, due)
			}
			if after.State == job.Paused != (after.PauseReason == tt.before.PauseReason) && tt.before.PauseReason != "" {
				t.Errorf("%s, because of %q", after.State, after.PauseReason)
			}
		})
	}
}

func runAt(j *job.Job, at time.Time) { j.Schedule.Interval, j.Schedule.RunAt = 0, at }

func ran(j job.Job, times int) job.Job {
	j.Runs = times
	return j
}

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	e, ok := err.(*job.Error)
	if !ok || e.Code != job.CodeValidation || !slices.ContainsFunc(e.Fields, func(f job.FieldError) bool { return f.Field == field }) {
		t.Errorf("%v, want an error of the field %s", err, field)
	}
}

// TestSettle_EditAfterTheClockWasSetBack does not make a slot due once more that has
// a record.
func TestSettle_EditAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	before := hourly()
	after := before
	after.Schedule.Interval = time.Minute
	decided := noon.Add(10 * time.Minute)
	if err := (settling{job: &after, before: &before, now: noon, decided: decided}).settle(); err != nil || !after.NextRunAt.Equal(noon.Add(11*time.Minute)) {
		t.Errorf("next at %v: %v", after.NextRunAt, err)
	}
	runAt(&after, noon.Add(-time.Second))
	wantField(t, settling{job: &after, before: &before, now: noon, decided: noon}.settle(), "runAt")
}

func TestSettle_New(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		edit    func(*job.Job)
		state   job.State
		next    time.Time
		invalid string
	}{
		"an interval":              {func(*job.Job) {}, job.Active, noon.Add(time.Hour), ""},
		"paused":                   {func(j *job.Job) { j.State = job.Paused }, job.Paused, time.Time{}, ""},
		"a run that has just been": {func(j *job.Job) { runAt(j, noon.Add(-time.Minute+time.Second)) }, job.Active, noon.Add(-time.Minute + time.Second), ""},
		"a run of the past":        {func(j *job.Job) { runAt(j, noon.Add(-time.Hour)) }, "", time.Time{}, "runAt"},
		"a paused run of the past": {func(j *job.Job) { runAt(j, noon.Add(-time.Hour)); j.State = job.Paused }, "", time.Time{}, "runAt"},
		"an end of the past":       {func(j *job.Job) { j.Schedule.EndAt = noon.Add(-time.Hour) }, "", time.Time{}, "endAt"},
		"a bad expression":         {func(j *job.Job) { j.Schedule.Interval, j.Schedule.Cron = 0, "x" }, "", time.Time{}, "cronExpression"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := hourly()
			tt.edit(&j)
			err := settling{job: &j, now: noon}.settle()
			if tt.invalid != "" {
				wantField(t, err, tt.invalid)
			} else if err != nil || j.State != tt.state || !j.NextRunAt.Equal(tt.next) {
				t.Errorf("%s, next at %v: %v", j.State, j.NextRunAt, err)
			}
		})
	}
}

// TestSettle_Jitter decides when the slot is due, also if nothing but that changes.
func TestSettle_Jitter(t *testing.T) {
	t.Parallel()
	before := hourly()
	after := before
	after.Jitter = 30 * time.Minute
	if err := (settling{job: &after, before: &before, now: noon}).settle(); err != nil {
		t.Fatal(err)
	}
	if shift := after.NextDueAt.Sub(after.NextRunAt); !after.NextRunAt.Equal(before.NextRunAt) || shift <= 0 || shift >= 30*time.Minute {
		t.Errorf("the slot %v is due %v later", after.NextRunAt, shift)
	}
}

// TestSettle_LessJitter: a slot that waits for its jitter is due at once if it would
// have been due already, and is not late. One that is late stays so.
func TestSettle_LessJitter(t *testing.T) {
	t.Parallel()
	before := hourly()
	before.NextRunAt, before.Jitter = noon.Add(-20*time.Minute), 30*time.Minute
	for _, tt := range []struct {
		was    time.Duration // due, from now
		jitter time.Duration
		want   time.Duration
	}{
		{5 * time.Minute, time.Second, 0},
		{5 * time.Minute, 30 * time.Minute, 0},
		{-time.Second, time.Second, -time.Second},
		{-15 * time.Minute, time.Second, -15 * time.Minute},
		{-15 * time.Minute, 0, -15 * time.Minute},
	} {
		before.NextDueAt = noon.Add(tt.was)
		after := before
		after.Jitter = tt.jitter
		if err := (settling{job: &after, before: &before, now: noon}).settle(); err != nil {
			t.Fatal(err)
		}
		share, err := scheduler.DueAt(after.ID, &after.Spec, after.NextRunAt)
		if want := latest(noon.Add(tt.want), share); err != nil || !after.NextDueAt.Equal(want) {
			t.Errorf("due %v from now, and with a jitter of %v at %v: %v, want %v", tt.was, tt.jitter, after.NextDueAt, err, want)
		}
	}
}

func TestSettle_Webhook(t *testing.T) {
	t.Parallel()
	hook := func(events ...job.EventType) job.Job {
		return job.Job{Spec: deliverySpec(job.Spec{State: job.Active, Target: job.Target{URL: "https://example.com/"}}), Hook: &job.Hook{Events: events}}
	}
	good := hook(job.EventExecutionFailed, job.EventJobCompleted)
	if err := (settling{job: &good, now: noon}).settle(); err != nil || good.State != job.Active || !good.NextRunAt.IsZero() {
		t.Errorf("%s, next at %v: %v", good.State, good.NextRunAt, err)
	}
	for field, events := range map[string][]job.EventType{
		"events": nil, "events[0]": {"x", job.EventJobCompleted}, "events[1]": {job.EventJobCompleted, job.EventJobCompleted},
		"events[2]": {job.EventJobCompleted, job.EventExecutionFailed, job.EventNodeLost},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			j := hook(events...)
			wantField(t, settling{job: &j, now: noon}.settle(), field)
		})
	}
	bad := hook(job.EventJobCompleted)
	bad.Target.URL = "ftp://example.com/"
	wantField(t, settling{job: &bad, now: noon}.settle(), "url")
}
