package httpserver

import (
	"context"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

var (
	errTooManyRequests = job.Errorf(job.CodeRateLimited, "this API key has made more requests at this node than its limit allows; wait as long as Retry-After says, or see /limits")
	errRootOnly        = job.Errorf(job.CodeForbidden, "this is about all namespaces, and yours is an API key of one: it needs the root API key")
	errOperatorsOnly   = job.Errorf(job.CodeForbidden, "the cluster is not of your namespace alone: this needs the root API key, or one with the role ADMIN in the namespace %s", job.DefaultNamespace)
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
	switch {
	case key == "":
		return job.APIKey{}, errNoKey
	case len(r.headerLines(headerAPIKey)) > 1:
		return job.APIKey{}, errTwoKeys
	}
	if r.forwarded {
		return s.lookUp(ctx, key)
	}
	if guesses := s.guesses.peek(r.remote, time.Now()); !guesses.ok && !s.knows(key) {
		s.config.Metrics.limited.WithLabelValues(limitedAddress).Inc()
		return job.APIKey{}, &tooSoon{cause: errTooManyGuesses, wait: guesses.wait}
	}
	found, err := s.lookUp(ctx, key)
	if job.CodeOf(err) == job.CodeUnauthorized {
		s.guesses.take(r.remote, time.Now())
	}
	return found, err
}

// knows reports whether this node accepts the key, as far as it has heard.
func (s *Server) knows(key string) bool {
	return len(key) <= maxKeyBytes && s.config.Keys.Knows(key)
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

// confirmKey asks once more for the caller's key. After a read point a key is gone
// whose end was acknowledged before the request began; until then this node may not
// have heard of it.
func (s *Server) confirmKey(ctx context.Context, c *call) error {
	_, err := s.lookUp(ctx, c.header(headerAPIKey))
	return err
}

// confirmRead is what a read answers, which has been at its read point by now, if its
// key is still accepted. What it found, or did not, is nothing to anyone else.
func (s *Server) confirmRead(ctx context.Context, c *call, res *response, err error) (*response, error) {
	gone := s.confirmKey(ctx, c)
	if gone == nil {
		return res, err
	}
	if res != nil && res.stream != nil {
		s.dropStream(c.request, res)
	}
	return nil, gone
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
	if e.root && !c.key.Root {
		return errRootOnly
	}
	if e.operates && !c.key.Root && c.key.Namespace != job.DefaultNamespace {
		return errOperatorsOnly
	}
	return nil
}
