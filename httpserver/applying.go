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

// errOvertaken ends the last try. What the state said to it is about jobs as they were,
// and means nothing to whoever sent the list.
var errOvertaken = job.Errorf(job.CodeConflict, "other changes of the same jobs keep coming between; send the list again")

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
	// keep, if it is not nil, makes a spec with what the list says of a job one that has
	// what the list cannot say too, of the job as it was found.
	keep func(found, spec *job.Spec)
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
	// tags, all of them, are what the jobs have that a prune may delete, and those of the
	// list.
	tags   []job.Tag
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
	err = persist(func() (err error) {
		again, err = a.tryWrite(ctx, once)
		return err
	})
	return again, a.inPart(err)
}

// inPart is the error of a list. If some of its entries were committed it is not that
// of a write of which nothing came, whatever has ended it.
func (a *applying) inPart(err error) error {
	made, planned := 0, 0
	for _, st := range a.steps {
		switch {
		case st.made:
			made++
		case st.change != nil:
			planned++
		}
	}
	if err == nil || made == 0 || errors.Is(err, job.ErrOutcomeUnknown) {
		return err
	}
	a.server.logger.Warn("a list was applied in part", "request", a.call.id, "made", made, "left", planned, "err", err)
	return job.Errorf(job.CodeOutcomeUnknown, "%d changes of the list were made, and whether the %d others were is unknown; send the list again: what is done already is left as it is", made, planned)
}

// persist tries again while the state moves on, a few times.
func persist(try func() error) error {
	for range applyTries {
		err := try()
		var moved *movedError
		if !errors.As(err, &moved) {
			return err
		}
	}
	return errOvertaken
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
	if a.strict && len(batches) > 1 {
		// What is wrong with the last one must not come up when the first is made.
		if err := a.consult(ctx, batches); err != nil {
			return nil, err
		}
	}
	if once != nil && len(a.steps) > MaxChanges {
		if err := a.checkKept(); err != nil {
			return nil, err
		}
	}
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

// errListNotKept is for a list whose answer would make an entry of the log too large.
var errListNotKept = job.Errorf(job.CodePayloadTooLarge, "the answer to this list is too large to be kept for its Idempotency-Key: send a shorter list, or leave the key out")

// checkKept makes sure that the answer can be kept, before anything is made.
func (a *applying) checkKept() error {
	answer, err := a.show(nil)
	if err != nil {
		return err
	}
	kept, err := answer.keep()
	if err == nil && len(kept)+len(job.ID(0).String())*len(a.steps) > MaxChangeBytes { // with the IDs of what is created
		return errListNotKept
	}
	return err
}

// prepare plans the steps as of a linearizable read.
func (a *applying) prepare(ctx context.Context) error {
	if err := a.server.config.Consistency.Barrier(ctx); err != nil {
		return err
	}
	if err := a.server.confirmKey(ctx, a.call); err != nil {
		return err
	}
	if err := a.plan(ctx); err != nil {
		return err
	}
	return a.verdict()
}

// verdict is why nothing is to be made: all of the list has to be right if it is strict.
func (a *applying) verdict() error {
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
		err := a.settle(batch, outcomes)
		if err == nil {
			err = a.verdict()
		}
		if err != nil || once == nil {
			return []byte{keptVersion}, err
		}
		return once.Answer(outcomes)
	}}
	if once != nil {
		ask.Key, ask.Request = once.Key, once.Request
	}
	if again, err = a.submit(ctx, batch, ask); err != nil || len(again) > 0 {
		return again, err
	}
	if err := a.verdict(); err != nil { // each part was refused: nothing was submitted
		return nil, err
	}
	for _, st := range batch {
		st.made = st.refused == nil
	}
	return nil, nil
}

// submit hands the steps to the backend, and takes what they come to.
func (a *applying) submit(ctx context.Context, batch []*step, ask *job.Idempotent[[]job.JobOutcome]) (again []byte, err error) {
	changes := make([]job.JobChange, 0, len(batch))
	for _, st := range batch {
		changes = append(changes, *st.change)
	}
	outcomes, again, err := a.server.config.Jobs.Change(ctx, a.by, changes, ask)
	if err != nil || len(again) > 0 {
		return again, err
	}
	return nil, a.settle(batch, outcomes)
}

// randomKey is no key of any client.
func randomKey() (key [32]byte) {
	_, _ = rand.Read(key[:]) // never fails
	return key
}

// settle takes what the steps of a batch come to. Its error ends the try.
func (a *applying) settle(batch []*step, outcomes []job.JobOutcome) error {
	if len(outcomes) != len(batch) {
		return errors.New("the outcomes of a change are not as many as its parts")
	}
	for i, o := range outcomes {
		st := batch[i]
		st.refused = nil
		switch {
		case o.Err == nil:
			if st.action != api.ActionDelete && !a.dryRun {
				st.job = o.Job
			}
		case o.Err.Code == job.CodePreconditionFailed, o.Err.Code == job.CodeNotFound, o.Err.Code == job.CodeConflict:
			return &movedError{cause: o.Err}
		default:
			st.refused = o.Err
		}
	}
	return nil
}
