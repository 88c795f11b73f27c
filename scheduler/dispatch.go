package scheduler

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxBegins bounds the Begins under way, and maxBeginsPerEntry the attempts
	// in one.
	maxBegins         = 4
	maxBeginsPerEntry = 2000
)

// dispatcher brings each open execution to where its phase belongs: to the
// sender of its node, or to the heap of those that wait for their next attempt.
// It also keeps the roster in step with the membership.
type dispatcher struct {
	cfg       *Config
	roster    *roster
	planner   *planner
	losses    *losses
	office    *office
	announcer *announcer
	alive     chan struct{}   // a node has become eligible
	begun     chan []*waiting // a Begin is no longer under way

	// run alone uses the fields below.
	holders map[job.ExecutionID]*node
	pending *pending
	flying  int // Begins under way
	// drained: the feed has told what earlier terms left. The attempts that it
	// tells of from then on are this term's.
	drained bool
}

// newDispatcher takes from the term what it works with.
func newDispatcher(t *Term) *dispatcher {
	return &dispatcher{
		cfg: t.cfg, roster: t.roster, planner: t.planner, losses: t.losses, office: t.office, announcer: t.announcer,
		alive:   make(chan struct{}, 1),
		begun:   make(chan []*waiting, maxBegins),
		holders: map[job.ExecutionID]*node{},
		pending: newPending(),
	}
}

// run works until the term ends.
func (d *dispatcher) run(ctx context.Context, g *group.Group) error {
	d.drain(g)
	d.enrol(g)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.cfg.Feed.Changed():
			d.drain(g)
			d.planner.poke()
		case <-d.cfg.Peers.MembersChanged():
			d.enrol(g)
		case ws := <-d.begun:
			d.flying--
			d.pending.putBack(ws, d.cfg.Now().Add(retryPause))
		case <-d.alive:
		case <-timer.C:
		}
		timer.Reset(d.begin(g))
	}
}

// enrol brings the roster in step with the membership.
func (d *dispatcher) enrol(g *group.Group) {
	members := d.cfg.Peers.Members()
	for _, id := range members {
		d.node(g, id)
	}
	for _, n := range d.roster.all() {
		n.setMember(slices.Contains(members, n.id))
		d.retire(n)
	}
}

// node returns the named node; a new one gets its sender.
func (d *dispatcher) node(g *group.Group, id string) *node {
	n, added := d.roster.node(id)
	if added {
		g.Go(d.sender(n).run)
	}
	return n
}

func (d *dispatcher) sender(n *node) *sender {
	logger := d.cfg.Logger.With("peer", n.id)
	return &sender{
		cfg: d.cfg, node: n, losses: d.losses, office: d.office, announcer: d.announcer, onAlive: d.nodeAlive, logger: logger,
		clock: clockWatch{cfg: d.cfg, peer: n.id, logger: logger},
	}
}

// nodeAlive wakes those who wait for a node to give attempts to.
func (d *dispatcher) nodeAlive() {
	poke(d.alive)
	d.planner.poke()
}

// retire removes a node that is no member and has nothing open.
func (d *dispatcher) retire(n *node) {
	if n.isDone() {
		d.roster.remove(n)
	}
}

// drain routes what the feed has.
func (d *dispatcher) drain(g *group.Group) {
	changes := d.cfg.Feed.Drain()
	if d.drained && slices.ContainsFunc(changes, isRunning) {
		d.cfg.Reached.Reach(crashpoint.Planned)
	}
	for _, o := range changes {
		before, was := d.forget(o.Execution)
		switch o.Phase {
		case job.PhaseRunning, job.PhaseAborting:
			n := d.node(g, o.Node.ID)
			d.holders[o.Execution] = n
			n.put(o, d.isUnreached(o, was))
		case job.PhasePending:
			d.pending.add(o)
		case job.PhaseClosed:
			d.planner.held.release(o.Execution.Job)
		case job.PhaseWaiting, job.PhaseBuffered, job.PhaseQueued:
		}
		if before != nil {
			d.retire(before)
		}
	}
	d.drained = true
}

func isRunning(o job.Open) bool { return o.Phase == job.PhaseRunning }

// isUnreached reports whether the attempt has surely not come to its node: this
// term planned it, and has not sent it so far. was is what the execution was
// before; zero if no node had it.
func (d *dispatcher) isUnreached(o job.Open, was item) bool {
	return d.drained && (was.open.Attempt != o.Attempt || was.unreached)
}

// forget takes an execution away from wherever it was, and returns the node that
// had it, and as what; nil if none had.
func (d *dispatcher) forget(id job.ExecutionID) (*node, item) {
	d.pending.drop(id)
	n, ok := d.holders[id]
	if !ok {
		return nil, item{}
	}
	delete(d.holders, id)
	it, ok := n.drop(id)
	if ok {
		d.losses.forget(ref(it.open))
	}
	return n, it
}

// begin starts the attempts that are due and returns when to look again.
func (d *dispatcher) begin(g *group.Group) time.Duration {
	now := d.cfg.Now()
	for d.flying < maxBegins && d.roster.hasAlive(time.Now()) {
		due := d.pending.due(now, maxBeginsPerEntry)
		if len(due) == 0 {
			return d.pending.wait(now)
		}
		d.flying++
		g.Go(func(ctx context.Context) error {
			err := d.submit(ctx, due)
			d.begun <- due
			if isOver(err) {
				return err
			}
			if err != nil {
				d.cfg.Logger.Warn("begin attempts; trying again", "attempts", len(due), "err", err)
			}
			return nil
		})
	}
	return maxStep
}

// submit commits the next attempts of executions. Those that the feed does not
// move on will be due again.
func (d *dispatcher) submit(ctx context.Context, due []*waiting) error {
	picker := d.roster.picker(time.Now())
	defer picker.release()
	decision := job.Begin{At: d.cfg.instant()}
	for _, w := range due {
		node, ok := picker.pick()
		if !ok {
			return nil
		}
		next := job.AttemptRef{Execution: w.open.Execution, Attempt: w.open.Attempt + 1}
		decision.Attempts = append(decision.Attempts, job.BeginAttempt{AttemptRef: next, Node: node})
	}
	if _, err := d.cfg.Log.Submit(ctx, decision); err != nil {
		return fmt.Errorf("submit begin: %w", err)
	}
	return nil
}
