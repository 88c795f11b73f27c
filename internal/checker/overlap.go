package checker

import (
	"slices"
	"time"
)

// answerLag is how long before the noted end of an answered request its answer
// may have been on its way to the caller.
const answerLag = 10 * time.Millisecond

// request is one that a target saw.
type request struct {
	*Delivery
	of *execution
	// end is when it was surely over.
	end time.Time
}

// requests are those of a job, in the order of their arrival. A target sees late
// that a connection was closed, and hardly late that it has answered.
func (r *run) requests(j *job) []request {
	var list []request
	for _, x := range j.executions {
		for _, d := range x.deliveries {
			q := request{Delivery: d, of: x, end: d.Ended.Add(-r.limits.ClockTolerance)}
			switch {
			case d.Ended.IsZero():
				q.end = r.history.Ended
			case d.Status != 0:
				q.end = d.Ended.Add(-answerLag)
			}
			list = append(list, q)
		}
	}
	slices.SortStableFunc(list, func(a, b request) int { return a.Arrived.Compare(b.Arrived) })
	return list
}

// wasClosed reports whether the caller may have been gone when the target looked:
// a request read from a closed connection was never open.
func (r *run) wasClosed(d *Delivery) bool {
	return d.Status == 0 && !d.Ended.IsZero() && d.Ended.Sub(d.Arrived) <= r.limits.ClockTolerance
}

// checkOverlap wants no two requests of a job open at once that the policy keeps
// apart, nor an execution to go on after the next one has begun.
func (r *run) checkOverlap(j *job) {
	var open []request
	for _, q := range r.requests(j) {
		if r.wasClosed(q.Delivery) {
			continue
		}
		open = slices.DeleteFunc(open, func(o request) bool { return !o.end.After(q.Arrived) })
		for _, o := range open {
			r.judge(o, q)
		}
		open = append(open, q)
	}
	r.checkInterleaved(j)
}

// judge decides about a request that came while an earlier one was open.
func (r *run) judge(open, late request) {
	if open.of != late.of && !r.areExclusive(open.of, late.of) {
		return
	}
	end := earlier(open.end, late.end)
	if r.isGhost(open, late, end) {
		r.report.Stats.OverlapsExcused++
		return
	}
	r.violate(Overlap, late.of.job, late.of, late.of.slot(), "attempt %d came at %s, while attempt %d of %s was open until %s",
		late.Attempt, clock(late.Arrived), open.Attempt, open.of.id, clock(open.end))
}

// isGhost reports whether one of two requests was open only because nobody could
// close it: its node stood still, or was cut off from the target. A node that
// goes on after it stood still may also send what it was about to send.
func (r *run) isGhost(open, late request, end time.Time) bool {
	node := r.nodeOf(open)
	return r.shadows.standsStill(node, late.Arrived, earlier(end, r.history.Ended)) ||
		r.shadows.isSevered(node, open.Arrived, late.Arrived) ||
		r.shadows.standsStill(r.nodeOf(late), late.Arrived, end)
}

// nodeOf is who made a request; empty if neither the target nor the record tells.
func (r *run) nodeOf(q request) string {
	if q.Node == "" && q.of.record != nil {
		if a := q.of.attempt(q.Attempt); a != nil {
			return a.Node
		}
	}
	return q.Node
}

// areExclusive reports whether one of two executions surely had to wait for the
// end of the other: the one that was decided later.
func (r *run) areExclusive(a, b *execution) bool {
	switch {
	case r.wasDecidedAfter(b, a):
		return r.isExclusive(b)
	case r.wasDecidedAfter(a, b):
		return r.isExclusive(a)
	default:
		return r.isExclusive(a) && r.isExclusive(b)
	}
}

// wasDecidedAfter reports whether the decision about x surely came after that
// about before. Each came between its slot and its first request.
func (r *run) wasDecidedAfter(x, before *execution) bool {
	slot := x.slot()
	skew := r.shadows.toleranceIn(slot, x.deliveries[0].Arrived) - r.limits.ClockTolerance
	return slot.Add(-skew).After(before.deliveries[0].Arrived)
}

// isExclusive reports whether an execution surely had to wait until no other one
// of its job was open. A run names its own policy; what waits because of it
// begins at once if the job is edited to ALLOW, or slots of an ALLOW job begin
// before it.
func (r *run) isExclusive(x *execution) bool {
	tolerance := r.shadows.toleranceIn(x.slot(), x.deliveries[0].Arrived)
	from, to := x.slot().Add(-tolerance), x.deliveries[0].Arrived.Add(tolerance)
	isAlone := x.job.timeline.all(from, to, func(s *state) bool { return s.overlap != overlapAllow })
	if x.isOfSlot() {
		return isAlone
	}
	policies := r.runPolicies(x)
	return len(policies) > 0 && !slices.ContainsFunc(policies, func(policy string) bool {
		return policy == overlapAllow || policy != overlapSkip && !isAlone
	})
}

// runPolicies are those that the run may have named that made an execution;
// empty is the job's own. None if nobody knows of such a run.
func (r *run) runPolicies(x *execution) []string {
	if op := r.requested[x.id]; op != nil {
		return []string{op.Overlap}
	}
	var policies []string
	for _, op := range x.job.ops {
		if op.Kind == OpRun && op.Outcome == Unknown {
			policies = append(policies, op.Overlap)
		}
	}
	return policies
}

// checkInterleaved wants no execution to be requested again once a later one has
// begun that had to wait for its end.
func (r *run) checkInterleaved(j *job) {
	var list []stretch
	for _, x := range j.executions {
		if s := r.stretchOf(x); !s.first.IsZero() {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b stretch) int { return a.first.Compare(b.first) })
	var longest stretch // of those that began before, the one requested last
	for _, s := range list {
		if longest.last.After(s.first) && r.areExclusive(longest.of, s.of) {
			r.violate(Overlap, j, s.of, s.of.slot(), "began at %s, between requests of %s", clock(s.first), longest.of.id)
		}
		if s.last.After(longest.last) {
			longest = s
		}
	}
}

// stretch is the time in which an execution was requested.
type stretch struct {
	of *execution
	// first and last are when its first and last request came; zero: none did.
	first, last time.Time
}

// stretchOf leaves out requests of closed connections, and, at the end, those that
// a node sent late, when its attempt was given up.
func (r *run) stretchOf(x *execution) stretch {
	s := stretch{of: x}
	for _, d := range x.deliveries {
		if r.wasClosed(d) {
			continue
		}
		if s.first.IsZero() {
			s.first, s.last = d.Arrived, d.Arrived
		}
		if !x.wasLost(d) {
			s.last = later(s.last, d.Arrived)
		}
	}
	return s
}

// wasLost reports whether a request is of an attempt that was given up with its
// node.
func (x *execution) wasLost(d *Delivery) bool {
	if x.record == nil {
		return false
	}
	a := x.attempt(d.Attempt)
	return a != nil && a.ErrorCode == errNodeLost
}
