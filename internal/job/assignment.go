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
//
// A batch rests on an earlier reply of the node, and its lease counts from when
// the node gave that reply: however long the batch was under way, the node knows
// by its own clock how old it may be, and the leader by when it got the reply.
// A batch that rests on no reply of this life, or on one older than the lease, is
// refused, but for its aborts.
type Batch struct {
	Term   uint64
	Leader string
	// Fenced: the leader knows the rule above, and says so in its first batch too. A
	// batch without it is of an older program, and is taken as if the node had given
	// the reply that it rests on just now.
	Fenced bool
	// Incarnation and Token are those of the reply that the batch rests on; zero
	// before the first.
	Incarnation uint64
	Token       uint64
	// Lease is how long after that reply the node may keep requests open without
	// another batch; zero does not renew.
	Lease       time.Duration
	Assignments []Assignment
	Aborts      []AttemptRef
}

// BatchReply acknowledges a batch: every assignment is now the node's, or
// refused.
type BatchReply struct {
	Incarnation uint64
	// Token names this reply in the batches that rest on it; zero only from an older
	// program, which never refuses.
	Token uint64
	// Refused: no assignment was taken and no lease renewed, because the batch
	// rested on no reply, or on one too old. Send it again, on this one.
	Refused bool
	// Clock is the node's wall clock at the reply.
	Clock        time.Time
	Open         int // attempts the node has not ended
	AppliedIndex uint64
	// Draining asks for no further attempts: the node is about to stop.
	Draining bool
}
