package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// effect is what is known of a try that failed.
type effect int

const (
	// refused: the server decided against it. Nothing happened.
	refused effect = iota
	// notDone: nothing happened, and another try may do better.
	notDone
	// unknown: it may have taken effect, and another try may do better.
	unknown
)

// failure is a try that failed.
type failure struct {
	err    *Error
	effect effect
}

// run makes the call: tries servers until one answers it, it is refused, it is not safe
// to go on, or time is up.
func (c *Client) run(ctx context.Context, q *call) error {
	if q.err != nil {
		return q.err
	}
	r := &retries{client: c, call: q}
	if c.retryFor > 0 {
		r.deadline = time.Now().Add(c.retryFor)
	}
	for {
		s, err := r.next(ctx)
		if err != nil {
			return r.final(err)
		}
		began := time.Now()
		f := c.try(ctx, s, q)
		if f == nil {
			c.pool.answered(s)
			return nil
		}
		f.err.Server = s.base
		if f.effect == refused {
			c.pool.answered(s)
			return r.final(f.err)
		}
		if ctx.Err() == nil {
			c.pool.failed(s, began, f.err.RetryAfter)
		}
		if done, err := r.note(f); done {
			return err
		}
	}
}

// retries is a call on its way through its tries.
type retries struct {
	client   *Client
	call     *call
	deadline time.Time
	last     *Error
	// lost: an earlier try may have taken effect.
	lost bool
}

// next waits for the server to try. Its error ends the call: time is up, and it is what
// the last try failed with.
func (r *retries) next(ctx context.Context) (*server, error) {
	s, wait := r.client.pool.pick(time.Now(), r.last == nil)
	if err := ctx.Err(); err != nil {
		return nil, r.timeUp(err)
	}
	over := time.Now().Add(wait).After(r.deadline)
	if end, limited := ctx.Deadline(); limited {
		over = over || time.Now().Add(wait).After(end)
	}
	switch {
	case over && r.last != nil:
		return nil, r.last
	case over || wait <= 0:
		return s, nil // the first try is made in any case
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, r.timeUp(ctx.Err())
	case <-timer.C:
		return s, nil
	}
}

// timeUp is the error of a call whose context has ended between two tries.
func (r *retries) timeUp(err error) error {
	if r.last == nil {
		return fmt.Errorf("client: %s %s: %w", r.call.method, r.call.path, err)
	}
	return fmt.Errorf("client: %s %s: %w, after %w", r.call.method, r.call.path, err, r.last)
}

// note remembers a failure; done if it ends the call, with its error.
func (r *retries) note(f *failure) (done bool, err error) {
	r.last = f.err
	if f.effect == notDone || r.call.reads {
		return false, nil
	}
	r.lost = true
	if r.call.repeats {
		return false, nil
	}
	return true, r.final(f.err)
}

// final is the error of the call whose last try failed with err. Once a try was lost
// only an answer that takes it into account is believed.
func (r *retries) final(err error) error {
	q := r.call
	switch {
	case !r.lost || errors.Is(err, ErrOutcomeUnknown):
		return err
	case q.method == http.MethodDelete && errors.Is(err, ErrNotFound):
		return nil // it is gone
	case q.header.Get(headerOnce) != "" && knowsOnce(err):
		return err
	}
	return &Error{
		Code:   CodeOutcomeUnknown,
		Detail: fmt.Sprintf("the answer to %s %s was lost: it may have taken effect or not; read before you write again", q.method, q.path),
		Cause:  err,
	}
}

// knowsOnce reports whether a server gives this error only after it has looked whether
// the Idempotency-Key was used before.
func knowsOnce(err error) bool {
	switch CodeOf(err) {
	case CodeNotFound, CodeConflict, CodeOverlap, CodeInUse, CodeIdempotencyMismatch:
		return true
	}
	return false
}
