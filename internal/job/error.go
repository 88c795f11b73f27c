package job

import (
	"errors"
	"fmt"
	"strings"
)

// Code says what kind of thing went wrong, in the words of the public API.
type Code string

// The codes. httpserver has the one table that maps them to HTTP statuses.
const (
	CodeValidation       Code = "validation_error"
	CodeMalformedJSON    Code = "malformed_json"
	CodeUnauthorized     Code = "unauthorized"
	CodeForbidden        Code = "forbidden"
	CodeNotFound         Code = "not_found"
	CodeMethodNotAllowed Code = "method_not_allowed"
	CodeConflict         Code = "conflict"
	CodeOverlap          Code = "overlap"
	// CodeInUse: something else still needs what was to be removed.
	CodeInUse Code = "in_use"
	// CodeRateLimited: the key has made too many requests; try again later.
	CodeRateLimited        Code = "rate_limited"
	CodePreconditionFailed Code = "precondition_failed"
	CodePayloadTooLarge    Code = "payload_too_large"
	CodeUnsupportedMedia   Code = "unsupported_media_type"
	CodeInternal           Code = "internal"
	CodeNoLeader           Code = "no_leader"
	CodeOutcomeUnknown     Code = "outcome_unknown"
	// CodeIdempotencyMismatch: an Idempotency-Key came again with another request.
	CodeIdempotencyMismatch Code = "idempotency_mismatch"
	// CodeDiskFull: nothing is written because the disks are full; reads go on.
	CodeDiskFull Code = "disk_full"
)

// Error is an error meant for people: a code from the API's table, a sentence
// that says what is wrong and what to do, and the invalid fields, all of them.
type Error struct {
	Code   Code
	Msg    string
	Fields []FieldError
}

// FieldError is one invalid field, named as in the API's JSON.
type FieldError struct {
	Field string
	Msg   string
}

// Errorf makes an Error without fields.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// Invalid makes the validation error for the fields; nil if there are none.
func Invalid(fields []FieldError) *Error {
	if len(fields) == 0 {
		return nil
	}
	msg := "1 field is invalid"
	if len(fields) > 1 {
		msg = fmt.Sprintf("%d fields are invalid", len(fields))
	}
	return &Error{Code: CodeValidation, Msg: msg, Fields: fields}
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	b.WriteString(": ")
	b.WriteString(e.Msg)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Field, f.Msg)
	}
	return b.String()
}

// Is makes errors.Is compare by code, so that an error that crossed the network
// equals the sentinel it was.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf is the code of err: CodeInternal if it is no [*Error].
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// The errors that more than one package returns.
var (
	// ErrNotLeader: nothing was submitted; this node does not lead, or no node
	// does. Whoever may forward, forwards.
	ErrNotLeader = Errorf(CodeNoLeader, "no node leads the cluster at the moment; try again in a second")
	// ErrOutcomeUnknown: the write was submitted and may or may not take effect.
	ErrOutcomeUnknown = Errorf(CodeOutcomeUnknown, "leadership was lost while the write was under way: it may or may not have taken effect; read before you write again")
	// ErrNotFound: there is no such job, execution or key, or the caller may not
	// know of it.
	ErrNotFound = Errorf(CodeNotFound, "there is no such thing here")
	// ErrStale: a decision met a state other than the one it was made for, and
	// changed nothing.
	ErrStale = Errorf(CodeConflict, "the state has moved on")
	// ErrOldMember: some member runs a program that cannot read the log entry which
	// the request needs. Nothing was submitted.
	ErrOldMember = Errorf(CodeConflict, "this is not possible until every node of the cluster runs the new version: upgrade the others, or remove those that are gone")
	// ErrIdempotencyMismatch: the Idempotency-Key belongs to another request.
	ErrIdempotencyMismatch = Errorf(CodeIdempotencyMismatch, "this Idempotency-Key was used for another request in the last 24 hours: use a new key for a new request")
)
