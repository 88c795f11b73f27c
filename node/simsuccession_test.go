//go:build !race

package node_test

import (
	"slices"
	"testing"
	"time"
)

// TestSimulatedSuccession crashes one leader after the other, and wants the next one
// in office soon after the election time-out, for most of them.
func TestSimulatedSuccession(t *testing.T) {
	const crashes = 21
	simulate(t, func(t *testing.T, run simRun) {
		chance := run.chance(1)
		c := newSimCluster(t)
		defer c.close()
		c.found(3)
		var vacancies []time.Duration
		for range crashes {
			time.Sleep(time.Duration(chance.Int64N(int64(time.Minute))))
			leader := c.leader()
			c.crash(leader)
			crashed := time.Now()
			if c.leader() == nil {
				t.Fatal("nobody takes over")
			}
			vacancies = append(vacancies, time.Since(crashed))
			c.start(leader)
			if !c.untilWhole() {
				t.FailNow()
			}
		}
		slices.Sort(vacancies)
		t.Logf("without a leader for %v", vacancies)
		if median := vacancies[crashes/2]; median > simTiming.Election*13/10 {
			t.Errorf("half of the crashes left the cluster without a leader for %v or longer; the election time-out is %v", median, simTiming.Election)
		}
	})
}
