package job

import "time"

// Decision is what a leader submits to the log: complete in itself, with every
// clock reading, ID, next slot and choice of node already made.
type Decision interface{ decision() }

// Applied is what a decision came to: the index of its log entry, and one item
// for each part of the decision, in its order.
type Applied struct {
	Index uint64
	Items []Item
	// WrongTerm: the decision was made for another term than the one it got into
	// the log in, and was not applied.
	WrongTerm bool
	// Next is where a [Prune] has to go on; zero when it has seen every job.
	Next ID
	// More: a [PruneAnswers] has left some.
	More bool
	// Answer is the first one's, if the decision repeats a write by its [Once]:
	// then nothing was changed, and there are no items.
	Answer []byte
}

// Item is what one part of a decision came to.
type Item struct {
	// Err is the rule that said no; nothing was changed then. [ErrStale] for a
	// compare-and-swap that met another state.
	Err *Error
	// Result is the state that the part's execution has now, if it has one.
	Result Result
}

// Init founds the cluster: its ID and the root key. It is refused as ErrStale
// once there is one.
type Init struct {
	ClusterID string
	RootKey   APIKey
}

// TakeOffice begins a term. It changes nothing; once it is applied, everything
// that earlier terms committed is, and every entry that follows in the term is
// one that the state machine sees.
type TakeOffice struct {
	At   time.Time
	Node NodeRef
}

// PutJobs creates or replaces the definitions of jobs and webhooks. Each part is
// applied or refused by itself, unless Whole: then, if one is refused, none is
// applied, and the others are ErrStale.
type PutJobs struct {
	At    time.Time
	Jobs  []PutJob
	Whole bool
	Once  *Once
}

// Once makes a write that its caller repeats take effect once: the first one's
// answer is kept for [OnceFor], if no part of the decision was refused. The same
// key with another request is refused with [ErrIdempotencyMismatch].
type Once struct {
	Key     [32]byte // of the caller's namespace and Idempotency-Key
	Request [32]byte // of everything that makes the request what it is
	Answer  []byte   // to be given again; never empty
}

// OnceFor is how long an answer is kept.
const OnceFor = 24 * time.Hour

// StatsFor is how long statistics are kept, whatever becomes of the records: for 31
// days, which is the longest time that may be asked for, and a step of that.
const StatsFor = 32 * 24 * time.Hour

// PutJob is one definition. Job's ID, Namespace, KeyID, Spec (headers sealed),
// Hook, CreatedAt, NextRunAt and NextDueAt count; Version is the one it replaces,
// zero to create. An existing job of another version is CodePreconditionFailed, a
// missing one CodeNotFound; an ExternalID that another job of the namespace has is
// CodeConflict. Replacing keeps the job's history and counts.
type PutJob struct {
	Job Job
	// KeepNextRun keeps the job's NextRunAt as it is when the entry is applied, if
	// it has one: a plan may have moved it on since the leader read the job. From log
	// version 3 on it is ErrStale if the job is COMPLETED by then, and the Job is not.
	KeepNextRun bool
	// Due, unless zero, is a slot that is already due and that the change gives up:
	// ErrStale if the job's NextRunAt is another one. If the job has slots that are
	// GivenUp, it has to be the first of them. Missed is the gap to record, from Due on.
	Due    time.Time
	Missed Gap
	// Delete deletes the job instead, of which ID, Namespace and Version count.
	Delete bool
}

// DeleteJob removes a job with its history and aborts what runs. Version zero
// matches any.
type DeleteJob struct {
	At        time.Time
	ID        ID
	Namespace string
	Version   uint64
}

// Plan decides a batch of due slots, before any of them is called.
type Plan struct {
	At time.Time
	// HistoryPerJob is how many records of a job are kept.
	HistoryPerJob int
	Slots         []PlannedSlot
}

// PlannedSlot decides one due slot. It is refused as ErrStale unless the job is
// ACTIVE, of the version that the decision was made for, and its NextRunAt equals
// Slot; or the job has slots that are GivenUp, of which Slot is the first. Those can
// only be Missed, and Next is then the first that is left of them.
type PlannedSlot struct {
	Job     ID
	Version uint64 // zero matches any
	Slot    time.Time
	// Next becomes the job's NextRunAt, and NextDue its NextDueAt; zero completes the
	// job. So does the last of MaxRuns, whatever they are.
	Next, NextDue time.Time
	// Node gets the first attempt.
	Node NodeRef
	// Fire is the slot that is executed: Slot itself, or a later one if a gap was
	// missed; zero if nothing of the gap is executed.
	Fire time.Time
	// FireDue is when Fire was due.
	FireDue time.Time
	// Trigger is SCHEDULED or CATCHUP.
	Trigger Trigger
	// Missed is the gap that is recorded and not executed; Count zero for none.
	Missed Gap
}

// DueSlot is a slot that waits to be planned: what the agenda hands to a leader.
type DueSlot struct {
	Job  ID
	Slot time.Time
	// Due is when it is to be fired: Slot, or later by the job's share of its jitter.
	Due time.Time
}

// Period is the time from one instant to another, both included; zero for none.
type Period struct{ From, Until time.Time }

// Gap is a run of consecutive slots that were not fired.
type Gap struct {
	From, To time.Time
	Count    int
}

// Run asks for an execution by hand. While an execution of the job is open,
// Overlap SKIP refuses it with CodeOverlap. It is created PhasePending.
type Run struct {
	At            time.Time
	HistoryPerJob int
	Namespace     string
	Execution     ExecutionID
	// Overlap replaces the job's policy; empty keeps it.
	Overlap OverlapPolicy
	Once    *Once
}

