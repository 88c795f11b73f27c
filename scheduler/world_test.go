package scheduler

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// errUnreachable is what a call to a node that is down comes to.
var errUnreachable = errors.New("connection refused")

// world stands in for everything around a term: a log that applies at once to a
// small model of the state's rules, and nodes that run nothing. Its methods may
// be called from any goroutine of the test's bubble.
type world struct {
	// submit, if set, runs before a decision is applied, and may refuse it.
	submit func(ctx context.Context, d job.Decision) error

	mu        sync.Mutex // guards the fields below
	jobs      map[job.ID]job.Job
	opens     map[job.ExecutionID]job.Open
	results   map[job.ExecutionID]job.Result
	decisions []decided
	index     uint64
	feed      []job.Open
	nodes     map[string]*fakeNode
	members   []string

	changed        chan struct{}
	membersChanged chan struct{}
}

// decided is a decision that was applied, and when.
type decided struct {
	at time.Time
	d  job.Decision
}

// fakeNode is a node that takes note of what it is sent.
type fakeNode struct {
	incarnation uint64
	down        bool // calls fail at once
	hung        bool // calls end with their context
	calls       []call
	// accept, if set, runs for each call that is answered.
	accept func(b job.Batch)
}

type call struct {
	at    time.Time
	batch job.Batch
	ok    bool
}

func newWorld(nodes ...string) *world {
	w := &world{
		jobs: map[job.ID]job.Job{}, opens: map[job.ExecutionID]job.Open{}, results: map[job.ExecutionID]job.Result{},
		nodes: map[string]*fakeNode{}, members: nodes,
		changed: make(chan struct{}, 1), membersChanged: make(chan struct{}, 1),
	}
	for _, id := range nodes {
		w.nodes[id] = &fakeNode{incarnation: 1}
	}
	return w
}

// start runs a term in the bubble until the test ends, and lets the nodes
// answer for the first time.
func (w *world) start(t *testing.T) *Term {
	t.Helper()
	term, _ := w.startTerm(t)
	synctest.Wait()
	return term
}

// startTerm is start without the waiting. The function it returns ends the term
// and returns what Run returned.
func (w *world) startTerm(t *testing.T) (*Term, func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	term := NewTerm(w.config())
	done := make(chan error, 1)
	go func() { done <- term.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = stop() })
	return term, stop
}

func (w *world) config() Config {
	return Config{
		Term: 7, NodeID: "n1", Log: w, Agenda: w, Feed: w, Jobs: w, Peers: w,
		NodeLostAfter: 10 * time.Second,
	}
}

// addJob adds an active job that is due at the first slot after now.
func (w *world) addJob(id job.ID, s job.Schedule) {
	next, _, err := Next(s, time.Now())
	if err != nil {
		panic(err)
	}
	w.addJobDueAt(id, s, next)
}

func (w *world) addJobDueAt(id job.ID, s job.Schedule, next time.Time) {
	spec := job.DefaultSpec()
	spec.Schedule = s
	w.putJob(job.Job{ID: id, Version: 1, Spec: spec, NextRunAt: next})
}

func (w *world) putJob(j job.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs[j.ID] = j
	poke(w.changed)
}

// setOpen puts an execution into a state, as if some decision had done it.
func (w *world) setOpen(o job.Open) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.change(o)
	poke(w.changed)
}

// node changes a node under the lock.
func (w *world) node(id string, f func(n *fakeNode)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w.nodes[id])
}

func (w *world) setMembers(ids ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.members = ids
	poke(w.membersChanged)
}

// decisionsOf returns the applied decisions of one kind.
func decisionsOf[D job.Decision](w *world) []D {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ds []D
	for _, x := range w.decisions {
		if d, ok := x.d.(D); ok {
			ds = append(ds, d)
		}
	}
	return ds
}

// planned returns the slots of a job that were planned, in order.
func (w *world) planned(id job.ID) []job.PlannedSlot {
	var slots []job.PlannedSlot
	for _, p := range decisionsOf[job.Plan](w) {
		for _, s := range p.Slots {
			if s.Job == id {
				slots = append(slots, s)
			}
		}
	}
	return slots
}

// lostAt returns when an attempt was declared LOST; zero if it was not.
func (w *world) lostAt(r job.AttemptRef) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.decisions {
		if d, ok := x.d.(job.MarkLost); ok && slices.Contains(d.Attempts, r) {
			return x.at
		}
	}
	return time.Time{}
}

