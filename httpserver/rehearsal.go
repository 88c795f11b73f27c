package httpserver

import (
	"context"
	"errors"

	"github.com/cronraft/cronraft/internal/job"
)

// errRehearsed ends a change that is not to be made.
var errRehearsed = errors.New("this is a dry run")

// rehearse does all that write does, but commits nothing: the leader, who knows more
// rules than a list can be checked against (the time, what becomes of a job's slots),
// decides about each step, and is then told not to.
func (a *applying) rehearse(ctx context.Context) error {
	return persist(func() error { return a.tryRehearse(ctx) })
}

func (a *applying) tryRehearse(ctx context.Context) error {
	if err := a.prepare(ctx); err != nil {
		return err
	}
	return a.consult(ctx, a.batches())
}

// consult lets the leader decide about each step of the batches, and makes none.
func (a *applying) consult(ctx context.Context, batches [][]*step) error {
	for _, batch := range batches {
		veto := &job.Idempotent[[]job.JobOutcome]{Key: randomKey(), Answer: func(outcomes []job.JobOutcome) ([]byte, error) {
			if err := a.settle(batch, outcomes); err != nil {
				return nil, err
			}
			return nil, errRehearsed
		}}
		if _, err := a.submit(ctx, batch, veto); err != nil && !errors.Is(err, errRehearsed) {
			return err
		}
	}
	return a.verdict()
}
