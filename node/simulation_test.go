//go:build !race

package node_test

import (
	"testing"
	"time"
)

// Simulations run without the race detector: with it, long bubbles crash Go's own
// runtime (golang/go#78156). The same code runs under it in the other tests.

// TestSimulatedDay runs three nodes for a day, or for CRONRAFT_SIM_DAYS, under every
// fault that a storm knows, while clients write and read. Some seeds have five nodes,
// and some a log so short that whoever was away needs a snapshot.
func TestSimulatedDay(t *testing.T) {
	simulate(t, func(t *testing.T, run simRun) {
		c := newSimCluster(t)
		defer c.close()
		if run.seed%2 == 1 {
			c.compaction = shortLog
		}
		size := 3
		if run.seed%8 == 5 {
			size = 5
		}
		c.found(size)
		quiet := c.busy(run, 3, run.pause(3*time.Minute, 15*time.Minute))
		storm := newSimStorm(c, run.pause(25*time.Minute, 2*time.Hour))
		storm.run(run.seed, run.began.Add(time.Duration(run.days)*24*time.Hour))
		quiet()
		t.Log(storm)
		c.settle(run)
	})
}
