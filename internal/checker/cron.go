package checker

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// expression is a cron expression, read in the plainest way: it decides minute by
// minute and never searches.
type expression struct {
	minute, hour, month [64]bool
	// days decides about the two day fields together.
	days func(date) bool
	// intervalLike and allHours choose the rules for clocks that change.
	intervalLike, allHours bool
}

// date is a day on the wall.
type date struct {
	day, last int // of the month, and its last one
	weekday   int // 0 is Sunday
}

var macros = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
	"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

var (
	monthNames = []string{"", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

// parseCron reads an expression that the API has accepted.
func parseCron(text string) (*expression, error) {
	if plain, ok := macros[strings.TrimSpace(text)]; ok {
		text = plain
	}
	fields := strings.Fields(strings.ToUpper(text))
	if len(fields) != 5 {
		return nil, fmt.Errorf("cron expression %q has %d fields, not 5", text, len(fields))
	}
	e := &expression{}
	minutes, err1 := parseValues(fields[0], 0, 59, nil)
	hours, err2 := parseValues(fields[1], 0, 23, nil)
	months, err3 := parseValues(fields[3], 1, 12, monthNames)
	byMonth, err4 := parseDays(fields[2], parseMonthDay)
	byWeek, err5 := parseDays(fields[4], parseWeekDay)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, fmt.Errorf("cron expression %q: %w", text, err)
	}
	e.minute, e.hour, e.month = minutes, hours, months
	e.allHours = true
	for h := range 24 {
		e.allHours = e.allHours && hours[h]
	}
	e.intervalLike = e.allHours || fields[0][0] == '*' || fields[1][0] == '*'
	if fields[2][0] == '*' || fields[4][0] == '*' {
		e.days = func(d date) bool { return byMonth(d) && byWeek(d) }
	} else {
		e.days = func(d date) bool { return byMonth(d) || byWeek(d) }
	}
	return e, nil
}

// parseValues reads a list of plain items.
func parseValues(field string, low, high int, names []string) (set [64]bool, err error) {
	for item := range strings.SplitSeq(field, ",") {
		from, to, step, err := parseItem(item, low, high, names)
		if err != nil {
			return set, err
		}
		for v := from; v <= to; v += step {
			set[v] = true
		}
	}
	return set, nil
}

// parseItem reads *, a or a-b, each perhaps with /n.
func parseItem(item string, low, high int, names []string) (from, to, step int, err error) {
	span, stepText, hasStep := strings.Cut(item, "/")
	step = 1
	if hasStep {
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
			return 0, 0, 0, fmt.Errorf("%q is no step", item)
		}
	}
	if span == "*" {
		return low, high, step, nil
	}
	first, last, isRange := strings.Cut(span, "-")
	if from, err = parseValue(first, low, high, names); err != nil {
		return 0, 0, 0, err
	}
	switch {
	case isRange && last == "SUN" && high == 7 && from > 0:
		to = 7
	case isRange:
		if to, err = parseValue(last, low, high, names); err != nil {
			return 0, 0, 0, err
		}
	case hasStep:
		to = high
	default:
		to = from
	}
	if to < from {
		return 0, 0, 0, fmt.Errorf("%q runs backwards", item)
	}
	return from, to, step, nil
}

func parseValue(text string, low, high int, names []string) (int, error) {
	for i, name := range names {
		if name != "" && name == text {
			return i, nil
		}
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < low || v > high {
		return 0, fmt.Errorf("%q is not from %d to %d", text, low, high)
	}
	return v, nil
}

// parseDays reads a list of which any item may match.
func parseDays(field string, parse func(item string) (func(date) bool, error)) (func(date) bool, error) {
	var matches []func(date) bool
	for item := range strings.SplitSeq(field, ",") {
		match, err := parse(item)
		if err != nil {
			return nil, err
		}
		matches = append(matches, match)
	}
	return func(d date) bool {
		for _, match := range matches {
			if match(d) {
				return true
			}
		}
		return false
	}, nil
}

// parseMonthDay reads an item of the day-of-month field: L, LW, 15W or plain.
func parseMonthDay(item string) (func(date) bool, error) {
	switch item {
	case "L":
		return func(d date) bool { return d.day == d.last }, nil
	case "LW":
		return func(d date) bool { return d.day == d.workdayNear(d.last) }, nil
	}
	if day, isW := strings.CutSuffix(item, "W"); isW {
		v, err := parseValue(day, 1, 31, nil)
		return func(d date) bool { return v <= d.last && d.day == d.workdayNear(v) }, err
	}
	set, err := parseValues(item, 1, 31, nil)
	return func(d date) bool { return set[d.day] }, err
}

// parseWeekDay reads an item of the day-of-week field: 5L, 1#5 or plain.
func parseWeekDay(item string) (func(date) bool, error) {
	if day, week, isNth := strings.Cut(item, "#"); isNth {
		v, err := parseValue(day, 0, 7, dayNames)
		nth, err2 := parseValue(week, 1, 5, nil)
		return func(d date) bool { return d.weekday == v%7 && (d.day-1)/7+1 == nth }, errors.Join(err, err2)
	}
	if day, isL := strings.CutSuffix(item, "L"); isL {
		v, err := parseValue(day, 0, 7, dayNames)
		return func(d date) bool { return d.weekday == v%7 && d.day+7 > d.last }, err
	}
	set, err := parseValues(item, 0, 7, dayNames)
	return func(d date) bool { return set[d.weekday] || d.weekday == 0 && set[7] }, err
}

// workdayNear is the Monday to Friday of the month of d that is nearest to a day
// of it.
func (d date) workdayNear(day int) int {
	switch weekday := ((d.weekday+day-d.day)%7 + 7) % 7; {
	case weekday == 6 && day == 1:
		return 3
	case weekday == 6:
		return day - 1
	case weekday == 0 && day == d.last:
		return day - 2
	case weekday == 0:
		return day + 1
	default:
		return day
	}
}

// wall matches wall clocks, given as minutes since 1970 as if it were UTC. It
// remembers the last day it looked at.
type wall struct {
	expression *expression
	day        int64
	isOn       bool
}

func (w *wall) matches(minute int64) bool {
	const perDay = 24 * 60
	day, inDay := minute/perDay, minute%perDay // no wall clock is before 1970
	if !w.expression.minute[inDay%60] || !w.expression.hour[inDay/60] {
		return false
	}
	if day != w.day {
		t := time.Unix(day*perDay*60, 0).UTC()
		last := time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC)
		w.day = day
		w.isOn = w.expression.month[t.Month()] && w.expression.days(date{t.Day(), last.Day(), int(t.Weekday())})
	}
	return w.isOn
}
