package scheduler

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// maxLossesPerEntry bounds one MarkLost.
const maxLossesPerEntry = 1000

// losses has the attempts that are lost until the log knows it.
type losses struct {
	cfg  *Config
	wake chan struct{}

	mu   sync.Mutex // guards lost
	lost map[job.AttemptRef]job.Trigger
}

func newLosses(cfg *Config) *losses {
	return &losses{cfg: cfg, wake: make(chan struct{}, 1), lost: map[job.AttemptRef]job.Trigger{}}
}

// add takes over attempts that are lost.
func (l *losses) add(attempts []job.Open) {
	if len(attempts) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range attempts {
		l.lost[ref(o)] = o.Trigger
	}
	poke(l.wake)
}

// forget drops an attempt: the log has moved on.
func (l *losses) forget(r job.AttemptRef) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lost, r)
}

// some returns a decision about as many losses as fit into one.
func (l *losses) some() (d job.MarkLost, triggers []job.Trigger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for r, trigger := range l.lost {
		if len(d.Attempts) == maxLossesPerEntry {
			break
		}
		d.Attempts = append(d.Attempts, r)
		triggers = append(triggers, trigger)
	}
	return d, triggers
}

// run commits losses until the term ends.
func (l *losses) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.wake:
		case <-timer.C:
		}
		if err := l.commit(ctx); isOver(err) {
			return err
		} else if err != nil {
			l.cfg.Logger.Warn("commit lost attempts; trying again", "err", err)
			timer.Reset(retryPause)
		}
	}
}

// commit submits until no loss is left.
func (l *losses) commit(ctx context.Context) error {
	for {
		d, triggers := l.some()
		if len(d.Attempts) == 0 {
			return nil
		}
		d.At = job.Instant(time.Now())
		applied, err := l.cfg.Log.Submit(ctx, d)
		if err != nil {
			return fmt.Errorf("submit lost attempts: %w", err)
		}
		l.cfg.Metrics.lostAttempts(applied.Items, triggers)
		for _, r := range d.Attempts {
			l.forget(r)
		}
	}
}
