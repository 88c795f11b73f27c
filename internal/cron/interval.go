package cron

import "time"

// NextInterval is the first of the instants anchor, anchor+every, and so on in both
// directions that is strictly later than t, in UTC. So an interval never drifts,
// whenever it was first computed. Instants are whole milliseconds, the anchor is
// taken for one. every must be a positive number of whole seconds; anything else is
// a mistake of the program, and panics.
func NextInterval(t, anchor time.Time, every time.Duration) time.Time {
	if every <= 0 || every%time.Second != 0 {
		panic("cron: an interval must be a positive number of whole seconds, not " + every.String())
	}
	step, now := every.Milliseconds(), t.UnixMilli()
	past := (now - anchor.UnixMilli()) % step
	if past < 0 {
		past += step
	}
	return time.UnixMilli(now - past + step).UTC()
}
