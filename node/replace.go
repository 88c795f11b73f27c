package node

import (
	"context"
	"time"

	"github.com/cronraft/cronraft/fsm"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/scheduler"
)

// planPatience is how long an edit waits for a slot that is already due to be
// planned, and planInterval how often it looks.
const (
	planPatience = time.Second
	planInterval = 5 * time.Millisecond
)

// replacement is the part of a log entry that makes of a job what an edit wants. To
// plan a slot that is due takes but a moment as a rule, and until the time of its
// patience the edit waits for one that it would give up, which [job.ErrStale] tells.
func (d definitions) replacement(ctx context.Context, before, after job.Job, patience time.Time) (put job.PutJob, err error) {
	now := d.n.instant()
	after.UpdatedAt = now
	decided, err := d.n.store.LastSlot(before.ID)
	if err != nil {
		return job.PutJob{}, err
	}
	// It is later than now if the clock was set back: an edit must not make those slots
	// due once more.
	s := settling{job: &after, before: &before, now: now, decided: latest(decided, before.GivenUp.Until)}
	if err := s.settle(); err != nil {
		return job.PutJob{}, err
	}
	if after.Target.Headers, err = sealHeaders(d.n.cfg.Secret, after.ID, after.Target.Headers); err != nil {
		return job.PutJob{}, err
	}
	put = job.PutJob{Job: after}
	switch isShifted := after.Jitter != before.Jitter; {
	case !before.GivenUp.From.IsZero():
		put.Due = before.GivenUp.From
		put.Missed, err = scheduler.Missed(before.Schedule, put.Due, before.GivenUp.Until, d.steps)
	case !s.rescheduled() && after.State == before.State && !isShifted:
		put.KeepNextRun = true
	case s.goesOn() && after.State == job.Active:
		put.Due = before.NextRunAt // only if it is that slot whose due time was decided
	default:
		put.Due, put.Missed, err = d.givenUp(ctx, before, now, patience)
	}
	return put, err
}

// givenUp is the gap that an edit of the schedule leaves: the slots that have come,
// and that nobody has planned. It waits once, for a slot that is hardly late: a job
// that catches up always has another one, and one with jitter may be due long after
// its slot.
func (d definitions) givenUp(ctx context.Context, before job.Job, now, patience time.Time) (due time.Time, missed job.Gap, err error) {
	slot := before.NextRunAt
	if slot.IsZero() || slot.After(now) {
		return time.Time{}, job.Gap{}, nil
	}
	late := now.Sub(latest(slot, before.NextDueAt))
	if late >= 0 && late < planPatience && d.isPlanned(ctx, before.ID, slot, patience) {
		return time.Time{}, job.Gap{}, job.ErrStale
	}
	if d.n.store.LogVersion() < fsm.VersionOf(job.PutJobs{Jobs: []job.PutJob{{Due: slot}}}) {
		return time.Time{}, job.Gap{}, nil
	}
	missed, err = scheduler.Missed(before.Schedule, slot, now, d.steps)
	return slot, missed, err
}

// isPlanned reports whether the slot gets planned before the patience ends.
func (d definitions) isPlanned(ctx context.Context, id job.ID, slot, patience time.Time) bool {
	for time.Now().Before(patience) {
		if j, err := d.n.store.Job(id); err != nil || !j.NextRunAt.Equal(slot) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(planInterval):
		}
	}
	return false
}
