//go:build !race

package node_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/job"
)

// TestSimulatedDeliveries delivers an event to a webhook that refuses it four times:
// each pause is twice as long as the one before, give or take a fifth.
func TestSimulatedDeliveries(t *testing.T) {
	simulate(t, func(t *testing.T, _ simRun) {
		c := newSimCluster(t)
		defer c.close()
		c.found(3)
		c.extras.create("hook", func(l *simLife, by job.APIKey, once *job.Idempotent[job.Job]) (job.Job, []byte, error) {
			spec := job.Spec{State: job.Active, Target: job.Target{URL: "http://extras:80/?job=hook&fail=4"}}
			return l.Webhooks().Create(t.Context(), by, spec, job.Hook{Events: []job.EventType{job.EventExecutionFailed}}, once)
		})
		failing := c.extras.createJob("failing", func(s *job.Spec) { s.Schedule.Interval, s.Target.URL = 24*time.Hour, "http://extras:80/?fail=1" })
		l := c.leader().life.Load()
		if _, _, err := l.Executions().Run(t.Context(), "", failing.ID, "", nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		seen := slices.DeleteFunc(c.extras.target.log(), func(d checker.Delivery) bool { return d.Job != "hook" })
		if len(seen) != 5 {
			t.Fatalf("delivered %d times, not 5: %+v", len(seen), seen)
		}
		for i, d := range seen[1:] {
			pause, middle := d.Arrived.Sub(seen[i].Ended), 5*time.Second<<i
			if pause < middle*8/10 || pause > middle*12/10+simTiming.Commit {
				t.Errorf("attempt %d came after %v, not about %v", d.Attempt, pause, middle)
			}
			if d.WebhookID != seen[0].WebhookID || d.Trigger != "EVENT" {
				t.Errorf("attempt %d is %+v", d.Attempt, d)
			}
		}
	})
}
