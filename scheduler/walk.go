package scheduler

import (
	"cmp"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// maxWalk bounds the slots of one cron job that are stepped over in one
// plan: 5000 one-minute slots are three and a half days.
const maxWalk = 5000

// walked is how far a walk over the slots of a timetable came.
type walked struct {
	latest  time.Time // the last slot that is due by the walk's end
	before  time.Time // the one before latest; zero if latest is the first
	next    time.Time // the first slot after latest; zero if there is none
	passed  int       // how many slots precede latest
	steps   int       // what the walk cost
	arrived bool      // latest is final: next is not due by the walk's end, or there is none
}

// gap is the plan that fires nothing of what was walked, from the slot on.
func (w walked) gap(slot time.Time) slotPlan {
	return slotPlan{
		next: w.next, trigger: job.TriggerCatchup, steps: w.steps,
		missed: job.Gap{From: slot, To: w.latest, Count: w.passed + 1},
	}
}

// walk goes from slot, which is due, to the latest one that is due by end.
func (t timetable) walk(slot, end time.Time) (walked, error) {
	if t.spec.Schedule.Interval != 0 {
		return t.leap(slot, end)
	}
	w, most := walked{latest: slot}, cmp.Or(t.most, maxWalk)
	for {
		next, ok, err := t.next(w.latest)
		if err != nil {
			return walked{}, err
		}
		w.steps++
		w.next = next
		due := false
		if ok {
			if due, err = t.isDue(next, end); err != nil {
				return walked{}, err
			}
		}
		w.arrived = !due
		if w.arrived || w.steps == most {
			return w, nil
		}
		w.before, w.latest = w.latest, next
		w.passed++
	}
}

// leap is walk for intervals, by arithmetic.
func (t timetable) leap(slot, end time.Time) (walked, error) {
	second, ok, err := t.next(slot)
	if err != nil {
		return walked{}, err
	}
	w := walked{latest: slot, next: second, steps: 1, arrived: true}
	if !ok {
		return w, nil
	}
	at := func(n int) time.Time { return second.Add(time.Duration(n-1) * t.spec.Schedule.Interval) }
	if w.passed, err = t.count(second, end, at); err != nil || w.passed == 0 {
		return w, err
	}
	w.latest, w.before = at(w.passed), slot
	if w.passed > 1 {
		w.before = at(w.passed - 1)
	}
	w.next, _, err = t.next(w.latest)
	return w, err
}

// count is how many slots of an interval, from second on, are due by end. Each is
// due before the next one, so that all but the last one until then are.
func (t timetable) count(second, end time.Time, at func(n int) time.Time) (int, error) {
	last := end
	if endAt := t.spec.Schedule.EndAt; !endAt.IsZero() && endAt.Before(last) {
		last = endAt
	}
	if second.After(last) {
		return 0, nil
	}
	n := int(last.Sub(second)/t.spec.Schedule.Interval) + 1
	due, err := t.isDue(at(n), end)
	if !due {
		n--
	}
	return n, err
}
