package node

import (
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/scheduler"
)

// settling decides what follows from a definition: whether it is valid, the job's
// state, its next slot, and when that is due.
type settling struct {
	job *job.Job
	// before is what the job replaces; nil for a new one.
	before *job.Job
	now    time.Time
	// decided is up to when the job's slots have records.
	decided time.Time
}

// settle changes the job. Its State is what was asked for; COMPLETED, which nobody
// can ask for, stands for nothing.
func (s settling) settle() error {
	j := s.job
	wanted := j.State
	if wanted == job.Completed {
		wanted = s.stateBefore()
	}
	if err := s.check(); err != nil {
		return err
	}
	if j.Hook != nil {
		s.rest(wanted)
		return nil
	}
	slot, left, err := s.slot()
	if err != nil {
		return err
	}
	switch {
	case wanted == job.Paused:
		s.rest(job.Paused)
		return nil
	case wanted == job.Completed && !s.extended():
		s.rest(job.Completed)
		return nil
	case left && !s.exhausted():
		return s.activate(slot)
	case wanted == job.Active && s.stateBefore() == job.Completed:
		return s.overError()
	}
	s.rest(job.Completed)
	return nil
}

// stateBefore is the state if nobody asks for one.
func (s settling) stateBefore() job.State {
	if s.before == nil {
		return job.Active
	}
	return s.before.State
}

// rest gives the job a state in which nothing is due.
func (s settling) rest(state job.State) {
	j := s.job
	j.State, j.NextRunAt, j.NextDueAt = state, time.Time{}, time.Time{}
	if state != job.Paused {
		j.PauseReason = ""
	}
}

// activate makes the slot the next one. What the user changes makes nothing late: a
// RunAt that has just been is due now, and so is a slot that would have been due if the
// jitter had always been what it becomes. A slot that is late already stays so.
func (s settling) activate(slot time.Time) error {
	j := s.job
	due, err := scheduler.DueAt(j.ID, &j.Spec, slot)
	if err != nil {
		return err
	}
	early := s.now
	if s.goesOn() {
		early = earliest(s.before.NextDueAt, s.now)
	}
	j.State, j.PauseReason, j.NextRunAt, j.NextDueAt = job.Active, "", slot, latest(due, early)
	return nil
}

// check lists everything that is wrong with the definition, the schedule's text
// included, and with a schedule that leaves nothing to do.
func (s settling) check() error {
	spec := s.job.Spec
	if spec.State == job.Completed {
		spec.State = job.Active
	}
	if s.job.Hook != nil {
		return invalid(append(s.job.Hook.Validate(), spec.ValidateHook()...))
	}
	fields := append(spec.Validate(), scheduler.CheckSchedule(spec.Schedule)...)
	if s.before == nil || s.rescheduled() && !spec.Schedule.RunAt.IsZero() {
		fields = append(fields, s.checkLeft()...)
	}
	return invalid(fields)
}

// checkLeft refuses a new schedule that is over. A RunAt that has just been may be
// one that the job has been run for already.
func (s settling) checkLeft() []job.FieldError {
	schedule := s.job.Schedule
	fields := scheduler.CheckLeft(schedule, s.now)
	if len(fields) == 0 && !schedule.RunAt.IsZero() && !schedule.RunAt.After(s.decided) {
		fields = []job.FieldError{{Field: "runAt", Msg: "is in the past"}}
	}
	return fields
}

// invalid is the error for the fields, one for each; nil if there are none.
func invalid(fields []job.FieldError) error {
	seen := map[string]bool{}
	fields = slices.DeleteFunc(fields, func(f job.FieldError) bool {
		again := seen[f.Field]
		seen[f.Field] = true
		return again
	})
	if e := job.Invalid(fields); e != nil {
		return e
	}
	return nil
}

// slot is the one to be planned next, if the job is to be ACTIVE; false if none is
// left.
func (s settling) slot() (time.Time, bool, error) {
	switch {
	case s.goesOn():
		return s.before.NextRunAt, !s.before.NextRunAt.IsZero(), nil
	case (s.before == nil || s.rescheduled()) && !s.job.Schedule.RunAt.IsZero():
		return scheduler.First(s.job.Schedule, s.now)
	default:
		return scheduler.Next(s.job.Schedule, latest(s.now, s.decided))
	}
}

// goesOn reports whether the job's slots stay what they are.
func (s settling) goesOn() bool {
	return s.before != nil && !s.rescheduled() && s.before.State == job.Active
}

func (s settling) rescheduled() bool {
	return s.before != nil && s.job.Schedule != s.before.Schedule
}

// extended reports whether a COMPLETED job was given something to do again.
func (s settling) extended() bool {
	return s.rescheduled() || s.before != nil && s.job.MaxRuns != s.before.MaxRuns
}

// exhausted reports whether the job has had all its runs.
func (s settling) exhausted() bool { return s.job.MaxRuns > 0 && s.job.Runs >= s.job.MaxRuns }

// overError is why a COMPLETED job cannot be made ACTIVE.
func (s settling) overError() error {
	msg := "the schedule has no slot left: change the schedule too"
	if s.exhausted() {
		msg = "the job has had all of its maxRuns: raise maxRuns too"
	}
	return invalid([]job.FieldError{{Field: "state", Msg: msg}})
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
