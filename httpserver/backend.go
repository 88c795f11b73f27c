package httpserver

import (
	"context"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// Every method below may return [job.ErrNotLeader] if there is no leader to ask,
// and a context's error when time is up. An empty namespace stands for all of
// them: it is what the root key reads and changes. A write may also return
// CodeDiskFull: nothing was written then.
//
// A write with a once that is not nil is looked up before any rule is checked. If
// its key was used before, nothing changes, and again is the answer that was kept;
// ErrIdempotencyMismatch if the key came with another request.

// Jobs are the definitions.
type Jobs interface {
	// Create makes a job in the namespace of by, or in [job.DefaultNamespace] for
	// the root key. Header values are in plain text. CodeValidation with
	// fields for a spec that breaks a rule; ErrNotLeader on a follower;
	// ErrOutcomeUnknown.
	Create(ctx context.Context, by job.APIKey, s job.Spec, once *job.Idempotent[job.Job]) (j job.Job, again []byte, err error)
	// Get answers CodeNotFound for a job that is not there or in another namespace.
	Get(ctx context.Context, namespace string, id job.ID) (job.Job, error)
	// List returns at most limit jobs with greater IDs than after, in order of ID.
	List(ctx context.Context, namespace string, after job.ID, limit int) ([]job.Job, error)
	// Update replaces the definition by what edit makes of it. Edit may run several
	// times, each time on a fresh copy, in which a stored header has a Sealed and an
	// empty Value; its error ends the update and is returned as it is. Version is
	// the one to replace, zero for any: CodePreconditionFailed for another. Further
	// CodeNotFound, CodeValidation, ErrNotLeader on a follower, ErrOutcomeUnknown.
	Update(ctx context.Context, namespace string, id job.ID, version uint64, edit func(*job.Spec) error) (job.Job, error)
	// Delete removes a job, its history and what runs of it. Version and errors are
	// those of Update.
	Delete(ctx context.Context, namespace string, id job.ID, version uint64) error
}

// Executions are the history, and the way to add to it by hand.
type Executions interface {
	// List returns at most limit executions of a job, newest first, that are older
	// than before; zero begins with the newest. CodeNotFound if there is no such job.
	List(ctx context.Context, namespace string, id job.ID, before job.ExecutionID, limit int) ([]job.Execution, error)
	// Get answers CodeNotFound for an execution that is not there or whose job is in
	// another namespace.
	Get(ctx context.Context, namespace string, id job.ExecutionID) (job.Execution, error)
	// Run starts an execution now and returns it as it was committed. An empty overlap
	// keeps the job's policy. CodeOverlap if the policy is SKIP and one is
	// running, or BUFFER_ONE and one waits already; CodeNotFound, ErrNotLeader on a
	// follower, ErrOutcomeUnknown.
	Run(ctx context.Context, namespace string, id job.ID, overlap job.OverlapPolicy, once *job.Idempotent[job.Execution]) (x job.Execution, again []byte, err error)
	// Cancel ends an execution as CANCELLED and returns it as it was committed; one
	// that is cancelled already is returned as it is. CodeConflict, with the result in
	// the message, for one that ended in another way; CodeNotFound, ErrNotLeader on a
	// follower, ErrOutcomeUnknown.
	Cancel(ctx context.Context, namespace string, id job.ExecutionID, once *job.Idempotent[job.Execution]) (x job.Execution, again []byte, err error)
}

// Keys are the API keys.
type Keys interface {
	// Authenticate finds the key: CodeUnauthorized for an unknown one, ErrNotLeader
	// if this node cannot tell yet.
	Authenticate(ctx context.Context, key string) (job.APIKey, error)
}

// Consistency is where this node's state stands in the cluster's.
type Consistency interface {
	// Barrier returns once every write that was acknowledged before the call is in
	// this node's state: a linearizable read point. ErrNotLeader at once if this
	// node cannot have one; the leader is asked then.
	Barrier(ctx context.Context) error
	// Applied is the index of the last log entry in this node's state.
	Applied() uint64
	// WaitApplied returns once Applied is at least index; ErrNotLeader at once if
	// this node does not get there.
	WaitApplied(ctx context.Context, index uint64) error
}

// Forwarder takes a request to the leader, whose [Server.ServeForwarded] answers it.
type Forwarder interface {
	// Forward sends the request at most once. ErrNotLeader says that it reached no
	// leader and nothing happened. After any other error it may have taken effect.
	Forward(ctx context.Context, request []byte) (response []byte, err error)
}

// Cluster is the cluster as this node sees it, which works without a leader, and
// what an operator may do to it.
type Cluster interface {
	Status(ctx context.Context) (ClusterStatus, error)
	// StateHash hashes this node's whole state, as of the returned index.
	StateHash(ctx context.Context) (index uint64, hash string, err error)
	// Ready is nil once this node has caught up and can serve linearizable reads.
	Ready(ctx context.Context) error
	// TransferLeadership makes the named node lead, or the one that is most up to
	// date if to is empty, and returns the leader's ID. CodeNotFound for a node that is
	// no member; CodeConflict, with the reason, for one that cannot lead;
	// ErrNotLeader on a follower, ErrOutcomeUnknown.
	TransferLeadership(ctx context.Context, to string) (leader string, err error)
	// RemoveNode takes a node out of the cluster for good. CodeNotFound for a node
	// that is no member; CodeConflict, with the reason, if it is the leader or what
	// remains would have no quorum; ErrNotLeader on a follower, ErrOutcomeUnknown.
	RemoveNode(ctx context.Context, id string) error
}

// ClusterStatus is what GET /cluster shows.
type ClusterStatus struct {
	NodeID string
	// LeaderID is empty while no leader is known.
	LeaderID string
	Term     uint64
	Nodes    []ClusterNode
}

// ClusterNode is one member.
type ClusterNode struct {
	ID       string
	HTTPAddr string
	PeerAddr string
	// Role is LEADER, FOLLOWER or LEARNER.
	Role string
	// State is ALIVE, SUSPECT or DEAD.
	State        string
	AppliedIndex uint64
	OpenAttempts int
	Version      string
	// ClockSkew is how far the node's wall clock is ahead of the leader's; nil if that
	// is not known.
	ClockSkew *time.Duration
	// ReadOnly: the node's disk is full, and it writes nothing.
	ReadOnly bool
}
