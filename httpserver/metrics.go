package httpserver

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	metricRequests = "cronraft_http_requests_total"
	// routeUnmatched labels the requests that no route took, whatever their path.
	routeUnmatched = "unmatched"
)

// Metrics are the counters of this package.
type Metrics struct {
	requests *prometheus.CounterVec
}

// NewMetrics makes the counters and registers them; nil registers them nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	return &Metrics{requests: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Name: metricRequests,
		Help: "Requests that clients sent to this node, by route pattern and HTTP status.",
	}, []string{"route", "code"})}
}

// count counts one answered request, at the node that the client asked.
func (m *Metrics) count(route string, status int) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
}
