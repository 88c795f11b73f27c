package executor

import (
	"context"
	"fmt"
	"time"
)

// lastReports is how long [Executor.Drain] waits for the outcomes of what it
// aborted to be acknowledged.
const lastReports = time.Second

// Drain returns when no attempt is open and every outcome is acknowledged. When
// ctx is done before, it aborts what is left, so that it is reported as NODE_LOST
// and others take it over, and waits at most another second for that. From then
// on new assignments end at once in the same way; until then they are run. The
// error is nil unless attempts or their outcomes were given up.
func (e *Executor) Drain(ctx context.Context) error {
	if e.awaitSettled(ctx) {
		return nil
	}
	e.mu.Lock()
	e.ending = errNodeStopping
	aborted, outcomes := e.abortAll(errNodeStopping)
	e.mu.Unlock()
	e.outbox.add(outcomes...)

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastReports)
	defer cancel()
	if reported := e.awaitSettled(last); reported && aborted == 0 {
		return nil
	}
	return fmt.Errorf("drain: %d attempts aborted: %w", aborted, context.Cause(ctx))
}

// awaitSettled waits until nothing is live; false if ctx was done, or Run
// returned, before.
func (e *Executor) awaitSettled(ctx context.Context) bool {
	for {
		e.mu.Lock()
		live, stopped, settled := len(e.attempts.live), e.stopped, e.settled
		e.mu.Unlock()
		if live == 0 || stopped {
			return live == 0
		}
		select {
		case <-ctx.Done():
			return false
		case <-settled:
		}
	}
}
