package scheduler

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// node is one node of the cluster: what the term has heard from it, and the
// attempts that are its to run or to abort. The dispatcher puts and drops them,
// the node's sender takes them.
type node struct {
	id      string
	pace    pace
	wake    chan struct{} // something to send, or the membership changed
	removed chan struct{} // closed by roster.remove

	running  atomic.Int64 // items to run
	reserved atomic.Int64 // picked for decisions under way

	mu      sync.Mutex // guards the fields below
	member  bool
	contact contact
	items   map[job.ExecutionID]*item
	// unsent has the items that were not acknowledged, oldest first, among others
	// that are settled and not swept yet.
	unsent []*item
	// mixed: some item may be of another life than the one that answered.
	mixed bool
}

// item is an attempt that a node is to run, or to abort.
type item struct {
	open job.Open
	// unreached: this term planned the attempt, and it has surely not come to its
	// node.
	unreached bool
	// settled: acknowledged, dropped or lost, and in no case sent again.
	settled bool
	lost    bool
	// after is the earliest time to try again, if the assignment could not be
	// built.
	after time.Time
}

func newNode(id string, p pace, now time.Time) *node {
	return &node{
		id:      id,
		pace:    p,
		wake:    make(chan struct{}, 1),
		removed: make(chan struct{}),
		contact: contact{pace: p, since: now},
		items:   map[job.ExecutionID]*item{},
	}
}

func ref(o job.Open) job.AttemptRef {
	return job.AttemptRef{Execution: o.Execution, Attempt: o.Attempt}
}

// put makes the execution the node's. Its earlier state must have been dropped.
func (n *node) put(o job.Open, unreached bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	it := &item{open: o, unreached: unreached}
	n.items[o.Execution] = it
	n.unsent = append(n.unsent, it)
	n.mixed = n.mixed || o.Node.Incarnation != n.contact.reply.Incarnation
	if o.Phase == job.PhaseRunning {
		n.running.Add(1)
	}
	poke(n.wake)
}

// drop forgets the execution and returns what it was; false if it was none of
// the node's.
func (n *node) drop(id job.ExecutionID) (item, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	it, ok := n.items[id]
	if !ok {
		return item{}, false
	}
	it.settled = true
	delete(n.items, id)
	if it.open.Phase == job.PhaseRunning {
		n.running.Add(-1)
	}
	return *it, true
}

// setMember says whether attempts may be planned for the node, and wakes its
// sender.
func (n *node) setMember(member bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.member = member
	poke(n.wake)
}

// isMember reports whether attempts may be planned for the node.
func (n *node) isMember() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.member
}

// isDone reports whether the term has nothing to do with the node any more.
func (n *node) isDone() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.member && len(n.items) == 0
}

// eligible returns the life of the node that attempts may be planned for; false
// if it is not alive.
func (n *node) eligible(now time.Time) (job.NodeRef, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ref := job.NodeRef{ID: n.id, Incarnation: n.contact.reply.Incarnation}
	return ref, n.member && n.contact.isAlive(now)
}

// load is how many attempts the node has, those of decisions under way included.
func (n *node) load() int64 { return n.running.Load() + n.reserved.Load() }

func (n *node) status(now time.Time) (s NodeStatus, member bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return NodeStatus{
		ID:           n.id,
		State:        n.contact.state(now),
		Open:         len(n.items),
		AppliedIndex: n.contact.reply.AppliedIndex,
		LastHeard:    n.contact.answered,
		Skew:         n.contact.skew,
	}, n.member
}

// take returns the oldest items to send: aborts, and assignments if the node can
// take any.
func (n *node) take(now time.Time, limit int) []*item {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sweep()
	canTake := n.contact.canTake(now)
	var taken []*item
	for _, it := range n.unsent {
		if len(taken) == limit {
			break
		}
		assign := it.open.Phase == job.PhaseRunning
		if now.Before(it.after) || assign && !canTake {
			continue
		}
		taken = append(taken, it)
	}
	return taken
}

