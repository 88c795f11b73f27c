package fsm

import (
	"slices"
	"sync"

	"github.com/cronraft/cronraft/internal/job"
)

// Feed tells a leader's term of the open executions: first all of them, then
// each that changed. It tells states, not events: what changed twice between two
// calls of [Feed.Drain] is told once, as it is now.
type Feed struct {
	changed chan struct{}
	close   func()

	// mu guards what has changed since the last Drain: where each execution
	// stands, and the order in which they changed first.
	mu     sync.Mutex
	latest map[job.ExecutionID]job.Open
	order  []job.ExecutionID
}

// Watch makes a feed that begins with all open executions. Whoever calls it
// closes the feed.
func (s *Store) Watch() *Feed {
	f := &Feed{changed: make(chan struct{}, 1), latest: map[job.ExecutionID]job.Open{}}
	f.close = func() { s.unwatch(f) }
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feeds = append(s.feeds, f)
	f.publish(s.state.opens.all())
	return f
}

func (s *Store) unwatch(f *Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feeds = slices.DeleteFunc(s.feeds, func(other *Feed) bool { return other == f })
}

// Changed receives when there is something to drain, or the agenda has changed.
// It means "look again" and is never closed.
func (f *Feed) Changed() <-chan struct{} { return f.changed }

// Drain returns the executions that changed since the last call, each as it is
// now; one that is over has [job.PhaseClosed].
func (f *Feed) Drain() []job.Open {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]job.Open, len(f.order))
	for i, id := range f.order {
		list[i] = f.latest[id]
	}
	f.order, f.latest = nil, map[job.ExecutionID]job.Open{}
	return list
}

// Close ends the feed. It may be called twice.
func (f *Feed) Close() { f.close() }

// publish adds changes, and pokes whoever waits.
func (f *Feed) publish(changes []job.Open) {
	f.mu.Lock()
	for _, x := range changes {
		if _, ok := f.latest[x.Execution]; !ok {
			f.order = append(f.order, x.Execution)
		}
		f.latest[x.Execution] = x
	}
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// replaced is what a feed has to hear when one state takes the place of another:
// what is gone, closed, and all there is.
func replaced(old, now *opens) []job.Open {
	var changes []job.Open
	for _, x := range old.all() {
		if _, ok := now.byID[x.Execution]; !ok {
			x.Phase = job.PhaseClosed
			changes = append(changes, x)
		}
	}
	return append(changes, now.all()...)
}
