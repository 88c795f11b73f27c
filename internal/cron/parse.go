package cron

import (
	"fmt"
	"math/bits"
	"strings"
)

// fieldKind is what one of the five fields may hold.
type fieldKind struct {
	name      string
	low, high int
	names     []string // of the values from low on, in lower case
}

var (
	minuteField = fieldKind{name: "minute", low: 0, high: 59}
	hourField   = fieldKind{name: "hour", low: 0, high: 23}
	domField    = fieldKind{name: "day-of-month", low: 1, high: 31}
	monthField  = fieldKind{name: "month", low: 1, high: 12,
		names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}}
	// dowField counts to 7, which is Sunday again; sets hold it as 0.
	dowField = fieldKind{name: "day-of-week", low: 0, high: 7,
		names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}
)

var macros = map[string]string{
	"@hourly":   "0 * * * *",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@weekly":   "0 0 * * 0",
	"@monthly":  "0 0 1 * *",
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
}

// errorf makes the field's error.
func (k *fieldKind) errorf(format string, args ...any) *SyntaxError {
	return &SyntaxError{Field: k.name, Msg: fmt.Sprintf(format, args...)}
}

// wholef makes an error that is about no single field.
func wholef(format string, args ...any) *SyntaxError {
	return &SyntaxError{Field: "expression", Msg: fmt.Sprintf(format, args...)}
}

// split checks the text as a whole and answers its five fields; those of its
// macro, if it is one.
func split(expr string) (fields [5]string, err error) {
	if len(expr) > maxBytes {
		return fields, wholef("has %d bytes; at most %d are allowed", len(expr), maxBytes)
	}
	for i, r := range expr {
		if (r < ' ' || r > '~') && r != '\t' {
			return fields, wholef("has the character %+q at byte %d; only ASCII is allowed, with blanks or tabs between the fields", r, i)
		}
	}
	if err := foreign(expr); err != nil {
		return fields, err
	}
	words := strings.Fields(expr)
	if len(words) == 1 && words[0][0] == '@' {
		text, ok := macros[words[0]]
		if !ok {
			return fields, wholef("%q is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually", words[0])
		}
		words = strings.Fields(text)
	}
	if len(words) != len(fields) {
		return fields, countError(words)
	}
	copy(fields[:], words)
	return fields, nil
}

// countError explains a number of fields other than five.
func countError(words []string) error {
	switch {
	case len(words) == 0:
		return wholef("is empty; five fields are required: minute hour day-of-month month day-of-week")
	case words[0][0] == '@':
		return wholef("a macro such as %q stands alone", words[0])
	case strings.HasPrefix(words[0], "TZ=") || strings.HasPrefix(words[0], "CRON_TZ="):
		return wholef("has a time zone; it belongs in a field of its own")
	case len(words) == 6 || len(words) == 7:
		return manyError(words)
	}
	return wholef("exactly five fields are required, not %d: minute hour day-of-month month day-of-week (no seconds, no year, no command)", len(words))
}

// parseFields reads the five fields.
func parseFields(fields [5]string) (sets, error) {
	var s sets
	plain := func(string) bool { return false }
	for i, f := range []struct {
		kind    *fieldKind
		into    *values
		special func(item string) bool
	}{
		{&minuteField, &s.minute, plain},
		{&hourField, &s.hour, plain},
		{&domField, &s.dom, s.specialDom},
		{&monthField, &s.month, plain},
		{&dowField, &s.dow, s.specialDow},
	} {
		f.into.star = fields[i][0] == '*'
		for item := range strings.SplitSeq(fields[i], ",") {
			if f.special(item) {
				continue
			}
			set, err := f.kind.parseItem(item)
			if err != nil {
				return s, err
			}
			f.into.bits |= set
		}
	}
	return s, nil
}

// specialDom takes L, LW and 15W.
func (s *sets) specialDom(item string) bool {
	switch upper := strings.ToUpper(item); upper {
	case "L":
		s.lastDay = true
	case "LW":
		s.lastWorkday = true
	default:
		day, isW := strings.CutSuffix(upper, "W")
		v, ok := domField.value(day)
		if !isW || !ok {
			return false
		}
		s.workdays |= 1 << v
	}
	return true
}

