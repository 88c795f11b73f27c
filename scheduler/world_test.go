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

// world stands in for everything around the terms: a log that applies at once to
// a small model of the state's rules, and nodes. Its methods may be called from
// any goroutine of the test's bubble.
type world struct {
	// submit, if set, runs before a decision is applied, and may refuse it.
	submit func(ctx context.Context, d job.Decision) error
	// confirm, if set, is asked whether a term is in office.
	confirm func(ctx context.Context) error

	mu        sync.Mutex // guards the fields below
	jobs      map[job.ID]job.Job
	opens     map[job.ExecutionID]job.Open
	results   map[job.ExecutionID]job.Result
	decisions []decided
	fires     []fired
	gaps      []gap
	index     uint64
	looks     int // calls of OpenOf
	nodes     map[string]*fakeNode
	members   []string
	seats     []*seat       // the last one is in office
	ahead     time.Duration // of the leader's wall clock
	requests  *requests     // nil: the nodes make none

	membersChanged chan struct{}
	over           chan struct{} // closed when the test ends
	end            func()
}

// decided is a decision that was applied, and when.
type decided struct {
	at time.Time
	d  job.Decision
}

// fired is a slot that was planned as an execution, and gap one that was given
// up.
type fired struct {
	slot    time.Time
	job     job.ID
	trigger job.Trigger
	result  job.Result
	at      time.Time
}

type gap struct {
	job job.ID
	job.Gap
}

// seat is what one term has of the world.
type seat struct {
	*world
	number  uint64
	term    *Term
	changed chan struct{}

	// The world's mu guards the fields below.
	feed []job.Open
	// isolated: the log answers nothing, and the nodes in cut do not either.
	isolated bool
	cut      []string
	frozen   chan struct{} // while open, no call begins or ends
}

func newWorld(nodes ...string) *world {
	w := &world{
		jobs: map[job.ID]job.Job{}, opens: map[job.ExecutionID]job.Open{}, results: map[job.ExecutionID]job.Result{},
		nodes: map[string]*fakeNode{}, members: nodes,
		membersChanged: make(chan struct{}, 1), over: make(chan struct{}),
	}
	w.end = sync.OnceFunc(func() { close(w.over) })
	for _, id := range nodes {
		w.nodes[id] = newFakeNode(id, 1)
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
	return w.runTerm(t, w.config())
}

// runTerm runs a term with what [world.config] returned last.
func (w *world) runTerm(t *testing.T, cfg Config) (*Term, func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	term := NewTerm(cfg)
	w.mu.Lock()
	w.seats[len(w.seats)-1].term = term
	w.mu.Unlock()
	done := make(chan error, 1)
	go func() { done <- term.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		w.end()
		w.thaw()
		_ = stop()
	})
	return term, stop
}

// config takes a new seat, which is in office from now on.
func (w *world) config() Config {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &seat{world: w, number: 7 + uint64(len(w.seats)), changed: make(chan struct{}, 1)}
	for _, o := range w.opens {
		s.feed = append(s.feed, o)
	}
	w.seats = append(w.seats, s)
	return Config{
		Term: s.number, NodeID: "n1", Log: s, Agenda: w, Feed: s, Jobs: w, Peers: s,
		NodeLostAfter: 10 * time.Second, Now: w.now,
	}
}

// office is the seat of the term in office.
func (w *world) office() *seat {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seats[len(w.seats)-1]
}

// now is the leader's wall clock.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// setClock sets the leader's wall clock.
func (w *world) setClock(ahead time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead = ahead
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
	w.putJob(job.Job{ID: id, Version: 1, Spec: spec, NextRunAt: next, NextDueAt: next})
}

// edit changes the definition of a job.
func (w *world) edit(id job.ID, change func(s *job.Spec)) {
	w.mu.Lock()
	j := w.jobs[id]
	w.mu.Unlock()
	change(&j.Spec)
	w.putJob(j)
}

func (w *world) putJob(j job.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs[j.ID] = j
	w.poke()
}

// setOpen puts an execution into a state, as if some decision had done it.
func (w *world) setOpen(o job.Open) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.change(o)
	w.poke()
}

// openOf is an execution as it stands.
func (w *world) openOf(id job.ExecutionID) job.Open {
	o, _ := w.Open(id)
	return o
}

func (w *world) result(id job.ExecutionID) job.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.results[id]
}

