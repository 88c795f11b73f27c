package fsm

import (
	"fmt"
	"time"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// overlapMessage is what the record of an execution says that gave way.
const overlapMessage = "another execution of the job was open"

// replacedMessage is what the record of an execution says that a newer one took
// the place of.
const replacedMessage = "cancelled by a newer execution (CANCEL_PREVIOUS)"

// crowdMessage is what the record of an execution says that gave way to
// [job.OpenLimit] others.
var crowdMessage = fmt.Sprintf("%d executions of the job were open, and there may be no more", job.OpenLimit)

// mustYield reports whether a new execution of the job has to give way to what is
// open. To a backfill's it does not: it waits for a request of it that is open, and
// goes before the others.
func (t *tx) mustYield(id job.ID, overlap logpb.OverlapPolicy) bool {
	switch overlap {
	case logpb.OverlapPolicy_OVERLAP_SKIP:
		return t.state.opens.own(id) > 0
	case logpb.OverlapPolicy_OVERLAP_BUFFER_ONE:
		return t.state.opens.buffered(id)
	case logpb.OverlapPolicy_OVERLAP_ALLOW:
		return t.isThird() && t.state.opens.begun(id) >= job.OpenLimit
	}
	return false
}

// whyYield is what the record of an execution says that gave way.
func whyYield(overlap logpb.OverlapPolicy) string {
	if overlap == logpb.OverlapPolicy_OVERLAP_ALLOW {
		return crowdMessage
	}
	return overlapMessage
}

// overlapRefusal is what a person hears whose run must yield.
func overlapRefusal(id job.ID, overlap logpb.OverlapPolicy) *job.Error {
	switch overlap {
	case logpb.OverlapPolicy_OVERLAP_ALLOW:
		return job.Errorf(job.CodeOverlap, "%d executions of job %v are open, and there may be no more: wait, or cancel some", job.OpenLimit, id)
	case logpb.OverlapPolicy_OVERLAP_BUFFER_ONE:
		return job.Errorf(job.CodeOverlap, "an execution of job %v waits already, and its overlap policy is BUFFER_ONE", id)
	}
	return job.Errorf(job.CodeOverlap, "an execution of job %v is open, and its overlap policy is SKIP", id)
}

// cancelPrevious cancels every open execution of the job that is no backfill's, so
// that a new one can take their place.
func (t *tx) cancelPrevious(r *row, at time.Time) {
	for _, x := range t.state.opens.ofJob(r.id) {
		if isBackfilled(x) {
			continue
		}
		if unfinished(x.Phase) {
			t.cancel(r, t.execution(x.Execution), at, job.AttemptError{Code: job.ErrOverlap, Msg: replacedMessage})
		}
		t.abort(x)
	}
}

// cancelRequested cancels an execution that a person wants to end.
func (t *tx) cancelRequested(d job.Cancel) job.Item {
	id := d.Execution
	var x *job.Execution
	r, refusal := t.owned(id.Job, d.Namespace, 0)
	if refusal == nil {
		x = t.execution(id)
	}
	switch {
	case x == nil:
		return refuse(job.Errorf(job.CodeNotFound, "there is no execution %v", id))
	case x.Result == job.Cancelled:
		return job.Item{Result: x.Result}
	case x.Result.Terminal():
		return refuse(job.Errorf(job.CodeConflict, "execution %v has ended as %s: it cannot be cancelled any more", id, x.Result))
	}
	t.cancel(r, x, d.At, job.AttemptError{Code: job.ErrCancelled, Msg: job.CancelledByRequest})
	t.save(r)
	t.abort(t.state.opens.byID[id])
	t.release(id.Job, d.At)
	return job.Item{Result: x.Result}
}

// cancel gives the record of an open execution its terminal result, CANCELLED.
func (t *tx) cancel(r *row, x *job.Execution, at time.Time, why job.AttemptError) {
	x.FinishedAt = at
	x.Err = &why
	t.finish(r, x, job.Cancelled, at)
}

// abort ends an open execution that has a result, or whose job is gone: at once,
// unless its node may have a request open.
func (t *tx) abort(x job.Open) {
	switch x.Phase {
	case job.PhaseRunning:
		x.Phase = job.PhaseAborting
		t.setOpen(x)
	case job.PhaseAborting:
	default:
		t.close(x)
	}
}

// release lets the executions of a job begin that waited for one that is closed
// now: for the last request to be aborted, or for nothing else to be open, or for
// those before it in a queue.
func (t *tx) release(id job.ID, at time.Time) {
	if t.state.opens.mayRelease(id) {
		open := t.state.opens.ofJob(id)
		blocked, alone := t.state.opens.blocked(id), t.state.opens.inTurn(id) == 1
		for _, x := range open {
			if x.Phase == job.PhaseWaiting && !blocked || x.Phase == job.PhaseBuffered && alone {
				t.letBegin(x, at)
			}
		}
	}
	t.promote(id, at)
}

// unbuffer lets a buffered execution begin beside what runs. It still waits for
// requests that have to be aborted, or that are a backfill's.
func (t *tx) unbuffer(id job.ID, at time.Time) {
	blocked := t.state.opens.blocked(id)
	for _, x := range t.state.opens.ofJob(id) {
		switch {
		case x.Phase != job.PhaseBuffered:
		case blocked:
			x.Phase = job.PhaseWaiting
			t.setOpen(x)
		default:
			t.letBegin(x, at)
		}
	}
}

// letBegin makes an execution that waited pending, at once.
func (t *tx) letBegin(x job.Open, at time.Time) {
	x.Phase, x.RetryAt = job.PhasePending, at
	t.setOpen(x)
}
