package scheduler

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// office knows when this term was last proven to be in office. A leader that was
// paused may have been replaced without knowing; before it has asked it must
// grant no lease, and give no attempt to a node.
type office struct {
	cfg     *Config
	pace    pace
	wakeAll func() // wakes the senders

	mu        sync.Mutex // guards confirmed
	confirmed time.Time  // when the last confirmation that came was asked for
}

func newOffice(cfg *Config, r *roster) *office {
	return &office{cfg: cfg, pace: r.pace, wakeAll: r.wakeAll}
}

// isConfirmed reports whether leases may be granted now. It is about the time at
// which the confirmation was asked for: when it came says nothing.
func (o *office) isConfirmed(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.confirmed.IsZero() && now.Sub(o.confirmed) <= o.pace.office
}

func (o *office) confirm(asked time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.confirmed = asked
}

// run asks for confirmations until the term ends.
func (o *office) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		asked := time.Now()
		err := o.ask(ctx, asked)
		if isOver(err) || ctx.Err() != nil {
			return err
		}
		if err != nil && !failing {
			o.cfg.Logger.Warn("no lease is granted until the term is confirmed; trying again", "err", err)
		}
		if failing = err != nil; failing {
			timer.Reset(retryPause)
		} else {
			timer.Reset(max(0, time.Until(asked.Add(o.pace.renew))))
		}
	}
}

// ask asks once. The senders, if they had to wait for it, go on.
func (o *office) ask(ctx context.Context, asked time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, asked.Add(o.pace.office))
	defer cancel()
	if err := o.cfg.Log.Confirm(ctx); err != nil {
		return fmt.Errorf("confirm the office: %w", err)
	}
	lapsed := !o.isConfirmed(time.Now())
	o.confirm(asked)
	if lapsed {
		o.wakeAll()
	}
	return nil
}
