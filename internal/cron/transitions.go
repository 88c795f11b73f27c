package cron

import (
	"math"
	"slices"
	"time"
)

// The table of a zone reaches from 1970 until 2099 has ended everywhere.
var (
	tableStart = time.Date(firstYear, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()
	tableEnd   = time.Date(lastYear+1, time.January, 3, 0, 0, 0, 0, time.UTC).Unix()
)

// probeEvery is less than the time between any two changes of a zone's clock.
const probeEvery = int64(12 * time.Hour / time.Second)

// segment is a time in which a zone's clock runs evenly: wall = instant + offset.
type segment struct {
	start  int64 // the first instant; math.MinInt64 for the first segment
	offset int64
	shown  int64 // the highest wall clock second that any segment before showed
}

// table is a zone's clock: its segments, in order.
type table []segment

// newTable finds the changes by asking for the offset twice a day. It does not
// use Time.ZoneBounds, which is wrong on 31 December of leap years with the zone
// data that Go has (golang/go#81583).
func newTable(loc *time.Location) table {
	offset := func(at int64) int64 {
		_, seconds := time.Unix(at, 0).In(loc).Zone()
		return int64(seconds)
	}
	now := offset(tableStart)
	t := table{{start: math.MinInt64, offset: now, shown: math.MinInt64}}
	for at := tableStart; at < tableEnd; at += probeEvery {
		if next := offset(at + probeEvery); next != now {
			start := bisect(at, at+probeEvery, func(at int64) bool { return offset(at) == next })
			t = append(t, segment{start: start, offset: next, shown: max(t[len(t)-1].shown, start+now-1)})
			now = next
		}
	}
	return slices.Clip(t)
}

// bisect is the first instant in (low, high] for which after holds.
func bisect(low, high int64, after func(int64) bool) int64 {
	for low+1 < high {
		if middle := low + (high-low)/2; after(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// at is the index of the segment that the instant is in.
func (t table) at(instant int64) int {
	low, high := 0, len(t)
	for low+1 < high {
		if middle := (low + high) / 2; t[middle].start <= instant {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// highest is the highest wall clock shown at the instant or before.
func (t table) highest(instant int64) int64 {
	s := t[t.at(instant)]
	return max(s.shown, instant+s.offset)
}

// firstShown is the first instant at which the wall clock shows wall or more.
func (t table) firstShown(wall int64) int64 {
	low, high := 0, len(t)
	for low+1 < high {
		if middle := (low + high) / 2; t[middle].shown < wall {
			low = middle
		} else {
			high = middle
		}
	}
	return max(t[low].start, wall-t[low].offset)
}
