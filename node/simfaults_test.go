//go:build !race

package node_test

import (
	"math/rand/v2"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/crashpoint"
)

// simFaults are what a storm chooses from.
var simFaults = []simFault{
	{name: "crash", weight: 5, pick: one, strike: simHand.crash},
	{name: "crash two", weight: 2, pick: some, strike: simHand.crash},
	{name: "crash all", weight: 1, pick: all, strike: simHand.crash},
	{name: "crash at a point", weight: 5, pick: one, strike: simHand.crashAtPoint},
	{name: "crash the successor too", weight: 2, pick: one, strike: simHand.crashInTurn},
	{name: "stop", weight: 3, pick: one, strike: simHand.stop},
	{name: "transfer", weight: 2, pick: one, strike: simHand.transfer},
	{name: "isolate", weight: 4, cables: true, pick: one, strike: simHand.isolate},
	{name: "cut out", weight: 2, cables: true, pick: one, strike: simHand.cutOut},
	{name: "cut in", weight: 2, cables: true, pick: one, strike: simHand.cutIn},
	{name: "bridge", weight: 2, cables: true, pick: some, strike: simHand.bridge},
	{name: "flap", weight: 1, cables: true, pick: one, strike: simHand.flap},
	{name: "slow", weight: 3, cables: true, pick: one, strike: simHand.slow},
	{name: "lag", weight: 3, cables: true, pick: none, strike: simHand.lag},
	{name: "clock step", weight: 1, pick: one, strike: simHand.stepClock},
	{name: "clock skew", weight: 2, pick: one, strike: simHand.skewClock},
	{name: "hung disk", weight: 2, pick: one, strike: simHand.hangDisk},
	{name: "full disk", weight: 1, pick: one, strike: simHand.fillDisk},
	{name: "full disks", weight: 1, pick: some, strike: simHand.fillDisk},
	{name: "wipe", weight: 1, pick: all, strike: simHand.wipe},
	{name: "replace", weight: 1, pick: all, strike: simHand.replace},
}

// crash takes the power of the nodes, and brings them back one by one.
func (h simHand) crash(nodes []*simNode) {
	var undone []func()
	for _, n := range nodes {
		undone = append(undone, h.c.fault(checker.FaultKill, n))
		n.frail = []int{0, 50, 100}[h.chance.IntN(3)]
		n.life.Load().losePower()
	}
	for _, n := range nodes {
		h.c.bury(n.life.Load())
	}
	for i, n := range nodes {
		h.rest()
		h.c.start(n)
		undone[i]()
	}
}

// rest is the time that a crashed node is away: a while, or as good as none, so that
// it is back before the others have noticed, or agreed about anything.
func (h simHand) rest() {
	if h.chance.IntN(3) == 0 {
		h.sleep(0, 500*time.Millisecond)
		return
	}
	h.sleep(time.Second, 90*time.Second)
}

// crashAtPoint waits until the node comes to a crash point, and takes its power
// there.
func (h simHand) crashAtPoint(nodes []*simNode) {
	n := nodes[0]
	points := []crashpoint.Point{crashpoint.Planned, crashpoint.Assigned, crashpoint.Answered, crashpoint.Logged, written}
	trap := newSimTrap(pick(h.chance, points), h.chance.IntN(4))
	n.frail = []int{0, 50, 100}[h.chance.IntN(3)]
	n.trap.Store(trap)
	h.springs(n, trap)
}

// crashInTurn crashes a node, and a moment later whoever leads then.
func (h simHand) crashInTurn(nodes []*simNode) {
	undone := h.c.fault(checker.FaultKill, nodes...)
	h.c.crash(nodes[0])
	h.sleep(0, 10*time.Second)
	if next := one(h); len(next) > 0 && h.take(false, next) {
		h.crash(next)
		h.give(false, next)
	}
	h.c.start(nodes[0])
	undone()
}

// stop stops the node gracefully, for a while.
func (h simHand) stop(nodes []*simNode) {
	undone := h.c.fault(checker.FaultStop, nodes...)
	h.c.stop(nodes[0])
	h.sleep(time.Second, time.Minute)
	h.c.start(nodes[0])
	undone()
}

// transfer lets another node lead.
func (h simHand) transfer(nodes []*simNode) {
	if l := nodes[0].life.Load(); l.Leads() {
		_, _ = l.TransferLeadership(h.c.t.Context(), "") // if nobody takes over, nothing happens
	}
}

// cut makes a partition and mends it after a while.
func (h simHand) cut(nodes []*simNode, cut func()) {
	undone := h.c.fault(checker.FaultPartition, nodes...)
	cut()
	h.sleep(2*time.Second, 2*time.Minute)
	h.c.links.heal()
	undone()
}

// isolate cuts the node off from the others, and not from the target.
func (h simHand) isolate(nodes []*simNode) {
	h.cut(nodes, func() { h.c.isolate(nodes[0]) })
}

// cutOut: the node is not heard, and hears.
func (h simHand) cutOut(nodes []*simNode) {
	h.cut(nodes, func() { h.cutAll(nodes, h.others(nodes[0])) })
}

// cutIn: the node is heard, and does not hear.
func (h simHand) cutIn(nodes []*simNode) {
	h.cut(nodes, func() { h.cutAll(h.others(nodes[0]), nodes) })
}

