package checker

import "slices"

// explains has the errors of attempts that a target need not have seen.
var explains = map[string]bool{
	"TIMEOUT": true, "DNS": true, "CONNECT": true, "TLS": true, "BLOCKED_TARGET": true, "PROTOCOL": true,
}

// checkEnd asks whether an execution has ended, and whether its result is the
// one that it should have.
func (r *run) checkEnd(x *execution) {
	if x.record == nil {
		return
	}
	switch x.record.Result {
	case resultSuccess:
		r.checkSuccess(x)
	case resultFailed:
		r.checkFailure(x)
	case resultCancelled:
		r.checkCancelled(x)
	case resultSkipped:
		r.report.Stats.Skipped++
		if len(x.deliveries) > 0 {
			r.violate(WrongResult, x.job, x, x.slot(), "SKIPPED, and requested at %s", clock(x.deliveries[0].Arrived))
		}
	default:
		if !x.slot().After(r.history.Settled) && !r.mayStarve(x) {
			r.violate(LeftOpen, x.job, x, x.slot(), "%s at the end, attempt %d", x.record.Result, x.record.Attempt)
		}
	}
}

// mayStarve reports whether an execution may still wait, by BUFFER_ONE, because
// others of its job were open all the time: those of a job whose policy is ALLOW
// may follow each other so closely for ever.
func (r *run) mayStarve(x *execution) bool {
	isBuffering := func(s *state) bool { return s.overlap == overlapBufferOne }
	mayWait := x.job.timeline.any(x.slot().Add(-r.limits.ClockTolerance), r.history.Ended, isBuffering) ||
		!x.isOfSlot() && slices.Contains(r.runPolicies(x), overlapBufferOne)
	if !mayWait || len(x.deliveries) > 0 {
		return false
	}
	var others []span
	for _, o := range x.job.executions {
		if o != x && o.record != nil && o.record.Result != resultSkipped {
			others = append(others, r.busyTimes(o).maybe)
		}
	}
	return merge(others).covers(x.slot(), r.history.Ended)
}

// checkSuccess wants the last attempt to have succeeded, and the target to have
// seen it.
func (r *run) checkSuccess(x *execution) {
	attempts := x.record.Attempts
	if len(attempts) == 0 {
		r.violate(NoDelivery, x.job, x, x.slot(), "SUCCESS without an attempt")
		return
	}
	last := attempts[len(attempts)-1]
	if last.ErrorCode != "" || last.HTTPStatus/100 != 2 {
		r.violate(WrongResult, x.job, x, x.slot(), "SUCCESS, and the last attempt ended with status %d %s", last.HTTPStatus, last.ErrorCode)
	}
	if x.request(last.Number) == nil {
		r.violate(NoDelivery, x.job, x, x.slot(), "SUCCESS by attempt %d, which the target did not see", last.Number)
	}
}

// checkFailure wants a failure to have a reason that the guarantee allows.
func (r *run) checkFailure(x *execution) {
	attempts := x.record.Attempts
	if len(attempts) > 0 && attempts[len(attempts)-1].ErrorCode == "" {
		r.violate(WrongResult, x.job, x, x.slot(), "FAILED, and the last attempt succeeded")
	}
	if !r.isSurely(x, atLeastOnce) {
		return
	}
	isExplained := slices.ContainsFunc(attempts, func(a Attempt) bool { return explains[a.ErrorCode] })
	switch {
	case x.record.ErrorCode == errNodeLost:
		r.violate(AtLeastOnceBroken, x.job, x, x.slot(), "given up because a node was lost")
	case len(x.deliveries) == 0 && !isExplained:
		r.violate(AtLeastOnceBroken, x.job, x, x.slot(), "FAILED after %d attempts, and the target saw none", len(attempts))
	}
}

// checkCancelled wants somebody to have cancelled the execution: a client, or a
// newer execution that takes its place.
func (r *run) checkCancelled(x *execution) {
	isReplaced := x.job.timeline.any(x.slot().Add(-r.limits.ClockTolerance), r.lastSeen(x), func(s *state) bool {
		return s.overlap == overlapCancelPrevious
	})
	mayCancel := func(op *Op) bool {
		return op.Outcome != Refused && (op.Kind == OpCancel && op.Execution == x.id || op.Kind == OpRun && op.Overlap == overlapCancelPrevious)
	}
	if !isReplaced && !slices.ContainsFunc(x.job.ops, mayCancel) {
		r.violate(CancelledForNothing, x.job, x, x.slot(), "CANCELLED, and nobody cancelled it")
	}
}
