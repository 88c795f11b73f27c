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

// planSlot decides about a slot that is due, as the job's misfire policy says. A
// gap too long to walk at once is recorded as far as it was walked, and the next
// plan goes on from there.
func planSlot(spec *job.Spec, slot, now time.Time) (slotPlan, error) {
	late := now.Sub(slot)
	window := max(spec.CatchupWindow, misfireGrace)
	switch {
	case spec.Misfire == job.MisfireFireAll && late > window:
		return giveUp(spec.Schedule, slot, now.Add(-window))
	case spec.Misfire == job.MisfireFireAll && late > replayGrace:
		return fire(spec.Schedule, slot, job.TriggerCatchup)
	case late <= misfireGrace:
		return fire(spec.Schedule, slot, job.TriggerScheduled)
	case spec.Misfire == job.MisfireSkip:
		return giveUp(spec.Schedule, slot, now.Add(-misfireGrace))
	default:
		return fireLatest(spec.Schedule, slot, now, window)
	}
}

// fire fires the slot as itself.
func fire(s job.Schedule, slot time.Time, trigger job.Trigger) (slotPlan, error) {
	next, _, err := Next(s, slot)
	return slotPlan{next: next, fire: slot, trigger: trigger}, err
}

// giveUp fires none of the slots before the given time. The slot is one of them.
func giveUp(s job.Schedule, slot, before time.Time) (slotPlan, error) {
	w, err := walk(s, slot, before.Add(-1))
	if err != nil {
		return slotPlan{}, err
	}
	return w.gap(slot), nil
}

// fireLatest fires the latest slot that is due as catch-up, unless it is older
// than the window. The other slots are a gap.
func fireLatest(s job.Schedule, slot, now time.Time, window time.Duration) (slotPlan, error) {
	w, err := walk(s, slot, now)
	if err != nil {
		return slotPlan{}, err
	}
	if !w.arrived || now.Sub(w.latest) > window {
		return w.gap(slot), nil
	}
	p := slotPlan{next: w.next, fire: w.latest, trigger: job.TriggerCatchup, steps: w.steps}
	if w.passed > 0 {
		p.missed = job.Gap{From: slot, To: w.before, Count: w.passed}
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
// executions may overlap, a few go at a time.
func mustWait(overlap job.OverlapPolicy, trigger job.Trigger, open []job.Open) bool {
	late := trigger == job.TriggerCatchup
	catchups := 0
	for _, o := range open {
		if o.Trigger == job.TriggerCatchup {
			catchups++
		}
	}
	switch {
	case overlap == job.OverlapAllow:
		return late && catchups >= maxReplays
	case late:
		return len(open) > 0
	default:
		return catchups > 0
	}
}

// Missed is the gap from a slot that is due to the last one that is not after
// now: what an edit gives up that takes effect before they are planned.
func Missed(s job.Schedule, slot, now time.Time) (job.Gap, error) {
	gap := job.Gap{From: slot}
	for {
		w, err := walk(s, slot, now)
		if err != nil {
			return job.Gap{}, err
		}
		gap.To = w.latest
		gap.Count += w.passed + 1
		if w.arrived {
			return gap, nil
		}
		slot = w.next
	}
}

// walked is how far a walk over the slots of a schedule came.
type walked struct {
	latest  time.Time // the last slot that is not after the walk's end
	before  time.Time // the one before latest; zero if latest is the first
	next    time.Time // the first slot after latest; zero if there is none
	passed  int       // how many slots precede latest
	steps   int       // what the walk cost
	arrived bool      // latest is final: next is after the walk's end, or there is none
}

// gap is the plan that fires nothing of what was walked, from the slot on.
func (w walked) gap(slot time.Time) slotPlan {
	return slotPlan{
		next: w.next, trigger: job.TriggerCatchup, steps: w.steps,
		missed: job.Gap{From: slot, To: w.latest, Count: w.passed + 1},
	}
}

// walk goes from slot to the latest slot that is not after end.
func walk(s job.Schedule, slot, end time.Time) (walked, error) {
	if s.Cron == "" {
		return leap(s, slot, end)
	}
	w := walked{latest: slot}
	for {
		next, ok, err := Next(s, w.latest)
		if err != nil {
			return walked{}, err
		}
		w.steps++
		w.next = next
		w.arrived = !ok || next.After(end)
		if w.arrived || w.steps == maxWalk {
			return w, nil
		}
		w.before, w.latest = w.latest, next
		w.passed++
	}
}

// leap is walk for intervals, by arithmetic.
func leap(s job.Schedule, slot, end time.Time) (walked, error) {
	second, err := nextMultiple(s.Interval, slot)
	if err != nil {
		return walked{}, err
	}
	w := walked{latest: slot, next: second, steps: 1, arrived: true}
	if second.After(end) {
		return w, nil
	}
	further := end.Sub(second) / s.Interval
	w.latest = second.Add(further * s.Interval)
	w.next = w.latest.Add(s.Interval)
	w.passed = int(further) + 1
	if w.before = w.latest.Add(-s.Interval); further == 0 {
		w.before = slot
	}
	return w, nil
}
