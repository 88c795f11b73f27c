package httpserver

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	metricRequests = "cronraft_http_requests_total"
	metricLimited  = "cronraft_http_limited_total"
	metricStreams  = "cronraft_http_open_streams"
	// routeUnmatched labels the requests that no route took, whatever their path.
	routeUnmatched = "unmatched"

	// The labels of metricLimited: what had too many requests.
	limitedKey     = "key"
	limitedAddress = "address"
	limitedStreams = "streams"
	limitedBackups = "backups"
)

// Metrics are the counters of this package.
type Metrics struct {
	requests *prometheus.CounterVec
	limited  *prometheus.CounterVec
	streams  prometheus.Gauge
}

// NewMetrics makes the counters and registers them; nil registers them nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: metricRequests,
			Help: "Requests that clients sent to this node, by route pattern and HTTP status.",
		}, []string{"route", "code"}),
		limited: f.NewCounterVec(prometheus.CounterOpts{
			Name: metricLimited,
			Help: "Requests that were refused with 429: of a key with too many, of an address with too many unknown keys, of a key with too many streams, or for one backup too many.",
		}, []string{"limit"}),
		streams: f.NewGauge(prometheus.GaugeOpts{
			Name: metricStreams,
			Help: "Answers under way that are sent piece by piece.",
		}),
	}
}

// count counts one answered request, at the node that the client asked.
func (m *Metrics) count(route string, status int) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
}
