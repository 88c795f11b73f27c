package httpserver

import (
	"context"
	"net/http"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// runJob is POST /jobs/{id}/run.
func (s *Server) runJob(ctx context.Context, c *call) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	if err := c.checkBodyOnly(); err != nil {
		return nil, err
	}
	overlap, err := decodeRun(c.body)
	if err != nil {
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
	if err := c.checkBodyOnly(); err != nil {
		return nil, err
	}
	if err := decodeNothing(c.body); err != nil {
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

// listExecutions is GET /jobs/{id}/executions.
func (s *Server) listExecutions(ctx context.Context, c *call) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	q := parseQuery(c.query, []string{paramLimit, paramCursor, paramConsistency})
	var before job.ExecutionID
	limit := q.limit()
	q.cursor(func(text string) (ok bool) {
		before, ok = parseExecutionCursor(text, id)
		return ok
	})
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	list, err := s.config.Executions.List(ctx, c.namespace(), id, before, limit+1)
	if err != nil {
		return nil, err
	}
	list, next := page(list, limit, func(x job.Execution) string { return executionCursor(x.ID) })
	return success(http.StatusOK, api.ExecutionList{Executions: encodeExecutions(list), NextCursor: next})
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
