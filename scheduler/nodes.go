package scheduler

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// NodeStatus tells how a node is, as far as this term's leader has heard.
type NodeStatus struct {
	ID           string
	State        NodeState
	Open         int       // attempts that are its to run, or to abort
	AppliedIndex uint64    // of its last answer
	LastHeard    time.Time // zero if it has not answered in this term
	// Skew is how far the node's wall clock is ahead of this one's, as its last
	// answer showed it; zero if that is not known.
	Skew time.Duration
}

// roster is the nodes that this term deals with: the members, and those that
// are no longer members but may still have requests open. The dispatcher alone
// adds and removes.
type roster struct {
	pace pace
	turn atomic.Uint64 // where the next picker begins, so that equals take turns

	mu    sync.RWMutex // guards nodes
	nodes map[string]*node
}

func newRoster(p pace) *roster { return &roster{pace: p, nodes: map[string]*node{}} }

// node returns the named node, and whether it was added just now.
func (r *roster) node(id string) (n *node, added bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, ok := r.nodes[id]; ok {
		return n, false
	}
	n = newNode(id, r.pace, time.Now())
	r.nodes[id] = n
	return n, true
}

// remove forgets a node; its sender ends.
func (r *roster) remove(n *node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.nodes, n.id)
	close(n.removed)
}

// all returns the nodes by ID.
func (r *roster) all() []*node {
	r.mu.RLock()
	defer r.mu.RUnlock()
	nodes := make([]*node, 0, len(r.nodes))
	for _, n := range r.nodes {
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b *node) int { return strings.Compare(a.id, b.id) })
	return nodes
}

// wakeAll wakes every sender.
func (r *roster) wakeAll() {
	for _, n := range r.all() {
		poke(n.wake)
	}
}

func (r *roster) status(now time.Time) []NodeStatus {
	var status []NodeStatus
	for _, n := range r.all() {
		if s, member := n.status(now); member {
			status = append(status, s)
		}
	}
	return status
}

// hasAlive reports whether an attempt could be planned now.
func (r *roster) hasAlive(now time.Time) bool {
	return slices.ContainsFunc(r.all(), func(n *node) bool {
		_, alive := n.eligible(now)
		return alive
	})
}

// picker chooses nodes for the attempts of one decision. It looks at the nodes'
// lives once, when it is made; what it picks counts as load until release, by
// which time the applied decision counts instead.
type picker struct {
	choices []choice
	next    int
}

type choice struct {
	node   *node
	ref    job.NodeRef
	picked int64
}

func (r *roster) picker(now time.Time) *picker {
	p := &picker{}
	for _, n := range r.all() {
		if ref, alive := n.eligible(now); alive {
			p.choices = append(p.choices, choice{node: n, ref: ref})
		}
	}
	if len(p.choices) > 0 {
		p.next = int(r.turn.Add(1) % uint64(len(p.choices)))
	}
	return p
}

// pick chooses the least loaded node, taking turns among equals; false if none
// is alive.
func (p *picker) pick() (job.NodeRef, bool) {
	if len(p.choices) == 0 {
		return job.NodeRef{}, false
	}
	best, least := p.next, p.choices[p.next].node.load()
	for i := range p.choices {
		at := (p.next + i) % len(p.choices)
		if load := p.choices[at].node.load(); load < least {
			best, least = at, load
		}
	}
	c := &p.choices[best]
	c.picked++
	c.node.reserved.Add(1)
	p.next = (best + 1) % len(p.choices)
	return c.ref, true
}

// release takes back the load of everything that was picked.
func (p *picker) release() {
	for i := range p.choices {
		c := &p.choices[i]
		c.node.reserved.Add(-c.picked)
		c.picked = 0
	}
}
