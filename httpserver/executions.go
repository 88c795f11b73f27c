package httpserver

import (
	"context"
	"net/http"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// The filters of lists of executions, beside the period.
const (
	paramResult  = "result"
	paramTrigger = "trigger"
)

func (s *Server) executionRoutes() []route {
	return []route{
		newRoute("/jobs/{id}/run", map[string]endpoint{
			http.MethodPost: {serve: s.runJob, write: true, role: job.RoleEditor},
		}),
		newRoute("/jobs/{id}/backfill", map[string]endpoint{
			http.MethodPost: {serve: s.backfillJob, write: true, role: job.RoleEditor},
		}),
		newRoute("/jobs/{id}/executions", map[string]endpoint{
			http.MethodGet: {serve: s.listJobExecutions},
		}),
		newRoute("/executions", map[string]endpoint{
			http.MethodGet: {serve: s.listExecutions},
		}),
		newRoute("/executions/{id}", map[string]endpoint{
			http.MethodGet: {serve: s.getExecution},
		}),
		newRoute("/executions/{id}/cancel", map[string]endpoint{
			http.MethodPost: {serve: s.cancelExecution, write: true, role: job.RoleEditor},
		}),
	}
}

// runJob is POST /jobs/{id}/run.
func (s *Server) runJob(ctx context.Context, c *call) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	overlap, err := decodeRun(c.body)
	if err := c.bodyError(c.checkOnce(), err); err != nil {
		return nil, err
	}
	return writeOnce(c, startedRun, func(once *job.Idempotent[job.Execution]) (job.Execution, []byte, error) {
		return s.config.Executions.Run(ctx, c.namespace(), id, overlap, once)
	})
}

func startedRun(x job.Execution) (*response, error) {
	res, err := success(http.StatusAccepted, api.Run{
		ExecutionID: x.ID.String(),
		Trigger:     string(x.Trigger),
		StartedAt:   api.Time{Time: x.CreatedAt},
	})
	if err != nil {
		return nil, err
	}
	return res.with(headerLocation, basePath+"/executions/"+x.ID.String()), nil
}

// cancelExecution is POST /executions/{id}/cancel.
func (s *Server) cancelExecution(ctx context.Context, c *call) (*response, error) {
	id, ok := job.ParseExecutionID(c.param)
	if !ok {
		return nil, errNoSuchExecution
	}
	if err := c.bodyError(c.checkOnce(), decodeNothing(c.body)); err != nil {
		return nil, err
	}
	return writeOnce(c, cancelledExecution, func(once *job.Idempotent[job.Execution]) (job.Execution, []byte, error) {
		return s.config.Executions.Cancel(ctx, c.namespace(), id, once)
	})
}

// cancelledExecution is 202: its request may still be open for a moment.
func cancelledExecution(x job.Execution) (*response, error) {
	return success(http.StatusAccepted, encodeExecution(x))
}

// listExecutions is GET /executions. Deliveries of webhooks are not among them.
func (s *Server) listExecutions(ctx context.Context, c *call) (*response, error) {
	q := c.listQuery(paramNamespace, paramResult, paramTrigger, paramFrom, paramTo)
	namespace, err := c.listed(q)
	if err != nil {
		return nil, err
	}
	return s.answerExecutions(ctx, q, job.ExecutionQuery{Namespace: namespace})
}

// listJobExecutions is GET /jobs/{id}/executions.
func (s *Server) listJobExecutions(ctx context.Context, c *call) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	q := c.listQuery(paramResult, paramTrigger, paramFrom, paramTo)
	return s.answerExecutions(ctx, q, job.ExecutionQuery{Namespace: c.namespace(), Job: id})
}

// answerExecutions answers with a page of those that the query selects further.
func (s *Server) answerExecutions(ctx context.Context, q *query, ask job.ExecutionQuery) (*response, error) {
	ask.Result = oneOf(q, paramResult, job.Running, job.Retrying, job.Success, job.Failed, job.Cancelled, job.Skipped, job.Missed)
	ask.Trigger = oneOf(q, paramTrigger, job.TriggerScheduled, job.TriggerManual, job.TriggerCatchup, job.TriggerBackfill)
	ask.From, ask.To = q.period()
	ask.Before, ask.Limit = q.beforeExecution(), q.limit()
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	p, err := s.config.Executions.List(ctx, ask)
	if err != nil {
		return nil, err
	}
	return success(http.StatusOK, api.ExecutionList{Executions: encodeExecutions(p.Executions), NextCursor: q.executionCursor(p.Next)})
}

// getExecution is GET /executions/{id}.
func (s *Server) getExecution(ctx context.Context, c *call) (*response, error) {
	id, ok := job.ParseExecutionID(c.param)
	if !ok {
		return nil, errNoSuchExecution
	}
	if err := s.read(ctx, parseQuery(c.query, []string{paramConsistency})); err != nil {
		return nil, err
	}
	x, err := s.config.Executions.Get(ctx, c.namespace(), id)
	if err != nil {
		return nil, err
	}
	return success(http.StatusOK, encodeDetail(x))
}
