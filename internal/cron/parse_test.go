package cron

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParse_CanonicalText(t *testing.T) {
	t.Parallel()
	f := func(expr, want string) {
		t.Helper()
		e := mustParse(t, expr)
		if got := e.String(); got != want {
			t.Errorf("%q: got %q, want %q", expr, got, want)
		}
		again := mustParse(t, e.String())
		if again.sets != e.sets || again.String() != e.String() {
			t.Errorf("%q: %q parses to another expression, %q", expr, e, again)
		}
	}
	f("* * * * *", "* * * * *")
	f(" \t00  08\t* 05 *  ", "0 8 * 5 *")
	f("0 4 * * 05", "0 4 * * 5")
	f("0 4 1 05 *", "0 4 1 5 *")
	f("0 4 * * 7", "0 4 * * 0")
	f("0 4 * * 5-7", "0 4 * * 0,5,6")
	f("0 4 * * FRI-SUN", "0 4 * * 0,5,6")
	f("0 4 * * sun-tue", "0 4 * * 0-2")
	f("0 4 * * SUN-SUN", "0 4 * * 0")
	f("0 4 * * 1-7", "0 4 * * 0-6")
	f("0 4 * * 0-7", "0 4 * * 0-6")
	f("0 4 * * 1/2", "0 4 * * 0,1,3,5")
	f("0 4 * * */7", "0 4 * * */7")
	f("0 4 * * mOn,Wed", "0 4 * * 1,3")
	f("0 4 * jan-MAR,dec *", "0 4 * 1-3,12 *")
	f("*/15 * * * *", "*/15 * * * *")
	f("*/15,30,7 * * * *", "*/15,7 * * * *")
	f("*/30,*/20,10,50 * * * *", "*/10 * * * *")
	f("0,15,30,45 * * * *", "0,15,30,45 * * * *")
	f("*/1 */1 */1 */1 */1", "* * * * *")
	f("0-59 3 1-31 1-12 *", "0-59 3 1-31 1-12 *")
	f("5,* 3 * * *", "0-59 3 * * *")
	f("5/20 3 * * *", "5,25,45 3 * * *")
	f("10-20/5 3 * * *", "10,15,20 3 * * *")
	f("0 0 5,03,4 * *", "0 0 3-5 * *")
	f("0 0 lw,L,15w,01W * 5l,MON#2,7#1,sunL", "0 0 L,LW,1W,15W * 0L,5L,0#1,1#2")
	f("@hourly", "0 * * * *")
	f("@daily", "0 0 * * *")
	f(" @midnight ", "0 0 * * *")
	f("@weekly", "0 0 * * 0")
	f("@monthly", "0 0 1 * *")
	f("@yearly", "0 0 1 1 *")
	f("@annually", "0 0 1 1 *")
}

func TestParse_NamesTheFault(t *testing.T) {
	t.Parallel()
	f := func(expr, field, part string) {
		t.Helper()
		_, err := Parse(expr)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Field != field || !strings.Contains(syntax.Msg, part) {
			t.Errorf("%q: got %v, want field %s and %q", expr, err, field, part)
		}
	}
	f("60 * * * *", "minute", `"60" is not a number from 0 to 59`)
	f("* 24 * * *", "hour", "0 to 23")
	f("* * 32 * *", "day-of-month", "1 to 31")
	f("* * ? * *", "day-of-month", "write * instead")
	f("* * L-3 * *", "day-of-month", `"L-3"`)
	f("* * L/2 * *", "day-of-month", `"L"`)
	f("* * WL * *", "day-of-month", `"WL"`)
	f("* * * 0-3 *", "month", "JAN to DEC")
	f("* * * JUNE *", "month", "JAN to DEC")
	f("* * * * L", "day-of-week", "5L")
	f("* * * * 5-0", "day-of-week", "backwards")
	f("* * * * SAT-MON", "day-of-week", "backwards")
	f("* * * * MON-5#2", "day-of-week", "1#5")
	f("* * * * 1#", "day-of-week", "1#5")
	f("* * * * */8", "day-of-week", "from 1 to 7")
	f("* * * */13 *", "month", "from 1 to 12")
	f("*/60 * * * *", "minute", "from 1 to 59")
	f("1/2/3 * * * *", "minute", "step")
	f("1,,2 * * * *", "minute", "empty")
	f("*-5 * * * *", "minute", `"*-5"`)
	f("1-* * * * *", "minute", `"1-*"`)
	f("0 0 30 2 *", "day-of-month", "never")
	f("0 0 31W FEB,APR *", "day-of-month", "never")
	f("0 0 */31 2 1#5", "day-of-month", "never")
	f("", "expression", "empty")
	f("@Daily", "expression", "@daily")
	f("0 0 * *", "expression", "not 4")
	f("TZ=UTC 0 0 * * *", "expression", "time zone")
	f("@daily junk", "expression", "alone")
	f("0\u00a00 * * *", "expression", `'\u00a0'`)
	f("0 0 * * *\xff", "expression", "ASCII")
	f(strings.Repeat(" ", 257), "expression", "257 bytes")
}

func TestParse_SharesEqualExpressions(t *testing.T) {
	t.Parallel()
	a, b, c := mustParse(t, "7 4 1 05 *"), mustParse(t, "07 04 01 MAY *"), mustParse(t, "7 4 1 05 *")
	if a != b || a != c {
		t.Errorf("equal expressions are not shared: %p %p %p", a, b, c)
	}
}

// TestParse_LongCanonicalText: ranges and steps may say in few bytes what takes
// many otherwise.
func TestParse_LongCanonicalText(t *testing.T) {
	t.Parallel()
	var w []string
	for day := range 31 {
		w = append(w, fmt.Sprintf("%dW", day+1))
	}
	e := mustParse(t, "*/3,1/3  */3,1/3 */3,2/3,"+strings.Join(w, ",")+" */3,1/3 *")
	if got := len(e.String()); got > maxBytes {
		t.Errorf("the canonical text has %d bytes", got)
	}
	if again := mustParse(t, e.String()); again.sets != e.sets || again.String() != e.String() {
		t.Errorf("%q parses to another expression, %q", e, again)
	}
}

func TestCache_IsBounded(t *testing.T) {
	t.Parallel()
	c := cache{recent: make(map[string]*Expression)}
	kept := new(Expression)
	c.put("kept", kept)
	for i := range 5 * generation {
		c.put(fmt.Sprint(i), new(Expression))
		if c.get("kept") != kept {
			t.Fatalf("forgot what was in use after %d others", i)
		}
	}
	if got := len(c.recent) + len(c.older); got > 2*generation {
		t.Errorf("the cache has %d entries", got)
	}
	if c.get("0") != nil {
		t.Error("the cache kept what nobody asked for")
	}
}
