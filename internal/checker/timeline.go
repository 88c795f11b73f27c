package checker

import (
	"slices"
	"sort"
	"time"
)

// timeline has the possible states of one job over time.
type timeline struct {
	// isVague: nothing is known, so everything is possible and nothing is certain.
	isVague bool
	pieces  []piece // ascending; before the first there is no job
}

// piece is a stretch of time with the same possible states: from its begin to
// the next piece's.
type piece struct {
	from   time.Time
	states []state
}

// newTimeline lays the moments of a job side by side.
func newTimeline(moments []*moment) timeline {
	during := map[state][]span{}
	var order []state
	for _, m := range moments {
		if during[m.state] == nil {
			order = append(order, m.state)
		}
		during[m.state] = append(during[m.state], span{m.from, m.until})
	}
	var cuts []time.Time
	merged := make([]spans, len(order))
	for i, s := range order {
		merged[i] = merge(during[s])
		for _, d := range merged[i] {
			cuts = append(cuts, d.from, d.to.Add(1))
		}
	}
	slices.SortFunc(cuts, time.Time.Compare)
	cuts = slices.CompactFunc(cuts, time.Time.Equal)
	var t timeline
	for _, cut := range cuts {
		p := piece{from: cut}
		for i, s := range order {
			if merged[i].touches(cut, cut) {
				p.states = append(p.states, s)
			}
		}
		t.pieces = append(t.pieces, p)
	}
	return t
}

// index is the piece that t is in; -1 before the first.
func (t *timeline) index(at time.Time) int {
	return sort.Search(len(t.pieces), func(i int) bool { return t.pieces[i].from.After(at) }) - 1
}

// at are the possible states at an instant.
func (t *timeline) at(at time.Time) []state {
	i := t.index(at)
	if i < 0 {
		return nil
	}
	return t.pieces[i].states
}

// any reports whether the job may have been in a state that is as asked for, at
// some time from one instant to another.
func (t *timeline) any(from, to time.Time, is func(*state) bool) bool {
	for i := max(t.index(from), 0); i < len(t.pieces) && !t.pieces[i].from.After(to); i++ {
		states := t.pieces[i].states
		for k := range states {
			if is(&states[k]) {
				return true
			}
		}
	}
	return t.isVague
}

// all reports whether the job, as long as there was one, was surely as asked for
// all the time from one instant to another.
func (t *timeline) all(from, to time.Time, is func(*state) bool) bool {
	exists := t.any(from, to, func(s *state) bool { return s.exists })
	return !t.isVague && exists && !t.any(from, to, func(s *state) bool { return s.exists && !is(s) })
}

// duty is the schedule that was surely in force all the time from one instant to
// another; false if there may have been another one, or none.
func (t *timeline) duty(from, to time.Time) (schedule, bool) {
	states := t.at(from)
	if len(states) == 0 || t.isVague {
		return schedule{}, false
	}
	want := states[0].schedule
	isOther := func(s *state) bool { return !s.exists || !s.isActive || s.schedule != want }
	return want, !t.any(from, to, isOther)
}

// bounds are the highest and the lowest value of a number from one instant to
// another; false if nothing is known.
func (t *timeline) bounds(from, to time.Time, of func(*state) int) (most, least int, ok bool) {
	t.any(from, to, func(s *state) bool {
		if !s.exists {
			return false
		}
		if v := of(s); !ok {
			most, least, ok = v, v, true
		} else {
			most, least = max(most, v), min(least, v)
		}
		return false
	})
	return most, least, ok && !t.isVague
}
