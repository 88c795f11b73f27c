package cron

import (
	"fmt"
	"time"
)

// The layouts of wall clocks in notes.
const (
	clockLayout = "15:04"
	dateLayout  = "2006-01-02 15:04"
)

// Note says, in a sentence for people, how a change of the zone's clock bears on an
// instant at which the expression fires there; empty for most. See [Expression.Next]
// for the rules.
func (e *Expression) Note(at time.Time, z *Zone) string {
	now := at.Unix()
	i := z.clock.at(now)
	if skipped := e.skipped(now, i, z.clock); len(skipped) > 0 {
		first := now + z.clock[i].offset
		return e.noteSkipped(skipped, first)
	}
	return e.noteRepeated(now, i, z.clock)
}

// skipped are the matching wall clocks that were jumped over at the instant, and
// fire then in segment i.
func (e *Expression) skipped(now int64, i int, clock table) []int64 {
	if e.allHours || i == 0 || clock[i].start != now {
		return nil
	}
	from := now - 1 + clock[i-1].offset
	if !e.intervalLike {
		from = clock.highest(now - 1)
	}
	var walls []int64
	first := now + clock[i].offset
	for wall, ok := e.nextWall(from); ok && wall < first; wall, ok = e.nextWall(wall) {
		walls = append(walls, wall)
	}
	return walls
}

// noteSkipped tells of wall clocks that do not exist and fire at the first one
// after the gap.
func (e *Expression) noteSkipped(skipped []int64, first int64) string {
	show := func(wall int64) string { return wallTime(wall).Format(clockLayout) }
	day := " on this day"
	if sameDay := wallTime(skipped[0]).YearDay() == wallTime(first).YearDay(); !sameDay {
		show = func(wall int64) string { return wallTime(wall).Format(dateLayout) }
		day = ""
	}
	runs := "runs at "
	missing := show(skipped[0]) + " does not exist"
	switch last := show(skipped[len(skipped)-1]); len(skipped) {
	case 1:
	case 2:
		runs = "these run once, at "
		missing = show(skipped[0]) + " and " + last + " do not exist"
	default:
		runs = "these run once, at "
		missing = fmt.Sprintf("%d times from %s to %s do not exist", len(skipped), show(skipped[0]), last)
	}
	if e.sets.matches(wallTime(first)) {
		runs += "the same time as "
	}
	return missing + day + " because clocks go forward; " + runs + show(first)
}

// noteRepeated tells of a wall clock that comes twice; empty for others.
func (e *Expression) noteRepeated(now int64, i int, clock table) string {
	wall := now + clock[i].offset
	show := wallTime(wall).Format(clockLayout)
	again := func(k int) bool { return clock.shows(k, wall) }
	switch {
	case i+1 < len(clock) && again(i+1) && e.intervalLike:
		return show + " comes twice on this day because clocks go back; runs both times, this is the first"
	case i+1 < len(clock) && again(i+1):
		return show + " comes twice on this day because clocks go back; runs the first time only"
	case i > 0 && again(i-1):
		return show + " comes twice on this day because clocks go back; runs both times, this is the second"
	default:
		return ""
	}
}

// shows reports whether the wall clock is shown in segment i.
func (t table) shows(i int, wall int64) bool {
	at := wall - t[i].offset
	return at >= t[i].start && (i+1 == len(t) || at < t[i+1].start)
}

// wallTime is a wall clock as if it were UTC.
func wallTime(wall int64) time.Time { return time.Unix(wall, 0).UTC() }
