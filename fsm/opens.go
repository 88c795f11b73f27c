package fsm

import (
	"cmp"
	"slices"

	"github.com/cronraft/cronraft/internal/job"
)

// opens has every execution that is not over. The store's lock guards it.
type opens struct {
	byID map[job.ExecutionID]job.Open
	// byJob has the orders of a job's open executions, ascending, but for those that
	// are queued: they are in queues.
	byJob  map[job.ID][]uint64
	queues map[job.ID]queue
	// tallies count those of byJob, so that what depends on how many there are costs
	// the same however many there are.
	tallies map[job.ID]tally
}

// tally is how many open executions of a job, of those that are not queued, are
// something.
type tally struct {
	waiting, buffered, aborting int
	// unfinished have no result yet.
	unfinished int
	// backfilling are of a backfill; beside are those of them that run beside others.
	backfilling, beside int
	// failing have failed, and have no result yet.
	failing int
}

// note adds an execution, or removes one for -1.
func (n *tally) note(x job.Open, by int) {
	switch x.Phase {
	case job.PhaseWaiting:
		n.waiting += by
	case job.PhaseBuffered:
		n.buffered += by
	case job.PhaseAborting:
		if !x.Beside { // nothing waits for it
			n.aborting += by
		}
	}
	if unfinished(x.Phase) {
		n.unfinished += by
		if x.Failures > 0 {
			n.failing += by
		}
	}
	if isBackfilled(x) {
		n.backfilling += by
	}
	if x.Beside {
		n.beside += by
	}
}

func newOpens() *opens {
	return &opens{
		byID: map[job.ExecutionID]job.Open{}, byJob: map[job.ID][]uint64{},
		queues: map[job.ID]queue{}, tallies: map[job.ID]tally{},
	}
}

func (o *opens) put(x job.Open) {
	old, ok := o.byID[x.Execution]
	if ok && isQueued(old) == isQueued(x) {
		o.byID[x.Execution] = x
		if !isQueued(x) {
			o.note(old, -1)
			o.note(x, 1)
		}
		return
	}
	o.remove(x.Execution)
	o.byID[x.Execution] = x
	if isQueued(x) {
		o.queues[x.Execution.Job] = o.queues[x.Execution.Job].with(placeOf(x))
		return
	}
	orders := o.byJob[x.Execution.Job]
	at, _ := slices.BinarySearch(orders, x.Execution.Order)
	o.byJob[x.Execution.Job] = slices.Insert(orders, at, x.Execution.Order)
	o.note(x, 1)
}

func (o *opens) remove(id job.ExecutionID) {
	x, ok := o.byID[id]
	if !ok {
		return
	}
	delete(o.byID, id)
	if isQueued(x) {
		o.leaveQueue(x)
		return
	}
	orders := o.byJob[id.Job]
	if len(orders) == 1 {
		delete(o.byJob, id.Job)
		delete(o.tallies, id.Job)
		return
	}
	at, _ := slices.BinarySearch(orders, id.Order)
	if at == 0 { // as most do, the oldest ends first
		o.byJob[id.Job] = orders[1:]
	} else {
		o.byJob[id.Job] = slices.Delete(orders, at, at+1)
	}
	o.note(x, -1)
}

// note counts an execution that is not queued, or counts it no more for -1.
func (o *opens) note(x job.Open, by int) {
	n := o.tallies[x.Execution.Job]
	n.note(x, by)
	o.tallies[x.Execution.Job] = n
}

// ofJob has the open executions of a job that are not queued, oldest first.
func (o *opens) ofJob(id job.ID) []job.Open {
	orders := o.byJob[id]
	list := make([]job.Open, len(orders))
	for i, order := range orders {
		list[i] = o.byID[job.ExecutionID{Job: id, Order: order}]
	}
	return list
}

// blocked reports whether an execution that takes the place of others has to wait: a
// request of the job may still have to be aborted, or a backfill's to end.
func (o *opens) blocked(id job.ID) bool {
	n := o.tallies[id]
	return n.aborting > 0 || n.backfilling > n.beside
}

// any reports whether an execution of the job is open that is not queued.
func (o *opens) any(id job.ID) bool { return o.begun(id) > 0 }

// own is how many executions of the job are open that no backfill asked for.
func (o *opens) own(id job.ID) int { return o.begun(id) - o.tallies[id].backfilling }

// inTurn is how many executions of the job are open that do not run beside others,
// whatever those are.
func (o *opens) inTurn(id job.ID) int { return o.begun(id) - o.tallies[id].beside }

// begun is how many executions of the job are open that are not queued.
func (o *opens) begun(id job.ID) int { return len(o.byJob[id]) }

// buffered reports whether an execution of the job waits for the others to end.
func (o *opens) buffered(id job.ID) bool { return o.tallies[id].buffered > 0 }

// running is how many executions of the job have no result yet, those that are queued
// included.
func (o *opens) running(id job.ID) int { return o.tallies[id].unfinished + o.queued(id) }

// backfilling is how many executions of the job's backfills have begun and are
// open.
func (o *opens) backfilling(id job.ID) int { return o.tallies[id].backfilling }

// failing is how many executions of the job have failed and are tried again.
func (o *opens) failing(id job.ID) int { return o.tallies[id].failing }

// awaited reports whether an execution of the job waits for others.
func (o *opens) awaited(id job.ID) bool { return o.tallies[id].waiting+o.tallies[id].buffered > 0 }

// mayRelease reports whether an execution of the job waits for no other any more.
func (o *opens) mayRelease(id job.ID) bool {
	n := o.tallies[id]
	return n.waiting > 0 && !o.blocked(id) || n.buffered > 0 && o.inTurn(id) == 1
}

// unfinished reports whether an execution in the phase has no result yet: one
// that is being aborted has, a closed one is over.
func unfinished(p job.Phase) bool { return p != job.PhaseClosed && p != job.PhaseAborting }

// all has every open execution, in the order of their IDs.
func (o *opens) all() []job.Open {
	list := make([]job.Open, 0, len(o.byID))
	for _, x := range o.byID { // order-free: sorted below
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b job.Open) int { return compareExecutions(a.Execution, b.Execution) })
	return list
}

func compareExecutions(a, b job.ExecutionID) int {
	return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(a.Order, b.Order))
}

// OpenExecution is the open execution as it stands; false if it is over.
func (s *Store) OpenExecution(id job.ExecutionID) (job.Open, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	x, ok := s.state.opens.byID[id]
	return x, ok
}

// OpenOf has the open executions of a job, oldest first, without those that are
// queued.
func (s *Store) OpenOf(id job.ID) []job.Open {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.opens.ofJob(id)
}
