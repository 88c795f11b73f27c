package api

// Hidden stands for a stored header value: it is what a read shows, and what an
// update sends to keep it.
const Hidden = "***"

// Job is a job as it is read. Exactly one kind of schedule is not null.
type Job struct {
	JobID           string            `json:"jobId"`
	Name            string            `json:"name"`
	Description     *string           `json:"description"`
	Tags            map[string]string `json:"tags"`
	ExternalID      *string           `json:"externalId"`
	CronExpression  *string           `json:"cronExpression"`
	IntervalSeconds *int64            `json:"intervalSeconds"`
	RunAt           *Time             `json:"runAt"`
	Timezone        string            `json:"timezone"`
	StartAt         *Time             `json:"startAt"`
	EndAt           *Time             `json:"endAt"`
	MaxRuns         *int              `json:"maxRuns"`
	JitterSeconds   int64             `json:"jitterSeconds"`
	State           string            `json:"state"`
	PauseReason     *string           `json:"pauseReason"`

	TargetURL       string            `json:"targetUrl"`
	HTTPMethod      string            `json:"httpMethod"`
	Headers         map[string]string `json:"headers"`
	Body            *string           `json:"body"`
	TimeoutSeconds  int64             `json:"timeoutSeconds"`
	SuccessStatuses []string          `json:"successStatuses"`
	FollowRedirects bool              `json:"followRedirects"`
	SignPayloads    bool              `json:"signPayloads"`
	CaptureResponse string            `json:"captureResponse"`

	Retries              int    `json:"retries"`
	RetryDelaySeconds    int64  `json:"retryDelaySeconds"`
	RetryBackoff         string `json:"retryBackoff"`
	RetryMaxDelaySeconds int64  `json:"retryMaxDelaySeconds"`
	OverlapPolicy        string `json:"overlapPolicy"`
	MisfirePolicy        string `json:"misfirePolicy"`
	CatchupWindowSeconds int64  `json:"catchupWindowSeconds"`
	DeliveryGuarantee    string `json:"deliveryGuarantee"`

	PauseAfterConsecutiveFailures int `json:"pauseAfterConsecutiveFailures"`

	Version             uint64  `json:"version"`
	CreatedAt           Time    `json:"createdAt"`
	UpdatedAt           Time    `json:"updatedAt"`
	NextRunAt           *Time   `json:"nextRunAt"`
	LastRunAt           *Time   `json:"lastRunAt"`
	LastResult          *string `json:"lastResult"`
	Namespace           string  `json:"namespace"`
	ConsecutiveFailures int     `json:"consecutiveFailures"`
	RunningCount        int     `json:"runningCount"`
	Counts              Counts  `json:"counts"`
}

// Counts are a job's executions by result.
type Counts struct {
	Success   int64 `json:"success"`
	Failed    int64 `json:"failed"`
	Skipped   int64 `json:"skipped"`
	Missed    int64 `json:"missed"`
	Cancelled int64 `json:"cancelled"`
}

// JobList is a page of jobs; NextCursor is null on the last one.
type JobList struct {
	Jobs       []Job   `json:"jobs"`
	NextCursor *string `json:"nextCursor"`
}

// Deleted answers the deletion of a job.
type Deleted struct {
	JobID   string `json:"jobId"`
	Deleted bool   `json:"deleted"`
}
