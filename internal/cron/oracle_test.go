package cron

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// The oracle walks a zone's clock minute by minute, as package time reads it,
// and applies the definitions. It shares nothing with the package: its
// expressions are functions. With L(t) the wall clock at t and M(t) the highest
// one shown at or before t,
//
//   - fixed fires at t when M crosses a matching minute at t;
//   - interval-like fires when L(t) matches, and, unless its hour field names
//     all hours, at the first instant after a gap that has a match.

// oracleCase is an expression and its meaning.
type oracleCase struct {
	expr         string
	intervalLike bool
	allHours     bool
	match        func(w wallClock) bool
}

// wallClock is what a clock on a wall, with a calendar, shows.
type wallClock struct {
	minute, hour, day int
	weekday           time.Weekday
}

var oracleCases = []oracleCase{
	{expr: "* * * * *", intervalLike: true, allHours: true, match: func(wallClock) bool { return true }},
	{expr: "*/20 * * * *", intervalLike: true, allHours: true, match: func(w wallClock) bool { return w.minute%20 == 0 }},
	{expr: "30 0-23 * * *", intervalLike: true, allHours: true, match: func(w wallClock) bool { return w.minute == 30 }},
	{expr: "5 */2 * * *", intervalLike: true, match: func(w wallClock) bool { return w.minute == 5 && w.hour%2 == 0 }},
	{expr: "*/15 0-3 * * *", intervalLike: true, match: func(w wallClock) bool { return w.minute%15 == 0 && w.hour < 4 }},
	{expr: "*/7 23 * * 0,6", intervalLike: true, match: func(w wallClock) bool {
		return w.minute%7 == 0 && w.hour == 23 && (w.weekday == time.Sunday || w.weekday == time.Saturday)
	}},
	{expr: "30 2 * * *", match: func(w wallClock) bool { return w.minute == 30 && w.hour == 2 }},
	{expr: "0 0 * * *", match: func(w wallClock) bool { return w.minute == 0 && w.hour == 0 }},
	{expr: "45 1 * * *", match: func(w wallClock) bool { return w.minute == 45 && w.hour == 1 }},
	{expr: "0,59 0,1,2,3,23 * * *", match: func(w wallClock) bool {
		return (w.minute == 0 || w.minute == 59) && (w.hour <= 3 || w.hour == 23)
	}},
	{expr: "0-59 1,2 * * *", match: func(w wallClock) bool { return w.hour == 1 || w.hour == 2 }},
	{expr: "30 0,12 1,15,L * SUN", match: func(w wallClock) bool {
		return w.minute == 30 && w.hour%12 == 0 && (w.day == 1 || w.day == 15 || w.weekday == time.Sunday || w.day == -1)
	}},
}

// window is a stretch of a zone's time around a change of its clock.
type window struct {
	start int64   // minutes since 1970
	walls []int64 // the wall clock of each minute, as minutes since 1970
	// clocks are all wall clocks from low on.
	clocks []wallClock
	low    int64
}

const (
	windowBefore = 2 * 24 * 60 // minutes
	windowAfter  = 2 * 24 * 60
)

// newWindow reads the clock around the change, in seconds since 1970.
func newWindow(loc *time.Location, change int64) *window {
	w := &window{start: change/60 - windowBefore}
	for at := w.start; at <= change/60+windowAfter; at++ {
		_, offset := time.Unix(at*60, 0).In(loc).Zone()
		w.walls = append(w.walls, at+int64(offset)/60)
	}
	w.low = slices.Min(w.walls)
	high := slices.Max(w.walls)
	for wall := w.low; wall <= high; wall++ {
		t := time.Unix(wall*60, 0).UTC()
		day := t.Day()
		if t.AddDate(0, 0, 1).Day() == 1 {
			day = -1 // the last one
		}
		w.clocks = append(w.clocks, wallClock{t.Minute(), t.Hour(), day, t.Weekday()})
	}
	return w
}

// fires are the instants, in minutes since 1970, at which the case fires in the
// window after its first minute.
func (w *window) fires(c oracleCase) []int64 {
	var fires []int64
	highest := w.walls[0]
	for i := 1; i < len(w.walls); i++ {
		from, now := highest+1, w.walls[i]
		if c.intervalLike {
			if from = now; now > w.walls[i-1] && !c.allHours {
				from = w.walls[i-1] + 1
			}
		}
		highest = max(highest, now)
		if from <= now && slices.ContainsFunc(w.clocks[from-w.low:now+1-w.low], c.match) {
			fires = append(fires, w.start+int64(i))
		}
	}
	return fires
}

// check walks the window by Next.
func (w *window) check(e *Expression, z *Zone, want []int64) error {
	at := time.Unix(w.start*60, 0)
	for _, minute := range want {
		next := time.Unix(minute*60, 0)
		for _, from := range []time.Time{at, at.Add(next.Sub(at) / 2), next.Add(-1)} {
			if got, ok := e.Next(from, z); !ok || !got.Equal(next) {
				return fmt.Errorf("after %s: got %s, want %s", from.UTC(), got, next.UTC())
			}
		}
		at = next
	}
	end := time.Unix((w.start+int64(len(w.walls))-1)*60, 0)
	if got, _ := e.Next(at, z); !got.After(end) {
		return fmt.Errorf("after %s: got %s, want none until %s", at.UTC(), got, end.UTC())
	}
	return nil
}

// TestNext_Oracle goes over each change of each zone's clock from 2000 to 2037.
// Zones that change alike are one; slow runs take a sample of the changes.
func TestNext_Oracle(t *testing.T) {
	t.Parallel()
	every := 1
	if testing.Short() || raceEnabled {
		every = 13
	}
	for i, z := range distinctZones(t) {
		t.Run(strings.ReplaceAll(z.Name(), "/", "_"), func(t *testing.T) {
			t.Parallel()
			changes := changes(z)
			for k := i % every; k < len(changes); k += every {
				w := newWindow(z.Location(), changes[k])
				for _, c := range oracleCases {
					if err := w.check(mustParse(t, c.expr), z, w.fires(c)); err != nil {
						t.Errorf("%q: %v", c.expr, err)
					}
				}
			}
		})
	}
}

// changes are the instants from 2000 to 2037 at which the zone's clock changes,
// as package time says.
func changes(z *Zone) []int64 {
	offset := func(at int64) int {
		_, seconds := time.Unix(at, 0).In(z.Location()).Zone()
		return seconds
	}
	const day = 24 * 60 * 60
	var found []int64
	end := time.Date(2038, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()
	for at := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC).Unix(); at < end; at += day {
		after := offset(at + day)
		if offset(at) == after {
			continue
		}
		minutes := sort.Search(day/60, func(m int) bool { return offset(at+int64(m)*60) == after })
		found = append(found, at+int64(minutes)*60)
	}
	return found
}

// distinctZones are the zones, one of each clock.
func distinctZones(t *testing.T) []*Zone {
	all, err := zones()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	var distinct []*Zone
	for name := range all {
		z := mustZone(t, name)
		clock := z.clock[z.clock.at(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()):]
		key := fmt.Sprint(clock[0].offset, clock[1:])
		if !seen[key] {
			seen[key] = true
			distinct = append(distinct, z)
		}
	}
	return distinct
}
