package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

// executionView is an execution as the API tells it, with all that is known.
type executionView struct {
	ExecutionID, JobID, Trigger        string
	ScheduledAt, StartedAt, FinishedAt *time.Time
	Result                             string
	HTTPStatus                         *int
	Attempt                            int
	Error                              *codeView
	MissedFrom, MissedTo               *time.Time
	MissedCount                        int
	Attempts                           []attemptView
}

type codeView struct{ Code string }

type attemptView struct {
	Attempt    int
	NodeID     string
	StartedAt  *time.Time
	DurationMs *int64
	HTTPStatus *int
	Error      *codeView
}

// collect reads everything that the API tells of the jobs in the end.
func (w *workload) collect(ctx context.Context, h *checker.History, jobs []jobView) error {
	ids, err := w.executionsOf(ctx, jobs)
	if err != nil {
		return err
	}
	h.Records = make([]checker.Record, len(ids))
	err = each(ctx, ids, func(ctx context.Context, i int, id string) error {
		var x executionView
		err := w.insist(ctx, "/executions/"+id, &x)
		h.Records[i] = x.record()
		return err
	})
	if err != nil {
		return err
	}
	for _, j := range jobs {
		h.Jobs = append(h.Jobs, checker.Final{ID: j.JobID, Name: j.Name, Version: j.Version, State: j.State, CreatedAt: j.CreatedAt})
	}
	h.Hashes, err = w.hashes(ctx)
	return err
}

// executionsOf lists the executions of all jobs.
func (w *workload) executionsOf(ctx context.Context, jobs []jobView) ([]string, error) {
	var mu sync.Mutex // guards all
	var all []string
	err := each(ctx, jobs, func(ctx context.Context, _ int, j jobView) error {
		for cursor := ""; ; {
			var page struct {
				Executions []struct{ ExecutionID string }
				NextCursor *string
			}
			if err := w.insist(ctx, "/jobs/"+j.JobID+"/executions?limit=500"+cursor, &page); err != nil {
				return err
			}
			mu.Lock()
			for _, x := range page.Executions {
				all = append(all, x.ExecutionID)
			}
			mu.Unlock()
			if page.NextCursor == nil {
				return nil
			}
			cursor = "&cursor=" + *page.NextCursor
		}
	})
	slices.Sort(all)
	return all, err
}

func (x executionView) record() checker.Record {
	r := checker.Record{
		ID: x.ExecutionID, JobID: x.JobID, Trigger: x.Trigger, ScheduledAt: valueOf(x.ScheduledAt),
		StartedAt: valueOf(x.StartedAt), FinishedAt: valueOf(x.FinishedAt), Result: x.Result, HTTPStatus: valueOf(x.HTTPStatus),
		Attempt: x.Attempt, ErrorCode: valueOf(x.Error).Code,
		MissedFrom: valueOf(x.MissedFrom), MissedTo: valueOf(x.MissedTo), MissedCount: x.MissedCount,
	}
	for _, a := range x.Attempts {
		r.Attempts = append(r.Attempts, checker.Attempt{
			Number: a.Attempt, Node: a.NodeID, StartedAt: valueOf(a.StartedAt), DurationMs: valueOf(a.DurationMs),
			HTTPStatus: valueOf(a.HTTPStatus), ErrorCode: valueOf(a.Error).Code,
		})
	}
	return r
}

// valueOf is what a pointer points to, or zero.
func valueOf[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// hashes are the state hashes of all nodes at one index.
func (w *workload) hashes(ctx context.Context) ([]checker.StateHash, error) {
	var hashes []checker.StateHash
	err := until(ctx, electLimit, "all nodes tell their state at one index", func() bool {
		hashes = nil
		for i := range w.cluster.Len() {
			var s struct {
				NodeID       string
				AppliedIndex uint64
				Hash         string
			}
			if !get(ctx, w.cluster, i, "/cluster/state-hash", &s) {
				return false
			}
			hashes = append(hashes, checker.StateHash{Node: s.NodeID, Index: s.AppliedIndex, Hash: s.Hash})
		}
		return !slices.ContainsFunc(hashes, func(s checker.StateHash) bool { return s.Index != hashes[0].Index })
	})
	return hashes, err
}

// history puts together what the clients and the target saw.
func (w *workload) history(h *checker.History) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h.Ops, h.Reads = slices.Clone(w.ops), slices.Clone(w.reads)
	slices.SortFunc(h.Ops, func(a, b checker.Op) int { return cmp.Or(a.Invoked.Compare(b.Invoked), cmp.Compare(a.Job, b.Job)) })
	for _, d := range w.target.take() {
		if w.unknown[d.Job] {
			continue
		}
		if !strings.HasPrefix(d.Job, w.prefix+"-") {
			w.complaints = append(w.complaints, fmt.Sprintf("a request of an earlier scenario, whose jobs are deleted, came late: %+v", d))
			continue
		}
		h.Deliveries = append(h.Deliveries, d)
	}
}
