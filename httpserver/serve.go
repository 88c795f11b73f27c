package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/cronraft/cronraft/internal/job"
)

var (
	errNoSuchPath = job.Errorf(job.CodeNotFound, "there is nothing at this path; the API is below %s", basePath)
	errNoKey      = job.Errorf(job.CodeUnauthorized, "send your API key in the header %s", headerAPIKey)
	errTwoKeys    = job.Errorf(job.CodeUnauthorized, "send one API key: the header %s came more than once", headerAPIKey)
	errUnknownKey = job.Errorf(job.CodeUnauthorized, "the API key in the header %s is not known", headerAPIKey)
	errLateRead   = job.Errorf(job.CodeNoLeader, "no leader confirmed the read in time; try again, or read with ?consistency=stale")
	errInternal   = job.Errorf(job.CodeInternal, internalDetail)

	// errForwardedStream is for a node that does not know that this is a stream.
	errForwardedStream = job.Errorf(job.CodeNotFound, "an answer that is sent piece by piece comes only from the node that was asked")
)

// answer handles a request whole: it never panics and always answers. The route is
// the pattern that took it.
func (s *Server) answer(ctx context.Context, r *request) (res *response, route string) {
	ctx, cancel := context.WithTimeout(ctx, s.config.RequestTimeout)
	defer cancel()
	route = routeUnmatched
	defer func() {
		if p := recover(); p != nil {
			s.logger.Error("panic in a handler", "request", r.id, "route", route, "panic", p, "stack", string(debug.Stack()))
			res = s.finish(problem(errInternal, r.id), r)
		}
	}()
	below, isAPI := r.belowBase()
	if isAPI {
		res, route = s.serveAPI(ctx, r, below)
	} else {
		res, route = s.servePage(ctx, r)
	}
	return s.finish(res, r), route
}

// finish adds what every answer has.
func (s *Server) finish(res *response, r *request) *response {
	if res.status == http.StatusUnauthorized {
		res.with("WWW-Authenticate", `ApiKey header="`+headerAPIKey+`"`)
	}
	return res.with("Cache-Control", "no-store").with(headerNode, s.config.NodeID).with(headerRequestID, r.id)
}

// belowBase is the path's parts after basePath; false for a path outside.
func (r *request) belowBase() ([]string, bool) {
	rest, ok := strings.CutPrefix(r.path, basePath)
	if !ok || rest != "" && rest[0] != '/' {
		return nil, false
	}
	parts, ok := splitPath(rest)
	if !ok {
		return nil, true // matches no route
	}
	return parts, true
}

// serveAPI answers a request below basePath.
func (s *Server) serveAPI(ctx context.Context, r *request, path []string) (*response, string) {
	admitted, err := s.admit(ctx, r)
	if err != nil {
		return s.tellQuota(s.failure(err, r, routeUnmatched), admitted.quota), routeUnmatched
	}
	res, route := s.serveCaller(ctx, r, admitted.key, path)
	return s.tellQuota(res, admitted.quota), route
}

// tellQuota adds where the caller's key stands.
func (s *Server) tellQuota(res *response, quota *grant) *response {
	if quota != nil {
		s.rates.tell(res, *quota)
	}
	return res
}

// serveCaller answers a request whose key is known.
func (s *Server) serveCaller(ctx context.Context, r *request, key job.APIKey, path []string) (*response, string) {
	match, param := find(s.api, path)
	if match == nil {
		return problem(errNoSuchPath, r.id), routeUnmatched
	}
	e, err := match.endpoint(r.method)
	if err != nil {
		return s.failure(err, r, match.pattern).with(headerAllow, match.allow()), match.pattern
	}
	res := s.serveEndpoint(ctx, e, &call{request: r, key: key, param: param}, match.pattern)
	if res.header(headerAppliedIndex) == "" {
		res.with(headerAppliedIndex, strconv.FormatUint(s.config.Consistency.Applied(), 10))
	}
	return res, match.pattern
}

// serveEndpoint answers a request that has found its endpoint.
func (s *Server) serveEndpoint(ctx context.Context, e endpoint, c *call, route string) *response {
	if err := c.checkRole(e); err != nil {
		return s.failure(err, c.request, route)
	}
	if e.stream && c.forwarded {
		return s.failure(errForwardedStream, c.request, route)
	}
	if len(c.body) > e.maxBody() {
		return s.failure(errBodyTooLarge(e.maxBody()), c.request, route)
	}
	if e.write && !e.makesNamed {
		if err := c.refuseIfNoneMatch(); err != nil {
			return s.failure(err, c.request, route)
		}
	}
	res, err := e.serve(ctx, c)
	if !e.write {
		res, err = s.confirmRead(ctx, c, res, err)
	}
	if err == nil && res.stream != nil {
		res, err = s.admitStream(c, res)
	}
	if err != nil {
		return s.onError(ctx, e, err, c.request, route)
	}
	return res
}

// onError decides what an error of an endpoint means: a write that this node may
// not do goes to the leader, and so does a read that it cannot confirm; a write
// that ran out of time has an unknown outcome.
func (s *Server) onError(ctx context.Context, e endpoint, err error, r *request, route string) *response {
	switch late := isContextError(err); {
	case e.write && errors.Is(err, job.ErrNotLeader) && !r.forwarded:
		return s.forward(ctx, r, route)
	case errors.Is(err, errNoReadPoint) && !e.stream && !r.forwarded && ctx.Err() == nil:
		return s.forwardRead(ctx, r, route, err)
	case e.write && late:
		err = job.ErrOutcomeUnknown
	case late:
		err = errLateRead
	}
	return s.failure(err, r, route)
}

func isContextError(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// failure shows an error; one that is not for people is logged and hidden.
func (s *Server) failure(err error, r *request, route string) *response {
	var e *job.Error
	if !errors.As(err, &e) || outcomeOf(e.Code).status == http.StatusInternalServerError {
		s.logger.Error("internal error", "request", r.id, "route", route, slog.Any("err", err))
		e = errInternal
	}
	res := problem(e, r.id)
	var soon *tooSoon
	if errors.As(err, &soon) {
		res.with(headerRetryAfter, wholeSeconds(soon.wait))
	}
	return res
}

func errBodyTooLarge(most int) *job.Error {
	return job.Errorf(job.CodePayloadTooLarge, "the body must have at most %d bytes", most)
}

// errNoReadPoint marks the error of a read that this node cannot confirm, and
// another one may.
var errNoReadPoint = errors.New("no read point at this node")

// read begins a read: it checks the parameters and waits for the read point.
func (s *Server) read(ctx context.Context, q *query) error {
	stale := q.stale()
	if err := q.err(); err != nil || stale {
		return err
	}
	err := s.config.Consistency.Barrier(ctx)
	if errors.Is(err, job.ErrNotLeader) {
		return fmt.Errorf("%w: %w", errNoReadPoint, err)
	}
	return err
}
