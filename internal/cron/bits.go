package cron

import "time"

// firstYear and lastYear bound every walk: cronexpr knows no others.
const (
	firstYear = 1970
	lastYear  = 2099
)

// values are the plain values of one field.
type values struct {
	bits uint64
	star bool // the field begins with *, which the rules of cron regard
}

// sets is the meaning of an expression.
type sets struct {
	minute, hour, dom, month, dow values

	lastDay     bool     // L
	lastWorkday bool     // LW
	workdays    uint64   // days with W
	lastDows    uint64   // days of the week with L
	nth         [5]uint8 // days of the week with #1 to #5
}

// everFires walks the days of a century.
func (s *sets) everFires() bool {
	year, _, _, ok := s.nextDay(1999, time.December, 31)
	return ok && year <= lastYear
}

// matches reports whether t, read as a wall clock, is a minute that fires.
func (s *sets) matches(t time.Time) bool {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return second == 0 && s.minute.bits>>minute&1 == 1 && s.hour.bits>>hour&1 == 1 &&
		s.days(year, month)>>day&1 == 1
}

// next is the first matching wall clock after t.
func (s *sets) next(t time.Time) (time.Time, bool) {
	year, month, day := t.Date()
	if year >= firstYear && year <= lastYear && s.days(year, month)>>day&1 == 1 {
		if hour, minute, ok := s.nextMinute(t.Hour(), t.Minute()); ok {
			return time.Date(year, month, day, hour, minute, 0, 0, time.UTC), true
		}
	}
	year, month, day, ok := s.nextDay(year, month, day)
	if !ok {
		return time.Time{}, false
	}
	return time.Date(year, month, day, lowest(s.hour.bits), lowest(s.minute.bits), 0, 0, time.UTC), true
}

// nextMinute is the first matching time of day after hour:minute.
func (s *sets) nextMinute(hour, minute int) (int, int, bool) {
	if later := s.minute.bits >> (minute + 1) << (minute + 1); later != 0 && s.hour.bits>>hour&1 == 1 {
		return hour, lowest(later), true
	}
	later := s.hour.bits >> (hour + 1) << (hour + 1)
	if later == 0 {
		return 0, 0, false
	}
	return lowest(later), lowest(s.minute.bits), true
}

// nextDay is the first matching day after the given one, up to lastYear.
func (s *sets) nextDay(year int, month time.Month, day int) (int, time.Month, int, bool) {
	if year < firstYear {
		year, month, day = firstYear, time.January, 0
	}
	for year <= lastYear {
		if later := s.days(year, month) >> (day + 1) << (day + 1); later != 0 {
			return year, month, lowest(later), true
		}
		day = 0
		if month++; month > time.December {
			year, month = year+1, time.January
		}
	}
	return 0, 0, 0, false
}

// days is the set of the matching days of a month. If both day fields are
// restricted, either matches; a field that begins with * never counts as
// restricted, but still excludes the days that it does not name.
func (s *sets) days(year int, month time.Month) uint64 {
	if s.month.bits>>month&1 == 0 {
		return 0
	}
	m := newMonth(year, month)
	if s.dom.star || s.dow.star {
		return s.monthDays(m) & s.weekDays(m) & m.all()
	}
	return (s.monthDays(m) | s.weekDays(m)) & m.all()
}

// monthDays are the days that the day-of-month field names.
func (s *sets) monthDays(m month) uint64 {
	set := s.dom.bits
	if s.lastDay {
		set |= 1 << m.length
	}
	if s.lastWorkday {
		set |= 1 << m.workdayNear(m.length)
	}
	for w := s.workdays & m.all(); w != 0; w &= w - 1 {
		set |= 1 << m.workdayNear(lowest(w))
	}
	return set
}

// weekDays are the days that the day-of-week field names.
func (s *sets) weekDays(m month) uint64 {
	var set uint64
	for d := s.dow.bits; d != 0; d &= d - 1 {
		set |= weekly << m.firstOn(lowest(d))
	}
	for d := s.lastDows; d != 0; d &= d - 1 {
		set |= 1 << m.lastOn(lowest(d))
	}
	for k, nth := range s.nth {
		for d := uint64(nth); d != 0; d &= d - 1 {
			set |= 1 << (m.firstOn(lowest(d)) + 7*k)
		}
	}
	return set
}

// weekly has every seventh bit.
const weekly = 1 | 1<<7 | 1<<14 | 1<<21 | 1<<28

// month is the shape of a month.
type month struct {
	length int
	first  int // the day of the week of its first day
}

func newMonth(year int, m time.Month) month {
	first := time.Date(year, m, 1, 0, 0, 0, 0, time.UTC)
	last := time.Date(year, m+1, 0, 0, 0, 0, 0, time.UTC)
	return month{length: last.Day(), first: int(first.Weekday())}
}

// all is the set of its days.
func (m month) all() uint64 { return 1<<(m.length+1) - 2 }

// firstOn is the first day on a day of the week.
func (m month) firstOn(dow int) int { return 1 + (dow-m.first+7)%7 }

// lastOn is the last day on a day of the week.
func (m month) lastOn(dow int) int {
	first := m.firstOn(dow)
	return first + (m.length-first)/7*7
}

// workdayNear is the Monday to Friday nearest to the day within the month.
func (m month) workdayNear(day int) int {
	switch (m.first + day - 1) % 7 {
	case int(time.Saturday):
		if day == 1 {
			return 3
		}
		return day - 1
	case int(time.Sunday):
		if day == m.length {
			return day - 2
		}
		return day + 1
	}
	return day
}
