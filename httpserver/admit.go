package httpserver

import (
	"context"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

var (
	errTooManyRequests = job.Errorf(job.CodeRateLimited, "this API key has made more requests at this node than its limit allows; wait as long as Retry-After says, or see /limits")
	errTooManyGuesses  = job.Errorf(job.CodeRateLimited, "too many unknown API keys came from your address; wait as long as Retry-After says")
)

// tooSoon is an error that goes away by waiting.
type tooSoon struct {
	cause *job.Error
	wait  time.Duration
}

func (e *tooSoon) Error() string { return e.cause.Error() }

func (e *tooSoon) Unwrap() error { return e.cause }

// admission is a request whose key is known.
type admission struct {
	key job.APIKey
	// quota is where the key stands; nil if it has no limit here.
	quota *grant
}

// admit authenticates a request and takes it off its key's quota. One that was
// forwarded has been counted at the node that its client asked.
func (s *Server) admit(ctx context.Context, r *request) (a admission, err error) {
	if a.key, err = s.authenticate(ctx, r); err != nil || s.rates == nil || r.forwarded {
		return a, err
	}
	g := s.rates.take(a.key.ID, time.Now())
	a.quota = &g
	if !g.ok {
		s.config.Metrics.limited.WithLabelValues(limitedKey).Inc()
		return a, &tooSoon{cause: errTooManyRequests, wait: g.wait}
	}
	return a, nil
}

func (s *Server) authenticate(ctx context.Context, r *request) (job.APIKey, error) {
	key := r.header(headerAPIKey)
	if key == "" {
		return job.APIKey{}, errNoKey
	}
	if r.forwarded {
		return s.lookUp(ctx, key)
	}
	if wait := s.guesses.wait(r.remote, key, time.Now()); wait > 0 {
		s.config.Metrics.limited.WithLabelValues(limitedAddress).Inc()
		return job.APIKey{}, &tooSoon{cause: errTooManyGuesses, wait: wait}
	}
	found, err := s.lookUp(ctx, key)
	switch {
	case err == nil:
		s.guesses.right(r.remote, key, time.Now())
	case job.CodeOf(err) == job.CodeUnauthorized:
		s.guesses.wrong(r.remote, time.Now())
	}
	return found, err
}

// lookUp asks the backend for a key.
func (s *Server) lookUp(ctx context.Context, key string) (job.APIKey, error) {
	if len(key) > maxKeyBytes {
		return job.APIKey{}, errUnknownKey
	}
	found, err := s.config.Keys.Authenticate(ctx, key)
	switch {
	case job.CodeOf(err) == job.CodeUnauthorized:
		return job.APIKey{}, errUnknownKey
	case isContextError(err):
		return job.APIKey{}, job.ErrNotLeader
	}
	return found, err
}

// checkRole refuses a caller whose key may not use the endpoint.
func (c *call) checkRole(e endpoint) error {
	role := e.role
	if role == "" {
		role = job.RoleReader
	}
	if !c.key.Role.Allows(role) {
		return job.Errorf(job.CodeForbidden, "this needs an API key with the role %s; the role of yours is %q", role, c.key.Role)
	}
	return nil
}
