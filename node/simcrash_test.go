//go:build !race

package node_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/node"
)

// crashRounds is how often each crash point is hit.
const crashRounds = 6

// shortLog is so short that a node that was away needs a snapshot, and longer than
// what a leader has that nobody else has.
var shortLog = node.Compaction{Entries: 60, Trailing: 100, Interval: time.Minute}

// TestSimulatedCrashPoints takes a node's power at every crash point, several times,
// while clients write.
func TestSimulatedCrashPoints(t *testing.T) {
	simulate(t, func(t *testing.T, run simRun) {
		c := newSimCluster(t)
		defer c.close()
		c.compaction = shortLog
		c.found(3)
		quiet := c.busy(run, 2, 20*time.Second)
		h := simHand{newSimStorm(c, 0), run.chance(50)}
		c.lag(h.chance) // so that something is under way when the power goes
		hits := map[crashpoint.Point]int{}
		points := append(slices.Clone(crashpoint.All), written)
		for range crashRounds {
			for _, p := range points {
				if h.crashAt(p) {
					hits[p]++
				}
			}
		}
		quiet()
		for _, p := range points {
			if hits[p] < crashRounds {
				t.Errorf("%q: the power was taken %d times of %d", p, hits[p], crashRounds)
			}
		}
		c.settle(run)
	})
}

// crashAt takes the power of a node at the point, and brings it back. False if none
// came there.
func (h simHand) crashAt(p crashpoint.Point) bool {
	n, trap := h.c.leader(), newSimTrap(p, h.chance.IntN(3))
	switch p {
	case crashpoint.Planned:
		n.trap.Store(trap)
	case crashpoint.Swapped:
		n, trap = h.c.follower(h.chance), newSimTrap(p, 0)
		h.leaveBehind(n, trap)
	case written:
		n, trap = h.c.follower(h.chance), newSimTrap(p, h.chance.IntN(installWrites))
		h.leaveBehind(n, trap)
	default:
		if h.chance.IntN(2) == 0 {
			n = h.c.follower(h.chance)
		}
		n.trap.Store(trap)
	}
	hit := h.springs(n, trap)
	return h.c.untilWhole() && hit
}

// installWrites is about how often a node writes that starts and is sent a snapshot.
const installWrites = 100

// leaveBehind keeps a node away until the others' logs do not reach back to where it
// was, sets a trap, and starts it.
func (h simHand) leaveBehind(n *simNode, trap *simTrap) {
	undone := h.c.fault(checker.FaultKill, n)
	h.c.crash(n)
	away := h.c.leader().life.Load().Applied()
	for range 8 {
		time.Sleep(15 * time.Minute)
		if h.c.leader().life.Load().Applied() > away+shortLog.Trailing+2*shortLog.Entries {
			break
		}
	}
	n.trap.Store(trap)
	h.c.start(n)
	undone()
}

// springs waits until the trap takes the node's power, and brings the node back.
func (h simHand) springs(n *simNode, trap *simTrap) bool {
	select {
	case <-trap.sprung:
	case <-time.After(20 * time.Minute): // a follower does not plan
		if n.trap.CompareAndSwap(trap, nil) {
			return false
		}
		<-trap.sprung
	}
	undone := h.c.fault(checker.FaultKill, n)
	defer undone()
	if l := n.life.Load(); l.isDark() { // else it happened while the node started
		h.c.bury(l)
		h.rest()
		h.c.start(n)
	}
	return true
}
