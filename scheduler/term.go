package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
)

// Log is where decisions are committed.
type Log interface {
	// Submit returns once the decision was applied on this node. It must refuse
	// with [job.ErrNotLeader] whatever is submitted after the term has ended, also
	// if this node leads again by then: decisions rest on what the term knew.
	// [job.ErrOutcomeUnknown]: it may yet be applied. Any other error, the
	// context's included, is taken for the same.
	Submit(ctx context.Context, d job.Decision) (job.Applied, error)
	// Confirm returns nil once a majority has confirmed, after the call, that the
	// term is still in office: then no other began before the call.
	// [job.ErrNotLeader] if it is over; any other error tells nothing.
	Confirm(ctx context.Context) error
}

// Agenda is the applied state's list of jobs by when they are due.
type Agenda interface {
	// Due returns at most limit jobs due at now, earliest first, without those to
	// skip. skip is called before Due returns.
	Due(now time.Time, limit int, skip func(job.ID) bool) []job.DueSlot
}

// Feed tells of every open execution once, and then of each change, in the order
// of the log.
type Feed interface {
	// Changed is poked (it has room for one) when there is something to drain,
	// and when the agenda changed.
	Changed() <-chan struct{}
	// Drain returns what was not drained before. The first call returns every
	// execution that was open when the term began.
	Drain() []job.Open
}

// Jobs reads the applied state.
type Jobs interface {
	// Job fails with [job.ErrNotFound] if the job was deleted.
	Job(id job.ID) (job.Job, error)
	// Assignment is what the node of a running attempt needs to know, secrets in
	// plain text; [job.ErrNotFound] if the job was deleted.
	Assignment(open job.Open) (job.Assignment, error)
	// Open is false for an execution that is closed, or never was.
	Open(id job.ExecutionID) (job.Open, bool)
	// OpenOf are the open executions of a job, in any order.
	OpenOf(id job.ID) []job.Open
}

// ErrNotDelivered says that a call has surely not come to its node: no connection
// could be made. Nor may it have come there with another try, on a connection that
// broke, of which the caller knows nothing.
var ErrNotDelivered = errors.New("the call did not reach the node")

// Peers are the nodes of the cluster, this one included.
type Peers interface {
	// Members are the IDs of the nodes that attempts may be planned for.
	Members() []string
	// MembersChanged is poked (it has room for one) when Members has changed.
	MembersChanged() <-chan struct{}
	// Assign hands a batch to a node, also to one that is no member any more.
	// [ErrNotDelivered]: the node has not got it; any other error means that it may
	// have or not. It is sent again.
	Assign(ctx context.Context, node string, b job.Batch) (job.BatchReply, error)
}

// Config is what a term works with. Log, Agenda, Feed, Jobs, Peers and NodeID
// are required.
type Config struct {
	Term   uint64 // raft's
	NodeID string // of this node

	Log    Log
	Agenda Agenda
	Feed   Feed
	Jobs   Jobs
	Peers  Peers

	HistoryPerJob int           // records kept of a job; default 200
	HistoryMaxAge time.Duration // of a record; zero prunes nothing
	NodeLostAfter time.Duration // silence until a node's attempts are LOST; default 10 s

	// Now is the wall clock; default [time.Now]. Schedules go by it, pauses and
	// leases do not.
	Now func() time.Time
	// Receivers is how many webhooks one event may be delivered to, at most; nil for
	// none. Entries are the smaller, the more there are.
	Receivers func() int
	// Reached is told when the term comes to [crashpoint.Planned]; nil tells nobody.
	Reached crashpoint.Hook

	Logger  *slog.Logger // default: logs nothing
	Metrics *Metrics     // default: counts for nobody
}

const (
	defaultHistoryPerJob = 200
	defaultNodeLostAfter = 10 * time.Second

	// maxStep is the longest wait for an instant of the wall clock before the
	// clock is looked at again: timers run on the monotonic clock, and somebody
	// may have set the other one.
	maxStep = time.Second

	// retryPause is how long something is left alone after a decision about it
	// failed or was refused.
	retryPause = 200 * time.Millisecond
)

// receiversPerPart is how many deliveries cost Apply about as much as the rest of a
// part of a decision.
const receiversPerPart = 4

// parts is how many parts an entry may have that may have most if there are no
// webhooks: whoever applies it keeps all others waiting.
func (c *Config) parts(most int) int { return most / (1 + c.Receivers()/receiversPerPart) }

func (c Config) withDefaults() *Config {
	if c.Receivers == nil {
		c.Receivers = func() int { return 0 }
	}
	if c.HistoryPerJob == 0 {
		c.HistoryPerJob = defaultHistoryPerJob
	}
	if c.NodeLostAfter == 0 {
		c.NodeLostAfter = defaultNodeLostAfter
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	c.Logger = c.Logger.With("component", "scheduler", "term", c.Term)
	return &c
}

// instant is the wall clock's time as decisions keep it.
func (c *Config) instant() time.Time { return job.Instant(c.Now()) }

// Term is one leader's time in office. Its methods may be called from any
// goroutine.
type Term struct {
	cfg        *Config
	roster     *roster
	planner    *planner
	dispatcher *dispatcher
	recorder   *recorder
	losses     *losses
	office     *office
	announcer  *announcer
}

// NewTerm makes a term. It does nothing before [Term.Run].
func NewTerm(c Config) *Term {
	cfg := c.withDefaults()
	r := newRoster(newPace(cfg.NodeLostAfter))
	l := newLosses(cfg)
	p := newPlanner(cfg, r)
	o := newOffice(cfg, r)
	t := &Term{
		cfg: cfg, roster: r, planner: p, losses: l, office: o,
		recorder:  newRecorder(cfg),
		announcer: newAnnouncer(cfg),
	}
	t.dispatcher = newDispatcher(t)
	return t
}

// Run works until ctx is done, which is no error, or the term cannot go on: it
// returns [job.ErrNotLeader] if the log says that the term is over. All its
// goroutines have ended by then. It may be called once.
func (t *Term) Run(ctx context.Context) error {
	t.cfg.Logger.Debug("term begins")
	g := group.New(ctx)
	g.Go(func(ctx context.Context) error { return t.dispatcher.run(ctx, g) })
	g.Go(func(ctx context.Context) error { return t.planner.run(ctx, g) })
	g.Go(t.office.run)
	g.Go(t.losses.run)
	g.Go(t.announcer.run)
	g.Go((&pruner{cfg: t.cfg}).run)
	for range recorderWorkers {
		g.Go(t.recorder.run)
	}
	err := g.Wait()
	t.recorder.close()
	if err != nil {
		t.cfg.Logger.Info("term ends", "err", err)
	}
	return err
}

// Report commits outcomes. It returns nil once they were applied, or found stale
// and thereby settled; otherwise whoever reports must report again, to whoever
// leads then: [job.ErrNotLeader] after the term, [job.ErrOutcomeUnknown] or
// another error of the log, or ctx's.
func (t *Term) Report(ctx context.Context, outcomes []job.Outcome) error {
	return t.recorder.report(ctx, outcomes)
}

// Nodes tells how the members are, by ID.
func (t *Term) Nodes() []NodeStatus { return t.roster.status(time.Now()) }

// isOver reports whether err ends the term.
func isOver(err error) bool { return job.CodeOf(err) == job.CodeNoLeader }

// poke wakes whoever waits on c. It never blocks: c has room for one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
