package job

import "time"

// Trigger says why an execution exists.
type Trigger string

// The triggers.
const (
	TriggerScheduled Trigger = "SCHEDULED"
	TriggerManual    Trigger = "MANUAL"
	// TriggerCatchup is the late execution of a slot that was missed.
	TriggerCatchup Trigger = "CATCHUP"
	// TriggerBackfill is a slot of the past that a person asked for.
	TriggerBackfill Trigger = "BACKFILL"
	// TriggerEvent is a delivery of a webhook.
	TriggerEvent Trigger = "EVENT"
)

// Result says how far an execution has come.
type Result string

// The results. All but RUNNING and RETRYING are terminal: they never change.
const (
	Running   Result = "RUNNING"
	Retrying  Result = "RETRYING"
	Success   Result = "SUCCESS"
	Failed    Result = "FAILED"
	Cancelled Result = "CANCELLED"
	Skipped   Result = "SKIPPED"
	Missed    Result = "MISSED"
)

// Terminal reports whether r is final.
func (r Result) Terminal() bool { return r != Running && r != Retrying && r != "" }

// ErrorCode says what went wrong with an attempt or an execution.
type ErrorCode string

// The error codes.
const (
	ErrTimeout       ErrorCode = "TIMEOUT"
	ErrDNS           ErrorCode = "DNS"
	ErrConnect       ErrorCode = "CONNECT"
	ErrTLS           ErrorCode = "TLS"
	ErrHTTPStatus    ErrorCode = "HTTP_STATUS"
	ErrBlockedTarget ErrorCode = "BLOCKED_TARGET"
	ErrTooLarge      ErrorCode = "TOO_LARGE"
	ErrNodeLost      ErrorCode = "NODE_LOST"
	ErrCancelled     ErrorCode = "CANCELLED"
	ErrOverlap       ErrorCode = "OVERLAP"
	ErrProtocol      ErrorCode = "PROTOCOL"
)

// CancelledByRequest is what the record of an execution says that a person
// cancelled.
const CancelledByRequest = "cancelled by request"

// AttemptError is what an attempt or an execution ended with; nil is success.
type AttemptError struct {
	Code ErrorCode
	Msg  string
}

// Timings are the phases of one request; zero where a phase did not happen (a
// reused connection has no DNS, connect and TLS).
type Timings struct {
	DNS, Connect, TLS, FirstByte time.Duration
}

// Attempt is one HTTP request of an execution, as recorded.
type Attempt struct {
	Number     int // from 1
	NodeID     string
	StartedAt  time.Time // zero if the request was never begun, or that is not known
	Duration   time.Duration
	HTTPStatus int // zero if there was no answer
	Err        *AttemptError
	Timings    Timings
	// Unbegun: the attempt was lost, and its request surely never begun.
	Unbegun bool
}

// MayBeDuplicate reports whether nobody knows if the attempt reached its target: it
// was lost with its node, which may have begun the request.
func (a *Attempt) MayBeDuplicate() bool {
	return a.Err != nil && a.Err.Code == ErrNodeLost && !a.Unbegun
}

// Execution is the record of one slot, manual run or gap.
type Execution struct {
	ID          ExecutionID
	Trigger     Trigger
	ScheduledAt time.Time // the slot; for a manual run, when it was asked for
	DueAt       time.Time // the slot and the job's jitter
	CreatedAt   time.Time // when it was planned, by the leader's clock
	StartedAt   time.Time // of the first request; zero before its outcome is known
	FinishedAt  time.Time
	Result      Result
	HTTPStatus  int // of the last attempt
	NodeID      string
	Err         *AttemptError
	Attempts    []Attempt
	// Response is the beginning of the last captured response body.
	Response []byte

	// MissedFrom, MissedTo and MissedCount describe the gap of a MISSED record:
	// its first and last slot, both included.
	MissedFrom, MissedTo time.Time
	MissedCount          int

	// Event is what a delivery of a webhook tells; nil for every other execution.
	Event *Event
}

// Duration is the time from the first request to the end; zero while it runs.
func (x *Execution) Duration() time.Duration {
	if x.StartedAt.IsZero() || x.FinishedAt.IsZero() {
		return 0
	}
	return x.FinishedAt.Sub(x.StartedAt)
}

// Lateness is how long after it was due the first request began, never
// negative; false while that is not known.
func (x *Execution) Lateness() (time.Duration, bool) {
	if x.StartedAt.IsZero() {
		return 0, false
	}
	return max(0, x.StartedAt.Sub(x.DueAt)), true
}

// NodeRef names one life of a node: a restart changes the incarnation, and with
// it every attempt of the earlier life is known to be over.
type NodeRef struct {
	ID          string
	Incarnation uint64
}

// AttemptRef names one attempt.
type AttemptRef struct {
	Execution ExecutionID
	Attempt   int
}

// Phase is where an open execution stands between two log entries.
type Phase int

// The phases.
const (
	// PhaseClosed: it is over, and no request of it can be open. A term hears
	// of it once; the state keeps no closed one.
	PhaseClosed Phase = iota
	// PhasePending: attempt Attempt+1 is to begin at RetryAt, on a node yet to
	// be chosen. A manual run begins here, and so does a retry.
	PhasePending
	// PhaseRunning: attempt Attempt belongs to Node.
	PhaseRunning
	// PhaseWaiting: to begin once no earlier execution of the job is
	// PhaseAborting, and none of a backfill runs.
	PhaseWaiting
	// PhaseAborting: its result is terminal (CANCELLED) or its job deleted, but
	// Node may still have the request of attempt Attempt open.
	PhaseAborting
	// PhaseBuffered: to begin once no other execution of the job is open that has
	// its turn (BUFFER_ONE, or behind a backfill's).
	PhaseBuffered
	// PhaseQueued: an execution of a backfill, to begin when those before it have
	// ended and the job is not PAUSED. One that has no request open comes back here
	// when another of the job begins, RetryAt tells; that is not to wait for it.
	PhaseQueued
)

// Open is an execution that is not over: what a new leader needs to go on.
type Open struct {
	Execution   ExecutionID
	Trigger     Trigger
	ScheduledAt time.Time
	// DueAt is that of the [Execution]; zero stands for ScheduledAt.
	DueAt   time.Time
	Phase   Phase
	Attempt int // the last that was begun; zero before the first
	Node    NodeRef
	RetryAt time.Time
	// Failures counts the attempts that ended by themselves and without success:
	// the ones that use up the job's retries. A LOST attempt does not.
	Failures int
	// Beside: one of a backfill that runs while others do, up to [BackfillWidth] of
	// its kind, and that no other waits for.
	Beside bool
}
