package api

import "time"

// StatusOK is the status of every [Response].
const StatusOK = "OK"

// Response is the body of every success.
type Response struct {
	Status string `json:"status"`
	Data   any    `json:"data"`
}

// Problem is the body of every failure: RFC 9457, application/problem+json.
type Problem struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Code      string       `json:"code"`
	Errors    []FieldError `json:"errors,omitempty"`
	RequestID string       `json:"requestId"`
}

// FieldError is one invalid field or query parameter.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Time is an instant: RFC 3339 in UTC, with three digits of milliseconds where
// they are not zero.
type Time struct{ time.Time }

const (
	layoutSeconds      = "2006-01-02T15:04:05Z"
	layoutMilliseconds = "2006-01-02T15:04:05.000Z"
)

// MarshalJSON writes "2026-03-26T16:15:00Z" or "2026-03-26T16:15:00.250Z".
func (t Time) MarshalJSON() ([]byte, error) {
	layout := layoutSeconds
	if t.Nanosecond() >= int(time.Millisecond) {
		layout = layoutMilliseconds
	}
	return []byte(`"` + t.UTC().Format(layout) + `"`), nil
}
