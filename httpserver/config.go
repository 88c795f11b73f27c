package httpserver

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	Schedules   Schedules
	Keys        Keys
	Webhooks    Webhooks
	Events      Events
	Statistics  Statistics
	Consistency Consistency
	Forwarder   Forwarder
	Cluster     Cluster
	Backups     Backups

	// Limits are what a key is granted.
	Limits Limits

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
	case c.Jobs == nil, c.Executions == nil, c.Schedules == nil, c.Keys == nil:
		return errors.New("httpserver: Jobs, Executions, Schedules and Keys are required")
	case c.Webhooks == nil, c.Events == nil, c.Statistics == nil:
		return errors.New("httpserver: Webhooks, Events and Statistics are required")
	case c.Consistency == nil, c.Forwarder == nil, c.Cluster == nil, c.Backups == nil:
		return errors.New("httpserver: Consistency, Forwarder, Cluster and Backups are required")
	case c.Gatherer == nil:
		return errors.New("httpserver: Gatherer is required")
	case c.RequestTimeout < 0, c.MaxConnections < 0:
		return errors.New("httpserver: limits must not be negative")
	}
	if err := c.Limits.Validate(); err != nil {
		return fmt.Errorf("httpserver: %w", err)
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.RequestTimeout = cmp.Or(c.RequestTimeout, defaultRequestTimeout)
	c.MaxConnections = cmp.Or(c.MaxConnections, defaultMaxConnections)
	c.Limits = c.Limits.withDefaults()
	c.Metrics = cmp.Or(c.Metrics, NewMetrics(nil))
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
