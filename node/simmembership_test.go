//go:build !race

package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/job"
)

// TestSimulatedMembership wipes nodes, replaces them, and lets the cluster grow to
// five and shrink to three, while clients write.
func TestSimulatedMembership(t *testing.T) {
	simulate(t, func(t *testing.T, run simRun) {
		c := newSimCluster(t)
		defer c.close()
		c.found(3)
		quiet := c.busy(run, 2, 20*time.Second)
		h := simHand{newSimStorm(c, 0), run.chance(50)}
		for range 4 {
			h.sleep(2*time.Minute, 10*time.Minute)
			h.wipe(nil)
			h.sleep(2*time.Minute, 10*time.Minute)
			h.replace(nil)
		}
		h.forget(c.client(run, 2))
		c.join()
		c.join()
		c.untilWhole()
		for range 4 { // with five, two may be away
			h.sleep(time.Minute, 5*time.Minute)
			h.crash(some(h))
			c.untilWhole()
		}
		for range 2 {
			h.sleep(time.Minute, 5*time.Minute)
			c.dismiss(c.follower(h.chance))
			c.untilWhole()
		}
		quiet()
		c.settle(run)
	})
}

// forget lets a node forget what it has acknowledged, when the only other one that
// knows is away. The third, which never heard of it, must not be elected with the
// vote of the one that forgot.
func (h simHand) forget(k *simClient) {
	leader := h.c.leader()
	others := h.others(leader)
	cut := h.c.fault(checker.FaultPartition, others[1])
	h.c.isolate(others[1])
	time.Sleep(4 * simTiming.Election) // the leader does without it
	for range 5 {
		k.create()
	}
	away := h.c.fault(checker.FaultKill, leader, others[0])
	h.c.crash(leader)
	h.c.crash(others[0])
	h.c.links.heal()
	cut()
	others[0].disk = newSimDisk()
	h.c.start(others[0])
	time.Sleep(time.Minute)
	h.c.start(leader)
	h.c.untilWhole()
	away()
}

// dismiss removes a node that lives: it is told, and stops.
func (c *simCluster) dismiss(n *simNode) {
	c.t.Helper()
	undone := c.fault(checker.FaultStop, n)
	defer undone()
	l := n.life.Load()
	c.remove(n)
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	select {
	case <-l.Dismissed():
	case <-ctx.Done():
		c.t.Errorf("%s was removed and does not know", n.id)
	}
	c.stop(n)
}

// wipe starts a node again with an empty disk, under its old name. A majority has to
// be whole meanwhile, so it takes every node; and so does replace.
func (h simHand) wipe([]*simNode) {
	nodes := one(h)
	if len(nodes) == 0 || !h.c.untilWhole() {
		return
	}
	undone := h.c.fault(checker.FaultKill, nodes...)
	h.c.wipe(nodes[0], h.between(time.Second, time.Minute))
	h.c.untilWhole()
	undone()
}

// replace lets a node die for good, and a new one join in its place.
func (h simHand) replace([]*simNode) {
	nodes := one(h)
	if len(nodes) == 0 || !h.c.untilWhole() {
		return
	}
	undone := h.c.fault(checker.FaultKill, nodes...)
	h.c.crash(nodes[0])
	h.sleep(time.Second, time.Minute)
	h.c.remove(nodes[0])
	undone() // it is no member any more
	h.c.join()
	h.c.untilWhole()
}

// wipe crashes a node and starts it with an empty disk.
func (c *simCluster) wipe(n *simNode, away time.Duration) {
	c.crash(n)
	time.Sleep(away)
	n.disk = newSimDisk()
	c.start(n)
}

// remove takes a node out of the cluster.
func (c *simCluster) remove(n *simNode) {
	c.t.Helper()
	var err error
	for range 300 {
		for _, l := range c.leaders() {
			ctx, cancel := context.WithTimeout(c.t.Context(), opPatience)
			err = l.RemoveNode(ctx, n.id)
			cancel()
			if err == nil || job.CodeOf(err) == job.CodeNotFound { // an earlier try did it
				c.drop(n)
				return
			}
		}
		time.Sleep(time.Second)
	}
	c.t.Errorf("remove %s: %v", n.id, err)
}

// join starts a new node that has to find its cluster.
func (c *simCluster) join() *simNode {
	n := c.add(1)
	c.start(n)
	return n
}

// untilWhole waits until every member lives, is a voter, and has applied what the
// leader has; false if that takes more than ten minutes.
func (c *simCluster) untilWhole() bool {
	c.t.Helper()
	for range 600 {
		if c.isWhole() {
			return true
		}
		time.Sleep(time.Second)
	}
	c.t.Error("the cluster does not become whole")
	return false
}

func (c *simCluster) isWhole() bool {
	nodes, leaders := c.members(), c.leaders()
	if len(leaders) != 1 || len(c.lives()) < len(nodes) {
		return false
	}
	s, err := leaders[0].Status(c.t.Context())
	if err != nil || len(s.Nodes) != len(nodes) {
		return false
	}
	voters := map[string]bool{}
	for _, m := range s.Nodes {
		voters[m.NodeID] = m.Role != "LEARNER" && m.State == "ALIVE"
	}
	for _, n := range nodes {
		if !voters[n.id] || n.life.Load().Applied()+10 < leaders[0].Applied() {
			return false
		}
	}
	return true
}
