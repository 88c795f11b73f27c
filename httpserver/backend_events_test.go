package httpserver

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// webhookBackend keeps webhooks beside the jobs of a store.
type webhookBackend struct{ *backend }

func (b webhookBackend) Create(_ context.Context, by job.APIKey, spec job.Spec, h job.Hook, once *job.Idempotent[job.Job]) (job.Job, []byte, error) {
	return changeOnce(b.backend, once, func() (job.Job, error) {
		b.lastID++
		j := job.Job{ID: b.lastID, Namespace: by.Namespace, KeyID: by.ID, Version: 1, CreatedAt: now, UpdatedAt: now, Spec: sealed(spec), Hook: &h}
		b.jobs[j.ID] = j
		return j, nil
	})
}

func (b webhookBackend) hook(namespace string, id job.ID) (job.Job, error) {
	j, err := b.visible(namespace, id)
	if err == nil && j.Hook == nil {
		err = job.ErrNotFound
	}
	return j, err
}

func (b webhookBackend) Get(_ context.Context, namespace string, id job.ID) (job.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hook(namespace, id)
}

func (b webhookBackend) Update(_ context.Context, namespace string, id job.ID, version uint64, edit func(*job.Spec, *job.Hook) error) (job.Job, error) {
	var after job.Job
	err := b.change(func() error {
		before, err := b.hook(namespace, id)
		if err != nil {
			return err
		}
		if version != 0 && version != before.Version {
			return errVersion
		}
		for range 2 { // an edit may run several times
			h := *before.Hook
			h.Events = slices.Clone(h.Events)
			after = before
			after.Spec, after.Hook = before.Clone(), &h
			if err := edit(&after.Spec, after.Hook); err != nil {
				return err
			}
		}
		after.Spec = sealed(after.Spec)
		after.Version++
		b.jobs[id] = after
		return nil
	})
	return after, err
}

func (b webhookBackend) Delete(_ context.Context, namespace string, id job.ID, version uint64) error {
	return b.change(func() error {
		before, err := b.hook(namespace, id)
		switch {
		case err != nil:
			return err
		case version != 0 && version != before.Version:
			return errVersion
		}
		delete(b.jobs, id)
		return nil
	})
}

func (b webhookBackend) Test(_ context.Context, namespace string, id job.ID, once *job.Idempotent[job.Execution]) (job.Execution, []byte, error) {
	return changeOnce(b.backend, once, func() (job.Execution, error) {
		if _, err := b.hook(namespace, id); err != nil {
			return job.Execution{}, err
		}
		x := delivery(id, len(b.executions[id]), job.Event{ID: job.EventID{Index: b.index + 1}, Type: job.EventTest, At: now, Namespace: namespace})
		b.executions[id] = append([]job.Execution{x}, b.executions[id]...)
		return x, nil
	})
}

// delivery is one that is under way, the nth of its webhook.
func delivery(hook job.ID, n int, e job.Event) job.Execution {
	at := now.Add(time.Duration(n) * time.Second)
	return job.Execution{
		ID: job.ManualExecution(hook, at, 1), Trigger: job.TriggerEvent,
		ScheduledAt: at, DueAt: at, CreatedAt: at, Result: job.Running, Event: &e,
	}
}

// eventLog is a node's ring of events.
type eventLog struct {
	// mu guards all fields.
	mu     sync.Mutex
	last   job.EventID
	events []job.Event
	// forgotten is the newest event that the ring does not have any more.
	forgotten job.EventID
	more      chan struct{}
}

// tell adds events, whose IDs it makes: those of one log entry.
func (l *eventLog) tell(events ...job.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	index := l.last.Index + 1
	for part, e := range events {
		e.ID, e.At = job.EventID{Index: index, Part: part}, now
		l.events = append(l.events, e)
		l.last = e.ID
	}
	l.wake()
}

// forget empties the ring, after something that nobody has heard of.
func (l *eventLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = job.EventID{Index: l.last.Index + 1}
	l.forgotten, l.events = l.last, nil
	l.wake()
}

func (l *eventLog) wake() {
	if l.more != nil {
		close(l.more)
	}
	l.more = nil
}

func (l *eventLog) Since(after job.EventID) ([]job.Event, <-chan struct{}, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more == nil {
		l.more = make(chan struct{})
	}
	if isBefore(after, l.forgotten) || isBefore(l.last, after) {
		return nil, l.more, false
	}
	i := slices.IndexFunc(l.events, func(e job.Event) bool { return isBefore(after, e.ID) })
	if i < 0 {
		return nil, l.more, true
	}
	return slices.Clone(l.events[i:]), l.more, true
}

func isBefore(a, b job.EventID) bool {
	return a.Index < b.Index || a.Index == b.Index && a.Part < b.Part
}

func (l *eventLog) Last() job.EventID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// statistics answers each query with its steps, of which fill makes the numbers, and
// remembers the query.
type statistics struct {
	fill func(step int, s *job.Stats)

	mu    sync.Mutex // guards asked
	asked job.StatsQuery
}

func (s *statistics) Stats(_ context.Context, q job.StatsQuery) ([]job.Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = q
	var series []job.Stats
	for at := q.From; at.Before(q.To); at = at.Add(q.Step) {
		step := job.Stats{At: at}
		if s.fill != nil {
			s.fill(len(series), &step)
		}
		series = append(series, step)
	}
	return series, nil
}
