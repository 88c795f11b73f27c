package httpserver

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// applyTries bounds how often a list is compared with the state again because
// another request came between.
const applyTries = 5

// wanted is one job of a list that is to be applied.
type wanted struct {
	// index is its place in the request, and at the same for messages: jobs[3], or
	// line 12 of a crontab.
	index      int
	at         string
	name       string
	externalID string
	patch      *jobPatch
	// lines tells where a field stands, if the request has lines.
	lines map[string]int
	// refused is why there is no patch; nil otherwise.
	refused *job.Error
}

// step is what is done about one job.
type step struct {
	want *wanted // nil for a job that is not in the list
	// job is the one that there is, before the step and, once it is made, after it.
	job     job.Job
	action  string
	changed []string
	// change is nil if there is nothing to do, or if nothing can be done.
	change  *job.JobChange
	refused *job.Error
	// made: the step is in an entry of the log that was committed.
	made bool
}

// applying is a list on its way into the state.
type applying struct {
	server *Server
	call   *call
	by     job.APIKey
	wanted []wanted
	prune  bool
	dryRun bool
	// strict: nothing is done unless everything can be.
	strict bool

	steps []*step
}

// movedError ends a try: the state is not any more what the steps were planned for.
type movedError struct{ cause *job.Error }

func (e *movedError) Error() string { return "the state has moved on: " + e.cause.Error() }

// write does what has to be done. Again is the answer of the first time, if there
// was one.
func (a *applying) write(ctx context.Context, once *job.Idempotent[[]job.JobOutcome]) (again []byte, err error) {
	if once != nil {
		// What was done then may be why there is nothing to do now.
		if again, err = a.lookUp(ctx, once); err != nil || len(again) > 0 {
			return again, err
		}
	}
	for try := 1; ; try++ {
		again, err = a.tryWrite(ctx, once)
		var moved *movedError
		if !errors.As(err, &moved) {
			return again, err
		}
		if try == applyTries {
			return nil, moved.cause
		}
	}
}

// errFirstTime ends a change that is only to look up its once.
var errFirstTime = errors.New("this key was not used before")

// lookUp is the answer that is kept for a once; empty if there is none.
func (a *applying) lookUp(ctx context.Context, once *job.Idempotent[[]job.JobOutcome]) (again []byte, err error) {
	look := *once
	look.Answer = func([]job.JobOutcome) ([]byte, error) { return nil, errFirstTime }
	_, again, err = a.server.config.Jobs.Change(ctx, a.by, nil, &look)
	if errors.Is(err, errFirstTime) {
		return nil, nil
	}
	return again, err
}

func (a *applying) tryWrite(ctx context.Context, once *job.Idempotent[[]job.JobOutcome]) (again []byte, err error) {
	if err := a.prepare(ctx); err != nil {
		return nil, err
	}
	batches := a.batches()
	for i, batch := range batches {
		last := once
		if i < len(batches)-1 {
			last = nil // what is kept is all that was done
		}
		if again, err = a.commit(ctx, batch, last); err != nil || len(again) > 0 {
			return again, err
		}
	}
	return nil, nil
}

// prepare plans the steps as of a linearizable read.
func (a *applying) prepare(ctx context.Context) error {
	if err := a.server.config.Consistency.Barrier(ctx); err != nil {
		return err
	}
	if err := a.plan(ctx); err != nil {
		return err
	}
	if a.strict {
		return a.refusal()
	}
	return nil
}

// batches are the steps that change something, each as many as go into one entry.
func (a *applying) batches() [][]*step {
	var batches [][]*step
	size := 0
	for _, st := range a.steps {
		if st.change == nil || st.made {
			continue
		}
		more := 0
		if st.change.Spec != nil {
			more = changeBytes(st.change.Spec)
		}
		size += more
		if n := len(batches); n == 0 || len(batches[n-1]) == MaxChanges || size > MaxChangeBytes {
			batches, size = append(batches, nil), more
		}
		batches[len(batches)-1] = append(batches[len(batches)-1], st)
	}
	return batches
}

// commit makes the steps in one entry: all of them, or those that no rule refuses if
// the request is not strict, or none.
func (a *applying) commit(ctx context.Context, batch []*step, once *job.Idempotent[[]job.JobOutcome]) (again []byte, err error) {
	// With a once the backend asks before it commits, and commits the whole or nothing.
	ask := &job.Idempotent[[]job.JobOutcome]{Key: randomKey(), Answer: func(outcomes []job.JobOutcome) ([]byte, error) {
		if err := a.settle(batch, outcomes); err != nil || once == nil {
			return []byte{keptVersion}, err
		}
		return once.Answer(outcomes)
	}}
	if once != nil {
		ask.Key, ask.Request = once.Key, once.Request
	}
	changes := make([]job.JobChange, 0, len(batch))
	for _, st := range batch {
		changes = append(changes, *st.change)
	}
	outcomes, again, err := a.server.config.Jobs.Change(ctx, a.by, changes, ask)
	if err != nil || len(again) > 0 {
		return again, err
	}
	if err := a.settle(batch, outcomes); err != nil {
		return nil, err
	}
	for _, st := range batch {
		st.made = st.refused == nil
	}
	return nil, nil
}

// randomKey is no key of any client.
func randomKey() (key [32]byte) {
	_, _ = rand.Read(key[:]) // never fails
	return key
}

// settle takes what the steps of a batch come to. Its error is why they are not to be
// made.
func (a *applying) settle(batch []*step, outcomes []job.JobOutcome) error {
	if len(outcomes) != len(batch) {
		return errors.New("the outcomes of a change are not as many as its parts")
	}
	for i, o := range outcomes {
		st := batch[i]
		st.refused = nil
		switch {
		case o.Err == nil:
			if st.action != api.ActionDelete {
				st.job = o.Job
			}
		case o.Err.Code == job.CodePreconditionFailed, o.Err.Code == job.CodeNotFound, o.Err.Code == job.CodeConflict:
			return &movedError{cause: o.Err}
		default:
			st.refused = o.Err
		}
	}
	if a.strict {
		return a.refusal()
	}
	return nil
}
