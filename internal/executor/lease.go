package executor

import (
	"context"
	"log/slog"
	"time"
)

// renew extends the lease to d from now. The caller holds e.mu.
func (e *Executor) renew(d time.Duration) {
	if d <= 0 {
		return
	}
	until := time.Now().Add(d)
	sooner := e.leaseUntil.IsZero() || until.Before(e.leaseUntil)
	e.leaseUntil = until
	if sooner {
		poke(e.leased)
	}
}

// watchLease ends the lease in time. Its timer is only ever early: a renewal that
// makes the lease longer need not wake it.
func (e *Executor) watchLease(ctx context.Context) error {
	for {
		var over <-chan time.Time
		if until := e.leaseEnd(); !until.IsZero() {
			over = time.After(time.Until(until))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.leased:
		case <-over:
			e.checkLease(ctx)
		}
	}
}

func (e *Executor) leaseEnd() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.leaseUntil
}

// checkLease aborts everything if the lease was not renewed.
func (e *Executor) checkLease(ctx context.Context) {
	e.mu.Lock()
	if time.Now().Before(e.leaseUntil) {
		e.mu.Unlock()
		return
	}
	e.leaseUntil = time.Time{}
	aborted, outcomes := e.abortAll(errLeaseEnded)
	e.mu.Unlock()
	e.outbox.add(outcomes...)
	if aborted > 0 {
		e.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "lost contact with the leader: open attempts aborted",
			slog.Int("attempts", aborted))
	}
}
