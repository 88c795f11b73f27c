package executor

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// Accept takes what a leader says: it renews the lease, starts the assignments
// that are new and aborts what is to be aborted. It never waits for a callback.
// After it returned without an error every assignment is this node's, or was
// refused: one by one for another incarnation, which the reply names, or all of
// them, with the lease, if the reply says Refused. What is to be aborted is
// aborted in either case. The reply's AppliedIndex and Draining are the caller's
// to fill in.
//
// The error is [job.ErrStale] for a batch of an older term than the highest seen,
// of which nothing was done, or [ErrStopped].
func (e *Executor) Accept(b job.Batch) (job.BatchReply, error) {
	e.mu.Lock()
	if err := e.admissible(b.Term); err != nil {
		e.mu.Unlock()
		return job.BatchReply{}, err
	}
	now := time.Now() // no earlier than any token given
	newLeader := b.Term > e.term
	e.term = b.Term
	aborted, lost := e.expire(now)
	admitted := e.admit(&b, now)
	outcomes := e.carryOut(&b, admitted)
	reply := job.BatchReply{
		Incarnation: e.node.Incarnation,
		Token:       e.token(now),
		Refused:     !admitted,
		Open:        e.attempts.unended,
	}
	e.cfg.Metrics.setOpen(reply.Open)
	e.mu.Unlock()

	e.expired(aborted, lost)
	e.outbox.add(outcomes...)
	if newLeader { // so outcomes have someone to go to
		e.outbox.retryNow()
	}
	if len(b.Assignments) > 0 {
		poke(e.waiting)
	}
	reply.Clock = job.Instant(e.cfg.Now())
	return reply, nil
}

// carryOut does what a batch says about attempts. The caller holds e.mu; the
// outcomes are those of attempts that end at once.
func (e *Executor) carryOut(b *job.Batch, admitted bool) []job.Outcome {
	var outcomes []job.Outcome
	if admitted {
		outcomes = e.assign(b.Assignments)
	}
	for _, ref := range b.Aborts {
		outcomes = append(outcomes, e.abort(ref)...)
	}
	return outcomes
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
//
// One that is known is dropped without a word, which is right in each case: a
// queued or open one runs, and will be reported; an ended one has its outcome in
// the outbox, which sends it until it is acknowledged; and a remembered one was
// acknowledged, so its outcome, or that of a later attempt of its execution, is
// committed, or the log had moved on before. The leader then assigns it no more:
// this is a message from before. The same goes for one of another incarnation;
// the reply tells the leader that the life it was meant for is over.
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
