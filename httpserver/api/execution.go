package api

// Execution is an execution as lists show it. What is not known yet is null.
type Execution struct {
	ExecutionID string `json:"executionId"`
	JobID       string `json:"jobId"`
	Trigger     string `json:"trigger"`
	ScheduledAt *Time  `json:"scheduledAt"`
	DueAt       *Time  `json:"dueAt"`
	StartedAt   *Time  `json:"startedAt"`
	FinishedAt  *Time  `json:"finishedAt"`
	DurationMs  *int64 `json:"durationMs"`
	LatenessMs  *int64 `json:"latenessMs"`
	HTTPStatus  *int   `json:"httpStatus"`
	Result      string `json:"result"`
	Attempt     int    `json:"attempt"`
	// NodeID is the node of the last attempt.
	NodeID *string         `json:"nodeId"`
	Error  *ExecutionError `json:"error"`

	// MissedFrom, MissedTo and MissedCount are there in a MISSED record only.
	MissedFrom  *Time `json:"missedFrom,omitempty"`
	MissedTo    *Time `json:"missedTo,omitempty"`
	MissedCount int   `json:"missedCount,omitempty"`
}

// ExecutionError is what an execution or an attempt ended with.
type ExecutionError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// ExecutionDetail is one execution with all that is known of it.
type ExecutionDetail struct {
	Execution
	Attempts     []Attempt `json:"attempts"`
	ResponseBody *string   `json:"responseBody"`
}

// Attempt is one HTTP request of an execution. The times of phases that did not
// happen are null; they have three decimals.
type Attempt struct {
	Attempt     int             `json:"attempt"`
	NodeID      string          `json:"nodeId"`
	StartedAt   *Time           `json:"startedAt"`
	DurationMs  *int64          `json:"durationMs"`
	HTTPStatus  *int            `json:"httpStatus"`
	Error       *ExecutionError `json:"error"`
	DNSMs       *float64        `json:"dnsMs"`
	ConnectMs   *float64        `json:"connectMs"`
	TLSMs       *float64        `json:"tlsMs"`
	FirstByteMs *float64        `json:"firstByteMs"`
}

// ExecutionList is a page of executions, newest first.
type ExecutionList struct {
	Executions []Execution `json:"executions"`
	NextCursor *string     `json:"nextCursor"`
}

// Run answers a manual run. StartedAt is when the run was committed.
type Run struct {
	ExecutionID string `json:"executionId"`
	Trigger     string `json:"trigger"`
	StartedAt   Time   `json:"startedAt"`
}
