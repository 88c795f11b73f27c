package checker

import "time"

// History is everything that was seen of one run from outside: what clients asked
// for, what targets received, what the API tells in the end, and what was done to
// the cluster. It is plain data, so that a run can be checked again from its file.
type History struct {
	// Name and Seed tell which run it was.
	Name string
	Seed uint64
	// Nodes are the members. With them a fault of a minority excuses less than one
	// of a majority; if empty, or not the same all the time, any fault may have cost
	// the majority.
	Nodes []string

	Began time.Time
	// Settled is the instant up to which every slot has to be over: what is due
	// later may or may not have been planned when the records were read.
	Settled time.Time
	Ended   time.Time

	Ops        []Op
	Deliveries []Delivery
	// Records are all executions of all jobs that exist at the end, as the API
	// tells them then.
	Records []Record
	// Reads are records that were read on the way, each with when, in the default
	// (linearizable) consistency.
	Reads []Read
	// Jobs are the jobs that exist at the end.
	Jobs   []Final
	Faults []Fault
	Hashes []StateHash
}

// OpKind is what a client asked for.
type OpKind string

// The operations. Update stands for PUT and PATCH, pausing and resuming
// included.
const (
	OpCreate OpKind = "create"
	OpUpdate OpKind = "update"
	OpDelete OpKind = "delete"
	OpRun    OpKind = "run"
	OpCancel OpKind = "cancel"
)

// Outcome is what a client knows of its operation.
type Outcome string

// The outcomes.
const (
	OK Outcome = "ok"
	// Refused: it has surely not taken effect.
	Refused Outcome = "refused"
	// Unknown: it may have taken effect, or take effect at any time later.
	Unknown Outcome = "unknown"
)

// Op is one write by one client. Each job is written by one client at a time,
// but an operation of unknown outcome may take effect beside later ones. A
// request that was sent again with the same Idempotency-Key is one operation,
// from the first try's begin to the last one's answer.
type Op struct {
	Kind OpKind
	// Job is the job's name, which is unique in a run and never changes: a client
	// that never got the answer to its create does not know the ID.
	Job string
	// JobID is the job's ID, if the client knows it: of a job that is gone in the
	// end, nothing else tells it.
	JobID    string
	Invoked  time.Time
	Returned time.Time // zero: never
	Outcome  Outcome
	// Change is what an OpCreate or OpUpdate writes.
	Change Change
	// Version is the job's after an OK create or update.
	Version uint64
	// Execution is what an OK run answered, or what a cancel names.
	Execution string
	// Overlap replaces the job's policy in a run, if not empty.
	Overlap string
	Node    string // that was asked
	Code    string // of the error
}

// Change is what a write says about a job: a nil field stays as it is, or is the
// API's default in a create. Naming Cron or Interval replaces the other.
type Change struct {
	Cron            *string
	IntervalSeconds *int
	Timezone        *string
	State           *string
	Overlap         *string
	Misfire         *string
	CatchupSeconds  *int
	Guarantee       *string
	Retries         *int
	RetrySeconds    *int // the delay
	TimeoutSeconds  *int
}

// Delivery is one request as a target saw it.
type Delivery struct {
	JobID       string
	Job         string // the name, if the target can tell; else empty
	Execution   string
	WebhookID   string
	Trigger     string
	Attempt     int
	ScheduledAt time.Time
	Arrived     time.Time
	// Ended is when the target answered, noted before the answer is written, or
	// saw the connection closed; zero if neither had happened at the end.
	Ended time.Time
	// Status is what the target answered; zero if the client was gone before.
	Status int
	// Node made the request; empty if the target cannot tell.
	Node string
}

// Record is an execution as the API tells it.
type Record struct {
	ID          string
	JobID       string
	Trigger     string
	ScheduledAt time.Time
	StartedAt   time.Time // zero if null, like every other instant here
	FinishedAt  time.Time
	Result      string
	HTTPStatus  int
	Attempt     int
	ErrorCode   string
	Attempts    []Attempt

	MissedFrom, MissedTo time.Time
	MissedCount          int
}

// Attempt is one attempt of a record.
type Attempt struct {
	Number     int
	Node       string
	StartedAt  time.Time
	DurationMs int64
	HTTPStatus int
	ErrorCode  string
}

// Read is a record as it was at some time.
type Read struct {
	Asked  time.Time // zero: not known
	At     time.Time // when the answer came
	JobID  string    // empty: not known
	ID     string
	Result string
}

// Final is a job that exists at the end.
type Final struct {
	ID, Name  string
	Version   uint64
	State     string
	CreatedAt time.Time
}

// FaultKind is what was done to the cluster.
type FaultKind string

// The faults that excuse something.
const (
	FaultKill      FaultKind = "kill"      // of a node's process
	FaultStop      FaultKind = "stop"      // graceful
	FaultPause     FaultKind = "pause"     // SIGSTOP: its requests stay open meanwhile
	FaultPartition FaultKind = "partition" // of any shape, loss and delay included
	FaultDisk      FaultKind = "disk"
	FaultClock     FaultKind = "clock" // a node's wall clock is wrong
)

// Fault is one thing that was done to the cluster, and for how long.
type Fault struct {
	Kind FaultKind
	// Nodes are those that it was done to. Of a partition they are the nodes
	// without which the others still hear each other well: both ends of a link
	// that was cut, or one of them if the rest is untouched.
	Nodes []string
	From  time.Time
	To    time.Time // when it was undone; zero: never
	// Targets tells of a partition that it cuts the nodes off from the targets
	// too: a target does not see that such a node closes a connection.
	Targets bool
	// Skew is how far a FaultClock is off, in either direction; zero: not known.
	Skew time.Duration
}

// StateHash is a node's answer at the end.
type StateHash struct {
	Node  string
	Index uint64
	Hash  string
}
