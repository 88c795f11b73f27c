package httpserver

import (
	"context"
	"io"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// Every method below may return [job.ErrNotLeader] if there is no leader to ask,
// and a context's error when time is up. An empty namespace stands for all of
// them: it is what the root key reads and changes. A webhook of the whole cluster, and
// its deliveries, are there for that one only. A write may also return
// CodeDiskFull: nothing was written then.
//
// A write with a once that is not nil is looked up before any rule is checked. If
// its key was used before, nothing changes, and again is the answer that was kept;
// ErrIdempotencyMismatch if the key came with another request.

// Jobs are the definitions. A webhook is none, except to List if it is asked for: the
// other methods answer CodeNotFound for its ID.
type Jobs interface {
	// Create makes a job in the namespace of by, which for the root key is the one that
	// the request names. Header values are in plain text. CodeValidation with fields
	// for a spec that breaks a rule; CodeConflict for an external ID that another job
	// of the namespace has; ErrNotLeader on a follower; ErrOutcomeUnknown.
	Create(ctx context.Context, by job.APIKey, s job.Spec, once *job.Idempotent[job.Job]) (j job.Job, again []byte, err error)
	// Get answers CodeNotFound for a job that is not there or in another namespace.
	Get(ctx context.Context, namespace string, id job.ID) (job.Job, error)
	// List returns a page of jobs.
	List(ctx context.Context, q job.JobQuery) (job.JobPage, error)
	// ByExternalID answers CodeNotFound if no job of the namespace, which is never
	// empty, has the ID.
	ByExternalID(ctx context.Context, namespace, externalID string) (job.Job, error)
	// Change makes all the changes in one log entry, in the namespace of by, as Create
	// has it. Each is made or refused by itself, which its outcome tells:
	// CodeValidation, CodeConflict for an external ID that is taken,
	// CodePreconditionFailed, CodeNotFound. At most [MaxChanges], of [MaxChangeBytes]
	// together. With once, an answer is kept even if some are refused, and those that
	// are left by then are made together or not at all; an Answer that fails keeps them
	// from being made, and its error is returned. Without changes it only looks up once.
	// ErrNotLeader on a follower, ErrOutcomeUnknown.
	Change(ctx context.Context, by job.APIKey, changes []JobChange, once *job.Idempotent[[]JobOutcome]) (outcomes []JobOutcome, again []byte, err error)
	// HeaderIs reports whether a header of a job, as it is stored, has the value.
	HeaderIs(ctx context.Context, id job.ID, stored job.Header, value string) (bool, error)
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

// MaxChanges is how many changes go into one log entry, and MaxChangeBytes how large
// their specs may be together: text, headers and bodies.
const (
	MaxChanges     = 1000
	MaxChangeBytes = 2 << 20
)

// What the methods of [Jobs] and [Keys] take and give; package node knows it too.
type (
	JobChange  = job.JobChange
	JobOutcome = job.JobOutcome
	NewKey     = job.NewKey
)

// Executions are the history, and the way to add to it by hand.
type Executions interface {
	// List returns a page of executions. CodeNotFound if the query names a job, and
	// there is none.
	List(ctx context.Context, q job.ExecutionQuery) (job.ExecutionPage, error)
	// Slots returns the records of the slots of a job that are from From on and
	// before To, oldest first, gaps included that reach into that time, and the time
	// from which on they are complete: retention may have removed older ones. Beside
	// them are the executions that backfilled slots of their gaps. At most limit; More
	// tells that there are more. CodeNotFound.
	Slots(ctx context.Context, namespace string, id job.ID, from, to time.Time, limit int) (job.SlotRecords, error)
	// Backfill starts an execution for each slot, oldest first, and returns their IDs
	// in that order; an empty overlap keeps the job's policy. CodeNotFound,
	// ErrNotLeader on a follower, ErrOutcomeUnknown. Without slots it only looks up
	// once, whose Answer fails: nothing is submitted.
	Backfill(ctx context.Context, namespace string, id job.ID, slots []time.Time, overlap job.OverlapPolicy, once *job.Idempotent[[]job.ExecutionID]) (ids []job.ExecutionID, again []byte, err error)
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

// Schedules reads schedules. What Check has nothing against, the others read without
// an error.
type Schedules interface {
	// Check returns what is wrong with the cron expression and the zone, beyond what
	// [job.Spec.Validate] looks at.
	Check(s job.Schedule) []job.FieldError
	// Upcoming returns the first slots after a time; fewer than count if the schedule
	// ends.
	Upcoming(s job.Schedule, after time.Time, count int) ([]job.Upcoming, error)
	// Between returns the slots from a time on and before another one, oldest first,
	// and at most limit.
	Between(s job.Schedule, from, to time.Time, limit int) ([]time.Time, error)
}

// Keys are the API keys.
type Keys interface {
	// Authenticate finds the key: CodeUnauthorized for one that is unknown, expired
	// or revoked, ErrNotLeader if this node cannot tell yet.
	Authenticate(ctx context.Context, key string) (job.APIKey, error)
	// Knows reports whether this node, as far as it has heard, accepts the key. It
	// asks no other node.
	Knows(key string) bool
	// Create makes a key: Name, Namespace, Role and ExpiresAt of k count. The key
	// itself is shown this once; an answer that is kept is sealed. CodeValidation,
	// ErrNotLeader on a follower, ErrOutcomeUnknown.
	Create(ctx context.Context, k job.APIKey, once *job.Idempotent[NewKey]) (n NewKey, again []byte, err error)
	// List returns at most limit keys of the namespace, all if it is empty, with
	// greater IDs than after.
	List(ctx context.Context, namespace, after string, limit int) ([]job.APIKey, error)
	// Get answers CodeNotFound for a key that is not there or in another namespace.
	Get(ctx context.Context, namespace, id string) (job.APIKey, error)
	// Rotate gives the key a new secret. The one before is accepted, and signs, for
	// overlap. Errors are those of Create and Get.
	Rotate(ctx context.Context, namespace, id string, overlap time.Duration, once *job.Idempotent[NewKey]) (n NewKey, again []byte, err error)
	// Revoke removes the key. CodeInUse if it signs jobs, unless force; CodeConflict
	// for the root key; CodeNotFound, ErrNotLeader on a follower, ErrOutcomeUnknown.
	Revoke(ctx context.Context, namespace, id string, force bool) error
}

// Webhooks are subscriptions to events. Each is a job with a [job.Hook]: its ID,
// target, retries and counts are those of the job, and its deliveries are the
// executions of it, which [Executions].List lists.
type Webhooks interface {
	// Create makes one. Spec has Target, Tags and all that is said about attempts;
	// there is no schedule. CodeValidation, ErrNotLeader on a follower,
	// ErrOutcomeUnknown.
	Create(ctx context.Context, by job.APIKey, s job.Spec, h job.Hook, once *job.Idempotent[job.Job]) (j job.Job, again []byte, err error)
	// Get answers CodeNotFound for one that is not there or in another namespace.
	Get(ctx context.Context, namespace string, id job.ID) (job.Job, error)
	// Update is like that of [Jobs].
	Update(ctx context.Context, namespace string, id job.ID, version uint64, edit func(*job.Spec, *job.Hook) error) (job.Job, error)
	// Delete is like that of [Jobs].
	Delete(ctx context.Context, namespace string, id job.ID, version uint64) error
	// Test delivers a test event. CodeNotFound, ErrNotLeader on a follower,
	// ErrOutcomeUnknown.
	Test(ctx context.Context, namespace string, id job.ID, once *job.Idempotent[job.Execution]) (x job.Execution, again []byte, err error)
}

// Events are what the entries of the log made happen, on this node as soon as it has
// applied them.
type Events interface {
	// Since returns the events after one, in order, and a channel that is closed when
	// there are further ones. Complete is false if some of them are no longer known
	// here, or not yet: the reader has to read the state instead.
	Since(after job.EventID) (events []job.Event, more <-chan struct{}, complete bool)
	// Last is the newest event's ID, for a reader that begins now.
	Last() job.EventID
}

// Statistics are what became of executions.
type Statistics interface {
	// Stats returns one for each step of the query's time, oldest first.
	Stats(ctx context.Context, q job.StatsQuery) ([]job.Stats, error)
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

// Backups are copies of all that a node keeps of the cluster's state.
type Backups interface {
	// Backup begins a copy of this node's state as it is, which needs no leader. The
	// caller closes it. CodeDiskFull if this node has no room for one.
	Backup(ctx context.Context) (Backup, error)
}

// Backup is a copy of a node's state on its way out.
type Backup struct {
	// ReadCloser has the copy, and fails rather than end early.
	io.ReadCloser
	ClusterID string
	// Index is the last log entry in the copied state.
	Index uint64
	At    time.Time
	// Size is exactly how many bytes there are to read.
	Size int64
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
