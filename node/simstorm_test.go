//go:build !race

package node_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// simStorm does bad things to a cluster, up to two at a time, and undoes them.
type simStorm struct {
	c *simCluster
	// pause is the mean time between two faults of one hand.
	pause time.Duration

	// mu guards what follows.
	mu sync.Mutex
	// taken are the nodes that a hand has, network whether one has the cables.
	taken   map[*simNode]bool
	network bool
	counts  map[string]int
}

// simHand is one of those who make faults.
type simHand struct {
	*simStorm
	chance *rand.Rand
}

// simFault is one kind of bad thing.
type simFault struct {
	name   string
	weight int
	// cables: nobody else may cut or mend one meanwhile.
	cables bool
	// pick chooses the nodes that it is done to, which are nobody else's meanwhile;
	// nil if there are none to choose.
	pick   func(simHand) []*simNode
	strike func(simHand, []*simNode)
}

func newSimStorm(c *simCluster, pause time.Duration) *simStorm {
	return &simStorm{c: c, pause: pause, taken: map[*simNode]bool{}, counts: map[string]int{}}
}

// run makes faults until the bubble's time has come to the end, and returns when
// all are undone.
func (s *simStorm) run(seed uint64, end time.Time) {
	var hands sync.WaitGroup
	for i := range uint64(2) {
		hands.Go(func() {
			h := simHand{s, rand.New(rand.NewPCG(seed, i))}
			for {
				time.Sleep(soon(h.chance, s.pause))
				if !time.Now().Before(end) {
					return
				}
				h.make()
			}
		})
	}
	hands.Wait()
}

// make makes one fault, if what it needs is free.
func (h simHand) make() {
	f := h.choose()
	nodes := f.pick(h)
	if nodes == nil || !h.take(f.cables, nodes) {
		return
	}
	defer h.give(f.cables, nodes)
	if slices.ContainsFunc(nodes, func(n *simNode) bool { return n.life.Load() == nil }) {
		return // crashed, a moment ago
	}
	f.strike(h, nodes)
	h.count(f.name)
}

func (h simHand) choose() simFault {
	total := 0
	for _, f := range simFaults {
		total += f.weight
	}
	at := h.chance.IntN(total)
	for _, f := range simFaults {
		if at -= f.weight; at < 0 {
			return f
		}
	}
	panic("unreachable")
}

func (s *simStorm) take(cables bool, nodes []*simNode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cables && s.network || slices.ContainsFunc(nodes, func(n *simNode) bool { return s.taken[n] }) {
		return false
	}
	s.network = s.network || cables
	for _, n := range nodes {
		s.taken[n] = true
	}
	return true
}

func (s *simStorm) give(cables bool, nodes []*simNode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cables {
		s.network = false
	}
	for _, n := range nodes {
		delete(s.taken, n)
	}
}

func (s *simStorm) count(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[name]++
}

// String tells how often each fault was made.
func (s *simStorm) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts []string
	total := 0
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, s.counts[name]))
		total += s.counts[name]
	}
	return fmt.Sprintf("%d faults: %s", total, strings.Join(parts, ", "))
}

// between is a random duration.
func (h simHand) between(least, most time.Duration) time.Duration {
	return least + time.Duration(h.chance.Int64N(int64(most-least)))
}

func (h simHand) sleep(least, most time.Duration) { time.Sleep(h.between(least, most)) }

// none picks no node: the fault concerns cables alone.
func none(simHand) []*simNode { return []*simNode{} }

// one picks the leader, two times of three, or a follower.
func one(h simHand) []*simNode {
	if h.chance.IntN(3) > 0 {
		if lives := h.c.leaders(); len(lives) > 0 {
			return []*simNode{lives[0].owner}
		}
	}
	if n := h.c.follower(h.chance); n != nil {
		return []*simNode{n}
	}
	return nil
}

// some picks two of three, the leader among them as a rule.
func some(h simHand) []*simNode {
	first := one(h)
	if first == nil {
		return nil
	}
	for _, l := range h.c.lives() {
		if l.owner != first[0] {
			return append(first, l.owner)
		}
	}
	return nil
}

// all picks every member, if each lives.
func all(h simHand) []*simNode {
	nodes := h.c.members()
	if len(h.c.lives()) < len(nodes) {
		return nil
	}
	return nodes
}
