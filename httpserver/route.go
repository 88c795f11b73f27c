package httpserver

import (
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
}

// namespace is what the caller may see: empty, all of it, for the root key.
func (c *call) namespace() string {
	if c.key.Root {
		return ""
	}
	return c.key.Namespace
}

// endpoint is one method of one route.
type endpoint struct {
	serve func(ctx context.Context, c *call) (*response, error)
	// write marks what only the leader can do: it is forwarded if this node is not.
	write bool
	// admin marks what needs the role ADMIN.
	admin bool
}

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
	return []route{
		newRoute("/jobs", map[string]endpoint{
			http.MethodPost: {serve: s.createJob, write: true},
			http.MethodGet:  {serve: s.listJobs},
		}),
		newRoute("/jobs/{id}", map[string]endpoint{
			http.MethodGet:    {serve: s.getJob},
			http.MethodPatch:  {serve: s.patchJob, write: true},
			http.MethodDelete: {serve: s.deleteJob, write: true},
		}),
		newRoute("/jobs/{id}/run", map[string]endpoint{
			http.MethodPost: {serve: s.runJob, write: true},
		}),
		newRoute("/jobs/{id}/executions", map[string]endpoint{
			http.MethodGet: {serve: s.listExecutions},
		}),
		newRoute("/executions/{id}", map[string]endpoint{
			http.MethodGet: {serve: s.getExecution},
		}),
		newRoute("/executions/{id}/cancel", map[string]endpoint{
			http.MethodPost: {serve: s.cancelExecution, write: true},
		}),
		newRoute("/cluster", map[string]endpoint{
			http.MethodGet: {serve: s.getCluster},
		}),
		newRoute("/cluster/state-hash", map[string]endpoint{
			http.MethodGet: {serve: s.getStateHash},
		}),
		newRoute("/cluster/transfer-leadership", map[string]endpoint{
			http.MethodPost: {serve: s.transferLeadership, write: true, admin: true},
		}),
		newRoute("/cluster/nodes/{id}", map[string]endpoint{
			http.MethodDelete: {serve: s.removeNode, write: true, admin: true},
		}),
	}
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
