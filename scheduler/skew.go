package scheduler

import (
	"log/slog"
	"time"
)

// maxSkew is how far a node's wall clock may be off before somebody should look.
const maxSkew = 500 * time.Millisecond

// clockWatch compares one node's wall clock with this one's. Whoever leads plans
// by its own clock: if clocks differ, slots fire early or late, or as missed ones,
// once another node leads.
type clockWatch struct {
	cfg    *Config
	peer   string
	logger *slog.Logger
	off    bool // too far, and logged
}

// measure estimates how far the node's clock is ahead, from its reading in a call
// that has just ended: taken, for all that is known, in the middle of it. A zero
// reading says nothing.
func (w *clockWatch) measure(reading time.Time, roundTrip time.Duration) time.Duration {
	if reading.IsZero() {
		return 0
	}
	uncertain := roundTrip / 2
	skew := reading.Sub(w.cfg.Now().Add(-uncertain))
	w.cfg.Metrics.skew.WithLabelValues(w.peer).Set(skew.Seconds())
	off := skew.Abs() > maxSkew+uncertain
	switch {
	case off && !w.off:
		w.logger.Warn("the node's clock differs from this one's: check the time synchronisation of both", "skew", skew)
	case !off && w.off:
		w.logger.Info("the node's clock agrees with this one's again", "skew", skew)
	}
	w.off = off
	return skew
}

// forget ends the metric of a node that this term does not watch any more.
func (w *clockWatch) forget() { w.cfg.Metrics.skew.DeleteLabelValues(w.peer) }
