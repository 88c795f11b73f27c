package scheduler

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// apply is the model of the state's rules. The caller holds mu.
func (w *world) apply(d job.Decision) job.Applied {
	w.index++
	a := job.Applied{Index: w.index}
	w.decisions = append(w.decisions, decided{at: time.Now(), d: d})
	switch d := d.(type) {
	case job.Plan:
		for _, s := range d.Slots {
			a.Items = append(a.Items, w.applySlot(s))
		}
	case job.Begin:
		for _, b := range d.Attempts {
			a.Items = append(a.Items, w.applyBegin(b))
		}
	case job.Record:
		for _, o := range d.Outcomes {
			a.Items = append(a.Items, w.applyOutcome(o))
		}
	case job.MarkLost:
		for _, r := range d.Attempts {
			a.Items = append(a.Items, w.applyLost(r, d.At, false))
		}
		for _, r := range d.Unbegun {
			a.Items = append(a.Items, w.applyLost(r, d.At, false))
		}
		for _, r := range d.Final {
			a.Items = append(a.Items, w.applyLost(r, d.At, true))
		}
	}
	w.poke()
	return a
}

var stale = job.Item{Err: job.ErrStale}

func (w *world) applySlot(s job.PlannedSlot) job.Item {
	j, ok := w.jobs[s.Job]
	if !ok || j.State != job.Active || !j.NextRunAt.Equal(s.Slot) {
		return stale
	}
	j.NextRunAt, j.NextDueAt = s.Next, s.NextDue
	w.jobs[s.Job] = j
	if s.Missed.Count > 0 {
		w.gaps = append(w.gaps, gap{job: s.Job, Gap: s.Missed})
	}
	if s.Fire.IsZero() {
		return job.Item{}
	}
	id := job.SlotExecution(s.Job, s.Fire)
	result := job.Running
	if j.Overlap == job.OverlapSkip && w.hasOpen(s.Job) {
		result = job.Skipped
		w.results[id] = result
	} else {
		w.change(job.Open{
			Execution: id, Trigger: s.Trigger, ScheduledAt: s.Fire, DueAt: s.FireDue,
			Phase: job.PhaseRunning, Attempt: 1, Node: s.Node,
		})
	}
	w.fires = append(w.fires, fired{job: s.Job, slot: s.Fire, trigger: s.Trigger, result: result, at: time.Now()})
	return job.Item{Result: result}
}

func (w *world) hasOpen(id job.ID) bool {
	for x := range w.opens {
		if x.Job == id {
			return true
		}
	}
	return false
}

func (w *world) applyBegin(b job.BeginAttempt) job.Item {
	o, ok := w.opens[b.Execution]
	if !ok || o.Phase != job.PhasePending || b.Attempt != o.Attempt+1 {
		return stale
	}
	o.Phase, o.Attempt, o.Node, o.RetryAt = job.PhaseRunning, b.Attempt, b.Node, time.Time{}
	w.change(o)
	return job.Item{Result: job.Running}
}

func (w *world) applyOutcome(r job.RecordedOutcome) job.Item {
	o, ok := w.opens[r.Execution]
	if !ok || o.Attempt != r.Attempt || o.Phase != job.PhaseRunning && o.Phase != job.PhaseAborting {
		return stale
	}
	if o.Phase == job.PhaseRunning && !r.RetryAt.IsZero() {
		o.Phase, o.RetryAt = job.PhasePending, r.RetryAt
		o.Failures++
		w.change(o)
		return job.Item{Result: job.Retrying}
	}
	result := job.Success
	switch {
	case o.Phase == job.PhaseAborting:
		result = job.Cancelled
	case r.Err != nil:
		result = job.Failed
	}
	return w.close(o, result)
}

func (w *world) applyLost(r job.AttemptRef, at time.Time, final bool) job.Item {
	o, ok := w.opens[r.Execution]
	switch {
	case !ok || o.Attempt != r.Attempt || o.Phase != job.PhaseRunning && o.Phase != job.PhaseAborting:
		return stale
	case o.Phase == job.PhaseAborting:
		return w.close(o, job.Cancelled)
	case final:
		return w.close(o, job.Failed)
	default:
		o.Phase, o.RetryAt = job.PhasePending, at
		w.change(o)
		return job.Item{Result: job.Retrying}
	}
}

func (w *world) close(o job.Open, result job.Result) job.Item {
	o.Phase = job.PhaseClosed
	w.results[o.Execution] = result
	w.change(o)
	return job.Item{Result: result}
}

// change puts an execution into a state and tells the feeds. The caller holds mu.
func (w *world) change(o job.Open) {
	w.opens[o.Execution] = o
	if o.Phase == job.PhaseClosed {
		delete(w.opens, o.Execution)
	}
	for _, s := range w.seats {
		s.feed = append(s.feed, o)
	}
}
