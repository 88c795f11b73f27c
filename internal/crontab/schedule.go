package crontab

import (
	"fmt"
	"slices"
	"strings"
)

// field is what one of the five may hold.
type field struct {
	name      string
	low, high int
	names     []string // of the values from low on
}

var fields = [5]field{
	{name: "minute", low: 0, high: 59},
	{name: "hour", low: 0, high: 23},
	{name: "day of month", low: 1, high: 31},
	{name: "month", low: 1, high: 12, names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{name: "day of week", low: 0, high: 7, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// macros are the words that stand for five fields.
var macros = []string{"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}

// CheckSchedule says why a crontab cannot have the schedule, five fields or a macro;
// nil if it can.
func CheckSchedule(schedule string) error {
	_, rest, err := parseSchedule(schedule)
	if err == nil && rest != "" {
		return fmt.Errorf("has more than five fields")
	}
	return err
}

// parseSchedule cuts the schedule off a line.
func parseSchedule(line string) (schedule, rest string, err error) {
	if strings.HasPrefix(line, "@") {
		return parseMacro(line)
	}
	words := make([]string, len(fields))
	rest = strings.TrimLeft(line, blanks)
	for i := range fields {
		if words[i], rest = word(rest); words[i] == "" {
			return "", "", fmt.Errorf("ends before its %s: five fields are required, minute hour day-of-month month day-of-week, or a word such as @daily", fields[i].name)
		}
		if err := fields[i].check(words[i]); err != nil {
			return "", "", err
		}
	}
	return strings.Join(words, " "), rest, nil
}

func parseMacro(line string) (schedule, rest string, err error) {
	schedule, rest = word(line)
	switch {
	case schedule == "@reboot":
		return "", "", fmt.Errorf("@reboot is not possible: a cluster runs on while its machines restart; name a time")
	case !slices.Contains(macros, schedule):
		return "", "", fmt.Errorf("%q is none of %s", shorten(schedule), strings.Join(macros, ", "))
	}
	return schedule, rest, nil
}

// check says what is wrong with the text of a field: a list of *, values and ranges,
// the first and the last perhaps with a step.
func (f *field) check(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		if err := f.checkItem(item); err != nil {
			return fmt.Errorf("the %s %q: %w", f.name, shorten(text), err)
		}
	}
	return nil
}

func (f *field) checkItem(item string) error {
	span, step, hasStep := strings.Cut(item, "/")
	from, to, isRange := strings.Cut(span, "-")
	switch {
	case item == "":
		return fmt.Errorf("has an empty element in its list")
	case hasStep && !isStep(step):
		return fmt.Errorf("the step after / must be a whole number from 1 on")
	case span == "*":
		return nil
	case hasStep && !isRange:
		return fmt.Errorf("a step goes with * or a range, write %s-%d/%s", from, f.high, step)
	}
	low, err := f.value(from)
	if err != nil || !isRange {
		return err
	}
	high, err := f.value(to)
	if err == nil && high < low {
		return fmt.Errorf("the range %s runs backwards, split it in two", span)
	}
	return err
}

// isStep takes up to three digits, not all of them zero.
func isStep(text string) bool {
	n, ok := number(text)
	return ok && n > 0
}

// value reads a number or a name.
func (f *field) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.low + i, nil
		}
	}
	if n, ok := number(text); ok && n >= f.low && n <= f.high {
		return n, nil
	}
	names := ""
	if f.names != nil {
		names = fmt.Sprintf(" nor a name from %s to %s", f.names[0], f.names[len(f.names)-1])
	}
	return 0, fmt.Errorf("%q is no number from %d to %d%s", text, f.low, f.high, names)
}

// number reads up to three digits.
func number(text string) (n int, ok bool) {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' || n > 99 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, text != ""
}