// specialDow takes 5L and 1#5.
func (s *sets) specialDow(item string) bool {
	day, week, isNth := strings.Cut(item, "#")
	if isNth {
		v, ok := dowField.value(day)
		k, isWeek := number(week)
		if !ok || !isWeek || k < 1 || k > 5 {
			return false
		}
		s.nth[k-1] |= 1 << (v % 7)
		return true
	}
	day, isL := strings.CutSuffix(strings.ToUpper(item), "L")
	v, ok := dowField.value(day)
	if !isL || !ok {
		return false
	}
	s.lastDows |= 1 << (v % 7)
	return true
}

// parseItem reads one element of a list: *, a, a-b, each perhaps with /n.
func (k *fieldKind) parseItem(item string) (uint64, error) {
	if item == "" {
		return 0, k.errorf("has an empty list element")
	}
	if strings.Contains(item, "?") {
		return 0, k.errorf("%q: write * instead of ?", item)
	}
	span, stepText, hasStep := strings.Cut(item, "/")
	step := 1
	if hasStep {
		n, ok := number(stepText)
		if !ok || n < 1 || n > k.high {
			return 0, k.errorf("%q: the step must be a whole number from 1 to %d", item, k.high)
		}
		step = n
	}
	low, high, err := k.parseSpan(span, hasStep)
	if err != nil {
		return 0, err
	}
	return k.steps(low, high, step), nil
}

// parseSpan reads *, a or a-b. With a step, a alone means from a on.
func (k *fieldKind) parseSpan(span string, hasStep bool) (low, high int, err error) {
	if span == "*" {
		return k.low, k.high, nil
	}
	from, to, isRange := strings.Cut(span, "-")
	low, ok := k.value(from)
	if !ok {
		return 0, 0, k.valueError(span)
	}
	switch {
	case isRange:
		high, ok = k.value(to)
		if !ok {
			return 0, 0, k.valueError(span)
		}
		if k == &dowField && low > 0 && strings.EqualFold(to, "sun") {
			high = 7
		}
	case hasStep:
		high = k.high
	default:
		high = low
	}
	if high < low {
		return 0, 0, k.errorf("%q: the range runs backwards; split it in two", span)
	}
	return low, high, nil
}

// valueError explains an element that is neither a value nor a range of values.
func (k *fieldKind) valueError(item string) error {
	forms := ""
	switch k {
	case &monthField:
		forms = " or a name (JAN to DEC)"
	case &domField:
		forms = ", L, LW or a day with W (15W)"
	case &dowField:
		forms = ", a name (SUN to SAT), a day with L (5L) or with # and 1 to 5 (1#5)"
	}
	return k.errorf("%q is not a number from %d to %d%s, nor a range of them", item, k.low, k.high, forms)
}

// value reads a number or a name of the field.
func (k *fieldKind) value(text string) (int, bool) {
	for i, name := range k.names {
		if strings.EqualFold(text, name) {
			return k.low + i, true
		}
	}
	n, ok := number(text)
	return n, ok && n >= k.low && n <= k.high
}

// number reads decimal digits; leading zeros mean nothing. Numbers beyond all
// fields are not ok.
func number(text string) (n int, ok bool) {
	for i := range len(text) {
		digit := text[i] - '0'
		if digit > 9 || n > 99 {
			return 0, false
		}
		n = n*10 + int(digit)
	}
	return n, text != ""
}

// steps is the set low, low+step, ... up to high.
func (k *fieldKind) steps(low, high, step int) uint64 {
	var set uint64
	for v := low; v <= high; v += step {
		set |= 1 << v
	}
	if k == &dowField {
		set = (set | set>>7) & 0x7f
	}
	return set
}

// all is the set of all values.
func (k *fieldKind) all() uint64 { return k.steps(k.low, k.high, 1) }

// lowest is the least value of a set that is not empty.
func lowest(set uint64) int { return bits.TrailingZeros64(set) }
