package cron

import "time"

// NextInterval is the first multiple of every since the Unix epoch that is
// strictly later than t, in UTC. So an interval never drifts, whenever it was
// first computed. every must be a positive number of whole seconds; anything
// else is a mistake of the program, and panics.
func NextInterval(t time.Time, every time.Duration) time.Time {
	if every <= 0 || every%time.Second != 0 {
		panic("cron: an interval must be a positive number of whole seconds, not " + every.String())
	}
	seconds := int64(every / time.Second)
	past := t.Unix() % seconds
	if past < 0 {
		past += seconds
	}
	return time.Unix(t.Unix()-past+seconds, 0).UTC()
}
