package checker

import (
	"sort"
	"time"
)

func isMisfire(policy string) func(*state) bool {
	return func(s *state) bool { return s.exists && s.misfire == policy }
}

// gap is a MISSED record that no edit made.
type gap struct {
	*Record
	job   *job
	slots *slotSet // of the schedule that was in force until the gap was recorded
}

// checkGaps asks whether each gap is one, and has a reason.
func (r *run) checkGaps(j *job) {
	for _, record := range j.gaps {
		r.report.Stats.Missed += record.MissedCount
		if j.timeline.isVague || !r.checkBounds(j, record) {
			continue
		}
		if g, ok := r.readGap(j, record); ok {
			r.checkReason(g)
			r.checkGivenUp(g)
		}
	}
}

// checkBounds wants a gap to begin and end with slots of one schedule that may
// have been in force all the time, and to count those between.
func (r *run) checkBounds(j *job, g *Record) bool {
	isDue := func(s *state) bool {
		return s.isActive && r.isSlot(s, g.MissedFrom) &&
			j.timeline.any(g.MissedTo, g.MissedTo, func(end *state) bool { return end.isActive && end.schedule == s.schedule })
	}
	if !j.timeline.any(g.MissedFrom, g.MissedFrom, isDue) {
		r.violate(PhantomRecord, j, nil, g.MissedFrom, "the gap %s from %s to %s (%d) is of no schedule that was in force",
			g.ID, clock(g.MissedFrom), clock(g.MissedTo), g.MissedCount)
		return false
	}
	isRight := func(s *state) bool {
		if !isDue(s) || !r.isSlot(s, g.MissedTo) {
			return false
		}
		set, _ := r.almanac.slots(s.schedule) // read by isSlot
		return set.count(g.MissedFrom, g.MissedTo) == g.MissedCount
	}
	if g.MissedTo.Before(g.MissedFrom) || !g.ScheduledAt.Equal(g.MissedFrom) || !j.timeline.any(g.MissedFrom, g.MissedFrom, isRight) {
		r.violate(MissedWrong, j, nil, g.MissedFrom, "the gap %s from %s to %s does not have %d slots",
			g.ID, clock(g.MissedFrom), clock(g.MissedTo), g.MissedCount)
		return false
	}
	return true
}

// readGap finds out whether the job's schedule and state were surely the same
// from a gap's begin until it was recorded: else an edit may have given the slots
// up. FinishedAt tells when that was.
func (r *run) readGap(j *job, record *Record) (*gap, bool) {
	if record.FinishedAt.IsZero() {
		return nil, false
	}
	tolerance := r.shadows.toleranceIn(record.MissedFrom, record.FinishedAt)
	s, ok := j.timeline.duty(record.MissedFrom.Add(-tolerance), record.FinishedAt.Add(tolerance))
	if !ok {
		return nil, false
	}
	set, err := r.almanac.slots(s)
	return &gap{Record: record, job: j, slots: set}, err == nil
}

// checkReason wants a gap's first slot to have been late beyond the grace, and a
// fault that made it so. Slots that waited behind others of FIRE_ALL need none.
func (r *run) checkReason(g *gap) {
	if g.job.timeline.any(g.MissedFrom, g.FinishedAt, isMisfire(misfireFireAll)) {
		return
	}
	tolerance := r.shadows.toleranceIn(g.MissedFrom, g.FinishedAt)
	if late := g.FinishedAt.Sub(g.MissedFrom); late < r.limits.Grace-tolerance {
		r.violate(MissedUnexcused, g.job, nil, g.MissedFrom, "the gap %s was given up when its first slot was only %v late", g.ID, late)
		return
	}
	if !r.shadows.outages.covers(g.MissedFrom, g.MissedFrom.Add(r.limits.Grace-2*tolerance)) {
		r.violate(MissedUnexcused, g.job, nil, g.MissedFrom, "no fault kept the first slot of the gap %s (%d slots) from being planned", g.ID, g.MissedCount)
	}
}

// checkGivenUp wants the last slot of a gap to be one that its policy does not
// fire.
func (r *run) checkGivenUp(g *gap) {
	if r.shadows.toleranceIn(g.MissedFrom, g.FinishedAt) > r.limits.ClockTolerance {
		return // by some clock it may have been older
	}
	isPolicy := func(policy string) bool { return g.job.timeline.all(g.MissedFrom, g.FinishedAt, isMisfire(policy)) }
	_, window, ok := g.job.timeline.bounds(g.MissedFrom, g.FinishedAt, catchupWindow)
	age := g.FinishedAt.Sub(g.MissedTo)
	switch {
	case !ok:
	case isPolicy(misfireFireAll) && age < seconds(window)-r.limits.ClockTolerance:
		r.violate(MisfireBroken, g.job, nil, g.MissedTo, "FIRE_ALL gave up the gap %s, whose last slot was only %v old", g.ID, age)
	case isPolicy(misfireFireOnce):
		r.checkLatest(g, seconds(window))
	}
}

// checkLatest wants FIRE_ONCE to have fired the slot after a gap, or the gap's
// last slot to be out of the window. The slot after a gap that was itself caught
// up on, or missed, was part of the same decision.
func (r *run) checkLatest(g *gap, window time.Duration) {
	next, ok := g.slots.next(g.MissedTo)
	if !ok || g.job.gapAt(next) != nil {
		return
	}
	if x := g.job.at(next); x != nil && x.record.Trigger == triggerCatchup {
		return
	}
	tolerance := r.limits.ClockTolerance
	if !g.FinishedAt.Before(next.Add(-tolerance)) {
		return // a gap too long for one decision, and the slot after it was not too late
	}
	if age := g.FinishedAt.Sub(g.MissedTo); age < window-tolerance {
		r.violate(MisfireBroken, g.job, nil, g.MissedTo, "FIRE_ONCE did not fire the latest slot of the gap %s, which was %v old", g.ID, age)
	}
}

