package httpserver

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cronraft/cronraft/internal/job"
)

// The defaults and limits of a server.
const (
	defaultRequestTimeout = 10 * time.Second
	defaultMaxConnections = 16384

	maxBodyBytes   = 1 << 20
	maxHeaderBytes = 32 << 10
	maxKeyBytes    = 256
)

// Config is what a server is made of. The interfaces, NodeID and Gatherer are
// required.
type Config struct {
	// NodeID is this node's name, shown as X-Cron-Node.
	NodeID string

	Jobs        Jobs
	Executions  Executions
	Keys        Keys
	Consistency Consistency
	Forwarder   Forwarder
	Cluster     Cluster

	// CheckSchedule returns what is wrong with a cron expression or a zone, so that a
	// request with other invalid fields lists these too. Nil leaves them to Jobs, which
	// sees only specs that are otherwise valid.
	CheckSchedule func(job.Schedule) []job.FieldError

	// RequestTimeout bounds the work on one request; default 10 s.
	RequestTimeout time.Duration
	// MaxConnections bounds the open connections; default 16384.
	MaxConnections int

	// Logger gets internal errors and panics; default none.
	Logger *slog.Logger
	// Gatherer is what /metrics shows.
	Gatherer prometheus.Gatherer
	// Metrics counts the requests; nil counts them nowhere.
	Metrics *Metrics
}

// Validate names the first required part that is missing.
func (c Config) Validate() error {
	switch {
	case c.NodeID == "":
		return errors.New("httpserver: NodeID is required")
	case c.Jobs == nil, c.Executions == nil, c.Keys == nil:
		return errors.New("httpserver: Jobs, Executions and Keys are required")
	case c.Consistency == nil, c.Forwarder == nil, c.Cluster == nil:
		return errors.New("httpserver: Consistency, Forwarder and Cluster are required")
	case c.Gatherer == nil:
		return errors.New("httpserver: Gatherer is required")
	case c.RequestTimeout < 0, c.MaxConnections < 0:
		return errors.New("httpserver: limits must not be negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.RequestTimeout = cmp.Or(c.RequestTimeout, defaultRequestTimeout)
	c.MaxConnections = cmp.Or(c.MaxConnections, defaultMaxConnections)
	c.Metrics = cmp.Or(c.Metrics, NewMetrics(nil))
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.CheckSchedule == nil {
		c.CheckSchedule = func(job.Schedule) []job.FieldError { return nil }
	}
	return c
}
