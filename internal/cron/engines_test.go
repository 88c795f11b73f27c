package cron

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// walkAlone is cronexpr's answer, unconfirmed.
func walkAlone(e *Expression, from time.Time) (time.Time, bool) {
	walker := e.walker
	next := walker.Next(from)
	return next, !next.IsZero()
}

// saysAll reports whether cronexpr can say the expression's days.
func saysAll(e *Expression) bool {
	s := &e.sets
	return !s.dom.star && !s.dow.star || s.dom.bits == domField.all() || s.dow.bits == dowField.all()
}

// checkEngines compares cronexpr and the bit sets.
func checkEngines(e *Expression, from time.Time) error {
	walked, walkedOK := walkAlone(e, from)
	set, setOK := e.sets.next(from)
	switch {
	case saysAll(e) && (walkedOK != setOK || !walked.Equal(set)):
		return fmt.Errorf("%q after %s: cronexpr says %s (%t), the bit sets %s (%t)", e, from, walked, walkedOK, set, setOK)
	case setOK && (!walkedOK || walked.After(set)):
		return fmt.Errorf("%q after %s: cronexpr, not told of the days, says %s, past %s", e, from, walked, set)
	case setOK && (!set.After(from) || !e.sets.matches(set)):
		return fmt.Errorf("%q after %s: the bit sets say %s, which is not later or does not match", e, from, set)
	}
	return nil
}

// isDay is what the bit sets say of a day, by the words of the rules instead of
// arithmetic.
func isDay(s *sets, t time.Time) bool {
	day, dow := t.Day(), t.Weekday()
	last := t.AddDate(0, 0, 1).Day() == 1
	lastOnDow := t.AddDate(0, 0, 7).Month() != t.Month()
	dom := s.dom.bits>>day&1 == 1 || s.lastDay && last || isWorkday(s, t)
	weekday := s.dow.bits>>dow&1 == 1 || s.lastDows>>dow&1 == 1 && lastOnDow || s.nth[(day-1)/7]>>dow&1 == 1
	if s.dom.star || s.dow.star {
		return dom && weekday
	}
	return dom || weekday
}

// isWorkday: t is a Monday to Friday, and of these the nearest to a day of its
// month that LW or nW names.
func isWorkday(s *sets, t time.Time) bool {
	works := func(t time.Time) bool { return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday }
	for day := t.AddDate(0, 0, 1-t.Day()); day.Month() == t.Month(); day = day.AddDate(0, 0, 1) {
		last := day.AddDate(0, 0, 1).Month() != day.Month()
		if s.workdays>>day.Day()&1 == 0 && (!s.lastWorkday || !last) {
			continue
		}
		for _, step := range []int{0, -1, 1, -2, 2} {
			if near := day.AddDate(0, 0, step); near.Month() == t.Month() && works(near) {
				if near.Equal(t) {
					return true
				}
				break
			}
		}
	}
	return false
}

// drawExpr draws a text of the grammar. It may never fire.
func drawExpr(t *rapid.T) string {
	return strings.Join([]string{
		drawField(t, &minuteField, nil),
		drawField(t, &hourField, nil),
		drawField(t, &domField, []string{"L", "LW", "1W", "15W", "31W"}),
		drawField(t, &monthField, nil),
		drawField(t, &dowField, []string{"0L", "5L", "FRIL", "1#1", "7#5", "TUE#3"}),
	}, " ")
}

func drawField(t *rapid.T, k *fieldKind, specials []string) string {
	if rapid.IntRange(0, 2).Draw(t, "restricted") == 0 {
		return "*"
	}
	items := make([]string, rapid.IntRange(1, 3).Draw(t, "items"))
	for i := range items {
		items[i] = drawItem(t, k, specials)
	}
	return strings.Join(items, ",")
}

func drawItem(t *rapid.T, k *fieldKind, specials []string) string {
	low := rapid.IntRange(k.low, k.high).Draw(t, "low")
	high := rapid.IntRange(low, k.high).Draw(t, "high")
	step := rapid.IntRange(1, k.high).Draw(t, "step")
	switch form := rapid.IntRange(0, 6).Draw(t, "form"); {
	case form == 0:
		return fmt.Sprintf("*/%d", step)
	case form == 1:
		return fmt.Sprintf("%d-%d", low, high)
	case form == 2:
		return fmt.Sprintf("%d-%d/%d", low, high, step)
	case form == 3:
		return fmt.Sprintf("%02d/%d", low, step)
	case form < 6 && specials != nil:
		return rapid.SampledFrom(specials).Draw(t, "special")
	}
	return fmt.Sprint(low)
}

// drawParsed draws an expression that fires.
func drawParsed(t *rapid.T) *Expression {
	text := drawExpr(t)
	e, err := Parse(text)
	if err != nil {
		if !strings.Contains(err.Error(), "never fire") {
			t.Fatalf("Parse(%q): %v", text, err)
		}
		t.Skip("never fires")
	}
	return e
}

func drawTime(t *rapid.T) time.Time {
	seconds := rapid.Int64Range(tableStart-86400, tableEnd+86400).Draw(t, "time")
	return time.Unix(seconds, rapid.Int64Range(0, 999999999).Draw(t, "nanos")).UTC()
}

func TestEngines_Agree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e, from := drawParsed(t), drawTime(t)
		for range 5 {
			if err := checkEngines(e, from); err != nil {
				t.Fatal(err)
			}
			next, ok := e.sets.next(from)
			if !ok {
				break
			}
			from = next
		}
	})
}

func TestSets_DaysByTheWordsOfTheRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := drawParsed(t)
		year, month := rapid.IntRange(firstYear, lastYear).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month"))
		days := e.sets.days(year, month)
		for day := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC); day.Month() == month; day = day.AddDate(0, 0, 1) {
			want := e.sets.month.bits>>month&1 == 1 && isDay(&e.sets, day)
			if got := days>>day.Day()&1 == 1; got != want {
				t.Fatalf("%q on %s: got %t, want %t", e, day.Format(time.DateOnly), got, want)
			}
		}
	})
}

// TestEngines_AgreeOnTheTraps: what cronexpr is known to do wrong if it sees
// the text as it was given.
func TestEngines_AgreeOnTheTraps(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{
		"0 3 * 06 5-7", "0 0 * 02 FRI-SUN", "0 3 * 01 1#5", "0 0 1 05 *", "0 0 * * 05", "0 0 * * 5-7", "0 0 * * 1-7",
		"0 0 * * 0-7", "0 0 * 2 3#5", "0 0 29 2 *", "0 0 31 * 0L", "0 0 1-31 * 1", "0 0 13 * 0-6", "0 0 */2 * 1", "0 0 31W * *",
		"0 0 * 2 */6", "0 0 */30 2 1#1", "59 23 31 12 *",
	} {
		e := mustParse(t, expr)
		for from, ok := time.Date(1960, time.January, 1, 0, 0, 0, 0, time.UTC), true; ok; from, ok = e.sets.next(from) {
			if err := checkEngines(e, from); err != nil {
				t.Error(err)
				break
			}
		}
	}
}
