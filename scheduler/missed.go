package scheduler

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// Steps bounds what the gaps cost that one request leaves: how many slots of cron
// schedules are stepped over, one by one.
type Steps struct{ left int }

// NewSteps is what one request has.
func NewSteps() *Steps { return &Steps{left: maxStepsPerEntry} }

// Missed is the gap from a slot to the last one that is not after now: what an edit
// gives up that takes effect before they are planned. Those that are not due yet,
// for the job has jitter, are given up with the others. When no steps are left, the
// slots of a cron schedule are not counted any more: the gap has its last slot all the
// same, and the count is of those that were found by then.
func Missed(s job.Schedule, slot, now time.Time, steps *Steps) (job.Gap, error) {
	t := timetable{spec: &job.Spec{Schedule: s}, most: max(1, steps.left)}
	w, err := t.walk(slot, now)
	if err != nil {
		return job.Gap{}, err
	}
	steps.left -= w.steps
	gap := job.Gap{From: slot, To: w.latest, Count: w.passed + 1}
	if !w.arrived {
		gap.Count++ // the next one, which is there too
		gap.To, err = t.last(w.next, now)
	}
	return gap, err
}

// last is the last slot that is not after now, from one on that is not either. It is
// found by halving: the slots between are not stepped over.
func (t timetable) last(slot, now time.Time) (time.Time, error) {
	for end := now; slot.Before(end); {
		middle := slot.Add(end.Sub(slot) / 2)
		next, ok, err := t.next(middle)
		switch {
		case err != nil:
			return time.Time{}, err
		case ok && !next.After(now):
			slot = next
		default:
			end = middle
		}
	}
	return slot, nil
}
