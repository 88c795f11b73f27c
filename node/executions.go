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

// List is a page of a job's history, newest first, going on before the given
// one.
func (s Executions) List(ctx context.Context, namespace string, id job.ID, before job.ExecutionID, limit int) ([]job.Execution, error) {
	if _, err := s.n.Jobs().Get(ctx, namespace, id); err != nil {
		return nil, err
	}
	return s.n.store.Executions(id, before, limit)
}

// Get is one execution, if its job is of the namespace.
func (s Executions) Get(ctx context.Context, namespace string, id job.ExecutionID) (job.Execution, error) {
	if _, err := s.n.Jobs().Get(ctx, namespace, id.Job); err != nil {
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
// empty. CodeOverlap if the policy is SKIP and one is open.
func (s Executions) Run(ctx context.Context, namespace string, id job.ID, overlap job.OverlapPolicy) (job.Execution, error) {
	if !s.n.Leads() {
		return job.Execution{}, job.ErrNotLeader
	}
	now := job.Instant(time.Now())
	execution := job.ManualExecution(id, now, uint16(randomBits(16)))
	applied, err := s.n.log.Submit(ctx, job.Run{
		At: now, HistoryPerJob: s.n.cfg.History.PerJob, Namespace: namespace, Execution: execution, Overlap: overlap,
	})
	if err != nil {
		return job.Execution{}, err
	}
	if e := applied.Items[0].Err; e != nil {
		return job.Execution{}, e
	}
	return s.n.store.Execution(execution)
}
