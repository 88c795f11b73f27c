package executor

import "github.com/prometheus/client_golang/prometheus"

const openAttemptsName = "cronraft_open_attempts"

// Metrics are the numbers that this package counts. A nil *Metrics counts
// nothing.
type Metrics struct {
	open prometheus.Gauge
}

// NewMetrics makes the metrics and registers them; a nil registerer leaves them
// unregistered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{open: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: openAttemptsName,
		Help: "Attempts assigned to this node that have not ended.",
	})}
	if reg != nil {
		reg.MustRegister(m.open)
	}
	return m
}

func (m *Metrics) setOpen(n int) {
	if m != nil {
		m.open.Set(float64(n))
	}
}
