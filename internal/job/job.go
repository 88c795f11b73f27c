package job

import (
	"slices"
	"time"
)

// State is what a job is allowed to do.
type State string

// The states. A PAUSED or COMPLETED job has no next run.
const (
	Active    State = "ACTIVE"
	Paused    State = "PAUSED"
	Completed State = "COMPLETED"
)

// OverlapPolicy decides what a slot does while an earlier execution of the same
// job has not ended, the pauses between its retries included.
type OverlapPolicy string

// The overlap policies.
const (
	// OverlapSkip records the slot as SKIPPED.
	OverlapSkip OverlapPolicy = "SKIP"
	// OverlapAllow runs both.
	OverlapAllow OverlapPolicy = "ALLOW"
	// OverlapCancelPrevious cancels what runs; the new execution starts once the
	// abort is acknowledged.
	OverlapCancelPrevious OverlapPolicy = "CANCEL_PREVIOUS"
	// OverlapBufferOne lets one execution wait until what runs has ended; further
	// slots are recorded as SKIPPED meanwhile.
	OverlapBufferOne OverlapPolicy = "BUFFER_ONE"
)

// MisfirePolicy decides what becomes of slots that could not be planned in time:
// the cluster had no quorum, or the clock was set forward. Only slots within the
// catch-up window are made up for; what is not fired is recorded as MISSED.
type MisfirePolicy string

// The misfire policies.
const (
	// MisfireFireOnce fires the latest missed slot, once.
	MisfireFireOnce MisfirePolicy = "FIRE_ONCE"
	// MisfireFireAll fires each missed slot, the oldest first, one after the other.
	MisfireFireAll MisfirePolicy = "FIRE_ALL"
	// MisfireSkip fires none.
	MisfireSkip MisfirePolicy = "SKIP"
)

// DefaultCatchupWindow is how old a missed slot may be that is made up for,
// unless the job says otherwise.
const DefaultCatchupWindow = 6 * time.Hour

// Guarantee says what becomes of an execution whose attempt was lost with its
// node.
type Guarantee string

// The guarantees.
const (
	// AtLeastOnce makes a further attempt elsewhere: the target may be called
	// twice.
	AtLeastOnce Guarantee = "AT_LEAST_ONCE"
	// AtMostOnce ends the execution as FAILED with NODE_LOST: the target may not
	// have been called.
	AtMostOnce Guarantee = "AT_MOST_ONCE"
)

// Backoff is how the pause before a retry grows.
type Backoff string

// The backoffs.
const (
	BackoffFixed       Backoff = "FIXED"
	BackoffExponential Backoff = "EXPONENTIAL"
)

// Capture says when the beginning of a response body goes into the record.
type Capture string

// The capture settings.
const (
	CaptureNone      Capture = "NONE"
	CaptureOnFailure Capture = "ON_FAILURE"
	CaptureAlways    Capture = "ALWAYS"
)

// CaptureLimit is how much of a response body is kept, in bytes.
const CaptureLimit = 1024

// DefaultNamespace is where jobs of the root key live.
const DefaultNamespace = "default"

// Schedule says when a job is due. Exactly one of Cron, Interval and RunAt is set.
// It can be compared: its times are instants, see [Instant].
type Schedule struct {
	// Cron is a five-field cron expression or a macro, in package cron's grammar.
	Cron string
	// Interval is whole seconds; slots are its multiples since StartAt, or since the
	// Unix epoch if that is zero.
	Interval time.Duration
	// RunAt is the only slot.
	RunAt time.Time
	// Timezone is the IANA name of the zone in which Cron is read.
	Timezone string
	// StartAt and EndAt are bounds of the slots, which both may be slots themselves;
	// zero for none.
	StartAt, EndAt time.Time
}

// Tag is a pair by which jobs are found.
type Tag struct{ Key, Value string }

// Header is one header that callbacks carry. Value is the plain text, set on the
// way from the API to the leader and from the leader to the executor; Sealed is
// what the state keeps. Formatting a Header never shows the value.
type Header struct {
	Name   string
	Value  string
	Sealed []byte
}

