package scheduler

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cronraft/cronraft/internal/job"
)

// The names of the metrics. Events are counted by the leader that decided, once
// its decision was applied.
const (
	metricExecutions = "cronraft_executions_total"
	metricDeliveries = "cronraft_webhook_deliveries_total"
	metricAttempts   = "cronraft_attempts_total"
	metricMissed     = "cronraft_missed_slots_total"
	metricLost       = "cronraft_lost_attempts_total"
	metricPlanBatch  = "cronraft_plan_batch_size"
	metricLateness   = "cronraft_execution_lateness_seconds"
	metricSkew       = "cronraft_clock_skew_seconds"
)

// outcomeSuccess is the label of an attempt without error; the others carry
// their error code.
const outcomeSuccess = "SUCCESS"

// Metrics are the scheduler's. They outlive the terms.
type Metrics struct {
	executions *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	attempts   *prometheus.CounterVec
	missed     prometheus.Counter
	lost       prometheus.Counter
	planBatch  prometheus.Histogram
	lateness   prometheus.Histogram
	skew       *prometheus.GaugeVec
}

// NewMetrics makes the metrics and registers them; with a nil registerer they
// count for nobody.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		executions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricExecutions, Help: "Executions that ended, by result and trigger; not those of webhooks.",
		}, []string{"result", "trigger"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricDeliveries, Help: "Deliveries of webhooks that ended, by result.",
		}, []string{"result"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricAttempts, Help: "Attempts that ended, by outcome: SUCCESS or the error code.",
		}, []string{"outcome"}),
		missed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricMissed, Help: "Slots that were missed and not fired.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricLost, Help: "Attempts that were lost with their node.",
		}),
		planBatch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: metricPlanBatch, Help: "Slots planned in one log entry.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: metricLateness, Help: "Time from when an execution of a slot was due to the start of its first request.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}),
		skew: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricSkew, Help: "How far a node's wall clock is ahead of the leader's; only the leader has it.",
		}, []string{"peer"}),
	}
	if r != nil {
		r.MustRegister(m.executions, m.deliveries, m.attempts, m.missed, m.lost, m.planBatch, m.lateness, m.skew)
	}
	return m
}

// planned counts an applied plan.
func (m *Metrics) planned(d *job.Plan, items []job.Item) {
	m.planBatch.Observe(float64(len(d.Slots)))
	for i, item := range items {
		if item.Err != nil {
			continue
		}
		slot := &d.Slots[i]
		m.missed.Add(float64(slot.Missed.Count))
		if slot.Missed.Count > 0 {
			m.executions.WithLabelValues(string(job.Missed), string(slot.Trigger)).Inc()
		}
		if !slot.Fire.IsZero() {
			m.ended(item.Result, slot.Trigger)
		}
	}
}

// ended counts an execution, or a delivery, if its result is final.
func (m *Metrics) ended(result job.Result, trigger job.Trigger) {
	switch {
	case !result.Terminal():
	case trigger == job.TriggerEvent:
		m.deliveries.WithLabelValues(string(result)).Inc()
	default:
		m.executions.WithLabelValues(string(result), string(trigger)).Inc()
	}
}

// recorded counts an outcome that was applied to an execution.
func (m *Metrics) recorded(o *job.Outcome, open job.Open, result job.Result) {
	label := outcomeSuccess
	if o.Err != nil {
		label = string(o.Err.Code)
	}
	if label == string(job.ErrNodeLost) {
		m.lost.Inc()
	}
	m.attempts.WithLabelValues(label).Inc()
	m.ended(result, open.Trigger)
	if o.Attempt == 1 && open.Trigger == job.TriggerScheduled && !o.StartedAt.IsZero() {
		m.lateness.Observe(max(0, o.StartedAt.Sub(dueTime(open))).Seconds())
	}
}

// dueTime is when an execution was due.
func dueTime(open job.Open) time.Time {
	if open.DueAt.IsZero() {
		return open.ScheduledAt
	}
	return open.DueAt
}

// lostAttempts counts the attempts of an applied MarkLost.
func (m *Metrics) lostAttempts(items []job.Item, triggers []job.Trigger) {
	for i, item := range items {
		if item.Err == nil {
			m.lost.Inc()
			m.attempts.WithLabelValues(string(job.ErrNodeLost)).Inc()
			m.ended(item.Result, triggers[i])
		}
	}
}
