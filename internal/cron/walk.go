package cron

import "time"

// nextWall is the first matching wall clock after the given one; both are
// seconds since 1970 as a clock in UTC counts them. False past 2099.
//
// cronexpr proposes. The bit sets walk instead if its answer does not match,
// which is so for days that it cannot say.
func (e *Expression) nextWall(after int64) (int64, bool) {
	from := time.Unix(after, 0).UTC()
	walker := e.walker
	wall := walker.Next(from)
	if wall.IsZero() {
		return 0, false
	}
	if !e.sets.matches(wall) || !wall.After(from) {
		var ok bool
		if wall, ok = e.sets.next(from); !ok {
			return 0, false
		}
	}
	return wall.Unix(), true
}
