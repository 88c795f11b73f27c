package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	firstPrune    = 5 * time.Minute // after the term's start: not beside its other work
	pruneEvery    = time.Hour
	pruneJobs     = 1000                  // in one entry
	pruneAnswers  = 1000                  // in one entry
	prunePagePace = 50 * time.Millisecond // between two entries, for the others' sake
)

// pruner removes the records, the kept answers and the statistics that are too old, by
// logged commands: the same on every node.
type pruner struct{ cfg *Config }

// run works until the term ends.
func (p *pruner) run(ctx context.Context) error {
	timer := time.NewTimer(firstPrune)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		for _, prune := range []func(context.Context) error{p.history, p.answers} {
			if err := prune(ctx); isOver(err) {
				return err
			} else if err != nil {
				p.cfg.Logger.Warn("prune; going on next time", "err", err)
			}
		}
		timer.Reset(pruneEvery)
	}
}

// history walks all jobs once and removes their old records.
func (p *pruner) history(ctx context.Context) error {
	if p.cfg.HistoryMaxAge <= 0 {
		return nil
	}
	d := job.Prune{Before: p.before(p.cfg.HistoryMaxAge), Jobs: pruneJobs}
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

// answers removes the answers that nobody can ask for again, and old statistics. While some member
// is too old to know of answers there are none.
func (p *pruner) answers(ctx context.Context) error {
	d := job.PruneAnswers{Before: p.before(job.OnceFor), Limit: pruneAnswers}
	for {
		applied, err := p.cfg.Log.Submit(ctx, d)
		switch {
		case errors.Is(err, job.ErrOldMember):
			return nil
		case err != nil:
			return fmt.Errorf("submit prune of answers: %w", err)
		case !applied.More:
			return nil
		}
		if err := pause(ctx, prunePagePace); err != nil {
			return err
		}
	}
}

// before is the instant that is as long ago as age.
func (p *pruner) before(age time.Duration) time.Time { return job.Instant(p.cfg.Now().Add(-age)) }

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