// poke tells the feeds that something has changed. The caller holds mu.
func (w *world) poke() {
	for _, s := range w.seats {
		poke(s.changed)
	}
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

// lostAt returns when an attempt was declared LOST, however; zero if it was not.
func (w *world) lostAt(r job.AttemptRef) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.decisions {
		if d, ok := x.d.(job.MarkLost); ok && slices.Contains(slices.Concat(d.Attempts, d.Unbegun, d.Final), r) {
			return x.at
		}
	}
	return time.Time{}
}

// lostUnbegun reports whether an attempt was declared LOST as one that was never begun.
func (w *world) lostUnbegun(r job.AttemptRef) bool {
	return slices.ContainsFunc(decisionsOf[job.MarkLost](w), func(d job.MarkLost) bool { return slices.Contains(d.Unbegun, r) })
}

// Submit implements Log.
func (s *seat) Submit(ctx context.Context, d job.Decision) (job.Applied, error) {
	defer s.pass()
	s.pass()
	if s.submit != nil {
		if err := s.submit(ctx, d); err != nil {
			return job.Applied{}, err
		}
	}
	if err := errors.Join(s.heard(ctx), ctx.Err()); err != nil {
		return job.Applied{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inOffice() {
		return job.Applied{}, job.ErrNotLeader
	}
	return s.apply(d), nil
}

// Confirm implements Log.
func (s *seat) Confirm(ctx context.Context) error {
	defer s.pass()
	s.pass()
	if s.confirm != nil {
		if err := s.confirm(ctx); err != nil {
			return err
		}
	}
	if err := s.heard(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inOffice() {
		return job.ErrNotLeader
	}
	return nil
}

// heard returns nil at once if the seat has a majority, and else does not before
// the context is done.
func (s *seat) heard(ctx context.Context) error {
	s.mu.Lock()
	isolated := s.isolated
	s.mu.Unlock()
	if !isolated {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// inOffice is called with mu held.
func (s *seat) inOffice() bool { return s == s.seats[len(s.seats)-1] }

// pass lets a call through unless the leader is paused.
func (s *seat) pass() {
	s.mu.Lock()
	frozen := s.frozen
	s.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

// freeze pauses the leader, as a stopped process is: no call of it begins or ends.
func (s *seat) freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen == nil {
		s.frozen = make(chan struct{})
	}
}

// thaw lets every paused leader go on.
func (w *world) thaw() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.seats {
		if s.frozen != nil {
			close(s.frozen)
			s.frozen = nil
		}
	}
}

// Due implements Agenda.
func (w *world) Due(now time.Time, limit int, skip func(job.ID) bool) []job.DueSlot {
	w.mu.Lock()
	defer w.mu.Unlock()
	var due []job.DueSlot
	for id, j := range w.jobs {
		if at := nextDue(&j); !at.IsZero() && !at.After(now) && !skip(id) {
			due = append(due, job.DueSlot{Job: id, Slot: j.NextRunAt, Due: at})
		}
	}
	slices.SortFunc(due, func(a, b job.DueSlot) int { return a.Due.Compare(b.Due) })
	return due[:min(limit, len(due))]
}

// Changed implements Feed.
func (s *seat) Changed() <-chan struct{} { return s.changed }

// Drain implements Feed.
func (s *seat) Drain() []job.Open {
	s.mu.Lock()
	defer s.mu.Unlock()
	feed := s.feed
	s.feed = nil
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

// OpenOf implements Jobs.
func (w *world) OpenOf(id job.ID) []job.Open {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	var opens []job.Open
	for x, o := range w.opens {
		if x.Job == id {
			opens = append(opens, o)
		}
	}
	return opens
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
func (s *seat) Assign(ctx context.Context, id string, b job.Batch) (job.BatchReply, error) {
	defer s.pass()
	s.pass()
	s.mu.Lock()
	hung := slices.Contains(s.cut, id)
	s.mu.Unlock()
	if hung {
		<-ctx.Done()
		return job.BatchReply{}, ctx.Err()
	}
	return s.call(ctx, id, b)
}

// Schedules that tests use.
var (
	everySecond = job.Schedule{Interval: time.Second, Timezone: "UTC"}
	everyMinute = job.Schedule{Interval: time.Minute, Timezone: "UTC"}
	cronMinute  = job.Schedule{Cron: "* * * * *", Timezone: "UTC"}
)

// errReset is what a call comes to whose connection breaks.
var errReset = errors.New("connection reset")
