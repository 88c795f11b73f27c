package fsm

import (
	"cmp"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxEvents is how many events are kept, the newest.
	maxEvents = 10_000
	// maxEventPage is how many are handed out at a time.
	maxEventPage = 1000
)

// events are the newest ones, of the entries that this node has applied since it
// started or was restored. They are kept in memory only. The store's lock guards
// them.
type events struct {
	// list has them; the oldest is at first, and what is before that is newer.
	list  []job.Event
	first int
	// since is the event after which none is missing.
	since job.EventID
	// more is closed when there are further ones.
	more chan struct{}
}

// newEvents has none, after the entry with an index.
func newEvents(applied uint64) *events {
	return &events{since: job.EventID{Index: applied, Part: job.LastPart}, more: make(chan struct{})}
}

func (e *events) add(list []job.Event) {
	for _, event := range list {
		if len(e.list) < maxEvents {
			e.list = append(e.list, event)
			continue
		}
		e.since = e.list[e.first].ID
		e.list[e.first] = event
		e.first = (e.first + 1) % maxEvents
	}
	close(e.more)
	e.more = make(chan struct{})
}

// at is the i-th event, from the oldest on.
func (e *events) at(i int) *job.Event { return &e.list[(e.first+i)%len(e.list)] }

// after are the first of those after one, and whether there are further ones.
func (e *events) after(id job.EventID) (list []job.Event, further bool) {
	low, high := 0, len(e.list)
	for low < high {
		if middle := (low + high) / 2; compareEvents(e.at(middle).ID, id) <= 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for ; low < len(e.list) && len(list) < maxEventPage; low++ {
		list = append(list, *e.at(low))
	}
	return list, low < len(e.list)
}

func (e *events) last() job.EventID {
	if len(e.list) == 0 {
		return e.since
	}
	return e.at(len(e.list) - 1).ID
}

func compareEvents(a, b job.EventID) int {
	return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Part, b.Part))
}

// Events returns events after one, in order, and a channel that is closed when
// there are further ones: it may be closed already. Complete is false, and there
// are none, if some of them are not known any more, or the one before them not yet.
func (s *Store) Events(after job.EventID) (list []job.Event, more <-chan struct{}, complete bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if compareEvents(after, s.events.since) < 0 || after.Index > s.state.applied {
		return nil, s.events.more, false
	}
	list, further := s.events.after(after)
	if further {
		return list, closed, true
	}
	return list, s.events.more, true
}

// LastEvent is the place of the newest event: a reader that begins now goes on
// from there.
func (s *Store) LastEvent() job.EventID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.events.last()
}

// closed is a channel that is.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// tell makes an event of a job. Before version 3 of the log there are none, and
// those of a webhook's deliveries would never end.
func (t *tx) tell(r *row, e job.Event) {
	if !t.tells(r) {
		return
	}
	e.Namespace, e.Job, e.JobName = r.GetNamespace(), r.id, t.name(r)
	t.deliver(t.note(e), r.GetTags())
}

// tells reports whether what happens to a job makes events.
func (t *tx) tells(r *row) bool { return t.isThird() && !r.GetHook() }

// note gives an event its place among those of the entry.
func (t *tx) note(e job.Event) *job.Event {
	e.ID = job.EventID{Index: t.entry, Part: t.parts}
	t.parts++
	t.events = append(t.events, e)
	return &t.events[len(t.events)-1]
}

// name is what events call a job. The state has it from the first event on.
func (t *tx) name(r *row) string {
	if r.GetName() == "" {
		r.Name = t.definition(r.id).GetSpec().GetName()
	}
	return r.GetName()
}

// announce makes an event of the cluster.
func (t *tx) announce(d job.Announce) job.Item {
	if t.isThird() {
		t.deliver(t.note(job.Event{Type: d.Type, At: d.At, NodeID: d.NodeID}), nil)
	}
	return job.Item{}
}

// tellOf makes an event of an execution.
func (t *tx) tellOf(r *row, kind job.EventType, x *job.Execution, at time.Time) {
	if t.tells(r) {
		t.tell(r, eventOf(kind, x, at))
	}
}

func eventOf(kind job.EventType, x *job.Execution, at time.Time) job.Event {
	return job.Event{
		Type:        kind,
		At:          at,
		Execution:   x.ID,
		Trigger:     x.Trigger,
		ScheduledAt: x.ScheduledAt,
		Result:      x.Result,
		HTTPStatus:  x.HTTPStatus,
		Err:         x.Err,
		MissedCount: x.MissedCount,
	}
}
