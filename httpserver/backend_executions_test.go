package httpserver

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

type executionBackend struct{ *backend }

func (b executionBackend) List(_ context.Context, q job.ExecutionQuery) (job.ExecutionPage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.visible(q.Namespace, q.Job); err != nil && q.Job != 0 {
		return job.ExecutionPage{}, err
	}
	var list []job.Execution
	for id, j := range b.jobs {
		if q.Job == id || q.Job == 0 && j.Hook == nil && (q.Namespace == "" || q.Namespace == j.Namespace) {
			list = append(list, b.executions[id]...)
		}
	}
	list = slices.DeleteFunc(list, func(x job.Execution) bool {
		at := time.UnixMilli(int64(x.ID.Order >> 16))
		return q.Result != "" && q.Result != x.Result || q.Trigger != "" && q.Trigger != x.Trigger ||
			!q.From.IsZero() && at.Before(q.From) || !q.To.IsZero() && !at.Before(q.To) ||
			!q.Before.IsZero() && newestFirst(x.ID, q.Before) <= 0
	})
	slices.SortFunc(list, func(x, y job.Execution) int { return newestFirst(x.ID, y.ID) })
	if len(list) <= q.Limit {
		return job.ExecutionPage{Executions: list}, nil
	}
	return job.ExecutionPage{Executions: list[:q.Limit], Next: &list[q.Limit-1].ID}, nil
}

func newestFirst(x, y job.ExecutionID) int {
	return -cmp.Or(cmp.Compare(x.Order, y.Order), cmp.Compare(x.Job, y.Job))
}

func (b executionBackend) Slots(_ context.Context, namespace string, id job.ID, from, to time.Time, limit int) (job.SlotRecords, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.visibleJob(namespace, id); err != nil {
		return job.SlotRecords{}, err
	}
	out := job.SlotRecords{CompleteFrom: b.completeFrom}
	for _, x := range slices.Backward(b.executions[id]) {
		inside := !slotEnd(&x).Before(from) && x.ScheduledAt.Before(to)
		if isSlot := x.Trigger == job.TriggerScheduled || x.Trigger == job.TriggerCatchup; !isSlot || !inside {
			continue
		}
		if len(out.Records) == limit {
			out.More = true
			break
		}
		out.Records = append(out.Records, x)
	}
	for _, x := range slices.Backward(b.executions[id]) {
		if x.Trigger == job.TriggerBackfill {
			out.Backfills = append(out.Backfills, x)
		}
	}
	slices.SortStableFunc(out.Backfills, func(a, b job.Execution) int { return a.ScheduledAt.Compare(b.ScheduledAt) })
	return out, nil
}

func (b executionBackend) Backfill(_ context.Context, namespace string, id job.ID, slots []time.Time, overlap job.OverlapPolicy, once *job.Idempotent[[]job.ExecutionID]) ([]job.ExecutionID, []byte, error) {
	return changeOnce(b.backend, once, func() ([]job.ExecutionID, error) {
		if len(slots) == 0 {
			return nil, nil
		}
		if _, err := b.visibleJob(namespace, id); err != nil {
			return nil, err
		}
		var ids []job.ExecutionID
		var made []job.Execution
		for i, slot := range slots {
			x := job.Execution{ID: job.ManualExecution(id, now, uint16(i+1)), Trigger: job.TriggerBackfill, ScheduledAt: slot, DueAt: slot, CreatedAt: now, Result: job.Running}
			made = append(made, x)
			ids = append(ids, x.ID)
		}
		slices.Reverse(made)
		b.executions[id] = append(made, b.executions[id]...)
		b.overlaps = append(b.overlaps, overlap)
		return ids, nil
	})
}

func (b executionBackend) Get(_ context.Context, namespace string, id job.ExecutionID) (job.Execution, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.visible(namespace, id.Job); err != nil {
		return job.Execution{}, err
	}
	for _, x := range b.executions[id.Job] {
		if x.ID == id {
			return x, nil
		}
	}
	return job.Execution{}, job.ErrNotFound
}

func (b executionBackend) Run(_ context.Context, namespace string, id job.ID, overlap job.OverlapPolicy, once *job.Idempotent[job.Execution]) (job.Execution, []byte, error) {
	return changeOnce(b.backend, once, func() (job.Execution, error) {
		j, err := b.visibleJob(namespace, id)
		if err != nil {
			return job.Execution{}, err
		}
		if overlap == "" {
			overlap = j.Overlap
		}
		if j.Running > 0 && overlap == job.OverlapSkip {
			return job.Execution{}, job.Errorf(job.CodeOverlap, "an execution is running")
		}
		at := now.Add(15*time.Minute + 15*time.Second)
		salt := uint16(4 + len(b.executions[id]))
		x := job.Execution{ID: job.ManualExecution(id, at, salt), Trigger: job.TriggerManual, ScheduledAt: at, DueAt: at, CreatedAt: at, Result: job.Running}
		j.Running++
		b.jobs[id] = j
		b.executions[id] = append([]job.Execution{x}, b.executions[id]...)
		b.overlaps = append(b.overlaps, overlap)
		return x, nil
	})
}

func (b executionBackend) Cancel(_ context.Context, namespace string, id job.ExecutionID, once *job.Idempotent[job.Execution]) (job.Execution, []byte, error) {
	return changeOnce(b.backend, once, func() (job.Execution, error) {
		j, err := b.visible(namespace, id.Job)
		if err != nil {
			return job.Execution{}, err
		}
		i := slices.IndexFunc(b.executions[id.Job], func(x job.Execution) bool { return x.ID == id })
		if i < 0 {
			return job.Execution{}, job.ErrNotFound
		}
		x := &b.executions[id.Job][i]
		switch {
		case x.Result == job.Cancelled:
			return *x, nil
		case x.Result.Terminal():
			return job.Execution{}, job.Errorf(job.CodeConflict, "the execution has ended as %s", x.Result)
		}
		x.Result, x.FinishedAt = job.Cancelled, x.CreatedAt.Add(time.Second)
		x.Err = &job.AttemptError{Code: job.ErrCancelled, Msg: "cancelled by a request"}
		j.Running--
		b.jobs[id.Job] = j
		return *x, nil
	})
}
