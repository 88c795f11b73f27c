package scheduler

import (
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// holds are jobs that the planner leaves alone for a while.
type holds struct {
	mu    sync.Mutex // guards the fields below
	until map[job.ID]hold
	first time.Time // not after the earliest of them; zero if there are none
}

type hold struct {
	until  time.Time
	replay bool // it ends when an execution of the job does
}

func newHolds() *holds { return &holds{until: map[job.ID]hold{}} }

func (h *holds) add(id job.ID, until time.Time) { h.put(id, hold{until: until}) }

// addReplay holds a job until one of its executions ends, or the time comes: that
// it ended while the job was not held yet went unnoticed.
func (h *holds) addReplay(id job.ID, until time.Time) { h.put(id, hold{until: until, replay: true}) }

func (h *holds) put(id job.ID, x hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until[id] = x
	h.notice(x.until)
}

// notice keeps first. The caller holds mu.
func (h *holds) notice(until time.Time) {
	if h.first.IsZero() || until.Before(h.first) {
		h.first = until
	}
}

// release ends a hold that waits for an execution of the job to end.
func (h *holds) release(id job.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.until[id].replay {
		delete(h.until, id)
	}
}

func (h *holds) has(id job.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.until[id]
	return ok
}

// next is when to sweep; zero if there is nothing to.
func (h *holds) next() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.first
}

// sweep releases the jobs whose time is over.
func (h *holds) sweep(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.first.IsZero() || now.Before(h.first) {
		return
	}
	h.first = time.Time{}
	for id, x := range h.until {
		if !now.Before(x.until) {
			delete(h.until, id)
		} else {
			h.notice(x.until)
		}
	}
}
