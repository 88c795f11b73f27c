package client

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
)

// The codes of the API, and two that only this package gives.
const (
	CodeValidation          = "validation_error"
	CodeMalformedJSON       = "malformed_json"
	CodeUnauthorized        = "unauthorized"
	CodeForbidden           = "forbidden"
	CodeNotFound            = "not_found"
	CodeMethodNotAllowed    = "method_not_allowed"
	CodeConflict            = "conflict"
	CodeOverlap             = "overlap"
	CodeInUse               = "in_use"
	CodePreconditionFailed  = "precondition_failed"
	CodePayloadTooLarge     = "payload_too_large"
	CodeUnsupportedMedia    = "unsupported_media_type"
	CodeIdempotencyMismatch = "idempotency_mismatch"
	CodeRateLimited         = "rate_limited"
	CodeInternal            = "internal"
	CodeNoLeader            = "no_leader"
	CodeOutcomeUnknown      = "outcome_unknown"
	CodeDiskFull            = "disk_full"
	// CodeUnreachable: no server gave an answer, and nothing happened.
	CodeUnreachable = "unreachable"
	// CodeUnexpected: the answer is none of a cronraft server.
	CodeUnexpected = "unexpected_answer"
)

// The errors to compare with, by [errors.Is]: by code, whatever else is in them.
var (
	ErrValidation          error = &Error{Code: CodeValidation}
	ErrUnauthorized        error = &Error{Code: CodeUnauthorized}
	ErrForbidden           error = &Error{Code: CodeForbidden}
	ErrNotFound            error = &Error{Code: CodeNotFound}
	ErrConflict            error = &Error{Code: CodeConflict}
	ErrOverlap             error = &Error{Code: CodeOverlap}
	ErrInUse               error = &Error{Code: CodeInUse}
	ErrPreconditionFailed  error = &Error{Code: CodePreconditionFailed}
	ErrPayloadTooLarge     error = &Error{Code: CodePayloadTooLarge}
	ErrIdempotencyMismatch error = &Error{Code: CodeIdempotencyMismatch}
	ErrRateLimited         error = &Error{Code: CodeRateLimited}
	ErrInternal            error = &Error{Code: CodeInternal}
	ErrNoLeader            error = &Error{Code: CodeNoLeader}
	// ErrOutcomeUnknown: the write may have taken effect or not. Read before you write
	// again.
	ErrOutcomeUnknown error = &Error{Code: CodeOutcomeUnknown}
	ErrDiskFull       error = &Error{Code: CodeDiskFull}
	ErrUnreachable    error = &Error{Code: CodeUnreachable}
	ErrUnexpected     error = &Error{Code: CodeUnexpected}
)

// Error is a call that failed: a problem that a server answered with, or a failure on
// the way to it.
type Error struct {
	// Code is one of the constants of this package, or one that a newer server knows.
	Code string
	// Status is the HTTP status; zero if there was no answer.
	Status int
	Title  string
	// Detail says what is wrong and what to do.
	Detail string
	// Fields are all invalid fields and parameters.
	Fields []api.FieldError
	// RequestID is what the server's log calls the request.
	RequestID string
	// Server is the address that was asked last.
	Server string
	// RetryAfter is how long the server asked to wait; zero if it did not.
	RetryAfter time.Duration
	// Cause is what broke on the way; nil for what a server answered.
	Cause error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code)
	if text := e.Detail; text != "" || e.Title != "" {
		if text == "" {
			text = e.Title
		}
		b.WriteString(": " + text)
	}
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Field, f.Message)
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	return b.String()
}

// Is makes errors.Is compare by code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

func (e *Error) Unwrap() error { return e.Cause }

// CodeOf is the code of an error of this package; empty for any other one.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// ProblemError is the error of a problem that is a part of an answer, as those to
// [Client.CreateJobs] and [Client.ApplyJobs] are; nil for nil.
func ProblemError(p *api.Problem) error {
	if p == nil {
		return nil
	}
	return fromProblem(*p)
}

func fromProblem(p api.Problem) *Error {
	return &Error{Code: p.Code, Status: p.Status, Title: p.Title, Detail: p.Detail, Fields: p.Errors, RequestID: p.RequestID}
}
