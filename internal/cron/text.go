package cron

import (
	"strconv"
	"strings"
)

// text is the canonical text: it parses to s again, and equal sets have equal
// text. A field that began with * still does, because that has a meaning.
func (s *sets) text() string {
	return strings.Join([]string{
		minuteField.text(s.minute, nil),
		hourField.text(s.hour, nil),
		domField.text(s.dom, s.domSpecials()),
		monthField.text(s.month, nil),
		dowField.text(s.dow, s.dowSpecials()),
	}, " ")
}

// walkText is the text for cronexpr: * and explicit lists, nothing else. Of
// days-of-month and days-of-week it can say the one, or the other, or either;
// where a day must be in both it is told of no days at all, and the bit sets
// find them.
func (s *sets) walkText() string {
	dom := list(s.dom.bits, s.domSpecials())
	dow := list(s.dow.bits, s.dowSpecials())
	if s.dom.star || s.dow.star {
		allDom, allDow := s.dom.bits == domField.all(), s.dow.bits == dowField.all()
		if allDom || !allDow {
			dom = "*"
		}
		if allDow || !allDom {
			dow = "*"
		}
	}
	return strings.Join([]string{list(s.minute.bits, nil), list(s.hour.bits, nil), dom, list(s.month.bits, nil), dow}, " ")
}

// list is the explicit list of a set and what follows it.
func list(set uint64, specials []string) string {
	var items []string
	for ; set != 0; set &= set - 1 {
		items = append(items, strconv.Itoa(lowest(set)))
	}
	return strings.Join(append(items, specials...), ",")
}

// text is the field's canonical text.
func (k *fieldKind) text(v values, specials []string) string {
	var items []string
	rest := v.bits
	switch {
	case v.star && rest == k.all():
		items, rest = append(items, "*"), 0
	case v.star:
		step := k.starStep(rest)
		items, rest = append(items, "*/"+strconv.Itoa(step)), rest&^k.steps(k.low, k.high, step)
	}
	return strings.Join(append(k.runs(items, rest), specials...), ",")
}

// starStep is the least n for which */n names nothing outside the set.
func (k *fieldKind) starStep(set uint64) int {
	n := 1
	for k.steps(k.low, k.high, n)&^set != 0 {
		n++
	}
	return n
}

// runs appends the values of the set to items, three and more in a row as a
// range.
func (k *fieldKind) runs(items []string, set uint64) []string {
	for set != 0 {
		low := lowest(set)
		high := low + lowest(^(set >> low)) - 1
		if high < low+2 {
			high = low
		}
		item := strconv.Itoa(low)
		if high > low {
			item += "-" + strconv.Itoa(high)
		}
		items = append(items, item)
		set = set >> (high + 1) << (high + 1)
	}
	return items
}

// domSpecials are the elements of day-of-month other than numbers.
func (s *sets) domSpecials() []string {
	var items []string
	if s.lastDay {
		items = append(items, "L")
	}
	if s.lastWorkday {
		items = append(items, "LW")
	}
	for w := s.workdays; w != 0; w &= w - 1 {
		items = append(items, strconv.Itoa(lowest(w))+"W")
	}
	return items
}

// dowSpecials are the elements of day-of-week other than numbers.
func (s *sets) dowSpecials() []string {
	var items []string
	for d := s.lastDows; d != 0; d &= d - 1 {
		items = append(items, strconv.Itoa(lowest(d))+"L")
	}
	for k, nth := range s.nth {
		for d := uint64(nth); d != 0; d &= d - 1 {
			items = append(items, strconv.Itoa(lowest(d))+"#"+strconv.Itoa(k+1))
		}
	}
	return items
}
