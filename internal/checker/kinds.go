package checker

// Kind says which promise a violation breaks.
type Kind string

// Slots: promise 3.
const (
	// MissingSlot: a slot that was surely due has no record of any kind.
	MissingSlot Kind = "missing slot"
	// DoubledSlot: a slot has more than one record.
	DoubledSlot Kind = "doubled slot"
	// PhantomRecord: a record of a slot that was surely not due.
	PhantomRecord Kind = "phantom record"
	// PhantomDelivery: a request that no record tells of.
	PhantomDelivery Kind = "phantom delivery"
	// FiredWhilePaused: a slot of the schedule, fired though the job was surely
	// paused.
	FiredWhilePaused Kind = "fired while paused"
	// FiredAfterDelete: a request of a job that was surely gone.
	FiredAfterDelete Kind = "fired after delete"
	// FiredEarly: a request before its slot.
	FiredEarly Kind = "fired early"
	// TooLate: the first request of a slot came later than Limits.MaxLateness and
	// no fault was near.
	TooLate Kind = "too late"
	// WrongTrigger: CATCHUP for a slot that was on time, SCHEDULED for one that was
	// late, or a request that says otherwise than its record.
	WrongTrigger Kind = "wrong trigger"
	// BadSchedule: a schedule that was accepted and is none.
	BadSchedule Kind = "bad schedule"
)

// Slots that were missed.
const (
	// MissedWrong: the bounds or the count of a gap are not those of the schedule.
	MissedWrong Kind = "wrong gap"
	// MissedUnexcused: a gap that no fault and no edit explains.
	MissedUnexcused Kind = "unexcused gap"
	// MisfireBroken: other slots were caught up on than the policy says.
	MisfireBroken Kind = "misfire policy broken"
)

// Requests and attempts: promises 4 and 5.
const (
	// NoDelivery: a record tells of an answer, and the target of no request.
	NoDelivery Kind = "success without delivery"
	// AtLeastOnceBroken: an AT_LEAST_ONCE execution that was given up because a
	// node was lost, or that nobody tried.
	AtLeastOnceBroken Kind = "at least once broken"
	// AtMostOnceBroken: an AT_MOST_ONCE attempt that came twice, or a further one
	// after an attempt that was lost.
	AtMostOnceBroken Kind = "at most once broken"
	// SameAttemptTwice: one attempt was requested twice.
	SameAttemptTwice Kind = "same attempt twice"
	// DuplicateUnexcused: a further request, though the attempt before it was
	// neither lost nor a recorded failure.
	DuplicateUnexcused Kind = "unexcused duplicate"
	// UnknownAttempt: a request with an attempt number that no record has.
	UnknownAttempt Kind = "unknown attempt"
	// AttemptGap: attempts that are not numbered from 1 on without a gap.
	AttemptGap Kind = "gap in attempts"
	// TooManyAttempts: more than the retries allow, lost ones not counted.
	TooManyAttempts Kind = "too many attempts"
	// RetryTooSoon: an attempt sooner after a failure than the retry's delay.
	RetryTooSoon Kind = "retry too soon"
	// RetryAfterEnd: an attempt after one that ended the execution.
	RetryAfterEnd Kind = "retry after the end"
	// LossUnexcused: an attempt was given up as lost and no fault was near.
	LossUnexcused Kind = "unexcused loss"
	// WrongWebhookID: a webhook-id that is not the execution's ID.
	WrongWebhookID Kind = "wrong webhook-id"
	// WrongScheduledAt: a request that names another slot than its record.
	WrongScheduledAt Kind = "wrong scheduledAt"
	// WrongResult: a record that contradicts its attempts or what the target
	// answered.
	WrongResult Kind = "wrong result"
)

// Overlap policies: promise 6.
const (
	// Overlap: two requests of one job open at once that the policy keeps apart,
	// or two of one execution.
	Overlap Kind = "overlap"
	// OverlapPolicyBroken: a slot was fired while an execution ran that the policy
	// gives way to, or has to cancel.
	OverlapPolicyBroken Kind = "overlap policy broken"
	// BufferOverfull: two executions of a BUFFER_ONE job waited at once.
	BufferOverfull Kind = "buffer overfull"
	// SkippedUnexcused: a slot gave way to nothing.
	SkippedUnexcused Kind = "skipped for nothing"
)

// Writes and records: promises 1, 2, 7 and 9.
const (
	// JobLost: an acknowledged job is gone, and nobody deleted it.
	JobLost Kind = "job lost"
	// JobBack: a deleted job is there.
	JobBack Kind = "deleted job is back"
	// PhantomJob: more jobs of a name than were asked for.
	PhantomJob Kind = "phantom job"
	// WriteLost: the versions and the final state cannot come from the writes that
	// were acknowledged.
	WriteLost Kind = "write lost"
	// RunLost: an acknowledged run has no execution.
	RunLost Kind = "run lost"
	// RunTwice: two runs were answered with one execution.
	RunTwice Kind = "run acknowledged twice"
	// PhantomRun: a MANUAL execution that nobody asked for.
	PhantomRun Kind = "phantom run"
	// CancelLost: an acknowledged cancel, and the execution ended otherwise.
	CancelLost Kind = "cancel lost"
	// CancelIgnored: an acknowledged cancel, and a new request after it.
	CancelIgnored Kind = "request after cancel"
	// CancelledForNothing: CANCELLED, and neither a client nor a policy did it.
	CancelledForNothing Kind = "cancelled for nothing"
	// ResultChanged: a terminal result became another one.
	ResultChanged Kind = "result changed"
	// RecordVanished: a record with a terminal result is gone.
	RecordVanished Kind = "record vanished"
	// LeftOpen: an execution that should be over is not.
	LeftOpen Kind = "left open"
	// HashesDiffer: nodes differ in their state at one index.
	HashesDiffer Kind = "state hashes differ"
)

// Kinds has every kind of violation.
var Kinds = []Kind{
	MissingSlot, DoubledSlot, PhantomRecord, PhantomDelivery, FiredWhilePaused, FiredAfterDelete, FiredEarly, TooLate, WrongTrigger, BadSchedule,
	MissedWrong, MissedUnexcused, MisfireBroken,
	NoDelivery, AtLeastOnceBroken, AtMostOnceBroken, SameAttemptTwice, DuplicateUnexcused, UnknownAttempt, AttemptGap, TooManyAttempts,
	RetryTooSoon, RetryAfterEnd, LossUnexcused, WrongWebhookID, WrongScheduledAt, WrongResult,
	Overlap, OverlapPolicyBroken, BufferOverfull, SkippedUnexcused,
	JobLost, JobBack, PhantomJob, WriteLost, RunLost, RunTwice, PhantomRun, CancelLost, CancelIgnored, CancelledForNothing,
	ResultChanged, RecordVanished, LeftOpen, HashesDiffer,
}
