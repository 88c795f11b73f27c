//go:build !race

package node_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/job"
)

// simClient writes to jobs of its own, one operation after the other, and notes
// what it asked for and what it was told.
type simClient struct {
	c      *simCluster
	name   string
	chance *rand.Rand
	draw   *simJobs
	// pause is the mean time between two operations.
	pause time.Duration
	// most is how many jobs the client keeps.
	most int

	jobs []*simJob
	keys int // that there ever were
}

// simJob is a job as its client knows it.
type simJob struct {
	id      job.ID
	name    string
	version uint64
	paused  bool
	// crowded: its executions may overlap, or might have once.
	crowded bool
}

const (
	// opPatience is how long a client waits for one answer.
	opPatience = 10 * time.Second
	// opTries is how often it asks with the same idempotency key, and opPause the
	// time between.
	opTries = 5
	opPause = 2 * time.Second
)

// run makes operations until it is told to stop.
func (k *simClient) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(soon(k.chance, k.pause)):
			k.step()
		}
	}
}

// step makes one operation.
func (k *simClient) step() {
	if len(k.jobs) == 0 || len(k.jobs) < k.most && k.chance.IntN(4) == 0 {
		k.create()
		return
	}
	j := pick(k.chance, k.jobs)
	switch n := k.chance.IntN(100); {
	case j.paused && n < 50:
		k.toggle(j)
	case n < 25:
		k.start(j)
	case n < 35:
		k.startAndCancel(j)
	case n < 45:
		k.cancelOpen(j)
	case n < 60:
		k.toggle(j)
	case n < 98:
		k.update(j, k.draw.update())
	case len(k.jobs) > k.most/2 && k.chance.IntN(8) == 0: // seldom: its records go with it
		k.remove(j)
	}
}

// try makes one operation at a node, and notes in it what the node answers.
type try func(ctx context.Context, l *simLife, o *checker.Op) error

// ask makes one try at a node that believes to lead, and sorts the answer. If there
// is no such node, nothing happens.
func (k *simClient) ask(o *checker.Op, try try) {
	lives := k.c.leaders()
	if len(lives) == 0 {
		return
	}
	l := pick(k.chance, lives)
	ctx, cancel := context.WithTimeout(k.c.t.Context(), opPatience)
	defer cancel()
	o.Node = l.owner.id
	if o.Invoked.IsZero() {
		o.Invoked = time.Now()
	}
	heard := *o
	outcome, code := outcomeOf(try(ctx, l, &heard))
	if l.isDark() {
		outcome, code = checker.Unknown, "connection lost" // whatever it answered, nobody heard it
	}
	if outcome == checker.OK {
		*o = heard
	}
	o.Returned = time.Now()
	if o.Outcome != checker.Unknown || outcome == checker.OK {
		o.Outcome, o.Code = outcome, code
	}
}

// outcomeOf is what a client knows after the answer. A refusal is one by a rule, or
// one before anything was submitted.
func outcomeOf(err error) (checker.Outcome, string) {
	if err == nil {
		return checker.OK, ""
	}
	switch code := job.CodeOf(err); code {
	case job.CodeOutcomeUnknown, job.CodeInternal: // a context that ended is internal too
		return checker.Unknown, err.Error()
	default:
		return checker.Refused, string(code)
	}
}

// do makes an operation with at most so many tries, and notes it.
func (k *simClient) do(o checker.Op, tries int, try try) checker.Op {
	for i := range tries {
		if i > 0 {
			time.Sleep(opPause)
		}
		if k.ask(&o, try); o.Outcome == checker.OK || o.Outcome == checker.Refused {
			break
		}
	}
	if o.Outcome != "" {
		k.c.history.op(o)
	}
	return o
}

// key is one that no client has used.
func (k *simClient) key() [32]byte {
	k.keys++
	return sha256.Sum256(fmt.Appendf(nil, "%s %d", k.name, k.keys))
}

// answer is what an idempotent write tells, the first time and again.
type answer struct {
	ID      string
	Version uint64
}

func tellJob(j job.Job) answer             { return answer{j.ID.String(), j.Version} }
func tellExecution(x job.Execution) answer { return answer{ID: x.ID.String()} }

// idempotent is a key for a write whose answer the function makes.
func idempotent[T any](key [32]byte, tell func(T) answer) *job.Idempotent[T] {
	return &job.Idempotent[T]{
		Key: key, Request: key,
		Answer: func(made T) ([]byte, error) { return json.Marshal(tell(made)) },
	}
}

// told is the first answer if there was one, else that about what was made now.
func told(again []byte, now answer) (a answer, err error) {
	if again == nil {
		return now, nil
	}
	err = json.Unmarshal(again, &a)
	return a, err
}

// create makes a job by chance.
func (k *simClient) create() { k.make(k.draw.create()) }

