package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	firstPrune    = 5 * time.Minute // after the term's start: not beside its other work
	pruneEvery    = time.Hour
	pruneJobs     = 1000                  // in one entry
	prunePagePace = 50 * time.Millisecond // between two entries, for the others' sake
)

// pruner removes the records that are too old, by a logged command: the same on
// every node.
type pruner struct{ cfg *Config }

// run works until the term ends.
func (p *pruner) run(ctx context.Context) error {
	if p.cfg.HistoryMaxAge <= 0 {
		return nil
	}
	timer := time.NewTimer(firstPrune)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		if err := p.prune(ctx); isOver(err) {
			return err
		} else if err != nil {
			p.cfg.Logger.Warn("prune history; going on next time", "err", err)
		}
		timer.Reset(pruneEvery)
	}
}

// prune walks all jobs once.
func (p *pruner) prune(ctx context.Context) error {
	d := job.Prune{Before: job.Instant(time.Now().Add(-p.cfg.HistoryMaxAge)), Jobs: pruneJobs}
	for {
		applied, err := p.cfg.Log.Submit(ctx, d)
		if err != nil {
			return fmt.Errorf("submit prune: %w", err)
		}
		if d.After = applied.Next; d.After == 0 {
			return nil
		}
		if err := pause(ctx, prunePagePace); err != nil {
			return err
		}
	}
}

// pause waits, or returns ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
