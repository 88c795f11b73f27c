package executor

import "github.com/cronraft/cronraft/internal/job"

// Accept takes what a leader says: it renews the lease, starts the assignments
// that are new and aborts what is to be aborted. It never waits for a callback.
// After it returned without an error every assignment is this node's, or was
// refused for another incarnation, which the reply names. The reply's
// AppliedIndex is the caller's to fill in.
//
// The error is [job.ErrStale] for a batch of an older term than the highest seen,
// of which nothing was done, or [ErrStopped].
func (e *Executor) Accept(b job.Batch) (job.BatchReply, error) {
	e.mu.Lock()
	if err := e.admissible(b.Term); err != nil {
		e.mu.Unlock()
		return job.BatchReply{}, err
	}
	newLeader := b.Term > e.term
	e.term = b.Term
	e.renew(b.Lease)
	outcomes := e.assign(b.Assignments)
	for _, ref := range b.Aborts {
		outcomes = append(outcomes, e.abort(ref)...)
	}
	reply := job.BatchReply{Incarnation: e.node.Incarnation, Open: e.attempts.unended}
	e.cfg.Metrics.setOpen(reply.Open)
	e.mu.Unlock()

	e.outbox.add(outcomes...)
	if newLeader { // so outcomes have someone to go to
		e.outbox.retryNow()
	}
	if len(b.Assignments) > 0 {
		poke(e.waiting)
	}
	return reply, nil
}

// admissible is the error for a batch of the given term. The caller holds e.mu.
func (e *Executor) admissible(term uint64) error {
	switch {
	case e.stopped:
		return ErrStopped
	case term < e.term:
		return job.ErrStale
	default:
		return nil
	}
}

// assign queues the new ones among the assignments. The caller holds e.mu; the
// outcomes are those of attempts that end at once.
func (e *Executor) assign(assignments []job.Assignment) []job.Outcome {
	var outcomes []job.Outcome
	for i := range assignments {
		a := &assignments[i]
		switch {
		case a.Incarnation != e.node.Incarnation || e.attempts.knows(a.AttemptRef):
		case e.ending != nil:
			e.attempts.addEnded(a.AttemptRef)
			outcomes = append(outcomes, e.unbegun(a.AttemptRef, e.ending))
		default:
			e.attempts.push(*a)
		}
	}
	return outcomes
}

// abort ends one attempt. The caller holds e.mu; the outcome, if there is one, is
// that of an attempt with no request open, the others report by themselves.
func (e *Executor) abort(ref job.AttemptRef) []job.Outcome {
	a, live := e.attempts.live[ref]
	switch {
	case !live:
		e.attempts.addEnded(ref)
	case a.stage == queued:
		e.attempts.end(a)
	case a.stage == open:
		a.cancel(errCancelled)
		return nil
	default:
		return nil
	}
	return []job.Outcome{e.unbegun(ref, errCancelled)}
}

// abortAll ends every attempt that has not ended, and counts them. The caller
// holds e.mu.
func (e *Executor) abortAll(cause error) (int, []job.Outcome) {
	var outcomes []job.Outcome
	n := e.attempts.unended
	for ref, a := range e.attempts.live {
		switch a.stage {
		case queued:
			e.attempts.end(a)
			outcomes = append(outcomes, e.unbegun(ref, cause))
		case open:
			a.cancel(cause)
		case ended:
		}
	}
	e.cfg.Metrics.setOpen(e.attempts.unended)
	return n, outcomes
}

// unbegun is the outcome of an attempt whose request was never begun.
func (e *Executor) unbegun(ref job.AttemptRef, cause error) job.Outcome {
	return job.Outcome{AttemptRef: ref, Node: e.node, Err: stoppedBy(cause)}
}
