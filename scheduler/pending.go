package scheduler

import (
	"container/heap"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// pending has the executions that wait for their next attempt, by the time it
// is due. Those whose Begin is under way are known, but out of the heap.
type pending struct {
	known map[job.ExecutionID]*waiting
	heap  waitingHeap
}

type waiting struct {
	open  job.Open
	at    time.Time
	index int // in the heap; outOfHeap while its Begin is under way
}

const outOfHeap = -1

func newPending() *pending { return &pending{known: map[job.ExecutionID]*waiting{}} }

// add takes an execution, in place of an earlier state of it.
func (p *pending) add(o job.Open) {
	p.drop(o.Execution)
	w := &waiting{open: o, at: o.RetryAt}
	p.known[o.Execution] = w
	heap.Push(&p.heap, w)
}

// drop forgets an execution.
func (p *pending) drop(id job.ExecutionID) {
	w, ok := p.known[id]
	if !ok {
		return
	}
	delete(p.known, id)
	if w.index != outOfHeap {
		heap.Remove(&p.heap, w.index)
	}
}

// due takes what is due out of the heap.
func (p *pending) due(now time.Time, limit int) []*waiting {
	var due []*waiting
	for len(p.heap) > 0 && len(due) < limit && !p.heap[0].at.After(now) {
		due = append(due, heap.Pop(&p.heap).(*waiting))
	}
	return due
}

// putBack makes due again at the given time what has not changed meanwhile.
func (p *pending) putBack(ws []*waiting, at time.Time) {
	for _, w := range ws {
		if p.known[w.open.Execution] == w {
			w.at = at
			heap.Push(&p.heap, w)
		}
	}
}

// wait is how long nothing is due.
func (p *pending) wait(now time.Time) time.Duration {
	if len(p.heap) == 0 {
		return maxStep
	}
	return min(maxStep, p.heap[0].at.Sub(now))
}

// waitingHeap implements [heap.Interface].
type waitingHeap []*waiting

func (h waitingHeap) Len() int           { return len(h) }
func (h waitingHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h waitingHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *waitingHeap) Push(x any) {
	w := x.(*waiting)
	w.index = len(*h)
	*h = append(*h, w)
}

func (h *waitingHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	w.index = outOfHeap
	return w
}
