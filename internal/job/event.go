package job

import (
	"math"
	"time"
)

// EventType says what happened.
type EventType string

// The events. Webhooks may subscribe to those of webhookEvents; the stream has all
// of them.
const (
	EventJobCreated    EventType = "job.created"
	EventJobUpdated    EventType = "job.updated"
	EventJobDeleted    EventType = "job.deleted"
	EventJobAutoPaused EventType = "job.auto_paused"
	EventJobCompleted  EventType = "job.completed"

	// EventExecutionStarted: an execution was decided that is to call its target.
	EventExecutionStarted   EventType = "execution.started"
	EventExecutionRetrying  EventType = "execution.retrying"
	EventExecutionSucceeded EventType = "execution.succeeded"
	EventExecutionFailed    EventType = "execution.failed"
	// EventExecutionRecovered: it succeeded, and the one before it had failed. It
	// comes beside execution.succeeded.
	EventExecutionRecovered EventType = "execution.recovered"
	EventExecutionCancelled EventType = "execution.cancelled"
	EventExecutionSkipped   EventType = "execution.skipped"
	EventExecutionMissed    EventType = "execution.missed"

	EventNodeLost      EventType = "cluster.node_lost"
	EventLeaderChanged EventType = "cluster.leader_changed"
	// EventTest is what a webhook gets that is tried out.
	EventTest EventType = "webhook.test"
)

// WebhookEvents are those that a webhook may subscribe to. Those of the cluster are
// for webhooks of the root key only.
var WebhookEvents = []EventType{
	EventJobAutoPaused, EventJobCompleted,
	EventExecutionSucceeded, EventExecutionFailed, EventExecutionRecovered, EventExecutionCancelled, EventExecutionSkipped, EventExecutionMissed,
	EventNodeLost, EventLeaderChanged,
}

// IsOfCluster reports whether the event is of no namespace.
func (e EventType) IsOfCluster() bool { return e == EventNodeLost || e == EventLeaderChanged }

// EventID is the place of an event in the history of the cluster: the same on every
// node. It is written "INDEX-PART".
type EventID struct {
	Index uint64 // of the log entry that made it
	Part  int    // among the events of that entry, from 0
}

// LastPart is greater than that of any event: with it, an ID is the place after all
// events of an entry. That is written "INDEX".
const LastPart = math.MaxInt32

// Event is something that an entry of the log made happen. It is complete in itself:
// what it tells of may have changed since.
type Event struct {
	ID        EventID
	Type      EventType
	At        time.Time
	Namespace string // empty for those of the cluster
	Job       ID     // zero for those of the cluster
	JobName   string
	// Version is the job's, for events about its definition.
	Version uint64
	// Execution is what became of one; zero for other events.
	Execution   ExecutionID
	Trigger     Trigger
	ScheduledAt time.Time
	Result      Result
	HTTPStatus  int
	Err         *AttemptError
	// MissedCount is how many slots a MISSED gap has.
	MissedCount int
	// Failures is how many executions in a row had failed.
	Failures int
	// NodeID is the node that an event of the cluster is about.
	NodeID string
}

// Hook is what a webhook subscribes to.
type Hook struct {
	Events []EventType
	// Tag restricts it to events of jobs that have the tag; nil for all.
	Tag *Tag
	// Cluster: it is the root key's, and gets events of every namespace and of the
	// cluster.
	Cluster bool
}
