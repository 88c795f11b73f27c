package cron

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// rateExpression is how Amazon EventBridge writes an interval.
var rateExpression = regexp.MustCompile(`^rate\(\s*([0-9]{1,9})\s+(second|minute|hour|day)s?\s*\)$`)

var rateUnits = map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

// foreign says how to write what other products take instead of five fields; nil for
// what may be an expression.
func foreign(expr string) error {
	text := strings.TrimSpace(expr)
	if m := rateExpression.FindStringSubmatch(text); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 64) // nine digits fit
		return intervalError(text, time.Duration(n)*rateUnits[m[2]])
	}
	if every, is := strings.CutPrefix(text, "@every"); is {
		d, _ := time.ParseDuration(strings.TrimSpace(every))
		return intervalError(text, d)
	}
	if inner, is := strings.CutPrefix(text, "cron("); is {
		return wholef("%q: write the fields alone, without cron( ) and without the year: %s", text, withoutYear(strings.TrimSuffix(inner, ")")))
	}
	if strings.HasPrefix(text, "rate(") {
		return intervalError(text, 0)
	}
	return nil
}

// intervalError is for an interval, which has a field of its own; zero for one that
// cannot be read.
func intervalError(text string, d time.Duration) error {
	if d < time.Second || d%time.Second != 0 {
		return wholef("%q is an interval: leave cronExpression out and give intervalSeconds, a whole number of seconds", text)
	}
	return wholef("%q is an interval: leave cronExpression out and give intervalSeconds: %d", text, d/time.Second)
}

// withoutYear is the expression that the fields of EventBridge stand for.
func withoutYear(fields string) string {
	words := strings.Fields(strings.ReplaceAll(fields, "?", "*"))
	return strings.Join(words[:min(len(words), 5)], " ")
}

// manyError explains six or seven fields, whose order differs between products.
func manyError(words []string) error {
	const five = "five fields are required: minute hour day-of-month month day-of-week"
	plain := strings.Split(strings.ReplaceAll(strings.Join(words, " "), "?", "*"), " ")
	switch last := plain[len(plain)-1]; {
	case len(plain) == 7:
		return wholef("seven fields are those of Quartz; leave out the first, seconds, and the last, the year: %s (Quartz counts the days of the week from 1, Sunday; here Sunday is 0)", strings.Join(plain[1:6], " "))
	case isYear(last):
		return wholef("the sixth field, %s, is a year, as in EventBridge; leave it out: %s", last, strings.Join(plain[:5], " "))
	}
	return wholef("%s; of these six, leave out the first if it is seconds, as in Quartz and Spring: %s - or the last if it is a year, as in EventBridge: %s",
		five, strings.Join(plain[1:], " "), strings.Join(plain[:5], " "))
}

// isYear tells a year, or a range or list of them.
func isYear(word string) bool {
	return len(word) >= 4 && strings.Trim(word[:4], "0123456789") == ""
}
