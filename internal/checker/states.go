package checker

// state is what a job may be at some instant, as far as promises depend on it.
type state struct {
	exists   bool
	isActive bool
	schedule schedule

	overlap, misfire, guarantee string
	catchupSeconds              int
	retries, retrySeconds       int
}

// The words of the API that the checker knows.
const (
	stateActive    = "ACTIVE"
	stateCompleted = "COMPLETED"

	overlapSkip           = "SKIP"
	overlapAllow          = "ALLOW"
	overlapCancelPrevious = "CANCEL_PREVIOUS"
	overlapBufferOne      = "BUFFER_ONE"

	misfireFireOnce = "FIRE_ONCE"
	misfireFireAll  = "FIRE_ALL"
	misfireSkip     = "SKIP"

	atLeastOnce = "AT_LEAST_ONCE"
	atMostOnce  = "AT_MOST_ONCE"

	triggerScheduled = "SCHEDULED"
	triggerManual    = "MANUAL"
	triggerCatchup   = "CATCHUP"
	triggerBackfill  = "BACKFILL"

	resultRunning   = "RUNNING"
	resultRetrying  = "RETRYING"
	resultSuccess   = "SUCCESS"
	resultFailed    = "FAILED"
	resultCancelled = "CANCELLED"
	resultSkipped   = "SKIPPED"
	resultMissed    = "MISSED"

	errNodeLost  = "NODE_LOST"
	errCancelled = "CANCELLED"
)

// isTerminal reports whether a result never changes.
func isTerminal(result string) bool {
	return result != resultRunning && result != resultRetrying && result != ""
}

// newState is a job with the API's defaults.
func newState() state {
	return state{
		exists: true, isActive: true, schedule: schedule{zone: "UTC"},
		overlap: overlapSkip, misfire: misfireFireOnce, guarantee: atLeastOnce,
		catchupSeconds: 21600, retrySeconds: 10,
	}
}

// with is the state after a change.
func (s state) with(c *Change) state {
	if c.Cron != nil {
		s.schedule.cron, s.schedule.interval = *c.Cron, 0
	}
	if c.IntervalSeconds != nil {
		s.schedule.cron, s.schedule.interval = "", *c.IntervalSeconds
	}
	if c.State != nil {
		s.isActive = *c.State == stateActive
	}
	set(&s.schedule.zone, c.Timezone)
	set(&s.overlap, c.Overlap)
	set(&s.misfire, c.Misfire)
	set(&s.guarantee, c.Guarantee)
	set(&s.catchupSeconds, c.CatchupSeconds)
	set(&s.retries, c.Retries)
	set(&s.retrySeconds, c.RetrySeconds)
	return s
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

// after is the state once an operation has taken effect; false if it cannot take
// effect in s.
func (s state) after(op *Op) (state, bool) {
	switch op.Kind {
	case OpCreate:
		return newState().with(&op.Change), !s.exists
	case OpUpdate:
		return s.with(&op.Change), s.exists
	case OpDelete:
		return state{}, s.exists
	default: // a run or a cancel only tells that there is the job
		return s, s.exists
	}
}
