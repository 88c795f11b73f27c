package scheduler

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	// misfireGrace is how late a slot may be and still be planned as if it were
	// on time, each in its order. It covers an election.
	misfireGrace = 10 * time.Second

	// replayGrace is the same for a job that fires each missed slot: it is shorter,
	// for what is on time is not paced.
	replayGrace = 2 * time.Second

	// maxReplays is how many catch-up executions of a job are open at a time that
	// fires each missed slot, and lets its executions overlap.
	maxReplays = 10
)

// slotPlan is what becomes of a due slot, before a node is chosen.
type slotPlan struct {
	next    time.Time // zero: the schedule has no further slot
	nextDue time.Time
	fire    time.Time // zero: nothing of the gap is executed
	fireDue time.Time
	trigger job.Trigger
	missed  job.Gap
	steps   int // slots that were stepped over one by one
}

// planSlot decides about the job's next slot, which is due, as its misfire policy
// says. Slots are late from when they were due. A gap too long to walk at once is
// recorded as far as it was walked, and the next plan goes on from there.
func planSlot(j *job.Job, now time.Time) (slotPlan, error) {
	t, slot, due := timetable{id: j.ID, spec: &j.Spec}, j.NextRunAt, nextDue(j)
	p, err := t.decide(slot, due, now)
	if err != nil {
		return p, err
	}
	if !p.next.IsZero() {
		if p.nextDue, err = t.dueAt(p.next); err != nil {
			return p, err
		}
	}
	switch {
	case p.fire.IsZero():
	case p.fire.Equal(slot):
		p.fireDue = due
	default:
		p.fireDue, err = t.dueAt(p.fire)
	}
	return p, err
}

// decide is planSlot without the times at which slots are due.
func (t timetable) decide(slot, due, now time.Time) (slotPlan, error) {
	late := now.Sub(due)
	window := max(t.spec.CatchupWindow, misfireGrace)
	switch {
	case t.spec.Misfire == job.MisfireFireAll && late > window:
		return t.giveUp(slot, now.Add(-window))
	case t.spec.Misfire == job.MisfireFireAll && late > replayGrace:
		return t.fire(slot, job.TriggerCatchup)
	case late <= misfireGrace:
		return t.fire(slot, job.TriggerScheduled)
	case t.spec.Misfire == job.MisfireSkip:
		return t.giveUp(slot, now.Add(-misfireGrace))
	default:
		return t.fireLatest(slot, now, window)
	}
}

// fire fires the slot as itself.
func (t timetable) fire(slot time.Time, trigger job.Trigger) (slotPlan, error) {
	next, _, err := t.next(slot)
	return slotPlan{next: next, fire: slot, trigger: trigger}, err
}

// giveUp fires none of the slots that were due before the given time. The slot is
// one of them.
func (t timetable) giveUp(slot, before time.Time) (slotPlan, error) {
	w, err := t.walk(slot, before.Add(-1))
	if err != nil {
		return slotPlan{}, err
	}
	return w.gap(slot), nil
}

// fireLatest fires the latest slot that is due as catch-up, unless it was due
// before the window. The other slots are a gap.
func (t timetable) fireLatest(slot, now time.Time, window time.Duration) (slotPlan, error) {
	w, err := t.walk(slot, now)
	if err != nil {
		return slotPlan{}, err
	}
	inWindow, err := t.isDueSince(w.latest, now.Add(-window))
	if err != nil {
		return slotPlan{}, err
	}
	if !w.arrived || !inWindow {
		return w.gap(slot), nil
	}
	p := slotPlan{next: w.next, fire: w.latest, trigger: job.TriggerCatchup, steps: w.steps}
	if w.passed > 0 {
		p.missed = job.Gap{From: slot, To: w.before, Count: w.passed}
	}
	return p, nil
}

// planGivenUp records what the job gave up when it paused itself: slots that had
// come, due or not.
func planGivenUp(j *job.Job) (slotPlan, error) {
	t := timetable{spec: &job.Spec{Schedule: j.Schedule}}
	w, err := t.walk(j.GivenUp.From, j.GivenUp.Until)
	if err != nil {
		return slotPlan{}, err
	}
	p := w.gap(j.GivenUp.From)
	if w.arrived {
		p.next = time.Time{}
	}
	return p, nil
}

// isPaced reports whether the plan has to keep step with the job's executions: it
// fires a slot of a job that fires each missed one.
func isPaced(spec *job.Spec, p slotPlan) bool {
	return spec.Misfire == job.MisfireFireAll && !p.fire.IsZero()
}

// mustWait reports whether a slot of a paced job waits for the job's open
// executions. Missed slots go one by one, or they would trip over the overlap
// policy of their own job; so does one that is on time, over a missed one. Where
// executions may overlap, a few go at a time. A backfill holds up nothing: what the
// schedule asks for goes before it.
func mustWait(overlap job.OverlapPolicy, trigger job.Trigger, open []job.Open) bool {
	late := trigger == job.TriggerCatchup
	running, catchups := 0, 0
	for _, o := range open {
		if o.Trigger != job.TriggerBackfill {
			running++
		}
		if o.Trigger == job.TriggerCatchup {
			catchups++
		}
	}
	switch {
	case overlap == job.OverlapAllow:
		return late && catchups >= maxReplays
	case late:
		return running > 0
	default:
		return catchups > 0
	}
}
