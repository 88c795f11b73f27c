package job

import "time"

// Assignment hands an attempt to a node: everything the node needs to make the
// request.
type Assignment struct {
	AttemptRef
	// Incarnation is the node's life that the attempt was planned for; another
	// life refuses it.
	Incarnation     uint64
	Trigger         Trigger
	ScheduledAt     time.Time
	Target          Target // header values in plain text
	Timeout         time.Duration
	SuccessStatuses []string
	FollowRedirects bool
	Capture         Capture
	// SigningKeys are the API keys to sign with, newest first; none: unsigned.
	SigningKeys []string
}

// Batch is what a leader tells a node in one call. An empty batch renews the
// lease.
type Batch struct {
	Term   uint64
	Leader string
	// Lease is how long from its receipt the node may keep requests open without
	// another batch; zero does not renew.
	Lease       time.Duration
	Assignments []Assignment
	Aborts      []AttemptRef
}

// BatchReply acknowledges a batch: every assignment is now the node's, or
// refused.
type BatchReply struct {
	Incarnation  uint64
	Open         int // attempts the node has not ended
	AppliedIndex uint64
	// Draining asks for no further attempts: the node is about to stop.
	Draining bool
}
