package executor

import (
	"context"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// stage is how far an attempt has come on this node.
type stage int

const (
	queued stage = iota
	open
	ended // its outcome is not acknowledged
)

// attempt is one attempt that this node has to answer for.
type attempt struct {
	job.Assignment // empty, but for its name, once ended
	stage          stage
	cancel         context.CancelCauseFunc // of an open one
}

// table holds the attempts that this node has to answer for. It has no lock of
// its own: its user, the [Executor], has.
type table struct {
	live      map[job.AttemptRef]*attempt
	queue     []*attempt // first come, first served; may hold ended ones
	unended   int
	workers   int
	limit     int
	forgotten memory // those that it need not answer for any more
}

func newTable(limit int) *table {
	return &table{live: map[job.AttemptRef]*attempt{}, limit: limit, forgotten: newMemory()}
}

// knows reports whether an assignment of the attempt is nothing new.
func (t *table) knows(ref job.AttemptRef) bool {
	_, ok := t.live[ref]
	return ok || t.forgotten.knows(ref)
}

// push queues a new attempt.
func (t *table) push(a job.Assignment) {
	added := &attempt{Assignment: a}
	t.live[a.AttemptRef] = added
	t.queue = append(t.queue, added)
	t.unended++
}

// hire takes a place for another worker and its first attempt; nil if no place is
// free or nothing is queued.
func (t *table) hire() *attempt {
	if t.workers >= t.limit {
		return nil
	}
	a := t.pop()
	if a != nil {
		t.workers++
	}
	return a
}

// next is what a worker does after its last attempt; with nil it gives its place
// back.
func (t *table) next() *attempt {
	a := t.pop()
	if a == nil {
		t.retire()
	}
	return a
}

// retire gives a worker's place back.
func (t *table) retire() { t.workers-- }

// pop takes the oldest attempt that still waits.
func (t *table) pop() *attempt {
	for len(t.queue) > 0 {
		a := t.queue[0]
		t.queue[0] = nil
		t.queue = t.queue[1:]
		if a.stage == queued {
			a.stage = open
			return a
		}
	}
	t.queue = nil
	return nil
}

// end takes note that a live attempt is over, whatever its stage was.
func (t *table) end(a *attempt) {
	if a.stage != ended {
		t.unended--
	}
	a.stage, a.cancel = ended, nil
	a.Assignment = job.Assignment{AttemptRef: a.AttemptRef}
}

// addEnded makes an attempt known that never runs here.
func (t *table) addEnded(ref job.AttemptRef) {
	t.live[ref] = &attempt{Assignment: job.Assignment{AttemptRef: ref}, stage: ended}
}

// settle forgets, for most purposes, the attempts whose outcomes were
// acknowledged.
func (t *table) settle(outcomes []job.Outcome, now time.Time) {
	for i := range outcomes {
		delete(t.live, outcomes[i].AttemptRef)
		t.forgotten.add(outcomes[i].AttemptRef, now)
	}
}
