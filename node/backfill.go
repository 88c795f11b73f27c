package node

import (
	"context"
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// maxBackfill is how many slots one backfill may have. Their executions are asked for
// in one millisecond, which has 65535 of them.
const maxBackfill = 10000

// Backfill starts an execution for each slot, oldest first, and returns their IDs in
// that order; an empty overlap keeps the job's policy. Without slots it only looks up
// once. Again is as in [Executions.Run].
func (s Executions) Backfill(ctx context.Context, namespace string, id job.ID, slots []time.Time, overlap job.OverlapPolicy, once *job.Idempotent[[]job.ExecutionID]) (ids []job.ExecutionID, again []byte, err error) {
	if !s.n.Leads() {
		return nil, nil, job.ErrNotLeader
	}
	if _, err := (definitions{n: s.n}).find(ctx, namespace, id, 0); err != nil {
		again, err = kept(ctx, s.n, once, err)
		return nil, again, err
	}
	slots = inOrder(slots)
	switch {
	case len(slots) == 0:
		again, err = kept(ctx, s.n, once, nil)
		return nil, again, err
	case len(slots) > maxBackfill:
		return nil, nil, job.Errorf(job.CodeValidation, "a backfill may have at most %d slots, and this one has %d: ask for a shorter time", maxBackfill, len(slots))
	}
	d := job.Backfill{At: s.n.instant(), HistoryPerJob: s.n.cfg.History.PerJob, Namespace: namespace, Job: id, Overlap: overlap}
	d.Slots, ids = backfillOf(id, d.At, slots)
	if d.Once, err = onceOf(once, ids); err != nil {
		return nil, nil, err
	}
	applied, err := s.n.consensus.log.Submit(ctx, d)
	if err != nil || applied.Answer != nil {
		return nil, applied.Answer, err
	}
	for _, item := range applied.Items {
		if item.Err != nil {
			return nil, nil, item.Err
		}
	}
	return ids, nil, nil
}

// inOrder are the slots, oldest first, each once.
func inOrder(slots []time.Time) []time.Time {
	slots = slices.Clone(slots)
	slices.SortFunc(slots, time.Time.Compare)
	return slices.CompactFunc(slots, time.Time.Equal)
}

// backfillOf gives each slot an execution. Their order is that of the slots; chance
// keeps two backfills of one millisecond apart.
func backfillOf(id job.ID, at time.Time, slots []time.Time) (parts []job.BackfillSlot, ids []job.ExecutionID) {
	salt := uint16(1 + randomBits(15))
	for _, slot := range slots {
		x := job.ManualExecution(id, at, salt)
		parts, ids = append(parts, job.BackfillSlot{Slot: job.Instant(slot), Execution: x}), append(ids, x)
		salt++
	}
	return parts, ids
}