// String hides the value: it is the user's secret.
func (h Header) String() string { return h.Name + ": ***" }

// GoString hides the value too.
func (h Header) GoString() string { return h.String() }

// Target is what an attempt requests.
type Target struct {
	URL     string
	Method  string
	Headers []Header
	// Body is sent as it is; nil sends none.
	Body *string
}

// Spec is the part of a job that a user writes.
type Spec struct {
	Name        string
	Description string
	// Tags are in the order of their keys, each of which is there once.
	Tags []Tag
	// ExternalID is the user's own name for the job, unique in its namespace; empty
	// for none.
	ExternalID string
	Schedule   Schedule
	// MaxRuns is after how many executions of slots the job is COMPLETED; zero for
	// no limit. Those by hand, and slots that were SKIPPED or MISSED, do not count.
	MaxRuns int
	// Jitter is how much later than its slot an execution may be due; each job has a
	// share of its own, which stays.
	Jitter      time.Duration
	State       State
	PauseReason string

	Target          Target
	Timeout         time.Duration // of one attempt
	SuccessStatuses []string      // "204" or "2XX"
	FollowRedirects bool
	SignPayloads    bool
	Capture         Capture

	Retries       int // further attempts after the first
	RetryDelay    time.Duration
	Backoff       Backoff
	RetryMaxDelay time.Duration

	Overlap OverlapPolicy

	Misfire MisfirePolicy
	// CatchupWindow is how old a missed slot may be and still be made up for.
	CatchupWindow time.Duration
	Guarantee     Guarantee
	// PauseAfterFailures is after how many failed executions in a row the job pauses
	// itself; zero for never.
	PauseAfterFailures int
}

// DefaultSpec is a spec with the API's default for each field that has one.
func DefaultSpec() Spec {
	return Spec{
		Schedule:        Schedule{Timezone: "UTC"},
		State:           Active,
		Target:          Target{Method: "POST"},
		Timeout:         30 * time.Second,
		SuccessStatuses: []string{"2XX"},
		Capture:         CaptureOnFailure,
		RetryDelay:      10 * time.Second,
		Backoff:         BackoffFixed,
		RetryMaxDelay:   time.Hour,
		Overlap:         OverlapSkip,
		Misfire:         MisfireFireOnce,
		CatchupWindow:   DefaultCatchupWindow,
		Guarantee:       AtLeastOnce,
	}
}

// Clone is a copy that shares nothing that can change.
func (s Spec) Clone() Spec {
	s.Tags = slices.Clone(s.Tags)
	s.Target.Headers = slices.Clone(s.Target.Headers)
	s.SuccessStatuses = slices.Clone(s.SuccessStatuses)
	return s
}

// Counts are a job's executions by result since its creation; retention does
// not lower them.
type Counts struct {
	Success, Failed, Skipped, Missed, Cancelled int64
}

// Job is what the user asked for, and where it stands.
type Job struct {
	ID        ID
	Namespace string
	// KeyID is the API key that created the job; it signs the callbacks.
	KeyID string
	// Version counts the changes of the definition, from 1: those of users, and a
	// pause because of failures. Running does not change it.
	Version              uint64
	CreatedAt, UpdatedAt time.Time

	Spec
	// Hook makes the job a webhook: it has no schedule, and an execution for each
	// event that it subscribes to. Nil for every other job.
	Hook *Hook

	// NextRunAt is the slot to be planned next; zero unless the job is ACTIVE.
	NextRunAt time.Time
	// NextDueAt is when that slot is to be fired: later than it by the job's share
	// of its jitter.
	NextDueAt time.Time
	// GivenUp are slots that had come when the job paused itself, and have no record
	// yet: the next plan, or edit, records them as MISSED.
	GivenUp Period
	// LastRunAt is the last time an execution was created that was to call the
	// target (one SKIPPED or MISSED does not count).
	LastRunAt           time.Time
	LastResult          Result
	ConsecutiveFailures int
	// Runs counts the executions that MaxRuns limits.
	Runs int
	// Running is how many executions have not ended.
	Running int
	Counts  Counts
}