// Backfill opens an execution for each of some slots of the past, oldest first. With
// Overlap ALLOW, [BackfillWidth] of them run at a time; otherwise each waits until no
// other execution of the job is open, and makes way for those while it has no request
// open. While the job is PAUSED none begins. None is SKIPPED, and none counts for MaxRuns.
type Backfill struct {
	At            time.Time
	HistoryPerJob int
	Namespace     string
	Job           ID
	Overlap       OverlapPolicy // empty keeps the job's
	Slots         []BackfillSlot
	Once          *Once
}

// BackfillSlot is one slot and its execution, made by [ManualExecution].
type BackfillSlot struct {
	Slot      time.Time
	Execution ExecutionID
}

// BackfillWidth is how many executions of a backfill run at a time whose executions
// may overlap.
const BackfillWidth = 10

// PutKey creates an API key, or replaces the one with its ID, if that is of the
// version: RotatedAt is what it is compared by. CodeNotFound for one that is gone,
// ErrStale for one that has been rotated since.
type PutKey struct {
	At        time.Time
	Key       APIKey
	Create    bool
	RotatedAt time.Time // of the key that is replaced
	Once      *Once
}

// DeleteKey revokes an API key. CodeInUse if jobs are signed with it, unless Force;
// CodeNotFound if it is not there or of another namespace. Namespace empty is any.
// The root key is CodeConflict.
type DeleteKey struct {
	At        time.Time
	ID        string
	Namespace string
	Force     bool
}

// Announce makes an event of the cluster, for webhooks and the stream.
type Announce struct {
	At     time.Time
	Type   EventType
	NodeID string
}

// TryHook makes a webhook deliver one test event.
type TryHook struct {
	At            time.Time
	HistoryPerJob int
	Namespace     string
	Hook          ID
	Execution     ExecutionID // made by [ManualExecution]
	Once          *Once
}

// Cancel ends an open execution as CANCELLED; a request of it that may be open is
// aborted. CodeNotFound if there is no such execution in the namespace,
// CodeConflict if it has another terminal result; one that is cancelled already
// is no error.
type Cancel struct {
	At        time.Time
	Namespace string // empty is any
	Execution ExecutionID
	Once      *Once
}

// Begin starts attempts of PhasePending executions.
type Begin struct {
	At       time.Time
	Attempts []BeginAttempt
}

// BeginAttempt starts one attempt; ErrStale unless its execution is pending and
// Attempt is the next number.
type BeginAttempt struct {
	AttemptRef
	Node NodeRef
}

// Record commits outcomes. The first terminal result of an execution wins; an
// outcome of an attempt that is not the current one is ErrStale.
type Record struct {
	At       time.Time
	Outcomes []RecordedOutcome
}

// RecordedOutcome is an outcome and what the leader makes of it: RetryAt zero
// ends the execution.
type RecordedOutcome struct {
	Outcome
	RetryAt time.Time
}

// Outcome is how an attempt ended on its node.
type Outcome struct {
	AttemptRef
	Node       NodeRef
	StartedAt  time.Time // zero if the request was never begun
	Duration   time.Duration
	HTTPStatus int
	Err        *AttemptError // nil is success
	Timings    Timings
	Response   []byte // captured, at most CaptureLimit
	// RetryAfter is what the target asked for with Retry-After.
	RetryAfter time.Duration
}

// MarkLost declares attempts LOST: their node is gone, or lives another life. A
// running one becomes pending at At, at no cost to the retries; an aborting one
// is over. A running one of Final ends its execution as FAILED with NODE_LOST
// (AT_MOST_ONCE). Those of Unbegun are like those of Attempts, and it is known that
// their requests were never begun. The items are those of Attempts, of Unbegun and
// then of Final.
type MarkLost struct {
	At       time.Time
	Attempts []AttemptRef
	Unbegun  []AttemptRef
	Final    []AttemptRef
}

// Prune removes the terminal records older than Before of at most Jobs jobs,
// going on after the job After; [Applied].Next tells where the next one starts. From
// log version 3 on it may end before, in the midst of a job.
type Prune struct {
	Before time.Time
	After  ID
	Jobs   int
}

// PruneAnswers removes at most Limit of the answers, kept for [Once], that are
// older than Before, the oldest first. Before is [OnceFor] ago: with the last answer
// go the statistics older than [StatsFor].
type PruneAnswers struct {
	Before time.Time
	Limit  int
}

// RaiseVersion says that every member can read log entries of the version; from
// then on entries up to it are written. It never goes down.
type RaiseVersion struct{ Version int }

// DismissNode takes one life of a node out of the cluster: that life is not let
// in again. A later one may join.
type DismissNode struct {
	At   time.Time
	Node NodeRef
}

func (Init) decision()         {}
func (TakeOffice) decision()   {}
func (PutJobs) decision()      {}
func (DeleteJob) decision()    {}
func (Plan) decision()         {}
func (Run) decision()          {}
func (Begin) decision()        {}
func (Record) decision()       {}
func (MarkLost) decision()     {}
func (Prune) decision()        {}
func (Cancel) decision()       {}
func (PruneAnswers) decision() {}
func (RaiseVersion) decision() {}
func (DismissNode) decision()  {}
func (Backfill) decision()     {}
func (PutKey) decision()       {}
func (DeleteKey) decision()    {}
func (Announce) decision()     {}
func (TryHook) decision()      {}