func catchupWindow(s *state) int { return s.catchupSeconds }

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// at is the execution of a slot that has a record; nil if there is none.
func (j *job) at(slot time.Time) *execution {
	i := sort.Search(len(j.executions), func(i int) bool { return !j.executions[i].slot().Before(slot) })
	for ; i < len(j.executions) && j.executions[i].slot().Equal(slot); i++ {
		if x := j.executions[i]; x.record != nil && x.isOfSlot() {
			return x
		}
	}
	return nil
}

// gapBefore is the gap that ends with the slot before that of x. Known is false
// if it cannot be told whether there is one.
func (r *run) gapBefore(x *execution) (g *Record, has, known bool) {
	j, slot := x.job, x.slot()
	s, ok := j.timeline.duty(slot, slot)
	if !ok || !j.cut.IsZero() && !slot.After(j.cut) {
		return nil, false, false
	}
	i := sort.Search(len(j.gaps), func(i int) bool { return !j.gaps[i].MissedTo.Before(slot) }) - 1
	if i < 0 {
		return nil, false, true
	}
	set, _ := r.almanac.slots(s) // in force, so it was read
	g = j.gaps[i]
	has = set.count(g.MissedTo.Add(1), slot.Add(-1)) == 0
	return g, has, true
}

// checkCatchups asks whether the slots that were caught up on are those that the
// policy says.
func (r *run) checkCatchups(j *job) {
	var last *execution // the one before that FIRE_ALL caught up on
	for _, x := range j.executions {
		if x.record == nil || x.record.Trigger != triggerCatchup {
			continue
		}
		r.report.Stats.Catchup++
		slot := x.slot()
		at, _ := x.decided()
		if at.IsZero() || r.shadows.toleranceIn(slot, at) > r.limits.ClockTolerance {
			continue
		}
		from, to := slot.Add(-r.limits.ClockTolerance), at.Add(r.limits.ClockTolerance)
		r.checkAge(x, from, to)
		switch {
		case j.timeline.all(from, to, isMisfire(misfireSkip)):
			r.violate(MisfireBroken, j, x, slot, "SKIP fired a late slot")
		case j.timeline.all(from, to, isMisfire(misfireFireOnce)):
			r.checkIsLatest(x)
		case j.timeline.all(from, to, isMisfire(misfireFireAll)):
			r.checkOrder(last, x, to)
			last = x
		}
	}
}

// checkAge wants a slot that was caught up on to be within the window, or the
// grace. A decision that is not known was made shortly before the first request.
func (r *run) checkAge(x *execution, from, to time.Time) {
	at, isExact := x.decided()
	if !isExact && r.mayWait(x, at) {
		return
	}
	slot := x.slot()
	most, _, ok := x.job.timeline.bounds(from, to, catchupWindow)
	window := max(seconds(most), r.limits.Grace)
	limit := slot.Add(window + r.limits.ClockTolerance)
	if !isExact {
		limit = limit.Add(r.limits.Grace)
	}
	if ok && at.After(limit) && (isExact || !r.shadows.slow.touches(slot.Add(window), at)) {
		r.violate(MisfireBroken, x.job, x, slot, "caught up on %v after the slot, with a window of %d s", at.Sub(slot), most)
	}
}

// checkIsLatest wants the slot that FIRE_ONCE caught up on to be the latest one
// that was due. It was not if the slot after it was due before this one can have
// been decided: at the earliest with the gap before it, or when it was late
// beyond the grace.
func (r *run) checkIsLatest(x *execution) {
	slot := x.slot()
	next, ok := r.nextSlot(x.job, slot)
	g, hasGap, known := r.gapBefore(x)
	if !ok || !known {
		return
	}
	tolerance := r.limits.ClockTolerance
	decided := slot.Add(r.limits.Grace)
	if hasGap {
		decided = g.FinishedAt // zero: any time after the slot
	}
	if next.Before(decided.Add(-tolerance)) {
		r.violate(MisfireBroken, x.job, x, slot, "FIRE_ONCE fired a slot though the next one, %s, was due too", clock(next))
		return
	}
	after := x.job.at(next)
	isLate := x.job.gapAt(next) != nil || after != nil && after.record.Trigger == triggerCatchup
	if isLate && r.shadows.steady(slot, next.Add(r.limits.Grace)) {
		r.violate(MisfireBroken, x.job, x, slot, "FIRE_ONCE fired a slot, and the next one, %s, in one outage", clock(next))
	}
}

// checkOrder wants FIRE_ALL to catch up on the oldest slots first, one by one.
func (r *run) checkOrder(last, x *execution, to time.Time) {
	if last == nil || len(last.deliveries) == 0 || len(x.deliveries) == 0 {
		return
	}
	mayAllow := x.job.timeline.any(last.slot(), to, func(s *state) bool { return s.exists && s.overlap == overlapAllow })
	if !mayAllow && x.deliveries[0].Arrived.Before(last.deliveries[0].Arrived) {
		r.violate(MisfireBroken, x.job, x, x.slot(), "FIRE_ALL fired the slot before the older one of %s", last.id)
	}
}
