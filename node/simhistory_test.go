//go:build !race

package node_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/job"
)

// simHistory collects what the checker goes by.
type simHistory struct {
	// mu guards what follows.
	mu sync.Mutex
	checker.History
}

func newSimHistory() *simHistory {
	return &simHistory{History: checker.History{Began: time.Now()}}
}

func (h *simHistory) op(o checker.Op) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Ops = append(h.Ops, o)
}

func (h *simHistory) read(r checker.Read) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Reads = append(h.Reads, r)
}

// fault notes a fault that begins now and ends when the function is called that it
// returns.
func (h *simHistory) fault(f checker.Fault) (undone func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.From = time.Now()
	i := len(h.Faults)
	h.Faults = append(h.Faults, f)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.Faults[i].To = time.Now()
	}
}

// simLimits are what the checker may expect under simTiming.
func simLimits() checker.Limits {
	return checker.Limits{NodeLost: simTiming.NodeLost, MaxLateness: 2 * time.Second}
}

// verdict reads everything that the cluster tells in the end, and lets the checker
// judge it. What a failed run saw goes to CRONRAFT_SIM_OUT.
func (c *simCluster) verdict(run simRun, settled time.Time) *checker.History {
	c.t.Helper()
	c.gather()
	h := &c.history.History
	h.Name, h.Seed, h.Settled, h.Ended = c.t.Name(), run.seed, settled, time.Now()
	report := checker.Check(*h, simLimits())
	if report.OK() {
		c.t.Log(report.String())
	} else {
		c.t.Error(report.String())
	}
	if c.t.Failed() && run.out != "" {
		path := filepath.Join(run.out, fmt.Sprintf("%s-%d.json.gz", h.Name, h.Seed))
		c.t.Logf("the history is in %s (%v)", path, checker.Save(path, h))
	}
	return h
}

// gather adds to the history what can be seen at the end, at a moment when nothing
// is due: records and requests have to fit together.
func (c *simCluster) gather() {
	c.t.Helper()
	time.Sleep(time.Until(time.Now().Truncate(simBeat).Add(simBeat + simBeat/3 + time.Second/3)))
	leader := c.leader()
	if leader == nil {
		c.t.Fatal("the cluster has no leader at the end")
	}
	l := leader.life.Load()
	if err := l.Barrier(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.history.mu.Lock()
	defer c.history.mu.Unlock()
	h := &c.history.History
	if members := c.members(); len(members) == c.most { // else what a majority is has changed
		for _, n := range members {
			h.Nodes = append(h.Nodes, n.id)
		}
	}
	for after := new(job.JobPosition); after != nil; {
		page, err := l.Jobs().List(c.t.Context(), job.JobQuery{Namespace: job.DefaultNamespace, After: *after, Limit: 100})
		if err != nil {
			c.t.Fatal(err)
		}
		after = page.Next
		for _, j := range page.Jobs {
			h.Jobs = append(h.Jobs, checker.Final{
				ID: j.ID.String(), Name: j.Name, Version: j.Version, State: string(j.State), CreatedAt: j.CreatedAt,
			})
			h.Records = append(h.Records, c.records(l, j.ID)...)
		}
	}
	h.Deliveries = c.target.log()
	h.Hashes = c.hashes()
}

// records are all executions of a job.
func (c *simCluster) records(l *simLife, id job.ID) (out []checker.Record) {
	c.t.Helper()
	for before := new(job.ExecutionID); before != nil; {
		page, err := l.Executions().List(c.t.Context(), job.ExecutionQuery{Job: id, Before: *before, Limit: 1000})
		if err != nil {
			c.t.Fatal(err)
		}
		before = page.Next
		for _, x := range page.Executions {
			out = append(out, recordOf(x))
		}
	}
	return out
}

func recordOf(x job.Execution) checker.Record {
	r := checker.Record{
		ID: x.ID.String(), JobID: x.ID.Job.String(), Trigger: string(x.Trigger), ScheduledAt: x.ScheduledAt,
		StartedAt: x.StartedAt, FinishedAt: x.FinishedAt, Result: string(x.Result), HTTPStatus: x.HTTPStatus,
		Attempt: len(x.Attempts), ErrorCode: errorCode(x.Err),
		MissedFrom: x.MissedFrom, MissedTo: x.MissedTo, MissedCount: x.MissedCount,
	}
	for _, a := range x.Attempts {
		r.Attempts = append(r.Attempts, checker.Attempt{
			Number: a.Number, Node: a.NodeID, StartedAt: a.StartedAt, DurationMs: a.Duration.Milliseconds(),
			HTTPStatus: a.HTTPStatus, ErrorCode: errorCode(a.Err),
		})
	}
	return r
}

func errorCode(e *job.AttemptError) string {
	if e == nil {
		return ""
	}
	return string(e.Code)
}

// hashes are every node's, at one index if that comes about: slots go on being due.
func (c *simCluster) hashes() []checker.StateHash {
	c.t.Helper()
	var out []checker.StateHash
	for range 300 {
		out = nil
		same := true
		for _, l := range c.lives() {
			index, hash, err := l.StateHash(c.t.Context())
			if err != nil {
				c.t.Fatalf("state hash of %s: %v", l.owner.id, err)
			}
			out = append(out, checker.StateHash{Node: l.owner.id, Index: index, Hash: hash})
			same = same && index == out[0].Index
		}
		if same {
			return out
		}
		time.Sleep(1300 * time.Millisecond)
	}
	c.t.Errorf("the nodes never have the same state: %v", out)
	return out
}
