package fsm

import (
	"cmp"
	"slices"
	"time"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// maxQueued is how many executions of a job may be queued.
const maxQueued = 10_000

// queue has the executions of a job's backfills that have not begun, the oldest
// slot first. It may be long, and is apart from what else of the job is open.
type queue []place

// place is an execution in a queue: its slot in Unix milliseconds, and its order.
type place struct {
	slot  int64
	order uint64
}

func placeOf(x job.Open) place { return place{millis(x.ScheduledAt), x.Execution.Order} }

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.slot, b.slot), cmp.Compare(a.order, b.order))
}

func (q queue) with(p place) queue {
	at, _ := slices.BinarySearchFunc(q, p, comparePlaces)
	return slices.Insert(q, at, p)
}

func (q queue) without(p place) queue {
	at, _ := slices.BinarySearchFunc(q, p, comparePlaces)
	if at == 0 {
		return q[1:]
	}
	return slices.Delete(q, at, at+1)
}

func isQueued(x job.Open) bool { return x.Phase == job.PhaseQueued }

func isBackfilled(x job.Open) bool { return x.Trigger == job.TriggerBackfill }

func (o *opens) leaveQueue(x job.Open) {
	id := x.Execution.Job
	if o.queues[id] = o.queues[id].without(placeOf(x)); len(o.queues[id]) == 0 {
		delete(o.queues, id)
	}
}

// queued is how many executions of the job are.
func (o *opens) queued(id job.ID) int { return len(o.queues[id]) }

// inQueue has the queued executions of a job, in their order.
func (o *opens) inQueue(id job.ID) []job.Open {
	list := make([]job.Open, 0, o.queued(id))
	for _, p := range o.queues[id] {
		list = append(list, o.byID[job.ExecutionID{Job: id, Order: p.order}])
	}
	return list
}

// next is the queued execution that may begin now; false if there is none.
func (o *opens) next(id job.ID) (job.Open, bool) {
	if o.queued(id) == 0 {
		return job.Open{}, false
	}
	x := o.byID[job.ExecutionID{Job: id, Order: o.queues[id][0].order}]
	if x.Beside {
		return x, o.backfilling(id) < job.BackfillWidth
	}
	return x, !o.any(id)
}

// backfill queues an execution for each slot, and lets the first ones begin.
func (t *tx) backfill(d job.Backfill) job.Item {
	r, refusal := t.runnable(d.Job, d.Namespace)
	if refusal != nil {
		return refuse(refusal)
	}
	switch queued := t.state.opens.queued(r.id); {
	case queued+len(d.Slots) > maxQueued:
		return refuse(job.Errorf(job.CodeConflict,
			"%d executions of earlier backfills of job %v have not begun, and there may be %d: wait, or cancel some", queued, r.id, maxQueued))
	case !t.areNew(r, d.Slots):
		return refuse(job.ErrStale)
	}
	overlap := r.GetOverlap()
	if d.Overlap != "" {
		overlap = number[logpb.OverlapPolicy](&t.w, overlaps, d.Overlap)
	}
	for _, s := range d.Slots {
		// It is due when it was asked for, however old its slot is.
		x := &job.Execution{ID: s.Execution, Trigger: job.TriggerBackfill, ScheduledAt: s.Slot, DueAt: d.At, CreatedAt: d.At, Result: job.Running}
		t.setOpen(openOf(x, job.Open{Phase: job.PhaseQueued, Beside: overlap == logpb.OverlapPolicy_OVERLAP_ALLOW}))
		t.addRecord(r, x)
	}
	if len(d.Slots) > 0 {
		r.LastRunAt = millis(d.At)
	}
	t.keep(d.HistoryPerJob)
	t.trim(r, d.HistoryPerJob)
	t.save(r)
	t.promote(r.id, d.At)
	return job.Item{Result: job.Running}
}

// areNew reports whether no execution of a backfill has a record, or is in it
// twice.
func (t *tx) areNew(r *row, slots []job.BackfillSlot) bool {
	seen := make(map[job.ExecutionID]bool, len(slots))
	for _, s := range slots {
		if seen[s.Execution] || t.recorded(r, s.Execution) {
			return false
		}
		seen[s.Execution] = true
	}
	return true
}

// promote lets as many queued executions of a job begin as may: none while the job is
// paused.
func (t *tx) promote(id job.ID, at time.Time) {
	x, ok := t.state.opens.next(id)
	if !ok {
		return
	}
	r := t.row(id)
	for ; ok && !isPaused(r); x, ok = t.state.opens.next(id) {
		made := !x.RetryAt.IsZero() // way for others
		t.letBegin(x, latest(x.RetryAt, at))
		if !made && t.tells(r) {
			t.tellOf(r, job.EventExecutionStarted, t.execution(x.Execution), at)
		}
	}
}

func isPaused(r *row) bool { return r.GetState() == logpb.State_STATE_PAUSED }

// makeWay puts an execution of a backfill back into its queue that has no request
// open: what the schedule or a person asks for goes first.
func (t *tx) makeWay(id job.ID) {
	if !t.state.opens.blocked(id) {
		return
	}
	for _, x := range t.state.opens.ofJob(id) {
		if isBackfilled(x) && !x.Beside && x.Phase == job.PhasePending {
			x.Phase = job.PhaseQueued
			t.setOpen(x)
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
