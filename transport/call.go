package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// The calls: the paths of their requests.
const (
	callAssign    = "/call/assign"
	callReport    = "/call/report"
	callReadIndex = "/call/read-index"
	callForward   = "/call/forward"
	callHello     = "/call/hello"
)

// ErrNotDelivered is found with errors.Is in the error of a call of which surely no
// handler has seen anything: there was no connection, the peer or this node refused
// the other's certificate, the request did not leave this node whole, or was not
// even made. In all other errors but a *job.Error it is open whether the handler
// did what it was asked to.
var ErrNotDelivered = errors.New("not delivered")

const (
	// MaxRequest is the most bytes that a request of a peer call may have.
	MaxRequest = 12 << 20
	// MaxResponse is the most bytes that an answer may have.
	MaxResponse = 32 << 20

	// headerTimeout carries the milliseconds that the caller will still wait.
	headerTimeout  = "Cronraft-Timeout"
	defaultTimeout = 5 * time.Second
	maxTimeout     = 5 * time.Minute

	// statusRefused marks an answer whose body is a peerpb.Error. Statuses other
	// than this and 200 come from HTTP itself.
	statusRefused = 422
)

// Handler is what incoming peer calls reach. Errors that are a *job.Error arrive
// at the caller as such, all others as job.CodeInternal. Each ctx has the caller's
// deadline, and ends when the server is closed.
type Handler interface {
	// Assign hands the node a leader's batch; job.ErrStale for an older term.
	Assign(ctx context.Context, b job.Batch) (job.BatchReply, error)
	// Report hands the leader outcomes; nil is the promise that they are
	// committed. job.ErrNotLeader.
	Report(ctx context.Context, outcomes []job.Outcome) error
	// ReadIndex asks the leader for the log index that a linearizable read has to
	// wait for. job.ErrNotLeader.
	ReadIndex(ctx context.Context) (uint64, error)
	// Forward passes a user's request, whole, to the leader, which answers it. The
	// handler owns request. job.ErrNotLeader says that nothing was done,
	// job.ErrOutcomeUnknown that something may have been.
	Forward(ctx context.Context, request []byte) (response []byte, err error)
	// Hello introduces the caller.
	Hello(ctx context.Context, g Greeting) (Greeting, error)
}

// callError is a call that failed.
type callError struct {
	call, addr string
	delivered  bool // perhaps
	err        error
}

func (e *callError) Error() string {
	if e.delivered {
		return fmt.Sprintf("%s at %s: %s", e.call, e.addr, e.err)
	}
	return fmt.Sprintf("%s at %s: %s: %s", e.call, e.addr, ErrNotDelivered, e.err)
}

func (e *callError) Unwrap() error { return e.err }

func (e *callError) Is(target error) bool { return target == ErrNotDelivered && !e.delivered }

// asJobError is the *job.Error in err, or err as an internal one.
func asJobError(err error) *job.Error {
	var e *job.Error
	if errors.As(err, &e) {
		return e
	}
	return job.Errorf(job.CodeInternal, "%s", err)
}
