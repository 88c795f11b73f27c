package scheduler

import (
	"math/bits"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// DueAt is when a slot of a job is to be fired: the slot, and the job's share of its
// jitter. The share is a part of the jitter, or of the time to the next slot if that
// is shorter, so that each slot is due before the next one. It follows from the job's
// ID alone: it is the same for each slot and on every leader. The errors are those of
// [Next].
func DueAt(id job.ID, spec *job.Spec, slot time.Time) (time.Time, error) {
	if spec.Jitter <= 0 {
		return slot, nil
	}
	span := spec.Jitter
	next, ok, err := Next(spec.Schedule, slot)
	if err != nil {
		return time.Time{}, err
	}
	if ok {
		span = min(span, next.Sub(slot))
	}
	return slot.Add(share(id, span)), nil
}

// share is the job's part of a span, in whole milliseconds and shorter than the
// span. It may never change: the slots of every job would move.
func share(id job.ID, span time.Duration) time.Duration {
	part, _ := bits.Mul64(mix(uint64(id)), uint64(span.Milliseconds()))
	return time.Duration(part) * time.Millisecond
}

// mix spreads numbers, neighbours included, evenly: the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// nextDue is when the job's next slot is due. Jobs from before there was jitter have
// no NextDueAt.
func nextDue(j *job.Job) time.Time {
	if j.NextDueAt.IsZero() {
		return j.NextRunAt
	}
	return j.NextDueAt
}

// timetable says when the slots of a job are due.
type timetable struct {
	id   job.ID
	spec *job.Spec
	// most bounds the steps of one walk; zero stands for maxWalk.
	most int
}

func (t timetable) dueAt(slot time.Time) (time.Time, error) { return DueAt(t.id, t.spec, slot) }

func (t timetable) next(slot time.Time) (time.Time, bool, error) {
	return Next(t.spec.Schedule, slot)
}

// isDueSince reports whether a slot was due at a time or after it.
func (t timetable) isDueSince(slot, at time.Time) (bool, error) {
	due, err := t.dueAt(slot)
	return !due.Before(at), err
}

// isDue reports whether a slot is due at a time.
func (t timetable) isDue(slot, at time.Time) (bool, error) {
	switch {
	case slot.After(at):
		return false, nil
	case !slot.Add(t.spec.Jitter).After(at):
		return true, nil
	}
	due, err := t.dueAt(slot)
	return !due.After(at), err
}
