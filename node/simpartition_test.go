//go:build !race

package node_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/job"
)

// TestSimulatedPartition cuts the leader off from its peers, not from the target,
// for a minute at a time, while it has requests open: they must be closed before
// others make them again.
func TestSimulatedPartition(t *testing.T) {
	simulate(t, func(t *testing.T, run simRun) {
		c := newSimCluster(t)
		defer c.close()
		c.found(3)
		k := c.client(run, 0)
		for _, overlap := range []job.OverlapPolicy{job.OverlapSkip, job.OverlapCancelPrevious, job.OverlapBufferOne} {
			for i := range 6 {
				k.make(checker.Change{
					IntervalSeconds: ptr(30 + i), Overlap: ptr(string(overlap)), Guarantee: ptr(string(guarantees[i%2])), TimeoutSeconds: ptr(100),
				}, url.Values{"hold": {"50s"}})
			}
		}
		h := simHand{newSimStorm(c, 0), run.chance(50)}
		cuts := []func(n *simNode){
			c.isolate,
			func(n *simNode) { h.cutAll(h.others(n), []*simNode{n}) },
			func(n *simNode) { h.cutAll([]*simNode{n}, h.others(n)) },
		}
		for round := range 12 {
			h.sleep(2*time.Minute, 3*time.Minute)
			n := c.leader()
			undone := c.fault(checker.FaultPartition, n)
			cuts[round%len(cuts)](n)
			time.Sleep(time.Minute)
			c.links.heal()
			undone()
		}
		c.settle(run)
		lost := 0
		for _, r := range c.history.Records {
			for _, a := range r.Attempts {
				if a.ErrorCode == string(job.ErrNodeLost) {
					lost++
				}
			}
		}
		if lost < 12 {
			t.Errorf("only %d requests were open when their node was cut off", lost)
		}
	})
}