// bridge: two nodes do not hear each other, and both hear the third.
func (h simHand) bridge(nodes []*simNode) {
	h.cut(nodes, func() {
		h.cutAll(nodes[:1], nodes[1:])
		h.cutAll(nodes[1:], nodes[:1])
	})
}

// cutAll cuts the ways from some nodes to others.
func (h simHand) cutAll(from, to []*simNode) {
	for _, a := range from {
		for _, b := range to {
			h.c.links.cut(a.host, b.host)
		}
	}
}

// flap isolates the node several times, for moments.
func (h simHand) flap(nodes []*simNode) {
	undone := h.c.fault(checker.FaultPartition, nodes...)
	defer undone()
	for range 3 + h.chance.IntN(8) {
		h.c.isolate(nodes[0])
		h.sleep(100*time.Millisecond, 6*time.Second)
		h.c.links.heal()
		h.sleep(100*time.Millisecond, 6*time.Second)
	}
}

// slow makes the node's cables slow, in one direction or in both.
func (h simHand) slow(nodes []*simNode) {
	undone := h.c.fault(checker.FaultPartition, nodes...)
	there, back := h.between(0, time.Second), h.between(0, time.Second)
	for _, o := range h.others(nodes[0]) {
		h.c.links.delay(nodes[0].host, o.host, there)
		h.c.links.delay(o.host, nodes[0].host, back)
	}
	h.sleep(10*time.Second, 10*time.Minute)
	h.c.links.hurry()
	undone()
}

// lag makes every cable as slow as one between continents. It is no fault, and excuses
// nothing; other things get time to happen meanwhile.
func (h simHand) lag([]*simNode) {
	h.c.lag(h.chance)
	h.sleep(10*time.Minute, 40*time.Minute)
	h.c.links.hurry()
}

// lag makes every cable a little slow.
func (c *simCluster) lag(chance *rand.Rand) {
	for _, a := range c.members() {
		for _, b := range c.members() {
			c.links.delay(a.host, b.host, time.Duration(chance.IntN(100))*time.Millisecond)
		}
	}
}

// stepClock sets the node's wall clock wrong by minutes, for a while.
func (h simHand) stepClock(nodes []*simNode) {
	h.setClock(nodes[0], h.between(-10*time.Minute, 10*time.Minute), h.between(time.Minute, 20*time.Minute))
}

// skewClock sets it wrong by a little, for longer.
func (h simHand) skewClock(nodes []*simNode) {
	h.setClock(nodes[0], h.between(-3*time.Second, 3*time.Second), h.between(10*time.Minute, time.Hour))
}

func (h simHand) setClock(n *simNode, ahead, lasts time.Duration) {
	undone := h.c.history.fault(checker.Fault{Kind: checker.FaultClock, Nodes: []string{n.id}, Skew: ahead.Abs()})
	n.clock.Store(int64(ahead))
	time.Sleep(lasts)
	n.clock.Store(0)
	time.Sleep(simEcho)
	undone()
}

// simEcho is how long after a clock was set right a retry may begin whose time was
// set before.
const simEcho = time.Minute

// hangDisk lets writes hang: a little, so long that the node gives up leadership,
// or so long that it stops.
func (h simHand) hangDisk(nodes []*simNode) {
	undone := h.sicken(nodes)
	h.hang(nodes[0], h.between(time.Second, time.Minute))
	h.cure(nodes)
	undone()
}

// hang lets a node's disk hang for a while. If the node leads, all of them do
// without a leader until it has given up and another one took over: raft alone does
// not notice.
func (h simHand) hang(n *simNode, lasts time.Duration) {
	log := n.life.Load().disk.log
	works := time.Now().Add(lasts)
	log.hang()
	if n.life.Load().Leads() {
		undone := h.c.fault(checker.FaultDisk, h.c.members()...)
		for time.Now().Before(works) && !h.c.isLedWithout(n) {
			time.Sleep(100 * time.Millisecond)
		}
		undone()
	}
	time.Sleep(time.Until(works))
	log.release()
}

// fillDisk leaves the nodes no room, and some not even for one entry.
func (h simHand) fillDisk(nodes []*simNode) {
	undone := h.sicken(nodes)
	for _, n := range nodes {
		n.room.Store(uint64(h.chance.IntN(simReserve)))
		n.life.Load().disk.log.full.Store(h.chance.IntN(2) == 0)
	}
	h.sleep(5*time.Second, 5*time.Minute)
	for _, n := range nodes {
		n.life.Load().disk.log.full.Store(false)
		n.room.Store(simRoom)
	}
	h.cure(nodes)
	undone()
}

// sicken notes that something is wrong with disks: a node may stop by itself.
func (h simHand) sicken(nodes []*simNode) (undone func()) {
	for _, n := range nodes {
		n.sick.Store(true)
	}
	return h.c.fault(checker.FaultDisk, nodes...)
}

// cure starts those again that have stopped.
func (h simHand) cure(nodes []*simNode) {
	for _, n := range nodes {
		if l := n.life.Load(); l.isDark() {
			h.c.bury(l)
			n.disk.log.full.Store(false)
			h.sleep(time.Second, time.Minute)
			h.c.start(n)
		}
		n.sick.Store(false)
	}
}

func (h simHand) others(n *simNode) (out []*simNode) {
	for _, o := range h.c.members() {
		if o != n {
			out = append(out, o)
		}
	}
	return out
}
