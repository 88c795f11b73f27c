package httpserver

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// Limits are what a server grants an API key.
type Limits struct {
	// Rate is how many requests a second a key may make at this node, and Burst how
	// many at once. A Rate of zero is no limit.
	Rate  float64
	Burst int
	// Streams is how many streams a key may have open at this node; default 100.
	Streams int
	// NodeStreams is how many all keys together may; default 256.
	NodeStreams int
	// HistoryPerJob and HistoryMaxAge are the retention, which is here only to be
	// shown.
	HistoryPerJob int
	HistoryMaxAge time.Duration
}

const (
	defaultStreams     = 100
	defaultNodeStreams = 256

	// The bounds of a rate and a burst keep their product a duration.
	minRate  = 0.001
	maxRate  = 1e6
	maxBurst = 1e6
)

// Validate says which limit cannot be.
func (l Limits) Validate() error {
	switch {
	case l.Rate != 0 && !(l.Rate >= minRate && l.Rate <= maxRate):
		return errors.New("the rate must be 0, for no limit, or 0.001 to 1000000 requests a second")
	case l.Rate != 0 && (l.Burst < 1 || l.Burst > maxBurst):
		return errors.New("the burst must be 1 to 1000000 requests")
	case l.Streams < 0, l.NodeStreams < 0:
		return errors.New("limits must not be negative")
	}
	return nil
}

func (l Limits) withDefaults() Limits {
	l.Streams = cmp.Or(l.Streams, defaultStreams)
	l.NodeStreams = cmp.Or(l.NodeStreams, defaultNodeStreams)
	return l
}

func (s *Server) limitRoutes() []route {
	return []route{
		newRoute("/limits", map[string]endpoint{
			http.MethodGet: {serve: s.getLimits},
		}),
	}
}

// getLimits is GET /limits: what this node grants the caller.
func (s *Server) getLimits(_ context.Context, c *call) (*response, error) {
	if err := checkLocalRead(c); err != nil {
		return nil, err
	}
	limits := s.config.Limits
	out := api.Limits{
		MaxBodyBytes: maxBodyBytes, MaxBulkBytes: maxBulkBytes, MaxBulkJobs: MaxChanges,
		MaxListBytes: maxListBytes, MaxListJobs: maxListJobs,
		MaxPageSize: maxLimit, MaxBackfillSlots: maxBackfill, MaxNextRuns: maxNextRuns,
		HistoryPerJob: limits.HistoryPerJob, HistoryMaxAgeSec: int64(limits.HistoryMaxAge / time.Second),
		MaxWebhooks: job.HookLimit, MaxAPIKeys: job.KeyLimit, MaxOpenExecutions: job.OpenLimit,
		MaxEventStreams: limits.Streams,
	}
	if limits.Rate > 0 {
		out.RequestsPerSecond, out.Burst = &limits.Rate, &limits.Burst
	}
	return success(http.StatusOK, out)
}