// sweep removes the settled items from unsent. The caller holds mu.
func (n *node) sweep() {
	kept := n.unsent[:0]
	for _, it := range n.unsent {
		if !it.settled {
			kept = append(kept, it)
		}
	}
	clear(n.unsent[len(kept):])
	n.unsent = kept
}

// settle marks items as not to be sent again.
func (n *node) settle(items ...*item) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, it := range items {
		it.settled = true
	}
}

// postpone leaves an item alone until the given time.
func (n *node) postpone(it *item, until time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	it.after = until
}

// lose marks the attempts that are lost as of now and returns those that were
// not before. Silent for too long: all of them. Otherwise, once the node has
// answered: those planned for another life of it.
func (n *node) lose(now time.Time) (lost []loss, silent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	silent = !now.Before(n.contact.lostAt())
	if !silent && (n.contact.answered.IsZero() || !n.mixed) {
		return nil, false
	}
	n.mixed = false
	for _, it := range n.items {
		if it.lost || !silent && it.open.Node.Incarnation == n.contact.reply.Incarnation {
			continue
		}
		lost = append(lost, it.lose())
	}
	return lost, silent
}

// giveUp marks as lost, while calls to the node fail, the attempts that have
// surely not come to it, and returns them: there is nothing to wait for.
func (n *node) giveUp() []loss {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.contact.failures == 0 {
		return nil
	}
	var lost []loss
	for _, it := range n.unsent {
		if it.unreached && !it.settled {
			lost = append(lost, it.lose())
		}
	}
	return lost
}

func (it *item) lose() loss {
	it.lost, it.settled = true, true
	return loss{open: it.open, unreached: it.unreached}
}

// outlook is what a sender has to know before it calls.
type outlook struct {
	failing bool          // the last call failed
	wait    time.Duration // when to look again at the latest
}

func (n *node) outlook(now time.Time) outlook {
	n.mu.Lock()
	defer n.mu.Unlock()
	o := outlook{failing: n.contact.failures > 0, wait: n.pace.renew}
	if until := n.contact.lostAt().Sub(now); until > 0 {
		o.wait = min(o.wait, until)
	}
	return o
}

// beginCall takes note of a call that is about to begin with the items: from now
// on they may come to the node. It returns the reply that the batch rests on,
// when the call has to end, and the items of which that was not so before.
func (n *node) beginCall(now time.Time, items []*item) (rest job.BatchReply, deadline time.Time, fresh []*item) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, it := range items {
		if it.unreached {
			it.unreached = false
			fresh = append(fresh, it)
		}
	}
	c := &n.contact
	deadline = now.Add(c.call)
	if lostAt := c.lostAt(); lostAt.After(now) && lostAt.Before(deadline) {
		deadline = lostAt
	}
	return c.reply, deadline, fresh
}

// change is what a call changed about a node.
type change struct {
	before, failures int // calls that had failed, and have now
	becameAlive      bool
	pause            time.Duration // until the next call, if there is nothing to send
}

// answer takes note of a reply, and of how far the node's clock is off.
func (n *node) answer(reply job.BatchReply, now time.Time, skew time.Duration) change {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.contact
	before, wasAlive := c.failures, c.isAlive(now)
	n.mixed = n.mixed || reply.Incarnation != c.reply.Incarnation
	c.skew = skew
	c.take(reply, now)
	return change{
		before: before, failures: c.failures,
		becameAlive: !wasAlive && c.isAlive(now), pause: c.pause(),
	}
}

// fail takes note of a call that failed. The undelivered items have surely not
// come to the node with it.
func (n *node) fail(undelivered []*item) change {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, it := range undelivered {
		it.unreached = true
	}
	c := &n.contact
	before := c.failures
	c.failures++
	return change{before: before, failures: c.failures, pause: c.pause()}
}
