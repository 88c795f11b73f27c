package checker

import "time"

// checkRuns brings the runs that people asked for and the MANUAL executions
// together.
func (r *run) checkRuns(j *job) {
	var unknown []*Op
	for _, op := range j.ops {
		switch {
		case op.Kind != OpRun:
		case op.Outcome == OK:
			r.checkRun(j, op)
		case op.Outcome == Unknown:
			unknown = append(unknown, op)
		}
	}
	// What no answer names, each came of one run of unknown outcome, before it.
	free, next := 0, 0
	for _, x := range j.executions {
		if x.trigger() != triggerManual || r.requested[x.id] != nil {
			continue
		}
		at := x.slot()
		for ; next < len(unknown) && !unknown[next].Invoked.After(at.Add(r.shadows.tolerance(at))); next++ {
			free++
		}
		if free == 0 {
			r.violate(PhantomRun, j, x, at, "nobody asked for this run")
			continue
		}
		free--
	}
}

// checkRun wants an acknowledged run to have an execution of its own.
func (r *run) checkRun(j *job, op *Op) {
	if op.Execution == "" {
		r.violate(RunLost, j, nil, time.Time{}, "the run at %s was answered without an execution", clock(op.Invoked))
		return
	}
	x := r.executions[op.Execution]
	if other := r.requested[op.Execution]; other != op {
		r.violate(RunTwice, j, x, time.Time{}, "the runs at %s and at %s were answered with it", clock(op.Invoked), clock(other.Invoked))
	}
	isKept := j.final != nil && !j.isCut(op.Invoked.Add(-r.shadows.tolerance(op.Invoked)))
	switch {
	case isKept && (x == nil || x.record == nil):
		r.violate(RunLost, j, x, time.Time{}, "the run at %s was answered with %s, which has no record", clock(op.Invoked), op.Execution)
	case x != nil && (x.job != j || x.trigger() != triggerManual):
		r.violate(RunLost, j, x, time.Time{}, "the run at %s was answered with an execution that is not its own", clock(op.Invoked))
	}
}

// checkCancels wants what was acknowledged as cancelled to end so, and to be
// requested no more.
func (r *run) checkCancels() {
	for i := range r.history.Ops {
		op := &r.history.Ops[i]
		x := r.executions[op.Execution]
		if op.Kind != OpCancel || op.Outcome != OK || x == nil {
			continue
		}
		r.checkCancelEnd(op, x)
		for _, d := range x.deliveries {
			if d.Arrived.After(r.lastRequest(op.Returned)) {
				r.violate(CancelIgnored, x.job, x, x.slot(), "attempt %d came %v after the cancel was acknowledged", d.Attempt, d.Arrived.Sub(op.Returned))
			}
		}
	}
}

// checkCancelEnd takes another result only if that may have been there before.
func (r *run) checkCancelEnd(op *Op, x *execution) {
	if x.record == nil || x.record.Result == resultCancelled {
		return
	}
	finished := x.record.FinishedAt
	if !isTerminal(x.record.Result) || finished.After(op.Returned.Add(r.shadows.tolerance(op.Returned))) {
		r.violate(CancelLost, x.job, x, x.slot(), "the cancel at %s was acknowledged, and the execution is %s", clock(op.Invoked), x.record.Result)
	}
}
