package checker

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // the checker judges wherever it runs
)

// schedule says when a job is due: cron in a zone, or every so many seconds.
type schedule struct {
	cron     string
	interval int
	zone     string
}

// slotSet has the slots of one schedule, as whole seconds since 1970: the
// multiples of every, or those listed, ascending.
type slotSet struct {
	every int64
	at    []int64
}

// has reports whether t is a slot.
func (s *slotSet) has(t time.Time) bool {
	if t.Nanosecond() != 0 {
		return false
	}
	if s.every > 0 {
		return t.Unix()%s.every == 0
	}
	_, ok := slices.BinarySearch(s.at, t.Unix())
	return ok
}

// count is how many slots there are from one instant to another, both included.
func (s *slotSet) count(from, to time.Time) int {
	if to.Before(from) {
		return 0
	}
	first, last := ceilSecond(from), to.Unix()
	if s.every > 0 {
		return max(0, int(floorDiv(last, s.every)-floorDiv(first-1, s.every)))
	}
	low, _ := slices.BinarySearch(s.at, first)
	high, _ := slices.BinarySearch(s.at, last+1)
	return max(0, high-low)
}

// next is the first slot after t; false if the list ends before.
func (s *slotSet) next(t time.Time) (time.Time, bool) {
	if s.every > 0 {
		return time.Unix((floorDiv(t.Unix(), s.every)+1)*s.every, 0).UTC(), true
	}
	i, _ := slices.BinarySearch(s.at, t.Unix()+1)
	if i == len(s.at) {
		return time.Time{}, false
	}
	return time.Unix(s.at[i], 0).UTC(), true
}

// each calls f with every slot from one instant on and before another.
func (s *slotSet) each(from, end time.Time, f func(time.Time)) {
	t, ok := s.next(from.Add(-1))
	for ; ok && t.Before(end); t, ok = s.next(t) {
		f(t)
	}
}

func ceilSecond(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}

func floorDiv(a, b int64) int64 {
	if a < 0 && a%b != 0 {
		return a/b - 1
	}
	return a / b
}

// almanac lists the slots of schedules over the time of a run. Each schedule is
// walked once.
type almanac struct {
	from, to time.Time
	sets     map[schedule]*slotSet
}

// slots are those of a schedule, or why it has none.
func (a *almanac) slots(s schedule) (*slotSet, error) {
	if set, ok := a.sets[s]; ok {
		return set, nil
	}
	set, err := a.list(s)
	if err != nil {
		return nil, err
	}
	a.sets[s] = set
	return set, nil
}

func (a *almanac) list(s schedule) (*slotSet, error) {
	if s.cron == "" {
		if s.interval < 1 {
			return nil, fmt.Errorf("an interval of %d seconds", s.interval)
		}
		return &slotSet{every: int64(s.interval)}, nil
	}
	e, err := parseCron(s.cron)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(s.zone)
	if err != nil {
		return nil, err
	}
	return &slotSet{at: e.walk(zone, a.from, a.to)}, nil
}

// settling is how long before the first slot of interest a walk begins, so that
// it knows the highest wall clock: no zone's clock goes back by more.
const settling = 72 * time.Hour

// walk looks at every minute of a zone's clock. With L(t) the wall clock at t and
// M(t) the highest one shown at or before t, a fixed expression fires at t when M
// crosses a matching minute; an interval-like one when L(t) matches, and, unless
// it names all hours, at the first instant after a gap that has a match.
func (e *expression) walk(zone *time.Location, from, to time.Time) []int64 {
	var slots []int64
	w := &wall{expression: e, day: -1}
	begin := from.Add(-settling).Unix() / 60
	before := wallClock(zone, begin-1)
	highest := before
	for minute := begin; minute <= to.Unix()/60; minute++ {
		now := wallClock(zone, minute)
		first := now // of the wall clock minutes that t stands for
		switch {
		case !e.intervalLike:
			first = highest + 1
		case now > before+1 && !e.allHours:
			first = before + 1
		}
		before, highest = now, max(highest, now)
		if minute*60 >= from.Unix() && w.anyOf(first, now) {
			slots = append(slots, minute*60)
		}
	}
	return slots
}

// anyOf reports whether a wall clock from first to last matches.
func (w *wall) anyOf(first, last int64) bool {
	for minute := first; minute <= last; minute++ {
		if w.matches(minute) {
			return true
		}
	}
	return false
}

// wallClock is what the zone's clock shows at a minute since 1970.
func wallClock(zone *time.Location, minute int64) int64 {
	_, offset := time.Unix(minute*60, 0).In(zone).Zone()
	return minute + int64(offset)/60
}
