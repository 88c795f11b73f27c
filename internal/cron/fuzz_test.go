package cron

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// slowest is what one text may take, with a few calls of Next.
const slowest = 50 * time.Millisecond

func FuzzParse(f *testing.F) {
	for _, expr := range []string{
		"* * * * *", "*/15 0-3 1,15,L * SUN", "0 0 */2 * 1", "0 3 * 06 5-7", "0 0 * 02 FRI-SUN", "0 3 * 01 1#5", "0 0 30 2 *", "5-1 * * * *",
		"0 0 1 12-1 *", "0 0 LW,15W * 5L,7#2", "@daily", "@daily junk", "1,,2 * * * *", "0 0 */31 2 1#5", "0 0 0 1 1 * 2030", "0\n0\n*\n*\n*",
	} {
		f.Add(expr, int64(1767225600))
	}
	zones := []*Zone{mustZone(f, "UTC"), mustZone(f, "America/New_York"), mustZone(f, "Australia/Lord_Howe"), mustZone(f, "Pacific/Apia")}
	f.Fuzz(func(t *testing.T, expr string, from int64) {
		at := time.Unix(from%(1<<40), 0)
		var e *Expression
		took := quickest(func() {
			var err error
			if e, err = parse(expr); err != nil {
				var syntax *SyntaxError
				if !errors.As(err, &syntax) {
					t.Fatalf("%q: %v is no SyntaxError", expr, err)
				}
				return
			}
			for _, z := range zones {
				checkWalk(t, e, at, z)
			}
		})
		if took > slowest && !raceEnabled {
			t.Errorf("%q took %s", expr, took)
		}
		if e == nil {
			return
		}
		checkText(t, e, expr)
		for range 3 {
			if err := checkEngines(e, at.UTC()); err != nil {
				t.Fatal(err)
			}
			at = at.AddDate(3, 1, 1)
		}
	})
}

// quickest is the time that f takes. A slow run is repeated: the machine may have
// been busy.
func quickest(f func()) time.Duration {
	least := time.Duration(1<<63 - 1)
	for try := 0; try < 3 && least > slowest; try++ {
		began := time.Now()
		f()
		least = min(least, time.Since(began))
	}
	return least
}

// checkWalk calls Next a few times.
func checkWalk(t *testing.T, e *Expression, at time.Time, z *Zone) {
	t.Helper()
	for range 4 {
		next, ok := e.Next(at, z)
		if !ok {
			return
		}
		if !next.After(at) {
			t.Fatalf("%q in %s after %s: got %s", e, z.Name(), at, next)
		}
		at = next
	}
}

// checkText parses the canonical text.
func checkText(t *testing.T, e *Expression, expr string) {
	t.Helper()
	again, err := parse(e.String())
	if err != nil {
		t.Fatalf("%q: its canonical text %q: %v", expr, e, err)
	}
	if again.sets != e.sets || again.String() != e.String() || strings.TrimSpace(e.String()) != e.String() {
		t.Fatalf("%q: canonical text %q parses to %q", expr, e, again)
	}
}
