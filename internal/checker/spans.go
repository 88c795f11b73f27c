package checker

import (
	"slices"
	"sort"
	"time"
)

// span is a stretch of time, both ends included.
type span struct{ from, to time.Time }

// spans are stretches of time, ascending, that do not touch each other.
type spans []span

// merge sorts stretches and joins those that touch.
func merge(list []span) spans {
	slices.SortFunc(list, func(a, b span) int { return a.from.Compare(b.from) })
	var merged spans
	for _, s := range list {
		if n := len(merged); n > 0 && !s.from.After(merged[n-1].to) {
			merged[n-1].to = later(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// from is the first stretch that does not end before t; nil if there is none.
func (s spans) from(t time.Time) *span {
	i := sort.Search(len(s), func(i int) bool { return !s[i].to.Before(t) })
	if i == len(s) {
		return nil
	}
	return &s[i]
}

// touches reports whether any time from one instant to another is in a stretch.
func (s spans) touches(from, to time.Time) bool {
	at := s.from(from)
	return at != nil && !at.from.After(to)
}

// covers reports whether all time from one instant to another is in a stretch.
func (s spans) covers(from, to time.Time) bool {
	at := s.from(from)
	return at != nil && !at.from.After(from) && !at.to.Before(to)
}

// after is t, or the end of the stretch that t is in.
func (s spans) after(t time.Time) time.Time {
	if at := s.from(t); at != nil && !at.from.After(t) {
		return at.to
	}
	return t
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