// make makes a job, with an idempotency key: a client that does not know whether it
// has made one asks again. If it never learns, nobody writes to that job, and there
// is none for the client.
func (k *simClient) make(change checker.Change, query url.Values) *simJob {
	key := k.key()
	name := fmt.Sprintf("%s-%d", k.name, k.keys)
	spec := specOf(name, change, query)
	o := k.do(checker.Op{Kind: checker.OpCreate, Job: name, Change: change}, opTries, func(ctx context.Context, l *simLife, o *checker.Op) error {
		by, err := l.Keys().Authenticate(ctx, rootKey)
		if err != nil {
			return err
		}
		j, again, err := l.Jobs().Create(ctx, by, spec.Clone(), idempotent(key, tellJob))
		if err != nil {
			return err
		}
		a, err := told(again, tellJob(j))
		o.JobID, o.Version = a.ID, a.Version
		return err
	})
	id, ok := job.ParseID(o.JobID)
	if !ok || o.Outcome != checker.OK {
		return nil
	}
	j := &simJob{id: id, name: name, version: o.Version, crowded: isAllow(change)}
	k.jobs = append(k.jobs, j)
	return j
}

// on is an operation on the job.
func on(j *simJob, kind checker.OpKind) checker.Op {
	return checker.Op{Kind: kind, Job: j.name, JobID: j.id.String()}
}

// update changes a job, now and then only if it is as the client knows it.
func (k *simClient) update(j *simJob, change checker.Change) checker.Outcome {
	version := uint64(0)
	if k.chance.IntN(3) == 0 {
		version = j.version
	}
	o := on(j, checker.OpUpdate)
	o.Change = change
	j.crowded = j.crowded || isAllow(change)
	o = k.do(o, 1, func(ctx context.Context, l *simLife, o *checker.Op) error {
		after, err := l.Jobs().Update(ctx, "", j.id, version, func(s *job.Spec) error {
			applyTo(s, change)
			return nil
		})
		o.Version = after.Version
		return err
	})
	if o.Outcome == checker.OK {
		j.version = o.Version
	}
	return o.Outcome
}

func isAllow(c checker.Change) bool {
	return c.Overlap != nil && *c.Overlap == string(job.OverlapAllow)
}

// toggle pauses a job, or goes on with it.
func (k *simClient) toggle(j *simJob) {
	state := job.Paused
	if j.paused {
		state = job.Active
	}
	if k.update(j, checker.Change{State: ptr(string(state))}) == checker.OK {
		j.paused = !j.paused
	}
}

// remove deletes a job.
func (k *simClient) remove(j *simJob) {
	o := k.do(on(j, checker.OpDelete), 1, func(ctx context.Context, l *simLife, _ *checker.Op) error {
		return l.Jobs().Delete(ctx, "", j.id, 0)
	})
	if o.Outcome == checker.OK || o.Code == string(job.CodeNotFound) {
		k.jobs = slices.DeleteFunc(k.jobs, func(other *simJob) bool { return other == j })
	}
}

// start runs a job by hand, with a key or without, and returns the execution.
func (k *simClient) start(j *simJob) (execution string) {
	o := on(j, checker.OpRun)
	if k.chance.IntN(3) == 0 {
		o.Overlap = string(pick(k.chance, overlaps))
	}
	if o.Overlap == string(job.OverlapBufferOne) && j.crowded {
		o.Overlap = "" // it could wait for ever: something else of the job is always open
	}
	var key *job.Idempotent[job.Execution]
	tries := 1
	if k.chance.IntN(2) == 0 {
		key, tries = idempotent(k.key(), tellExecution), opTries
	}
	o = k.do(o, tries, func(ctx context.Context, l *simLife, o *checker.Op) error {
		x, again, err := l.Executions().Run(ctx, "", j.id, job.OverlapPolicy(o.Overlap), key)
		if err != nil {
			return err
		}
		a, err := told(again, tellExecution(x))
		o.Execution = a.ID
		return err
	})
	return o.Execution
}

// startAndCancel runs a job and changes its mind.
func (k *simClient) startAndCancel(j *simJob) {
	execution := k.start(j)
	time.Sleep(time.Duration(k.chance.IntN(8000)) * time.Millisecond)
	k.cancel(j, execution)
}

// cancelOpen cancels what runs of a job.
func (k *simClient) cancelOpen(j *simJob) {
	lives := k.c.lives()
	if len(lives) == 0 {
		return
	}
	recent, err := newest(k.c.t.Context(), pick(k.chance, lives).Node, j.id, 5)
	if err != nil {
		return
	}
	for _, x := range recent {
		if !x.Result.Terminal() {
			k.cancel(j, x.ID.String())
			return
		}
	}
}

func (k *simClient) cancel(j *simJob, execution string) {
	id, ok := job.ParseExecutionID(execution)
	if !ok {
		return
	}
	o := on(j, checker.OpCancel)
	o.Execution = execution
	k.do(o, 1, func(ctx context.Context, l *simLife, _ *checker.Op) error {
		_, _, err := l.Executions().Cancel(ctx, "", id, nil)
		return err
	})
}
