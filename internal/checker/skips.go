package checker

import (
	"slices"
	"sort"
	"time"
)

const (
	// planLag is how long after its slot a decision comes at the latest where no
	// fault is near. It covers a change of leaders.
	planLag = 2 * time.Second

	// reportLag is how long after its last request an execution may still count as
	// open: until its outcome is recorded.
	reportLag = 3 * time.Second
)

// busy is an execution and when it was open: surely, and possibly.
type busy struct {
	*execution
	sure, maybe span
}

// checkSkips asks whether slots that came while an execution was open were dealt
// with as the policy says, and whether what was skipped had a reason.
func (r *run) checkSkips(j *job) {
	if j.timeline.isVague {
		return
	}
	var list []busy
	for _, x := range j.executions {
		if x.record != nil && x.record.Result != resultSkipped {
			list = append(list, r.busyTimes(x))
		}
	}
	for i := range list {
		r.checkMeanwhile(j, &list[i])
	}
	r.checkReasons(j, list)
}

// busyTimes finds out when an execution was open. It surely was from its first
// request until the answer to its last attempt, if that decided its end; and it
// may have been from its slot until its end was recorded, which a fault delays.
func (r *run) busyTimes(x *execution) busy {
	b := busy{execution: x, maybe: span{x.slot().Add(-r.shadows.tolerance(x.slot())), farFuture}}
	end, isOver := x.over()
	if isOver {
		b.maybe.to = r.shadows.slow.after(end.Add(reportLag))
	}
	attempts := x.record.Attempts
	if !isOver || x.record.Result == resultCancelled || len(attempts) == 0 || len(x.deliveries) == 0 {
		return b
	}
	last := attempts[len(attempts)-1]
	if d := x.request(last.Number); d != nil && d.Status != 0 && last.ErrorCode != errNodeLost {
		b.sure = span{x.deliveries[0].Arrived, d.Ended.Add(-answerLag)}
	}
	return b
}

// checkMeanwhile looks at the slots that were decided while an execution was
// surely open.
func (r *run) checkMeanwhile(j *job, b *busy) {
	if b.sure.from.IsZero() {
		return
	}
	tolerance := r.shadows.toleranceIn(b.sure.from, b.sure.to)
	lag := planLag
	if j.timeline.any(b.sure.from, b.sure.to, isMisfire(misfireFireAll)) {
		lag += r.limits.Late // a slot may wait behind late ones
	}
	from, to := b.sure.from.Add(tolerance), b.sure.to.Add(-lag-tolerance)
	if !from.Before(to) || r.shadows.slow.touches(from, b.sure.to) {
		return
	}
	var buffered []*execution
	for _, x := range j.between(from, to) {
		if x == b.execution || x.record == nil || x.record.Result == resultSkipped || x.record.Trigger != triggerScheduled {
			continue
		}
		isPolicy := func(policy string) bool {
			return j.timeline.all(x.slot().Add(-tolerance), b.sure.to, func(s *state) bool { return s.overlap == policy })
		}
		switch {
		case isPolicy(overlapSkip):
			r.violate(OverlapPolicyBroken, j, x, x.slot(), "SKIP did not skip the slot, and %s was open", b.id)
		case isPolicy(overlapCancelPrevious):
			r.violate(OverlapPolicyBroken, j, x, x.slot(), "CANCEL_PREVIOUS did not cancel %s, which went on until %s", b.id, clock(b.sure.to))
		case isPolicy(overlapBufferOne) && x.record.Result != resultCancelled:
			buffered = append(buffered, x)
		}
	}
	if len(buffered) > 1 {
		r.violate(BufferOverfull, j, buffered[1], buffered[1].slot(), "%d executions waited for %s", len(buffered), b.id)
	}
}

// between are the executions whose slots are from one instant to another.
func (j *job) between(from, to time.Time) []*execution {
	low := sort.Search(len(j.executions), func(i int) bool { return !j.executions[i].slot().Before(from) })
	high := sort.Search(len(j.executions), func(i int) bool { return j.executions[i].slot().After(to) })
	return j.executions[low:max(low, high)]
}

// checkReasons wants each slot that was skipped to have found an execution open,
// and one more that waited if the policy was BUFFER_ONE. Retention may have
// removed the reason, until an execution that is kept was surely alone.
func (r *run) checkReasons(j *job, list []busy) {
	slices.SortFunc(list, func(a, b busy) int { return a.maybe.from.Compare(b.maybe.from) })
	known := time.Time{}
	if !j.cut.IsZero() {
		known = r.firstAlone(j, list)
	}
	var skipped []skip
	for _, x := range j.executions {
		if x.result() == resultSkipped && !x.slot().Before(known) {
			skipped = append(skipped, skip{x, r.skippedAt(x)})
		}
	}
	slices.SortFunc(skipped, func(a, b skip) int { return a.at.from.Compare(b.at.from) })
	var open []busy
	next := 0
	for _, s := range skipped {
		for ; next < len(list) && !list[next].maybe.from.After(s.at.to); next++ {
			open = append(open, list[next])
		}
		open = slices.DeleteFunc(open, func(b busy) bool { return b.maybe.to.Before(s.at.from) })
		r.checkReasonOf(s, len(open))
	}
}

// firstAlone is when the first execution began whose record is surely kept and
// that had to wait for all others: none that is gone was open from then on.
func (r *run) firstAlone(j *job, list []busy) time.Time {
	first := farFuture
	for _, b := range list {
		if len(b.deliveries) > 0 && !j.isCut(b.slot()) && r.isExclusive(b.execution) {
			first = earlier(first, b.deliveries[0].Arrived)
		}
	}
	return first
}

// skip is an execution that gave way, and when that was decided.
type skip struct {
	*execution
	at span
}

// skippedAt is when a slot was skipped; the record tells.
func (r *run) skippedAt(x *execution) span {
	tolerance := r.shadows.tolerance(x.slot())
	if at := x.record.FinishedAt; !at.IsZero() {
		return span{at.Add(-tolerance), at.Add(tolerance)}
	}
	return span{x.slot().Add(-tolerance), r.history.Ended}
}

// checkReasonOf wants enough executions to have been open when a slot was skipped.
func (r *run) checkReasonOf(x skip, open int) {
	isPolicy := func(policy string) bool {
		return x.job.timeline.all(x.at.from, x.at.to, func(s *state) bool { return s.overlap == policy })
	}
	switch {
	case isPolicy(overlapAllow), isPolicy(overlapCancelPrevious):
		r.violate(SkippedUnexcused, x.job, x.execution, x.slot(), "the overlap policy never skips")
	case open == 0:
		r.violate(SkippedUnexcused, x.job, x.execution, x.slot(), "no execution was open")
	case open == 1 && isPolicy(overlapBufferOne):
		r.violate(SkippedUnexcused, x.job, x.execution, x.slot(), "one execution was open, and none waited")
	}
}
