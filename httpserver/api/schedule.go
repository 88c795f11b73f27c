package api

// NextRuns are coming slots.
type NextRuns struct {
	NextRuns []NextRun `json:"nextRuns"`
}

// NextRun is one slot. Note tells that the change of a clock moved it; null
// otherwise.
type NextRun struct {
	At    Time    `json:"at"`
	Local string  `json:"local"`
	Note  *string `json:"note"`
}

// The classes of [AuditSlot].
const (
	AuditOnTime     = "ON_TIME"
	AuditLate       = "LATE"
	AuditRetried    = "RETRIED"
	AuditSkipped    = "SKIPPED"
	AuditMissed     = "MISSED"
	AuditDuplicated = "DUPLICATED"
	AuditFailed     = "FAILED"
	AuditCancelled  = "CANCELLED"
	AuditRunning    = "RUNNING"
)

// Audit is what became of each slot of a job in some time.
type Audit struct {
	JobID string `json:"jobId"`
	From  Time   `json:"from"`
	To    Time   `json:"to"`
	// CompleteFrom is from when on no record was removed by retention.
	CompleteFrom Time `json:"completeFrom"`
	// Summary counts the slots of this page by class.
	Summary    map[string]int `json:"summary"`
	Slots      []AuditSlot    `json:"slots"`
	NextCursor *string        `json:"nextCursor"`
}

// AuditSlot is one slot, or a gap of MISSED ones: Count of them, up to LastAt.
type AuditSlot struct {
	ScheduledAt Time    `json:"scheduledAt"`
	LastAt      *Time   `json:"lastAt,omitempty"`
	Count       int     `json:"count"`
	Class       string  `json:"class"`
	ExecutionID *string `json:"executionId"`
	LatenessMs  *int64  `json:"latenessMs"`
	Attempts    int     `json:"attempts"`
}