// callsTo returns the calls that a node was sent.
func (w *world) callsTo(id string) []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.nodes[id].calls)
}

// assignedTo returns the attempts that a node was sent, each as often as it was.
func (w *world) assignedTo(id string) []job.AttemptRef {
	var refs []job.AttemptRef
	for _, c := range w.callsTo(id) {
		for _, a := range c.batch.Assignments {
			refs = append(refs, a.AttemptRef)
		}
	}
	return refs
}

// Submit implements Log.
func (w *world) Submit(ctx context.Context, d job.Decision) (job.Applied, error) {
	if w.submit != nil {
		if err := w.submit(ctx, d); err != nil {
			return job.Applied{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return job.Applied{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.apply(d), nil
}

// apply is the model of the state's rules. The caller holds mu.
func (w *world) apply(d job.Decision) job.Applied {
	w.index++
	a := job.Applied{Index: w.index}
	w.decisions = append(w.decisions, decided{at: time.Now(), d: d})
	switch d := d.(type) {
	case job.Plan:
		for _, s := range d.Slots {
			a.Items = append(a.Items, w.applySlot(s))
		}
	case job.Begin:
		for _, b := range d.Attempts {
			a.Items = append(a.Items, w.applyBegin(b))
		}
	case job.Record:
		for _, o := range d.Outcomes {
			a.Items = append(a.Items, w.applyOutcome(o))
		}
	case job.MarkLost:
		for _, r := range d.Attempts {
			a.Items = append(a.Items, w.applyLost(r, d.At))
		}
	}
	poke(w.changed)
	return a
}

var stale = job.Item{Err: job.ErrStale}

func (w *world) applySlot(s job.PlannedSlot) job.Item {
	j, ok := w.jobs[s.Job]
	if !ok || j.State != job.Active || !j.NextRunAt.Equal(s.Slot) {
		return stale
	}
	j.NextRunAt = s.Next
	w.jobs[s.Job] = j
	if s.Fire.IsZero() {
		return job.Item{}
	}
	id := job.SlotExecution(s.Job, s.Fire)
	if j.Overlap == job.OverlapSkip && w.hasOpen(s.Job) {
		w.results[id] = job.Skipped
		return job.Item{Result: job.Skipped}
	}
	w.change(job.Open{
		Execution: id, Trigger: s.Trigger, ScheduledAt: s.Fire,
		Phase: job.PhaseRunning, Attempt: 1, Node: s.Node,
	})
	return job.Item{Result: job.Running}
}

func (w *world) hasOpen(id job.ID) bool {
	for x := range w.opens {
		if x.Job == id {
			return true
		}
	}
	return false
}

func (w *world) applyBegin(b job.BeginAttempt) job.Item {
	o, ok := w.opens[b.Execution]
	if !ok || o.Phase != job.PhasePending || b.Attempt != o.Attempt+1 {
		return stale
	}
	o.Phase, o.Attempt, o.Node, o.RetryAt = job.PhaseRunning, b.Attempt, b.Node, time.Time{}
	w.change(o)
	return job.Item{Result: job.Running}
}

func (w *world) applyOutcome(r job.RecordedOutcome) job.Item {
	o, ok := w.opens[r.Execution]
	if !ok || o.Attempt != r.Attempt || o.Phase != job.PhaseRunning && o.Phase != job.PhaseAborting {
		return stale
	}
	if o.Phase == job.PhaseRunning && !r.RetryAt.IsZero() {
		o.Phase, o.RetryAt = job.PhasePending, r.RetryAt
		o.Failures++
		w.change(o)
		return job.Item{Result: job.Retrying}
	}
	result := job.Success
	switch {
	case o.Phase == job.PhaseAborting:
		result = job.Cancelled
	case r.Err != nil:
		result = job.Failed
	}
	o.Phase = job.PhaseClosed
	w.results[o.Execution] = result
	w.change(o)
	return job.Item{Result: result}
}

func (w *world) applyLost(r job.AttemptRef, at time.Time) job.Item {
	o, ok := w.opens[r.Execution]
	if !ok || o.Attempt != r.Attempt || o.Phase != job.PhaseRunning && o.Phase != job.PhaseAborting {
		return stale
	}
	if o.Phase == job.PhaseAborting {
		o.Phase = job.PhaseClosed
	} else {
		o.Phase, o.RetryAt = job.PhasePending, at
	}
	w.change(o)
	return job.Item{Result: job.Retrying}
}

// change puts an execution into a state and tells the feed. The caller holds mu.
func (w *world) change(o job.Open) {
	w.opens[o.Execution] = o
	if o.Phase == job.PhaseClosed {
		delete(w.opens, o.Execution)
	}
	w.feed = append(w.feed, o)
}

// Due implements Agenda.
func (w *world) Due(now time.Time, limit int, skip func(job.ID) bool) []job.DueSlot {
	w.mu.Lock()
	defer w.mu.Unlock()
	var due []job.DueSlot
	for id, j := range w.jobs {
		if !j.NextRunAt.IsZero() && !j.NextRunAt.After(now) && !skip(id) {
			due = append(due, job.DueSlot{Job: id, Slot: j.NextRunAt})
		}
	}
	slices.SortFunc(due, func(a, b job.DueSlot) int { return a.Slot.Compare(b.Slot) })
	return due[:min(limit, len(due))]
}

// Changed implements Feed.
func (w *world) Changed() <-chan struct{} { return w.changed }

// Drain implements Feed.
func (w *world) Drain() []job.Open {
	w.mu.Lock()
	defer w.mu.Unlock()
	feed := w.feed
	w.feed = nil
	return feed
}

// Job implements Jobs.
func (w *world) Job(id job.ID) (job.Job, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j, ok := w.jobs[id]
	if !ok {
		return job.Job{}, job.ErrNotFound
	}
	return j, nil
}

// Open implements Jobs.
func (w *world) Open(id job.ExecutionID) (job.Open, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o, ok := w.opens[id]
	return o, ok
}

// Assignment implements Jobs.
func (w *world) Assignment(o job.Open) (job.Assignment, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j, ok := w.jobs[o.Execution.Job]
	if !ok {
		return job.Assignment{}, job.ErrNotFound
	}
	return job.Assignment{
		AttemptRef: ref(o), Incarnation: o.Node.Incarnation,
		Trigger: o.Trigger, ScheduledAt: o.ScheduledAt, Target: j.Target,
	}, nil
}

// Members implements Peers.
func (w *world) Members() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.members
}

// MembersChanged implements Peers.
func (w *world) MembersChanged() <-chan struct{} { return w.membersChanged }

// Assign implements Peers.
func (w *world) Assign(ctx context.Context, id string, b job.Batch) (job.BatchReply, error) {
	w.mu.Lock()
	n := w.nodes[id]
	n.calls = append(n.calls, call{at: time.Now(), batch: b, ok: !n.down && !n.hung})
	down, hung, incarnation, accept := n.down, n.hung, n.incarnation, n.accept
	w.mu.Unlock()
	switch {
	case down:
		return job.BatchReply{}, errUnreachable
	case hung:
		<-ctx.Done()
		return job.BatchReply{}, ctx.Err()
	}
	if accept != nil {
		accept(b)
	}
	return job.BatchReply{Incarnation: incarnation, AppliedIndex: 42}, nil
}

// succeed makes every node end each attempt at once, with success.
func (w *world) succeed(t *testing.T, term *Term) { w.endWith(t, term, nil) }

// endWith makes every node end each attempt at once, with err.
func (w *world) endWith(t *testing.T, term *Term, err *job.AttemptError) {
	for id := range w.nodes {
		w.node(id, func(n *fakeNode) {
			n.accept = func(b job.Batch) {
				go func() {
					var outcomes []job.Outcome
					for _, a := range b.Assignments {
						outcomes = append(outcomes, outcome(a.AttemptRef, err))
					}
					if err := term.Report(t.Context(), outcomes); err != nil {
						t.Errorf("Report = %v, want nil", err)
					}
				}()
			}
		})
	}
}

func outcome(r job.AttemptRef, err *job.AttemptError) job.Outcome {
	return job.Outcome{AttemptRef: r, StartedAt: job.Instant(time.Now()), Err: err}
}

// Schedules that tests use.
var (
	everySecond = job.Schedule{Interval: time.Second, Timezone: "UTC"}
	everyMinute = job.Schedule{Interval: time.Minute, Timezone: "UTC"}
	cronMinute  = job.Schedule{Cron: "* * * * *", Timezone: "UTC"}
)
