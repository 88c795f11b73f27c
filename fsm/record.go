package fsm

import (
	"fmt"
	"time"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// maxAttempts is how many attempts a record keeps, the newest: a job has at most
// 51, and each node that is lost adds one.
const maxAttempts = 60

const (
	lostMessage    = "the node was lost, or restarted, during the attempt"
	unbegunMessage = "the node was lost, or restarted, before the attempt began"
)

// kindOfLoss is what is known about an attempt that is lost.
type kindOfLoss int

// The kinds of losses.
const (
	// lossOfBegun: the request may have been begun, and is made again.
	lossOfBegun kindOfLoss = iota
	// lossOfUnbegun: the request surely was not, and is made for the first time.
	lossOfUnbegun
	// lastLoss ends the execution.
	lastLoss
)

// beginAttempt gives a pending execution to a node.
func (t *tx) beginAttempt(b job.BeginAttempt) job.Item {
	open, ok := t.state.opens.byID[b.Execution]
	if !ok || open.Phase != job.PhasePending || b.Attempt != open.Attempt+1 {
		return refuse(job.ErrStale)
	}
	open.Phase, open.Attempt, open.Node, open.RetryAt = job.PhaseRunning, b.Attempt, b.Node, time.Time{}
	t.setOpen(open)
	x := t.execution(open.Execution)
	x.Result = job.Running
	x.NodeID = b.Node.ID
	t.putExecution(x)
	return job.Item{Result: job.Running}
}

// record commits the outcome of an attempt.
func (t *tx) record(at time.Time, o job.RecordedOutcome) job.Item {
	open, ok := t.state.opens.byID[o.Execution]
	switch {
	case !ok || o.Attempt != open.Attempt:
		return refuse(job.ErrStale)
	case open.Phase == job.PhaseRunning:
		return t.recordRunning(at, open, o)
	case open.Phase == job.PhaseAborting:
		return t.recordAborting(at, open, attemptOf(o.Outcome))
	default:
		return refuse(job.ErrStale)
	}
}

func (t *tx) recordRunning(at time.Time, open job.Open, o job.RecordedOutcome) job.Item {
	x := t.execution(open.Execution)
	addAttempt(x, attemptOf(o.Outcome))
	x.HTTPStatus = o.HTTPStatus
	x.Err = o.Err
	if len(o.Response) > 0 {
		x.Response = o.Response
	}
	if o.Err != nil && !o.RetryAt.IsZero() {
		if o.Err.Code != job.ErrCancelled {
			open.Failures++
		}
		t.retry(x, open, at, o.RetryAt)
		return job.Item{Result: x.Result}
	}
	x.FinishedAt = at
	if !o.StartedAt.IsZero() {
		x.FinishedAt = t.plausible(o.StartedAt.Add(o.Duration), x.CreatedAt, at)
	}
	return t.conclude(x, open, at)
}

// conclude ends an execution whose request is over, with the result that its
// record's error stands for.
func (t *tx) conclude(x *job.Execution, open job.Open, at time.Time) job.Item {
	r := t.row(open.Execution.Job)
	t.finish(r, x, resultOf(x.Err), at)
	t.save(r)
	t.end(open, at)
	return job.Item{Result: x.Result}
}

// end closes an execution whose request is over, and lets those begin that
// waited for it.
func (t *tx) end(open job.Open, at time.Time) {
	t.close(open)
	t.release(open.Execution.Job, at)
}

// recordAborting takes the word of a node that a request is over whose execution
// has a result, which does not change. The record may be gone.
func (t *tx) recordAborting(at time.Time, open job.Open, a job.Attempt) job.Item {
	var item job.Item
	if x := t.execution(open.Execution); x != nil {
		addAttempt(x, a)
		t.putExecution(x)
		item.Result = x.Result
	}
	t.end(open, at)
	return item
}

// markLost takes an attempt from a node that is gone, or lives another life.
func (t *tx) markLost(at time.Time, ref job.AttemptRef, kind kindOfLoss) job.Item {
	open, ok := t.state.opens.byID[ref.Execution]
	if !ok || ref.Attempt != open.Attempt {
		return refuse(job.ErrStale)
	}
	lost := job.Outcome{
		AttemptRef: ref,
		Node:       open.Node,
		Err:        &job.AttemptError{Code: job.ErrNodeLost, Msg: lostMessage},
	}
	attempt := attemptOf(lost)
	if kind == lossOfUnbegun {
		attempt.Unbegun, lost.Err.Msg = true, unbegunMessage
	}
	switch open.Phase {
	case job.PhaseRunning:
		x := t.execution(open.Execution)
		addAttempt(x, attempt)
		x.HTTPStatus, x.Err = 0, lost.Err
		if kind == lastLoss {
			x.FinishedAt = at
			return t.conclude(x, open, at)
		}
		t.retry(x, open, at, at)
		return job.Item{Result: x.Result}
	case job.PhaseAborting:
		return t.recordAborting(at, open, attempt)
	default:
		return refuse(job.ErrStale)
	}
}

// retry makes an execution wait for its next attempt, which begins at retryAt.
func (t *tx) retry(x *job.Execution, open job.Open, at, retryAt time.Time) {
	x.Result = job.Retrying
	t.putExecution(x)
	open.Phase, open.RetryAt, open.Node = job.PhasePending, retryAt, job.NodeRef{}
	t.setOpen(open)
	if t.isThird() {
		t.tellOf(t.row(x.ID.Job), job.EventExecutionRetrying, x, at)
	}
	if isBackfilled(open) && t.state.opens.awaited(x.ID.Job) {
		t.makeWay(x.ID.Job)
		t.release(x.ID.Job, at)
	}
}

// finish gives an execution its terminal result. The caller saves the row.
func (t *tx) finish(r *row, x *job.Execution, result job.Result, at time.Time) {
	x.Result = result
	t.putExecution(x)
	t.listRecord(r, x)
	t.countEnd(r, x)
	failures := int(r.GetConsecutiveFailures())
	failed := failures > 0 || r.GetLastResult() == logpb.Result_RESULT_FAILED
	count(r, result)
	r.Oldest = min(r.Oldest, x.ID.Order)
	if t.tells(r) {
		e := eventOf(ended[result], x, at)
		e.Failures = max(failures, int(r.GetConsecutiveFailures()))
		t.tell(r, e)
		if failed && result == job.Success {
			e.Type = job.EventExecutionRecovered
			t.tell(r, e)
		}
	}
	if result == job.Failed {
		t.pauseAfterFailures(r, at)
	}
}

// ended has the event of each result that an execution ends with.
var ended = map[job.Result]job.EventType{
	job.Success:   job.EventExecutionSucceeded,
	job.Failed:    job.EventExecutionFailed,
	job.Cancelled: job.EventExecutionCancelled,
}

// pauseAfterFailures pauses a job that has failed too often. That is a change of
// its definition, and a version: an edit that was made before does not undo it
// unnoticed. Slots that have come are given up, and wait for whoever leads to say
// which they are: only the schedule tells.
func (t *tx) pauseAfterFailures(r *row, at time.Time) {
	limit := r.GetPauseAfterFailures()
	if limit == 0 || r.GetConsecutiveFailures() < limit || r.GetState() != logpb.State_STATE_ACTIVE {
		return
	}
	p := t.definition(r.id)
	p.Spec.PauseReason = fmt.Sprintf("paused by itself after %d failed executions in a row", r.GetConsecutiveFailures())
	p.UpdatedAt = millis(at)
	t.put(definitionKey(r.id), p)
	r.Version++
	r.State = logpb.State_STATE_PAUSED
	if next := r.GetNextRunAt(); next != 0 && next <= millis(at) {
		r.GivenUpFrom, r.GivenUpUntil = next, millis(at)
	}
	setNext(r, time.Time{}, time.Time{})
	t.tell(r, job.Event{Type: job.EventJobAutoPaused, At: at, Version: r.GetVersion(), Failures: int(r.GetConsecutiveFailures())})
}

func resultOf(err *job.AttemptError) job.Result {
	switch {
	case err == nil:
		return job.Success
	case err.Code == job.ErrCancelled:
		return job.Cancelled
	default:
		return job.Failed
	}
}

func count(r *row, result job.Result) {
	switch result {
	case job.Success:
		r.LastResult, r.ConsecutiveFailures = logpb.Result_RESULT_SUCCESS, 0
		r.Success++
	case job.Failed:
		r.LastResult = logpb.Result_RESULT_FAILED
		r.ConsecutiveFailures++
		r.Failed++
	case job.Cancelled:
		r.LastResult = logpb.Result_RESULT_CANCELLED
		r.Cancelled++
	case job.Skipped:
		r.LastResult = logpb.Result_RESULT_SKIPPED
		r.Skipped++
	}
}

func attemptOf(o job.Outcome) job.Attempt {
	return job.Attempt{
		Number:     o.Attempt,
		NodeID:     o.Node.ID,
		StartedAt:  o.StartedAt,
		Duration:   o.Duration,
		HTTPStatus: o.HTTPStatus,
		Err:        o.Err,
		Timings:    o.Timings,
	}
}

// addAttempt adds an attempt to a record, whose start is that of its earliest
// request.
func addAttempt(x *job.Execution, a job.Attempt) {
	x.Attempts = append(x.Attempts, a)
	if over := len(x.Attempts) - maxAttempts; over > 0 {
		x.Attempts = x.Attempts[over:]
	}
	if !a.StartedAt.IsZero() && (x.StartedAt.IsZero() || a.StartedAt.Before(x.StartedAt)) {
		x.StartedAt = a.StartedAt
	}
}
