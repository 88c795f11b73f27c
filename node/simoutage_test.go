//go:build !race

package node_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/job"
)

// outageCase is a job, and what it does about the ten slots of an outage.
type outageCase struct {
	name    string
	misfire job.MisfirePolicy
	window  int // in seconds; zero is the default
	// caughtUp are fired late, the latest of the ten; missed are on record, in one
	// gap.
	caughtUp, missed int
}

// TestSimulatedOutage takes the power of all nodes for ten minutes, and counts what
// becomes of the slots of jobs that are due each minute.
func TestSimulatedOutage(t *testing.T) {
	cases := []outageCase{
		{"fire once", job.MisfireFireOnce, 0, 1, 9},
		{"fire once, too late", job.MisfireFireOnce, 20, 0, 10},
		{"fire all", job.MisfireFireAll, 0, 10, 0},
		{"fire all of two minutes", job.MisfireFireAll, 120, 2, 8},
		{"skip", job.MisfireSkip, 0, 0, 10},
	}
	simulate(t, func(t *testing.T, run simRun) {
		c := newSimCluster(t)
		defer c.close()
		c.found(3)
		k := c.client(run, 0)
		byCron := k.outageJobs(cases, checker.Change{Cron: ptr("* * * * *"), Timezone: ptr("Asia/Kolkata")})
		byInterval := k.outageJobs(cases, checker.Change{IntervalSeconds: ptr(60)})
		down := time.Now().Truncate(time.Minute).Add(10*time.Minute + 30*time.Second)
		time.Sleep(time.Until(down))
		undone := c.fault(checker.FaultKill, c.members()...)
		for _, n := range c.members() {
			n.life.Load().losePower()
		}
		for _, n := range c.members() {
			c.crash(n)
		}
		time.Sleep(10 * time.Minute)
		for _, n := range c.members() {
			c.start(n)
		}
		undone()
		up := time.Now()
		time.Sleep(20 * time.Minute)
		h := c.verdict(run, time.Now().Add(-5*time.Minute))
		for i, want := range cases {
			want.check(t, "cron", byCron[i], h, down, up)
			want.check(t, "interval", byInterval[i], h, down, up)
		}
	})
}

// outageJobs are one for each case.
func (k *simClient) outageJobs(cases []outageCase, schedule checker.Change) (jobs []*simJob) {
	k.c.t.Helper()
	for _, o := range cases {
		change := schedule
		change.Misfire = ptr(string(o.misfire))
		if o.window > 0 {
			change.CatchupSeconds = ptr(o.window)
		}
		j := k.make(change, url.Values{"hold": {"2s"}})
		if j == nil {
			k.c.t.Fatal("a job cannot be made")
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// check looks at the records of the slots from down to up.
func (o outageCase) check(t *testing.T, kind string, j *simJob, h *checker.History, down, up time.Time) {
	t.Helper()
	caughtUp, missed, gaps := 0, 0, 0
	for _, r := range h.Records {
		switch {
		case r.JobID != j.id.String() || r.ScheduledAt.Before(down) || r.ScheduledAt.After(up):
		case r.Result == string(job.Missed):
			missed += r.MissedCount
			gaps++
		case r.Trigger == string(job.TriggerCatchup) && r.Result == string(job.Success):
			caughtUp++
		default:
			t.Errorf("%s, by %s: the slot %v is %s by %s", o.name, kind, r.ScheduledAt, r.Result, r.Trigger)
		}
	}
	if caughtUp != o.caughtUp || missed != o.missed || gaps > 1 {
		t.Errorf("%s, by %s: %d slots caught up on and %d missed in %d gaps, want %d and %d in one",
			o.name, kind, caughtUp, missed, gaps, o.caughtUp, o.missed)
	}
}
