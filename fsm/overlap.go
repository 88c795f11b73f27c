package fsm

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// overlapMessage is what the record of an execution says that gave way.
const overlapMessage = "another execution of the job was open"

// replacedMessage is what the record of an execution says that a newer one took
// the place of.
const replacedMessage = "cancelled by a newer execution (CANCEL_PREVIOUS)"

// cancelPrevious cancels every open execution of the job, so that a new one can
// take their place.
func (t *tx) cancelPrevious(r *row, at time.Time) {
	for _, x := range t.state.opens.ofJob(r.id) {
		if unfinished(x.Phase) {
			t.cancel(r, x, at)
		}
		t.abort(x)
	}
}

// cancel gives an open execution its terminal result, CANCELLED.
func (t *tx) cancel(r *row, x job.Open, at time.Time) {
	record := t.execution(x.Execution)
	record.FinishedAt = at
	record.Err = &job.AttemptError{Code: job.ErrOverlap, Msg: replacedMessage}
	t.finish(r, record, job.Cancelled)
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

// aborted closes an execution whose request is over. If it was the last that
// others of its job waited for, those may begin.
func (t *tx) aborted(x job.Open, at time.Time) {
	t.close(x)
	id := x.Execution.Job
	if t.state.opens.blocked(id) {
		return
	}
	for _, waiting := range t.state.opens.ofJob(id) {
		if waiting.Phase == job.PhaseWaiting {
			waiting.Phase = job.PhasePending
			waiting.RetryAt = at
			t.setOpen(waiting)
		}
	}
}
