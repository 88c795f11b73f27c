//go:build !race

package node_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// Simulations run without the race detector: with it, long bubbles crash Go's own
// runtime (golang/go#78156). The same code runs under it in the other tests.

// TestSimulatedDay runs three nodes for a day, in which leaders are crashed,
// stopped and cut off, and checks every slot of every job.
func TestSimulatedDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSimCluster(t, 3)
		defer c.close()
		seed := simSeed(t)
		chance := rand.New(rand.NewPCG(seed, seed))
		var jobs []job.Job
		for i, s := range simJobs() {
			s.Name = fmt.Sprintf("sim %d", i)
			jobs = append(jobs, c.create(s))
		}
		end := time.Now().Add(24 * time.Hour)
		faults := 0
		for time.Now().Before(end.Add(-time.Hour)) {
			time.Sleep(time.Duration(20+chance.IntN(60)) * time.Minute)
			c.fault(chance)
			faults++
		}
		time.Sleep(time.Until(end))
		c.check(jobs, end.Add(-10*time.Minute))
		t.Logf("%d faults", faults)
	})
}

// simSeed is the seed of the faults: CRONRAFT_SIM_SEED, or always the same. It
// repeats the faults, not the interleaving.
func simSeed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("CRONRAFT_SIM_SEED")
	if text == "" {
		return 1
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("CRONRAFT_SIM_SEED: %v", err)
	}
	return seed
}

// simJobs are schedules and behaviours of several kinds.
func simJobs() []job.Spec {
	spec := func(cron, zone string, every time.Duration, query string) job.Spec {
		s := job.DefaultSpec()
		s.Schedule = job.Schedule{Cron: cron, Timezone: zone, Interval: every}
		s.Target.URL = "http://target:80/?" + query
		return s
	}
	retrying := spec("*/20 * * * *", "UTC", 0, "fail=2")
	retrying.Retries, retrying.RetryDelay = 3, 5*time.Second
	return []job.Spec{
		spec("", "UTC", time.Minute, ""),
		spec("", "UTC", 90*time.Second, "hold=2s"),
		spec("*/5 * * * *", "UTC", 0, ""),
		spec("7 * * * *", "America/New_York", 0, "hold=20s"),
		spec("30 */2 * * *", "Asia/Kolkata", 0, ""),
		retrying,
	}
}

// fault does something bad to the leader and lets the cluster heal.
func (c *simCluster) fault(chance *rand.Rand) {
	c.t.Helper()
	i := c.leader()
	switch chance.IntN(3) {
	case 0:
		c.crash(i)
		time.Sleep(time.Duration(1+chance.IntN(120)) * time.Second)
		c.start(i)
	case 1:
		c.stop(i)
		time.Sleep(time.Duration(1+chance.IntN(60)) * time.Second)
		c.start(i)
	case 2:
		c.isolate(i, true)
		time.Sleep(time.Duration(5+chance.IntN(60)) * time.Second)
		c.isolate(i, false)
	}
	c.leader()
}

// isolate cuts the i-th node off from the others, but not from the target, or
// heals that.
func (c *simCluster) isolate(i int, cut bool) {
	n := c.nodes[i]
	for k, o := range c.nodes {
		if k == i {
			continue
		}
		c.gossip.setCut(n.host, o.host, cut)
		c.setRaft(n, o, cut)
		if cut {
			c.network.Cut(n.host, o.host)
		}
	}
	if !cut {
		c.network.Heal()
	}
}

// check compares records and deliveries with an independent list of the slots
// that each job demands up to the given time.
func (c *simCluster) check(jobs []job.Job, until time.Time) {
	c.t.Helper()
	n := c.nodes[c.leader()].node
	for _, j := range jobs {
		records, err := n.Executions().List(c.t.Context(), "", j.ID, job.ExecutionID{}, 100000)
		if err != nil {
			c.t.Fatal(err)
		}
		recorded := map[time.Time]int{}
		for _, x := range records {
			for i := range max(1, x.MissedCount) {
				if i > 0 {
					c.t.Errorf("%s: an outage of seconds made a gap of %d at %v", j.Name, x.MissedCount, x.MissedFrom)
					break
				}
				recorded[x.ScheduledAt]++
			}
			c.checkDelivery(j, x, until)
		}
		slots := demanded(c.t, j, until)
		for _, slot := range slots {
			if recorded[slot] != 1 {
				c.t.Errorf("%s: the slot %v has %d records", j.Name, slot, recorded[slot])
			}
			delete(recorded, slot)
		}
		for slot := range recorded {
			if !slot.After(until) {
				c.t.Errorf("%s: a record for %v, which is no slot", j.Name, slot)
			}
		}
		c.t.Logf("%s: %d slots, %d records", j.Name, len(slots), len(records))
	}
	c.target.mu.Lock()
	defer c.target.mu.Unlock()
	for d, count := range c.target.deliveries {
		if count != 1 {
			c.t.Errorf("%s attempt %s was requested %d times", d.execution, d.attempt, count)
		}
	}
}

// checkDelivery wants every execution that called its target to have reached it,
// and to have ended.
func (c *simCluster) checkDelivery(j job.Job, x job.Execution, until time.Time) {
	c.t.Helper()
	if x.ScheduledAt.After(until) {
		return
	}
	switch x.Result {
	case job.Success:
		c.target.mu.Lock()
		defer c.target.mu.Unlock()
		if c.target.deliveries[delivery{x.ID.String(), fmt.Sprint(len(x.Attempts))}] == 0 {
			c.t.Errorf("%s: %v succeeded and was never requested", j.Name, x.ID)
		}
	case job.Skipped:
	default:
		c.t.Errorf("%s: the slot %v ended as %s (%v)", j.Name, x.ScheduledAt, x.Result, x.Err)
	}
}

// demanded lists the job's slots by trying every second with plain calendar
// arithmetic, independent of package cron.
func demanded(t *testing.T, j job.Job, until time.Time) []time.Time {
	t.Helper()
	var slots []time.Time
	for s := j.CreatedAt.Truncate(time.Second).Add(time.Second); !s.After(until); s = s.Add(time.Second) {
		if demands(t, j.Schedule, s) {
			slots = append(slots, s)
		}
	}
	return slots
}

func demands(t *testing.T, s job.Schedule, at time.Time) bool {
	t.Helper()
	if s.Interval > 0 {
		return at.Unix()%int64(s.Interval/time.Second) == 0
	}
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil {
		t.Fatal(err)
	}
	local := at.In(zone)
	if local.Second() != 0 {
		return false
	}
	switch s.Cron {
	case "*/5 * * * *":
		return local.Minute()%5 == 0
	case "*/20 * * * *":
		return local.Minute()%20 == 0
	case "7 * * * *":
		return local.Minute() == 7
	case "30 */2 * * *":
		return local.Minute() == 30 && local.Hour()%2 == 0
	}
	t.Fatalf("no oracle for %q", s.Cron)
	return false
}
