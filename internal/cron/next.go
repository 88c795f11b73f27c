package cron

import "time"

// Next is the first time after t at which the expression fires in the zone; in
// UTC, and always strictly later than t. False if there is none whose wall clock
// is in 1970 to 2099.
//
// A fixed expression fires when the highest wall clock that was ever shown
// passes a matching minute: so each wall clock time counts once, the first time
// of two; and those that the clock skips make one fire together, at the first
// instant after the gap.
//
// An interval-like one fires whenever the wall clock shows a matching minute, so
// in both passes of an hour that comes twice. What falls in a gap is dropped if
// the expression names every hour, because no time passes in the gap; else it
// makes one fire at the first instant after it.
func (e *Expression) Next(t time.Time, z *Zone) (time.Time, bool) {
	now := max(t.Unix(), tableStart-1)
	if now >= tableEnd {
		return time.Time{}, false
	}
	var at int64
	var ok bool
	if e.intervalLike {
		at, ok = e.nextShown(now, z.clock)
	} else {
		at, ok = e.nextPassed(now, z.clock)
	}
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(at, 0).UTC(), true
}

// nextPassed is Next for fixed expressions.
func (e *Expression) nextPassed(now int64, clock table) (int64, bool) {
	wall, ok := e.nextWall(clock.highest(now))
	if !ok {
		return 0, false
	}
	return clock.firstShown(wall), true
}

// nextShown is Next for interval-like expressions. It goes from segment to
// segment; wall is the first match after searched, and stays so until the clock
// goes back behind searched, or over wall.
func (e *Expression) nextShown(now int64, clock table) (int64, bool) {
	i := clock.at(now)
	searched := now + clock[i].offset
	wall, ok := e.nextWall(searched)
	for ok {
		at := wall - clock[i].offset
		if i+1 == len(clock) || at < clock[i+1].start {
			return at, true
		}
		i++
		first := clock[i].start + clock[i].offset
		if wall < first && !e.allHours {
			return clock[i].start, true
		}
		if first <= searched || wall < first {
			searched = first - 1
			wall, ok = e.nextWall(searched)
		}
	}
	return 0, false
}
