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
}

func newOpens() *opens {
	return &opens{byID: map[job.ExecutionID]job.Open{}, byJob: map[job.ID][]uint64{}, queues: map[job.ID]queue{}}
}

func (o *opens) put(x job.Open) {
	old, ok := o.byID[x.Execution]
	if ok && isQueued(old) == isQueued(x) {
		o.byID[x.Execution] = x
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
		return
	}
	at, _ := slices.BinarySearch(orders, id.Order)
	o.byJob[id.Job] = slices.Delete(orders, at, at+1)
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

// blocked reports whether a request of the job may still have to be aborted.
func (o *opens) blocked(id job.ID) bool {
	return o.count(id, func(p job.Phase) bool { return p == job.PhaseAborting }) > 0
}

// any reports whether an execution of the job is open that is not queued.
func (o *opens) any(id job.ID) bool { return o.begun(id) > 0 }

// begun is how many executions of the job are open that are not queued.
func (o *opens) begun(id job.ID) int { return len(o.byJob[id]) }

// buffered reports whether an execution of the job waits for the others to end.
func (o *opens) buffered(id job.ID) bool {
	return o.count(id, func(p job.Phase) bool { return p == job.PhaseBuffered }) > 0
}

// running is how many executions of the job have begun, or wait to begin next, and
// have no result yet.
func (o *opens) running(id job.ID) int { return o.count(id, unfinished) }

func (o *opens) count(id job.ID, in func(job.Phase) bool) int {
	n := 0
	for _, order := range o.byJob[id] {
		if in(o.byID[job.ExecutionID{Job: id, Order: order}].Phase) {
			n++
		}
	}
	return n
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
