package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
)

// RunOptions say how a job is run by hand.
type RunOptions struct {
	// OverlapPolicy replaces the job's for this run; empty keeps it.
	OverlapPolicy string `json:"overlapPolicy,omitempty"`
}

// RunJob starts an execution now. [ErrOverlap] if one is running and the policy is SKIP.
// Options: [IdempotencyKey].
func (c *Client) RunJob(ctx context.Context, id string, how RunOptions, opts ...Option) (api.Run, error) {
	return send[api.Run](ctx, c, newCall(http.MethodPost, pathJobs, id, "run").json(how).with(c, takesOnceKey, opts))
}

// Backfill is a period of the past whose slots are to be run.
type Backfill struct {
	// From counts, and To does not.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// OverlapPolicy replaces the job's; empty keeps it.
	OverlapPolicy string `json:"overlapPolicy,omitempty"`
	// DryRun only tells the slots.
	DryRun bool `json:"dryRun,omitempty"`
}

// BackfillJob starts an execution for each slot of the period, at most 10000. Options:
// [IdempotencyKey].
func (c *Client) BackfillJob(ctx context.Context, id string, b Backfill, opts ...Option) (api.Backfill, error) {
	return send[api.Backfill](ctx, c, newCall(http.MethodPost, pathJobs, id, "backfill").json(b).with(c, takesOnceKey, opts))
}

// Execution reads an execution with all that is known of it. Options: [Stale].
func (c *Client) Execution(ctx context.Context, id string, opts ...Option) (api.ExecutionDetail, error) {
	return send[api.ExecutionDetail](ctx, c, newCall(http.MethodGet, pathExecutions, id).with(c, takesStale, opts))
}

// CancelExecution ends an execution; [ErrConflict] if it has ended in another way.
// Options: [IdempotencyKey].
func (c *Client) CancelExecution(ctx context.Context, id string, opts ...Option) (api.Execution, error) {
	return send[api.Execution](ctx, c, newCall(http.MethodPost, pathExecutions, id, "cancel").with(c, takesOnceKey, opts))
}

// ExecutionFilter selects executions; what is left out selects all.
type ExecutionFilter struct {
	// JobID is the job whose executions are listed.
	JobID   string
	Result  string
	Trigger string
	// From counts, and To does not.
	From, To time.Time
	// Limit is how many executions a page has at most, and Cursor where it begins.
	Limit  int
	Cursor string
}

// Executions iterates over the executions that f selects, newest first. Options:
// [Stale], and [Namespace] unless f names a job.
func (c *Client) Executions(ctx context.Context, f ExecutionFilter, opts ...Option) iter.Seq2[api.Execution, error] {
	f.Limit = orPageSize(f.Limit)
	return pages(f.Cursor, func(cursor string) ([]api.Execution, *string, error) {
		f := f
		f.Cursor = cursor
		list, err := c.ExecutionPage(ctx, f, opts...)
		return list.Executions, list.NextCursor, err
	})
}

// ExecutionPage reads one page of the executions that f selects. Options: those of
// [Client.Executions].
func (c *Client) ExecutionPage(ctx context.Context, f ExecutionFilter, opts ...Option) (api.ExecutionList, error) {
	q, t := newCall(http.MethodGet, pathExecutions), takesStale|takesNamespace
	if f.JobID != "" {
		q, t = newCall(http.MethodGet, pathJobs, f.JobID, pathExecutions), takesStale
	}
	q.set("result", f.Result).set("trigger", f.Trigger).period(f.From, f.To).page(f.Limit, f.Cursor).with(c, t, opts)
	return send[api.ExecutionList](ctx, c, q)
}

// period sets the parameters of a period; a zero time is left out.
func (q *call) period(from, to time.Time) *call {
	for name, t := range map[string]time.Time{"from": from, "to": to} {
		if !t.IsZero() {
			q.query.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	return q
}
