package executor

import (
	"context"
	"log/slog"
	"time"

	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
)

// dispatch starts workers for what is queued.
func (e *Executor) dispatch(ctx context.Context, g *group.Group) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.waiting:
		}
		for a, attemptCtx := e.hire(ctx); a != nil; a, attemptCtx = e.hire(ctx) {
			g.Go(func(ctx context.Context) error {
				e.work(ctx, a, attemptCtx)
				return nil
			})
		}
	}
}

// hire finds the first attempt of another worker, and the context that ends with
// its abort; nil if nothing is queued, no place is free, or the lease is over:
// then whoever ends it empties the queue.
func (e *Executor) hire(ctx context.Context) (*attempt, context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lease.isOver(time.Now()) {
		return nil, nil
	}
	return begin(ctx, e.attempts.hire())
}

// begin makes an attempt abortable; nil stays nil. The caller holds the
// executor's mu.
func begin(ctx context.Context, a *attempt) (*attempt, context.Context) {
	if a != nil {
		ctx, a.cancel = context.WithCancelCause(ctx)
	}
	return a, ctx
}

// work is the life of a worker: one request after the other.
func (e *Executor) work(ctx context.Context, a *attempt, attemptCtx context.Context) {
	for a != nil {
		e.cfg.Reached.Reach(crashpoint.Assigned)
		outcome := e.client.do(attemptCtx, &a.Assignment)
		outcome.Node = e.node
		e.cfg.Reached.Reach(crashpoint.Answered)
		e.logEnd(ctx, &outcome)
		a, attemptCtx = e.next(ctx, a)
		e.outbox.add(outcome)
	}
}

// next ends a worker's attempt and begins its next one; nil as in hire.
func (e *Executor) next(ctx context.Context, a *attempt) (*attempt, context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a.cancel(nil)
	e.attempts.end(a)
	e.cfg.Metrics.setOpen(e.attempts.unended)
	if e.lease.isOver(time.Now()) {
		e.attempts.retire()
		return nil, nil
	}
	return begin(ctx, e.attempts.next())
}

func (e *Executor) logEnd(ctx context.Context, o *job.Outcome) {
	if !e.cfg.Logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("job", o.Execution.Job.String()), slog.String("exec", o.Execution.String()),
		slog.Int("attempt", o.Attempt), slog.Int("status", o.HTTPStatus), slog.Duration("took", o.Duration),
	}
	if o.Err != nil {
		attrs = append(attrs, slog.String("err", string(o.Err.Code)+": "+o.Err.Msg))
	}
	e.cfg.Logger.LogAttrs(ctx, slog.LevelDebug, "attempt ended", attrs...)
}
