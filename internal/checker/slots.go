package checker

import (
	"sort"
	"time"
)

// checkSlots asks whether each slot that was surely due has one record, and
// whether what has a record, or was fired, may have been due.
func (r *run) checkSlots(j *job) {
	for _, x := range j.executions {
		if x.isOfSlot() {
			r.checkDuty(x)
		}
	}
	r.checkDoubled(j)
	if j.final != nil {
		r.checkMissing(j)
	}
}

// checkDuty wants the slot of an execution to be one that may have been due.
func (r *run) checkDuty(x *execution) {
	slot, t := x.slot(), &x.job.timeline
	if t.any(slot, slot, func(s *state) bool { return s.isActive && r.isSlot(s, slot) }) {
		return
	}
	isFired := len(x.deliveries) > 0 || x.result() != resultSkipped
	existed := t.index(slot) >= 0
	exists := t.any(slot, slot, func(s *state) bool { return s.exists })
	switch {
	case isFired && t.any(slot, slot, func(s *state) bool { return r.isSlot(s, slot) }):
		r.violate(FiredWhilePaused, x.job, x, slot, "the slot falls into a pause, and was fired")
	case isFired && existed && !exists:
		r.violate(FiredAfterDelete, x.job, x, slot, "the slot falls after the job's end, and was fired")
	case x.record == nil:
		r.violate(PhantomDelivery, x.job, x, slot, "a request for a slot that was not due")
	default:
		r.violate(PhantomRecord, x.job, x, slot, "a %s record of a slot that was not due", x.record.Result)
	}
}

// checkDoubled wants no slot to have two records.
func (r *run) checkDoubled(j *job) {
	var last *execution
	for _, x := range j.executions {
		if x.record == nil || !x.isOfSlot() {
			continue
		}
		if last != nil && last.slot().Equal(x.slot()) {
			r.violate(DoubledSlot, j, x, x.slot(), "execution %s has the same slot", last.id)
		}
		if g := j.gapAt(x.slot()); g != nil {
			r.violate(DoubledSlot, j, x, x.slot(), "the gap %s (%s to %s) has the same slot", g.ID, clock(g.MissedFrom), clock(g.MissedTo))
		}
		last = x
	}
	for i := 1; i < len(j.gaps); i++ {
		if a, b := j.gaps[i-1], j.gaps[i]; !b.MissedFrom.After(a.MissedTo) {
			r.violate(DoubledSlot, j, nil, b.MissedFrom, "the gaps %s and %s overlap", a.ID, b.ID)
		}
	}
}

// gapAt is the gap that an instant falls into; nil if there is none.
func (j *job) gapAt(t time.Time) *Record {
	i := sort.Search(len(j.gaps), func(i int) bool { return j.gaps[i].MissedFrom.After(t) }) - 1
	if i < 0 || j.gaps[i].MissedTo.Before(t) {
		return nil
	}
	return j.gaps[i]
}

// checkMissing wants a record for each slot that was surely due.
func (r *run) checkMissing(j *job) {
	recorded := map[int64]bool{}
	for _, x := range j.executions {
		if x.record != nil && x.isOfSlot() {
			recorded[x.slot().Unix()] = true
		}
	}
	for i, p := range j.timeline.pieces {
		s, ok := j.timeline.duty(p.from, p.from)
		if !ok {
			continue
		}
		end := r.history.Settled.Add(1)
		if i+1 < len(j.timeline.pieces) {
			end = earlier(end, j.timeline.pieces[i+1].from)
		}
		set, _ := r.almanac.slots(s) // read before, or the timeline were vague
		set.each(later(p.from, j.cut), end, func(slot time.Time) {
			r.report.Stats.Slots++
			if !recorded[slot.Unix()] && j.gapAt(slot) == nil {
				r.report.Stats.Missing++
				r.violate(MissingSlot, j, nil, slot, "the slot was due and has no record")
			}
		})
	}
}

// checkTiming asks whether an execution came when it should, and is called what
// it is.
func (r *run) checkTiming(x *execution) {
	if !x.isOfSlot() {
		if t := x.trigger(); t != triggerManual && t != triggerBackfill {
			r.violate(WrongTrigger, x.job, x, x.slot(), "the trigger is %q", t)
		}
		return
	}
	slot := x.slot()
	began := x.firstRequest()
	if !began.IsZero() && began.Before(slot.Add(-r.shadows.tolerance(began))) {
		r.violate(FiredEarly, x.job, x, slot, "requested at %s", clock(began))
	}
	if x.record == nil {
		return
	}
	r.checkTrigger(x)
	r.checkLateness(x, began)
}

// decided is when the decision about a slot was made, at the latest, and whether
// that is the very instant: the records of what is not executed tell it.
func (x *execution) decided() (at time.Time, isExact bool) {
	if x.record.Result == resultSkipped && !x.record.FinishedAt.IsZero() {
		return x.record.FinishedAt, true
	}
	return x.firstRequest(), false
}

// checkTrigger wants CATCHUP for late slots only, and for all of them.
func (r *run) checkTrigger(x *execution) {
	slot := x.slot()
	at, isExact := x.decided()
	if at.IsZero() {
		return
	}
	late, tolerance := at.Sub(slot), r.shadows.toleranceIn(slot, at)
	if x.record.Trigger == triggerScheduled {
		isDelayed := !isExact && (r.shadows.slow.touches(slot, at) || r.mayWait(x, at)) && !r.wasUnplanned(slot)
		if late > r.limits.Grace+tolerance && !isDelayed {
			r.violate(WrongTrigger, x.job, x, slot, "SCHEDULED, and %v late", late)
		}
		return
	}
	grace := r.limits.Grace
	if x.job.timeline.any(slot.Add(-tolerance), at, isMisfire(misfireFireAll)) {
		grace = r.limits.Late
	}
	_, hasGap, known := r.gapBefore(x)
	if late < grace-tolerance && known && !hasGap {
		r.violate(WrongTrigger, x.job, x, slot, "CATCHUP, and only %v late", late)
	}
}

// wasUnplanned reports whether a slot surely was not planned within the grace. A
// fault may be noted a little before it begins, and long after it ends.
func (r *run) wasUnplanned(slot time.Time) bool {
	return r.shadows.headless.covers(slot.Add(-lead), slot.Add(r.limits.Grace+r.limits.Recovery))
}

// mayWait reports whether an execution may have had to wait for another one.
func (r *run) mayWait(x *execution, at time.Time) bool {
	return x.job.timeline.any(x.slot().Add(-r.shadows.tolerance(x.slot())), at, func(s *state) bool {
		return s.overlap == overlapBufferOne || s.overlap == overlapCancelPrevious
	})
}

// checkLateness wants the first request to come soon, where no fault is near and
// nothing else has to be waited for.
func (r *run) checkLateness(x *execution, began time.Time) {
	slot := x.slot()
	if r.limits.MaxLateness == 0 || began.IsZero() {
		return
	}
	late, limit := began.Sub(slot), r.limits.MaxLateness+r.limits.ClockTolerance
	if x.job.timeline.any(slot, began, isMisfire(misfireFireAll)) { // it may have waited behind a late one
		if limit += r.limits.Late; x.record.Trigger == triggerCatchup {
			return
		}
	}
	if late > limit && !r.mayWait(x, began) && !r.shadows.slow.touches(slot, began) {
		r.violate(TooLate, x.job, x, slot, "requested %v after its slot, and no fault was near", late)
	}
}
