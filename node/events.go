package node

import "github.com/cronraft/cronraft/internal/job"

// Events are what the entries made happen that this node has applied.
type Events struct{ n *Node }

// Events is the service for the stream of events.
func (n *Node) Events() Events { return Events{n} }

// Since returns the events after one, in order, and a channel that is closed when
// there are further ones. Complete is false if some of them are no longer known here,
// or not yet.
func (s Events) Since(after job.EventID) (events []job.Event, more <-chan struct{}, complete bool) {
	return s.n.store.Events(after)
}

// Last is the newest event's ID.
func (s Events) Last() job.EventID { return s.n.store.LastEvent() }
