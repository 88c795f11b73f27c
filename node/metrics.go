package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cronraft/cronraft/fsm"
)

// The names of this package's metrics.
const (
	metricCommitSeconds = "cronraft_raft_commit_seconds"
	metricLeader        = "cronraft_leader"
	metricLeaderChanges = "cronraft_leader_changes_total"
	metricAgendaJobs    = "cronraft_agenda_jobs"
)

type metrics struct {
	commitSeconds prometheus.Histogram
	leader        prometheus.Gauge
	leaderChanges prometheus.Counter
}

func newMetrics(r prometheus.Registerer, store *fsm.Store) *metrics {
	m := &metrics{
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: metricCommitSeconds, Help: "Time from submitting a log entry to its being applied on the leader.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		leader: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricLeader, Help: "1 while this node leads the cluster.",
		}),
		leaderChanges: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricLeaderChanges, Help: "How often this node became leader.",
		}),
	}
	r.MustRegister(m.commitSeconds, m.leader, m.leaderChanges, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: metricAgendaJobs, Help: "Jobs with a next run.",
	}, func() float64 { return float64(store.AgendaLen()) }))
	return m
}
