package scheduler

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	// misfireGrace is how late a slot may be and still be planned as if it were
	// on time, each in its order. It covers an election.
	misfireGrace = 10 * time.Second

	// maxWalk bounds the slots of one cron job that are stepped over in one
	// decision: 5000 one-minute slots are three and a half days.
	maxWalk = 5000
)

// slotPlan is what becomes of a due slot, before a node is chosen.
type slotPlan struct {
	next    time.Time // zero: the schedule has no further slot
	fire    time.Time // zero: nothing of the gap is executed
	trigger job.Trigger
	missed  job.Gap
	steps   int // slots that were stepped over one by one
}

// planSlot decides about a slot that is due. On time, or within the grace: it is
// fired. Later (FIRE_ONCE): the latest slot that is due is fired as catch-up, and
// those before it are a gap. A gap too long to walk at once is recorded as
// far as it was walked, and the next plan goes on from there.
func planSlot(s job.Schedule, slot, now time.Time) (slotPlan, error) {
	if now.Sub(slot) <= misfireGrace {
		next, _, err := Next(s, slot)
		return slotPlan{next: next, fire: slot, trigger: job.TriggerScheduled}, err
	}
	w, err := walk(s, slot, now)
	if err != nil {
		return slotPlan{}, err
	}
	p := slotPlan{next: w.next, fire: w.latest, trigger: job.TriggerCatchup, steps: w.steps}
	switch {
	case !w.arrived:
		p.fire = time.Time{}
		p.missed = job.Gap{From: slot, To: w.latest, Count: w.passed + 1}
	case w.passed > 0:
		p.missed = job.Gap{From: slot, To: w.before, Count: w.passed}
	}
	return p, nil
}

// walked is how far a walk over the slots of a schedule came.
type walked struct {
	latest  time.Time // the last slot that is not after now
	before  time.Time // the one before latest; zero if latest is the first
	next    time.Time // the first slot after latest; zero if there is none
	passed  int       // how many slots precede latest
	steps   int       // what the walk cost
	arrived bool      // latest is final: next is after now, or there is none
}

// walk goes from slot to the latest slot that is not after now.
func walk(s job.Schedule, slot, now time.Time) (walked, error) {
	if s.Cron == "" {
		return leap(s, slot, now)
	}
	w := walked{latest: slot}
	for {
		next, ok, err := Next(s, w.latest)
		if err != nil {
			return walked{}, err
		}
		w.steps++
		w.next = next
		w.arrived = !ok || next.After(now)
		if w.arrived || w.steps == maxWalk {
			return w, nil
		}
		w.before, w.latest = w.latest, next
		w.passed++
	}
}

// leap is walk for intervals, by arithmetic.
func leap(s job.Schedule, slot, now time.Time) (walked, error) {
	second, err := nextMultiple(s.Interval, slot)
	if err != nil {
		return walked{}, err
	}
	w := walked{latest: slot, next: second, steps: 1, arrived: true}
	if second.After(now) {
		return w, nil
	}
	further := now.Sub(second) / s.Interval
	w.latest = second.Add(further * s.Interval)
	w.next = w.latest.Add(s.Interval)
	w.passed = int(further) + 1
	if w.before = w.latest.Add(-s.Interval); further == 0 {
		w.before = slot
	}
	return w, nil
}
