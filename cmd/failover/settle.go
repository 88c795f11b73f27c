package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/localcluster"
)

const (
	// caughtUpLimit is how long missed slots may take to be fired or given up.
	caughtUpLimit = 60 * time.Second
	// quietLimit is how long executions may run on after all jobs are paused.
	quietLimit = 45 * time.Second
	// lateBy is how far behind the clock a schedule may be and count as caught up.
	lateBy = 1500 * time.Millisecond
	// workers ask at once where many questions are to be asked.
	workers = 8
)

// jobView is a job as the API tells it.
type jobView struct {
	JobID, Name, State string
	Version            uint64
	CreatedAt          time.Time
	NextRunAt          *time.Time
	RunningCount       int
}

// allJobs are the jobs of this workload that exist, registers left out, as some node
// tells them.
func (w *workload) allJobs(ctx context.Context) ([]jobView, error) {
	return w.jobsThat(ctx, func(j jobView) bool { return strings.HasPrefix(j.Name, w.prefix+"-") && !w.isRegister(j.JobID) })
}

// jobsThat are the jobs of which something is true.
func (w *workload) jobsThat(ctx context.Context, are func(jobView) bool) ([]jobView, error) {
	var jobs []jobView
	for cursor := ""; ; {
		var page struct {
			Jobs       []jobView
			NextCursor *string
		}
		if err := w.insist(ctx, "/jobs?limit=500"+cursor, &page); err != nil {
			return nil, err
		}
		for _, j := range page.Jobs {
			if are(j) {
				jobs = append(jobs, j)
			}
		}
		if page.NextCursor == nil {
			return jobs, nil
		}
		cursor = "&cursor=" + *page.NextCursor
	}
}

func (w *workload) isRegister(id string) bool {
	for _, r := range w.registers {
		if r.id == id {
			return true
		}
	}
	return false
}

// insist reads from node after node until one answers.
func (w *workload) insist(ctx context.Context, path string, v any) error {
	i := 0
	return until(ctx, electLimit, "an answer to GET "+path, func() bool {
		i++
		return get(ctx, w.cluster, i%w.cluster.Len(), path, v)
	})
}

// settle waits until nothing is behind, pauses every job and waits until nothing
// runs any more. It returns the instant up to which every slot has to be over.
func (w *workload) settle(ctx context.Context) (time.Time, error) {
	late := ""
	err := until(ctx, caughtUpLimit, "every job has caught up", func() bool {
		late = w.firstJob(ctx, func(j jobView) bool { return j.NextRunAt != nil && time.Since(*j.NextRunAt) > lateBy })
		return late == ""
	})
	if err != nil {
		err = fmt.Errorf("%w: %s", err, late)
	}
	settled := time.Now()
	if pausing := w.pauseAll(ctx); pausing != nil {
		return settled, errors.Join(err, pausing)
	}
	open := ""
	quiet := until(ctx, quietLimit, "no execution is open", func() bool {
		open = w.firstJob(ctx, func(j jobView) bool { return j.RunningCount > 0 })
		return open == ""
	})
	if quiet != nil {
		quiet = fmt.Errorf("%w: %s", quiet, open)
	}
	return settled, errors.Join(err, quiet)
}

// firstJob describes the first job of which something is true; empty if there is
// none.
func (w *workload) firstJob(ctx context.Context, is func(jobView) bool) string {
	jobs, err := w.allJobs(ctx)
	if err != nil {
		return err.Error()
	}
	for _, j := range jobs {
		if is(j) {
			return fmt.Sprintf("%+v", j)
		}
	}
	return ""
}

// pauseAll pauses every job, and notes it like any client.
func (w *workload) pauseAll(ctx context.Context) error {
	jobs, err := w.allJobs(ctx)
	if err != nil {
		return err
	}
	state := "PAUSED"
	return each(ctx, jobs, func(ctx context.Context, i int, j jobView) error {
		c := w.writer("pause-" + j.Name)
		own := &ownJob{id: j.JobID, name: j.Name}
		return until(ctx, electLimit, "a job can be paused", func() bool {
			return c.update(ctx, own, checker.Change{State: &state}) == checker.OK
		})
	})
}

// deleteAll removes the jobs of this workload, registers included, and those that
// an earlier one made without knowing.
func (w *workload) deleteAll(ctx context.Context, jobs []jobView) error {
	late, err := w.jobsThat(ctx, func(j jobView) bool { return w.unknown[j.Name] })
	if err != nil {
		return err
	}
	jobs = append(jobs, late...)
	for _, r := range w.registers {
		jobs = append(jobs, jobView{JobID: r.id})
	}
	return each(ctx, jobs, func(ctx context.Context, i int, j jobView) error {
		return until(ctx, electLimit, "a job can be deleted", func() bool {
			r := ask(ctx, w.cluster, i%w.cluster.Len(), localcluster.Request{Method: http.MethodDelete, Path: "/jobs/" + j.JobID})
			return r.outcome == checker.OK || r.Status == http.StatusNotFound
		})
	})
}

// each does something with every item, several at a time.
func each[T any](ctx context.Context, items []T, do func(ctx context.Context, i int, item T) error) error {
	all := group.New(ctx)
	for k := range workers {
		all.Go(func(ctx context.Context) error {
			for i := k; i < len(items); i += workers {
				if err := do(ctx, i, items[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return all.Wait()
}
