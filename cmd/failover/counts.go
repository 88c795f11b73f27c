package main

import (
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

// opCounts are operations by outcome.
type opCounts struct{ ok, refused, unknown int }

func (c *opCounts) add(o checker.Outcome) {
	switch o {
	case checker.OK:
		c.ok++
	case checker.Refused:
		c.refused++
	default:
		c.unknown++
	}
}

// writes counts the writes of all clients, and finds the longest time between two
// that were acknowledged.
func (w *workload) writes() (opCounts, time.Duration) {
	var counts opCounts
	var acknowledged []time.Time
	w.mu.Lock()
	for _, op := range w.ops {
		counts.add(op.Outcome)
		if op.Outcome == checker.OK {
			acknowledged = append(acknowledged, op.Returned)
		}
	}
	w.mu.Unlock()
	for _, r := range w.registers {
		r.mu.Lock()
		counts.ok += r.counts.ok
		counts.refused += r.counts.refused
		counts.unknown += r.counts.unknown
		acknowledged = append(acknowledged, r.written...)
		r.mu.Unlock()
	}
	if w.began.IsZero() {
		return counts, 0
	}
	return counts, longestGap(acknowledged, w.began, w.ended)
}

// longestGap is between two of the times, of which those outside the bounds do not
// count, or between one and a bound.
func longestGap(times []time.Time, from, to time.Time) time.Duration {
	times = slices.DeleteFunc(times, func(t time.Time) bool { return t.Before(from) || t.After(to) })
	times = append(times, from, to)
	slices.SortFunc(times, time.Time.Compare)
	var longest time.Duration
	for i := 1; i < len(times); i++ {
		longest = max(longest, times[i].Sub(times[i-1]))
	}
	return longest
}

// firstAfter is how long after a moment the first callback came for a slot that is
// later than the moment: planned by whoever leads then. Nothing if none came.
func firstAfter(moment time.Time, deliveries []checker.Delivery) []time.Duration {
	first := time.Duration(-1)
	for _, d := range deliveries {
		if after := d.Arrived.Sub(moment); d.ScheduledAt.After(moment) && (first < 0 || after < first) {
			first = after
		}
	}
	if first < 0 {
		return nil
	}
	return []time.Duration{first}
}

// median of durations; zero of none.
func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
