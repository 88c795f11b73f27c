package httpserver

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/cronraft/cronraft/internal/job"
)

// The paths outside the API, which need no key.
const (
	pathHealth    = "/healthz"
	pathReady     = "/readyz"
	pathMetrics   = "/metrics"
	pathDashboard = "/"
)

// servePage answers a request outside basePath.
func (s *Server) servePage(ctx context.Context, r *request) (*response, string) {
	route := r.path
	doc, isDoc := s.docs[route]
	if !isDoc && !slices.Contains([]string{pathHealth, pathReady, pathMetrics, pathDashboard}, route) {
		return problem(errNoSuchPath, r.id), routeUnmatched
	}
	if r.method != http.MethodGet && r.method != http.MethodHead {
		allow := strings.Join([]string{http.MethodGet, http.MethodHead}, ", ")
		e := job.Errorf(job.CodeMethodNotAllowed, "the method must be one of %s", allow)
		return problem(e, r.id).with(headerAllow, allow), route
	}
	switch {
	case isDoc:
		return showDoc(doc), route
	case route == pathReady:
		return s.ready(ctx), route
	case route == pathDashboard:
		return s.dashboard(), route
	}
	return plain(http.StatusOK, "ok"), route
}

// ready tells a load balancer whether to send requests here.
func (s *Server) ready(ctx context.Context) *response {
	if err := s.config.Cluster.Ready(ctx); err != nil {
		return plain(http.StatusServiceUnavailable, "not ready: "+reason(err))
	}
	return plain(http.StatusOK, "ok")
}

// reason shows an error that is for people, and no other.
func reason(err error) string {
	if job.CodeOf(err) == job.CodeInternal {
		return internalDetail
	}
	return err.Error()
}

func (s *Server) dashboard() *response {
	return underPolicy(&response{status: http.StatusOK, contentType: contentHTML, body: s.page.HTML}, s.page.Policy)
}

// underPolicy adds what a browser is to make of a page.
func underPolicy(r *response, policy string) *response {
	return r.with("Content-Security-Policy", policy).
		with("X-Frame-Options", "DENY").
		with("Referrer-Policy", "no-referrer").
		with("Cross-Origin-Opener-Policy", "same-origin")
}
