package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/localcluster"
)

// writer is one client. It writes its own jobs, one operation after the other, and
// nobody else writes them.
type writer struct {
	w    *workload
	name string
	rng  *rand.Rand
	jobs []*ownJob
	made int
	keys int // Idempotency-Keys used so far
}

// ownJob is a job whose creation was answered.
type ownJob struct {
	id, name string
	isPaused bool
	runs     []string // executions that were answered to runs
}

// jobsPerWriter is how many jobs a writer keeps.
const jobsPerWriter = 4

// run writes until the workload ends. What was begun by then is waited for.
func (c *writer) run(ending context.Context) error {
	ctx := context.WithoutCancel(ending)
	for {
		if pause(ending, time.Duration(50+c.rng.IntN(250))*time.Millisecond) != nil {
			return nil
		}
		if len(c.jobs) < jobsPerWriter {
			c.create(ctx, anySpec(c.rng))
			continue
		}
		j := pick(c.rng, c.jobs)
		switch n := c.rng.IntN(100); {
		case n < 35:
			c.update(ctx, j, anyChange(c.rng))
		case n < 50:
			c.toggle(ctx, j)
		case n < 60:
			c.remove(ctx, j)
		case n < 82:
			c.runJob(ctx, j)
		default:
			c.cancel(ctx, j)
		}
	}
}

// create makes a job and keeps it, if it was answered. Half of the creations have
// an Idempotency-Key.
func (c *writer) create(ctx context.Context, s spec) *ownJob {
	c.made++
	name := fmt.Sprintf("%s-%s-%d-%s", c.w.prefix, c.name, c.made, s.behaviour)
	var data struct {
		JobID   string
		Version uint64
	}
	op := checker.Op{Kind: checker.OpCreate, Job: name, Change: s.change}
	request := localcluster.Request{Method: http.MethodPost, Path: "/jobs", Body: s.body(name, c.w.target.url)}
	c.write(ctx, op, c.keyed(request), func(r reply, op *checker.Op) (string, error) {
		err := r.Data(&data)
		op.JobID, op.Version = data.JobID, data.Version
		return data.JobID, err
	})
	if data.JobID == "" {
		return nil
	}
	j := &ownJob{id: data.JobID, name: name}
	c.jobs = append(c.jobs, j)
	c.w.known(j.id)
	return j
}

// keyed gives every other request a key.
func (c *writer) keyed(r localcluster.Request) localcluster.Request {
	if c.rng.IntN(2) == 0 {
		c.keys++
		r.Header = map[string]string{keyHeader: c.w.prefix + "-" + c.name + "-" + strconv.Itoa(c.keys)}
	}
	return r
}

const keyHeader = "Idempotency-Key"

func (c *writer) update(ctx context.Context, j *ownJob, change checker.Change) checker.Outcome {
	op := checker.Op{Kind: checker.OpUpdate, Job: j.name, JobID: j.id, Change: change}
	return c.write(ctx, op, localcluster.Request{Method: http.MethodPatch, Path: "/jobs/" + j.id, Body: encode(patch(change))}, readVersion)
}

func readVersion(r reply, op *checker.Op) (string, error) {
	var data struct{ Version uint64 }
	err := r.Data(&data)
	op.Version = data.Version
	return "", err
}

func (c *writer) toggle(ctx context.Context, j *ownJob) {
	state := "PAUSED"
	if j.isPaused {
		state = "ACTIVE"
	}
	if c.update(ctx, j, checker.Change{State: &state}) == checker.OK {
		j.isPaused = !j.isPaused
	}
}

// remove deletes a job, and forgets it unless that was refused.
func (c *writer) remove(ctx context.Context, j *ownJob) {
	op := checker.Op{Kind: checker.OpDelete, Job: j.name, JobID: j.id}
	if c.write(ctx, op, localcluster.Request{Method: http.MethodDelete, Path: "/jobs/" + j.id}, nil) == checker.Refused {
		return
	}
	c.w.forget(j.id)
	for i := range c.jobs {
		if c.jobs[i] == j {
			c.jobs = append(c.jobs[:i], c.jobs[i+1:]...)
			return
		}
	}
}

func (c *writer) runJob(ctx context.Context, j *ownJob) {
	op := checker.Op{Kind: checker.OpRun, Job: j.name, JobID: j.id}
	request := localcluster.Request{Method: http.MethodPost, Path: "/jobs/" + j.id + "/run"}
	if c.rng.IntN(4) == 0 {
		op.Overlap = pick(c.rng, overlaps)
		request.Body = encode(map[string]any{"overlapPolicy": op.Overlap})
	}
	var data struct{ ExecutionID string }
	c.write(ctx, op, c.keyed(request), func(r reply, op *checker.Op) (string, error) {
		err := r.Data(&data)
		op.Execution = data.ExecutionID
		return data.ExecutionID, err
	})
	if data.ExecutionID != "" {
		j.runs = append(j.runs, data.ExecutionID)
	}
}

// cancel cancels an execution that runs now, or any that the writer once ran.
func (c *writer) cancel(ctx context.Context, j *ownJob) {
	id := c.openExecution(ctx, j)
	if id == "" && len(j.runs) > 0 {
		id = pick(c.rng, j.runs)
	}
	if id == "" {
		return
	}
	op := checker.Op{Kind: checker.OpCancel, Job: j.name, JobID: j.id, Execution: id}
	c.write(ctx, op, localcluster.Request{Method: http.MethodPost, Path: "/executions/" + id + "/cancel"}, nil)
}

func (c *writer) openExecution(ctx context.Context, j *ownJob) string {
	var list struct {
		Executions []struct{ ExecutionID, Result string }
	}
	if get(ctx, c.w.cluster, c.w.node(c.rng), "/jobs/"+j.id+"/executions?limit=10", &list) {
		for _, x := range list.Executions {
			if x.Result == "RUNNING" || x.Result == "RETRYING" {
				return x.ExecutionID
			}
		}
	}
	return ""
}
