package cron

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// hardZones have the rarest clocks.
var hardZones = []string{
	"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "Antarctica/Troll",
	"Africa/Casablanca", "Africa/Monrovia", "Asia/Kathmandu", "Pacific/Kwajalein", "Pacific/Kiritimati", "Etc/GMT+12", "Africa/Cairo",
}

func TestNext_IsLaterAndMonotone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e, from := drawParsed(t), drawTime(t)
		z, err := LoadZone(rapid.SampledFrom(hardZones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			next, ok := e.Next(from, z)
			if !ok {
				break
			}
			if !next.After(from) {
				t.Fatalf("%q in %s after %s: got %s", e, z.Name(), from, next)
			}
			between := from.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(from))-1).Draw(t, "between")))
			if got, ok := e.Next(between, z); !ok || !got.Equal(next) {
				t.Fatalf("%q in %s: got %s after %s, but %s after %s", e, z.Name(), next, from, got, between)
			}
			from = next
		}
	})
}

func TestNext_Edges(t *testing.T) {
	t.Parallel()
	f := func(expr, zone, from, want string) {
		t.Helper()
		at, err := time.Parse(time.RFC3339, from)
		if err != nil {
			t.Fatal(err)
		}
		got := "none"
		if next, ok := mustParse(t, expr).Next(at, mustZone(t, zone)); ok {
			got = next.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q in %s after %s: got %s, want %s", expr, zone, from, got, want)
		}
	}
	f("0 0 1 1 *", "UTC", "2099-01-01T00:00:00Z", "none")
	f("59 23 31 12 *", "Etc/GMT+12", "2099-06-01T00:00:00Z", "2100-01-01T11:59:00Z")
	f("* * * * *", "UTC", "2099-12-31T23:59:00Z", "none")
	f("* * * * *", "UTC", "9999-12-31T23:59:00Z", "none")
	f("* * * * *", "UTC", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z")
	f("0 0 * * *", "UTC", "1600-01-01T00:00:00Z", "1970-01-01T00:00:00Z")
	f("0 0 * 2 3#5", "UTC", "2068-03-01T00:00:00Z", "2096-02-29T00:00:00Z")
	f("0 0 29 2 *", "UTC", "2028-12-31T12:00:00Z", "2032-02-29T00:00:00Z")
	f("0 9 * * *", "America/New_York", "2028-12-31T00:00:00Z", "2028-12-31T14:00:00Z")
	// Monrovia was 44 minutes and 30 seconds behind until 1972.
	f("0 * * * *", "Africa/Monrovia", "1971-06-01T00:00:00Z", "1971-06-01T00:44:30Z")
	// Kwajalein had no 21 August 1993.
	f("*/10 5 * * *", "Pacific/Kwajalein", "1993-08-20T18:00:00Z", "1993-08-21T12:00:00Z")
	f("0 * * * *", "Pacific/Kwajalein", "1993-08-21T11:30:00Z", "1993-08-21T12:00:00Z")
}

func TestNext_SharedByGoroutines(t *testing.T) {
	t.Parallel()
	z := mustZone(t, "America/New_York")
	start := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	walk := func(expr string) (at time.Time) {
		at = start
		for range 300 {
			e, err := Parse(expr)
			if err != nil {
				t.Error(err)
			}
			at, _ = e.Next(at, z)
		}
		return at
	}
	for _, expr := range []string{"30 9 * * 1-5", "*/15 0-3 1,L * 5#2"} {
		want := walk(expr)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if got := walk(expr); !got.Equal(want) {
					t.Errorf("%q: got %s, want %s", expr, got, want)
				}
			})
		}
		group.Wait()
	}
}

// TestNext_DoesNotAllocate for the schedules that most jobs have.
func TestNext_DoesNotAllocate(t *testing.T) {
	z := mustZone(t, "Europe/Berlin")
	for _, expr := range []string{"* * * * *", "*/5 * * * *", "30 9 * * *", "0 */6 * * *"} {
		e, at := mustParse(t, expr), time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
		if got := testing.AllocsPerRun(100, func() { at, _ = e.Next(at, z) }); got != 0 {
			t.Errorf("%q: %g allocations", expr, got)
		}
	}
}
