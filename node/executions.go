package node

import (
	"context"
	"errors"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// Executions reads the history, and runs jobs by hand while this node leads.
type Executions struct{ n *Node }

// Executions is the service for executions.
func (n *Node) Executions() Executions { return Executions{n} }

// List is a page of executions, newest first: of a job or a webhook if the query
// names one, which is CodeNotFound if there is none.
func (s Executions) List(_ context.Context, q job.ExecutionQuery) (job.ExecutionPage, error) {
	if q.Job != 0 {
		if _, err := s.owner(q.Namespace, q.Job); err != nil {
			return job.ExecutionPage{}, err
		}
	}
	return s.n.store.ExecutionList(q)
}

// owner is the job or webhook of an execution, if it is of the namespace.
func (s Executions) owner(namespace string, id job.ID) (job.Job, error) {
	j, err := s.n.store.Job(id)
	if errors.Is(err, job.ErrNotFound) || err == nil && !isOf(namespace, j) {
		return job.Job{}, job.Errorf(job.CodeNotFound, "there is no job %v", id)
	}
	return j, err
}

// Slots are the records of the slots of a job that are from the first time on and
// before the second, oldest first.
func (s Executions) Slots(ctx context.Context, namespace string, id job.ID, from, to time.Time, limit int) (job.SlotRecords, error) {
	if _, err := s.n.Jobs().Get(ctx, namespace, id); err != nil {
		return job.SlotRecords{}, err
	}
	return s.n.store.Slots(id, from, to, limit)
}

// Get is one execution, if its job is of the namespace.
func (s Executions) Get(_ context.Context, namespace string, id job.ExecutionID) (job.Execution, error) {
	if _, err := s.owner(namespace, id.Job); err != nil {
		return job.Execution{}, noExecution(id, err)
	}
	x, err := s.n.store.Execution(id)
	return x, noExecution(id, err)
}

// noExecution says what was not found, if that is the error.
func noExecution(id job.ExecutionID, err error) error {
	if errors.Is(err, job.ErrNotFound) {
		return job.Errorf(job.CodeNotFound, "there is no execution %v", id)
	}
	return err
}

// Run starts an execution by hand; overlap replaces the job's policy unless it is
// empty. CodeOverlap if the policy is SKIP and one is open, or BUFFER_ONE and one
// waits. Again is the first answer if once came before: nothing was started then.
func (s Executions) Run(ctx context.Context, namespace string, id job.ID, overlap job.OverlapPolicy, once *job.Idempotent[job.Execution]) (x job.Execution, again []byte, err error) {
	if !s.n.Leads() {
		return job.Execution{}, nil, job.ErrNotLeader
	}
	if j, err := s.n.store.Job(id); err == nil && j.Hook != nil { // it has no other kind of run
		return job.Execution{}, nil, job.Errorf(job.CodeNotFound, "there is no job %v", id)
	}
	now := s.n.instant()
	execution := job.ManualExecution(id, now, uint16(randomBits(16)))
	d := job.Run{At: now, HistoryPerJob: s.n.cfg.History.PerJob, Namespace: namespace, Execution: execution, Overlap: overlap}
	d.Once, err = onceOf(once, job.Execution{
		ID: execution, Trigger: job.TriggerManual, ScheduledAt: now, DueAt: now, CreatedAt: now, Result: job.Running,
	})
	if err != nil {
		return job.Execution{}, nil, err
	}
	return s.commit(ctx, execution, d)
}

// Cancel ends an open execution as CANCELLED, and aborts its request.
// CodeConflict if it has ended otherwise. Again is as in [Executions.Run].
func (s Executions) Cancel(ctx context.Context, namespace string, id job.ExecutionID, once *job.Idempotent[job.Execution]) (x job.Execution, again []byte, err error) {
	if !s.n.Leads() {
		return job.Execution{}, nil, job.ErrNotLeader
	}
	// The log compares the namespace, which is not all there is to a webhook. One that
	// is not here has no delivery yet.
	if j, err := s.n.store.Job(id.Job); err == nil && !isOf(namespace, j) {
		return job.Execution{}, nil, noExecution(id, job.ErrNotFound)
	}
	d := job.Cancel{At: s.n.instant(), Namespace: namespace, Execution: id}
	if once != nil {
		x, err := s.n.store.Execution(id)
		if err != nil && !errors.Is(err, job.ErrNotFound) {
			return job.Execution{}, nil, err
		}
		if x.ID = id; x.Result != job.Cancelled {
			x.Result, x.FinishedAt = job.Cancelled, d.At
			x.Err = &job.AttemptError{Code: job.ErrCancelled, Msg: job.CancelledByRequest}
		}
		if d.Once, err = onceOf(once, x); err != nil {
			return job.Execution{}, nil, err
		}
	}
	return s.commit(ctx, id, d)
}

// commit submits a decision about one execution and returns what that is then.
func (s Executions) commit(ctx context.Context, id job.ExecutionID, d job.Decision) (job.Execution, []byte, error) {
	applied, err := s.n.consensus.log.Submit(ctx, d)
	if err != nil {
		return job.Execution{}, nil, err
	}
	if applied.Answer != nil {
		return job.Execution{}, applied.Answer, nil
	}
	if e := applied.Items[0].Err; e != nil {
		return job.Execution{}, nil, e
	}
	x, err := s.n.store.Execution(id)
	return x, nil, err
}
