package fsm

import (
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// VersionOf is the version of the entry that a decision needs: the lowest that
// can express it.
func VersionOf(d job.Decision) int {
	switch {
	case isThird(d):
		return 3
	case isSecond(d):
		return 2
	}
	if d, ok := d.(job.RaiseVersion); ok {
		return max(2, d.Version)
	}
	return 1
}

// isSecond reports whether a decision needs version 2, if it does not need a later
// one.
func isSecond(d job.Decision) bool {
	switch d := d.(type) {
	case job.PutJobs:
		return d.Once != nil || slices.ContainsFunc(d.Jobs, isSecondPut)
	case job.Run:
		return d.Once != nil || d.Overlap == job.OverlapBufferOne
	case job.MarkLost:
		return len(d.Final) > 0
	case job.Cancel, job.PruneAnswers, job.DismissNode:
		return true
	}
	return false
}

func isSecondPut(p job.PutJob) bool {
	return p.Job.Overlap == job.OverlapBufferOne || p.Job.Misfire != job.MisfireFireOnce ||
		p.Job.CatchupWindow != job.DefaultCatchupWindow || p.Job.Guarantee != job.AtLeastOnce ||
		!p.Due.IsZero() || p.Missed != (job.Gap{})
}

// isThird reports whether a decision needs version 3.
func isThird(d job.Decision) bool {
	switch d := d.(type) {
	case job.Init:
		return isThirdKey(d.RootKey)
	case job.PutJobs:
		return d.Whole || slices.ContainsFunc(d.Jobs, isThirdPut)
	case job.Plan:
		return slices.ContainsFunc(d.Slots, isThirdSlot)
	case job.MarkLost:
		return len(d.Unbegun) > 0
	case job.Backfill, job.PutKey, job.DeleteKey, job.Announce, job.TryHook:
		return true
	}
	return false
}

func isThirdKey(k job.APIKey) bool {
	return !k.ExpiresAt.IsZero() || !k.RotatedAt.IsZero() || !k.PreviousUntil.IsZero() ||
		k.Previous.Hash != [32]byte{} || len(k.Previous.Sealed) > 0
}

func isThirdPut(p job.PutJob) bool {
	s := p.Job.Schedule
	return p.Delete || p.Job.Hook != nil || isShifted(p.Job.NextRunAt, p.Job.NextDueAt) ||
		len(p.Job.Tags) > 0 || p.Job.ExternalID != "" || p.Job.MaxRuns != 0 || p.Job.Jitter != 0 || p.Job.PauseAfterFailures != 0 ||
		!s.RunAt.IsZero() || !s.StartAt.IsZero() || !s.EndAt.IsZero()
}

func isThirdSlot(p job.PlannedSlot) bool {
	return isShifted(p.Next, p.NextDue) || isShifted(p.Fire, p.FireDue) ||
		p.Trigger == job.TriggerBackfill || p.Trigger == job.TriggerEvent
}

// isShifted reports whether a slot is due at another time than its own.
func isShifted(slot, due time.Time) bool { return shift(slot, due) != 0 }

// isThird reports whether every member reads version 3 of the log. It is the one gate
// of what came with it and leaves traces in the state without a decision that needs it.
func (t *tx) isThird() bool { return t.state.version >= 3 }
