package client

import (
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
)

// Hidden stands for a header value that is stored: reads show it, and a replacement
// that sends it keeps the value.
const Hidden = api.Hidden

// JobSpec is all that a user says about a job. The zero value of a field leaves it out,
// and the default of the API holds.
type JobSpec struct {
	Name        string            `json:"name,omitempty"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	// ExternalID is the caller's own name for the job, unique in its namespace.
	ExternalID string `json:"externalId,omitempty"`

	// Exactly one of CronExpression, IntervalSeconds and RunAt is needed.
	CronExpression  string    `json:"cronExpression,omitempty"`
	IntervalSeconds int       `json:"intervalSeconds,omitempty"`
	RunAt           time.Time `json:"runAt,omitzero"`
	Timezone        string    `json:"timezone,omitempty"`
	StartAt         time.Time `json:"startAt,omitzero"`
	EndAt           time.Time `json:"endAt,omitzero"`
	MaxRuns         int       `json:"maxRuns,omitempty"`
	JitterSeconds   int       `json:"jitterSeconds,omitempty"`
	// State is ACTIVE or PAUSED.
	State       string `json:"state,omitempty"`
	PauseReason string `json:"pauseReason,omitempty"`

	TargetURL  string            `json:"targetUrl,omitempty"`
	HTTPMethod string            `json:"httpMethod,omitempty"`
	Headers    map[string]string `json:"headers,omitempty"`
	// Body is nil for none; a pointer to an empty text is an empty body.
	Body            *string  `json:"body,omitempty"`
	TimeoutSeconds  int      `json:"timeoutSeconds,omitempty"`
	SuccessStatuses []string `json:"successStatuses,omitempty"`
	FollowRedirects bool     `json:"followRedirects,omitempty"`
	SignPayloads    bool     `json:"signPayloads,omitempty"`
	CaptureResponse string   `json:"captureResponse,omitempty"`

	Retries              int    `json:"retries,omitempty"`
	RetryDelaySeconds    *int   `json:"retryDelaySeconds,omitempty"`
	RetryBackoff         string `json:"retryBackoff,omitempty"`
	RetryMaxDelaySeconds *int   `json:"retryMaxDelaySeconds,omitempty"`
	OverlapPolicy        string `json:"overlapPolicy,omitempty"`
	MisfirePolicy        string `json:"misfirePolicy,omitempty"`
	CatchupWindowSeconds *int   `json:"catchupWindowSeconds,omitempty"`
	DeliveryGuarantee    string `json:"deliveryGuarantee,omitempty"`

	PauseAfterConsecutiveFailures int `json:"pauseAfterConsecutiveFailures,omitempty"`
}

// SpecOf is the definition of a job that was read, to be changed and sent back with
// [Client.ReplaceJob] and [IfMatch]. Header values are [Hidden], which keeps them. A job
// that is COMPLETED has no State in it: the server knows best whether it still is.
func SpecOf(j api.Job) JobSpec {
	s := JobSpec{
		Name: j.Name, Description: deref(j.Description), Tags: j.Tags, ExternalID: deref(j.ExternalID),
		CronExpression: deref(j.CronExpression), IntervalSeconds: int(deref(j.IntervalSeconds)), RunAt: deref(j.RunAt).Time,
		Timezone: j.Timezone, StartAt: deref(j.StartAt).Time, EndAt: deref(j.EndAt).Time, MaxRuns: deref(j.MaxRuns),
		JitterSeconds: int(j.JitterSeconds), State: j.State, PauseReason: deref(j.PauseReason),
		TargetURL: j.TargetURL, HTTPMethod: j.HTTPMethod, Headers: j.Headers, Body: j.Body, TimeoutSeconds: int(j.TimeoutSeconds),
		SuccessStatuses: j.SuccessStatuses, FollowRedirects: j.FollowRedirects, SignPayloads: j.SignPayloads, CaptureResponse: j.CaptureResponse,
		Retries: j.Retries, RetryDelaySeconds: new(int(j.RetryDelaySeconds)), RetryBackoff: j.RetryBackoff,
		RetryMaxDelaySeconds: new(int(j.RetryMaxDelaySeconds)), OverlapPolicy: j.OverlapPolicy, MisfirePolicy: j.MisfirePolicy,
		CatchupWindowSeconds: new(int(j.CatchupWindowSeconds)), DeliveryGuarantee: j.DeliveryGuarantee,
		PauseAfterConsecutiveFailures: j.PauseAfterConsecutiveFailures,
	}
	if s.State == stateCompleted {
		s.State = ""
	}
	return s
}

// The states of a job.
const (
	stateActive    = "ACTIVE"
	statePaused    = "PAUSED"
	stateCompleted = "COMPLETED"
)

// deref is what p points to; zero for nil.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// JobPatch changes some fields of a job. To name one kind of schedule replaces the
// other. The maps are merged into those of the job: nil removes an entry.
type JobPatch struct {
	Name        Change[string]             `json:"name,omitzero"`
	Description Change[string]             `json:"description,omitzero"`
	Tags        Change[map[string]*string] `json:"tags,omitzero"`
	ExternalID  Change[string]             `json:"externalId,omitzero"`

	CronExpression  Change[string]    `json:"cronExpression,omitzero"`
	IntervalSeconds Change[int]       `json:"intervalSeconds,omitzero"`
	RunAt           Change[time.Time] `json:"runAt,omitzero"`
	Timezone        Change[string]    `json:"timezone,omitzero"`
	StartAt         Change[time.Time] `json:"startAt,omitzero"`
	EndAt           Change[time.Time] `json:"endAt,omitzero"`
	MaxRuns         Change[int]       `json:"maxRuns,omitzero"`
	JitterSeconds   Change[int]       `json:"jitterSeconds,omitzero"`
	State           Change[string]    `json:"state,omitzero"`
	PauseReason     Change[string]    `json:"pauseReason,omitzero"`

	TargetURL       Change[string]             `json:"targetUrl,omitzero"`
	HTTPMethod      Change[string]             `json:"httpMethod,omitzero"`
	Headers         Change[map[string]*string] `json:"headers,omitzero"`
	Body            Change[string]             `json:"body,omitzero"`
	TimeoutSeconds  Change[int]                `json:"timeoutSeconds,omitzero"`
	SuccessStatuses Change[[]string]           `json:"successStatuses,omitzero"`
	FollowRedirects Change[bool]               `json:"followRedirects,omitzero"`
	SignPayloads    Change[bool]               `json:"signPayloads,omitzero"`
	CaptureResponse Change[string]             `json:"captureResponse,omitzero"`

	Retries              Change[int]    `json:"retries,omitzero"`
	RetryDelaySeconds    Change[int]    `json:"retryDelaySeconds,omitzero"`
	RetryBackoff         Change[string] `json:"retryBackoff,omitzero"`
	RetryMaxDelaySeconds Change[int]    `json:"retryMaxDelaySeconds,omitzero"`
	OverlapPolicy        Change[string] `json:"overlapPolicy,omitzero"`
	MisfirePolicy        Change[string] `json:"misfirePolicy,omitzero"`
	CatchupWindowSeconds Change[int]    `json:"catchupWindowSeconds,omitzero"`
	DeliveryGuarantee    Change[string] `json:"deliveryGuarantee,omitzero"`

	PauseAfterConsecutiveFailures Change[int] `json:"pauseAfterConsecutiveFailures,omitzero"`
}
