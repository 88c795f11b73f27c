package httpserver

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/cronraft/cronraft/internal/job"
)

// basePath is before every route of the API.
const basePath = "/api/cron-service"

// call is one authenticated request at its endpoint.
type call struct {
	*request
	// key is whose request it is.
	key job.APIKey
	// param is the part of the path that the pattern left open.
	param string
	// confidential means that the answer is for the caller's key alone: another one
	// does not get it again by repeating the request.
	confidential bool
}

// endpoint is one method of one route.
type endpoint struct {
	serve func(ctx context.Context, c *call) (*response, error)
	// write marks what only the leader can do: it is forwarded if this node is not.
	write bool
	// role is what the caller has to have; empty is READER.
	role job.Role
	// root marks what shows or changes all namespaces: only the root key may.
	root bool
	// operates marks what is done to the cluster, which all namespaces share: only
	// administrators of the default one may, and the root key.
	operates bool
	// makesNamed marks what If-None-Match keeps from replacing what is there.
	makesNamed bool
	// stream marks what may answer piece by piece, without a time limit (see
	// [stream]). It is a read, and never forwarded.
	stream bool
	// bodyLimit is how many bytes a body may have; zero is maxBodyBytes.
	bodyLimit int
}

// maxBody is how many bytes a body may have.
func (e endpoint) maxBody() int { return cmp.Or(e.bodyLimit, maxBodyBytes) }

// route is a path pattern with at most one open part, and its methods.
type route struct {
	pattern string
	parts   []string
	methods map[string]endpoint
}

// openPart matches any one part of a path.
const openPart = "{id}"

// routes is the API. The first pattern that matches wins: literal ones come first.
func (s *Server) routes() []route {
	return slices.Concat(
		s.jobRoutes(), s.scheduleRoutes(), s.executionRoutes(),
		s.webhookRoutes(), s.eventRoutes(),
		s.keyRoutes(), s.limitRoutes(), s.clusterRoutes(),
	)
}

func newRoute(pattern string, methods map[string]endpoint) route {
	return route{pattern: pattern, parts: strings.Split(pattern[1:], "/"), methods: methods}
}

// match compares a path, and returns its open part.
func (r *route) match(path []string) (param string, ok bool) {
	if len(path) != len(r.parts) {
		return "", false
	}
	for i, part := range r.parts {
		switch {
		case part == openPart:
			param = path[i]
		case part != path[i]:
			return "", false
		}
	}
	return param, true
}

// endpoint is the one for the method; HEAD is a GET whose body stays here.
func (r *route) endpoint(method string) (endpoint, error) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if e, ok := r.methods[method]; ok {
		return e, nil
	}
	return endpoint{}, job.Errorf(job.CodeMethodNotAllowed, "the method must be one of %s", r.allow())
}

// allow is the value of the Allow header.
func (r *route) allow() string {
	var methods []string
	for m := range r.methods {
		methods = append(methods, m)
		if m == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// find is the route of a path below basePath, and the path's open part.
func find(routes []route, path []string) (*route, string) {
	for i := range routes {
		if param, ok := routes[i].match(path); ok {
			return &routes[i], param
		}
	}
	return nil, ""
}
