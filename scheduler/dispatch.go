package scheduler

import (
	"context"
	"fmt"
	"slices"
	"time"

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
	cfg         *Config
	roster      *roster
	losses      *losses
	pokePlanner func()
	alive       chan struct{}   // a node has become eligible
	begun       chan []*waiting // a Begin is no longer under way

	// run alone uses the fields below.
	holders map[job.ExecutionID]*node
	pending *pending
	flying  int // Begins under way
}

func newDispatcher(cfg *Config, r *roster, l *losses, pokePlanner func()) *dispatcher {
	return &dispatcher{
		cfg: cfg, roster: r, losses: l, pokePlanner: pokePlanner,
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
			d.pokePlanner()
		case <-d.cfg.Peers.MembersChanged():
			d.enrol(g)
		case ws := <-d.begun:
			d.flying--
			d.pending.putBack(ws, time.Now().Add(retryPause))
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
		g.Go(newSender(d.cfg, n, d.losses, d.nodeAlive).run)
	}
	return n
}

// nodeAlive wakes those who wait for a node to give attempts to.
func (d *dispatcher) nodeAlive() {
	poke(d.alive)
	d.pokePlanner()
}

// retire removes a node that is no member and has nothing open.
func (d *dispatcher) retire(n *node) {
	if n.isDone() {
		d.roster.remove(n)
	}
}

// drain routes what the feed has.
func (d *dispatcher) drain(g *group.Group) {
	for _, o := range d.cfg.Feed.Drain() {
		before := d.forget(o.Execution)
		switch o.Phase {
		case job.PhaseRunning, job.PhaseAborting:
			n := d.node(g, o.Node.ID)
			d.holders[o.Execution] = n
			n.put(o)
		case job.PhasePending:
			d.pending.add(o)
		case job.PhaseWaiting, job.PhaseClosed:
		}
		if before != nil {
			d.retire(before)
		}
	}
}

// forget takes an execution away from wherever it was, and returns the node that
// had it; nil if none had.
func (d *dispatcher) forget(id job.ExecutionID) *node {
	d.pending.drop(id)
	n, ok := d.holders[id]
	if !ok {
		return nil
	}
	delete(d.holders, id)
	if o, ok := n.drop(id); ok {
		d.losses.forget(ref(o))
	}
	return n
}

// begin starts the attempts that are due and returns when to look again.
func (d *dispatcher) begin(g *group.Group) time.Duration {
	now := time.Now()
	for d.flying < maxBegins && d.roster.hasAlive(now) {
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
	now := time.Now()
	picker := d.roster.picker(now)
	defer picker.release()
	decision := job.Begin{At: job.Instant(now)}
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
