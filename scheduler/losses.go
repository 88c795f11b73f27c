package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// maxLossesPerEntry bounds one MarkLost.
const maxLossesPerEntry = 1000

// loss is an attempt that is lost.
type loss struct {
	open job.Open
	// unreached: it has surely not come to its node.
	unreached bool
}

// losses has the attempts that are lost until the log knows it.
type losses struct {
	cfg  *Config
	wake chan struct{}

	mu   sync.Mutex // guards lost
	lost map[job.AttemptRef]loss
}

func newLosses(cfg *Config) *losses {
	return &losses{cfg: cfg, wake: make(chan struct{}, 1), lost: map[job.AttemptRef]loss{}}
}

// add takes over attempts that are lost.
func (l *losses) add(attempts []loss) {
	if len(attempts) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range attempts {
		l.lost[ref(a.open)] = a
	}
	poke(l.wake)
}

// forget drops attempts: the log has moved on.
func (l *losses) forget(attempts ...job.AttemptRef) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range attempts {
		delete(l.lost, r)
	}
}

// some returns as many losses as fit into one decision.
func (l *losses) some() []loss {
	most := l.cfg.parts(maxLossesPerEntry)
	l.mu.Lock()
	defer l.mu.Unlock()
	var some []loss
	for _, a := range l.lost {
		if len(some) == most {
			break
		}
		some = append(some, a)
	}
	return some
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
	for some := l.some(); len(some) > 0; some = l.some() {
		d, triggers, err := l.decide(some)
		if err != nil {
			return err
		}
		applied, err := submitLost(ctx, l.cfg.Log, d)
		if err != nil {
			return err
		}
		l.cfg.Metrics.lostAttempts(applied.Items, triggers)
		for _, list := range [][]job.AttemptRef{d.Attempts, d.Unbegun, d.Final} {
			l.forget(list...)
		}
	}
	return nil
}

// submitLost commits losses. While some member is too old to read which of them were
// never begun, the log is not told.
func submitLost(ctx context.Context, log Log, d job.MarkLost) (job.Applied, error) {
	applied, err := log.Submit(ctx, d)
	if len(d.Unbegun) > 0 && errors.Is(err, job.ErrOldMember) {
		d.Attempts, d.Unbegun = slices.Concat(d.Attempts, d.Unbegun), nil
		applied, err = log.Submit(ctx, d)
	}
	if err != nil {
		return job.Applied{}, fmt.Errorf("submit lost attempts: %w", err)
	}
	return applied, nil
}

// decide sorts the losses: one that may have called its target is the end of an
// execution whose job wants that at most once, and any other is made again. The
// triggers are in the order of the decision's items.
func (l *losses) decide(some []loss) (d job.MarkLost, triggers []job.Trigger, err error) {
	d.At = l.cfg.instant()
	var unbegun, last []job.Trigger // of d.Unbegun and d.Final
	for _, a := range some {
		if a.unreached {
			d.Unbegun, unbegun = append(d.Unbegun, ref(a.open)), append(unbegun, a.open.Trigger)
			continue
		}
		final, err := isAtMostOnce(l.cfg.Jobs, a.open.Execution.Job)
		switch {
		case err != nil:
			return job.MarkLost{}, nil, err
		case final:
			d.Final, last = append(d.Final, ref(a.open)), append(last, a.open.Trigger)
		default:
			d.Attempts, triggers = append(d.Attempts, ref(a.open)), append(triggers, a.open.Trigger)
		}
	}
	return d, slices.Concat(triggers, unbegun, last), nil
}

// isAtMostOnce reports whether no attempt of the job may be made again that was
// lost; false for one that was deleted.
func isAtMostOnce(jobs Jobs, id job.ID) (bool, error) {
	j, err := jobs.Job(id)
	if err != nil && !errors.Is(err, job.ErrNotFound) {
		return false, fmt.Errorf("read job %v: %w", id, err)
	}
	return j.Guarantee == job.AtMostOnce, nil
}
