package node

import (
	"context"
	"errors"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// errCrowded: others changed the same jobs each time that a change was tried.
var errCrowded = job.Errorf(job.CodeConflict, "other changes of the same jobs keep coming between; try again")

// changing is many changes on their way into one entry of the log.
type changing struct {
	definitions
	by       job.APIKey
	changes  []job.JobChange
	outcomes []job.JobOutcome
	// open are the changes that nothing has been decided about, by their index.
	open []int
	// whole: the entry is applied as a whole, or not at all. What is kept to be
	// answered again has to be all that was done.
	whole bool
	// patience is until when to wait for slots that are due.
	patience time.Time
}

// Change makes all the changes in one log entry; each is made or refused by itself.
// Another entry is needed only for those that something else came between. Again is
// the first answer if once came before: nothing was changed then.
func (s Jobs) Change(ctx context.Context, by job.APIKey, changes []job.JobChange, once *job.Idempotent[[]job.JobOutcome]) (outcomes []job.JobOutcome, again []byte, err error) {
	if !s.n.Leads() {
		return nil, nil, job.ErrNotLeader
	}
	// What this node knows may be old, if it leads no more.
	if err := s.n.Barrier(ctx); err != nil {
		return nil, nil, err
	}
	if once != nil {
		again, err := s.n.store.Answer(once.Key, once.Request, s.n.instant())
		if err != nil || again != nil {
			return nil, again, err
		}
	}
	c := &changing{
		definitions: s.definitions(), by: by, changes: changes, outcomes: make([]job.JobOutcome, len(changes)),
		whole: once != nil, patience: time.Now().Add(planPatience),
	}
	for i := range changes {
		c.open = append(c.open, i)
	}
	return c.run(ctx, once)
}

func (c *changing) run(ctx context.Context, once *job.Idempotent[[]job.JobOutcome]) (outcomes []job.JobOutcome, again []byte, err error) {
	// Each entry decides about one change at least, unless something came between.
	for tries := 0; len(c.open) > 0 && tries < editTries; {
		before := len(c.open)
		put, err := c.draft(ctx)
		if err != nil || len(put.Jobs) == 0 {
			return c.outcomes, nil, err
		}
		if put.Once, err = onceOf(once, c.outcomes); err != nil {
			return nil, nil, err
		}
		applied, err := c.n.consensus.log.Submit(ctx, put)
		if err != nil || applied.Answer != nil {
			return nil, applied.Answer, err
		}
		if err := c.take(applied.Items); err != nil {
			return nil, nil, err
		}
		if len(c.open) == before {
			tries++
		}
	}
	for _, i := range c.open {
		c.refuse(i, errCrowded)
	}
	return c.outcomes, nil, nil
}

// draft decides about the open changes. Those that a rule refuses are open no more;
// the outcomes of the others, whose order is that of the entry's parts, are what they
// will be if the entry is applied.
func (c *changing) draft(ctx context.Context) (put job.PutJobs, err error) {
	put = job.PutJobs{At: c.n.instant(), Whole: c.whole}
	var open []int
	seen := map[job.ID]bool{}
	for _, i := range c.open {
		id := c.changes[i].ID
		if id != 0 && seen[id] {
			c.refuse(i, job.Errorf(job.CodeConflict, "job %v is to be changed twice: change it once", id))
			continue
		}
		seen[id] = true
		part, outcome, err := c.part(ctx, c.changes[i], put.At)
		var refusal *job.Error
		switch {
		case errors.As(err, &refusal) && isRefusal(refusal.Code):
			c.refuse(i, refusal)
		case err != nil:
			return job.PutJobs{}, err
		default:
			open = append(open, i)
			put.Jobs, c.outcomes[i] = append(put.Jobs, part), job.JobOutcome{Job: outcome}
		}
	}
	c.open, c.patience = open, time.Time{}
	return put, nil
}

// isRefusal reports whether the code says that a rule refused one change; any other
// is about all of them.
func isRefusal(code job.Code) bool {
	switch code {
	case job.CodeValidation, job.CodeNotFound, job.CodePreconditionFailed, job.CodeConflict:
		return true
	default:
		return false
	}
}

func (c *changing) refuse(i int, err *job.Error) { c.outcomes[i] = job.JobOutcome{Err: err} }

// part is one change, and what it comes to if the entry of the given time is applied.
func (c *changing) part(ctx context.Context, change job.JobChange, at time.Time) (put job.PutJob, outcome job.Job, err error) {
	home := homeOf(c.by)
	switch {
	case change.ID != 0 && change.Spec != nil:
		put, err = c.replace(ctx, change)
		put.Job.UpdatedAt = at
	case change.ID != 0:
		outcome, err = c.at(home, change.ID, change.Version)
		// Its spec does not count, but has to be one.
		gone := job.Job{ID: outcome.ID, Namespace: home, Version: outcome.Version, Spec: job.DefaultSpec()}
		return job.PutJob{Job: gone, Delete: true}, outcome, err
	case change.Spec == nil:
		err = job.Errorf(job.CodeValidation, "a change names a job, or has a spec, or both")
	default:
		put.Job, err = c.fresh(job.Job{Namespace: home, KeyID: c.by.ID, Spec: change.Spec.Clone()}, at)
	}
	return put, expected(put.Job), err
}

// replace reads a job and decides about it, once more if its slot is planned
// meanwhile.
func (c *changing) replace(ctx context.Context, change job.JobChange) (put job.PutJob, err error) {
	for patience := c.patience; ; patience = (time.Time{}) {
		before, err := c.at(homeOf(c.by), change.ID, change.Version)
		if err != nil {
			return job.PutJob{}, err
		}
		after := before
		after.Spec = change.Spec.Clone()
		if put, err = c.replacement(ctx, before, after, patience); !isStale(err) {
			return put, err
		}
	}
}

// take sorts out what has become of the open changes.
func (c *changing) take(items []job.Item) error {
	applied := true
	for _, item := range items {
		applied = applied && (item.Err == nil || !c.whole)
	}
	var open []int
	for at, i := range c.open {
		switch e := items[at].Err; {
		case e != nil && e.Code == job.CodeIdempotencyMismatch:
			return e
		case e == nil && applied:
			made, err := c.settled(i)
			if err != nil {
				return err
			}
			c.outcomes[i] = job.JobOutcome{Job: made}
		case e == nil, c.comesAgain(i, e):
			open = append(open, i)
		default:
			c.refuse(i, e)
		}
	}
	c.open = open
	return nil
}

// comesAgain reports whether a change met a state other than the one that it was
// decided for, which its caller did not name.
func (c *changing) comesAgain(i int, e *job.Error) bool {
	return isStale(e) || e.Code == job.CodePreconditionFailed && c.changes[i].Version == 0
}

// settled is the job of a change that was made: as it was committed, or as it was
// before it was deleted.
func (c *changing) settled(i int) (job.Job, error) {
	if c.changes[i].Spec == nil {
		return c.outcomes[i].Job, nil
	}
	return c.made(c.outcomes[i].Job)
}
