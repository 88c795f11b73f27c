package cron

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNextInterval(t *testing.T) {
	t.Parallel()
	anchor := time.Unix(0, 0)
	f := func(from string, every time.Duration, want string) {
		t.Helper()
		at, err := time.Parse(time.RFC3339Nano, from)
		if err != nil {
			t.Fatal(err)
		}
		if got := NextInterval(at, anchor, every).Format(time.RFC3339Nano); got != want {
			t.Errorf("%s after %s: got %s, want %s", every, from, got, want)
		}
	}
	f("2026-03-26T16:15:00Z", 15*time.Minute, "2026-03-26T16:30:00Z")
	f("2026-03-26T16:14:59.999Z", 15*time.Minute, "2026-03-26T16:15:00Z")
	f("2026-03-26T16:15:00+05:45", time.Hour, "2026-03-26T11:00:00Z")
	f("2026-03-26T16:15:00.5Z", time.Second, "2026-03-26T16:15:01Z")
	f("1970-01-01T00:00:00Z", 7*time.Second, "1970-01-01T00:00:07Z")
	f("1969-12-31T23:59:59Z", 7*time.Second, "1970-01-01T00:00:00Z")
	f("1969-12-31T23:59:53Z", 7*time.Second, "1970-01-01T00:00:00Z")
	f("9000-01-01T00:00:00Z", 24*time.Hour, "9000-01-02T00:00:00Z")
	anchor = time.Date(2026, time.March, 26, 16, 20, 0, 250e6, time.UTC)
	f("2026-03-26T16:20:00.249Z", 15*time.Minute, "2026-03-26T16:20:00.25Z")
	f("2026-03-26T16:20:00.25Z", 15*time.Minute, "2026-03-26T16:35:00.25Z")
	f("2026-03-26T16:20:00.2509Z", 15*time.Minute, "2026-03-26T16:35:00.25Z")
	f("2026-03-26T16:05:00.2Z", 15*time.Minute, "2026-03-26T16:05:00.25Z")
	f("9000-01-01T00:00:00Z", 24*time.Hour, "9000-01-01T16:20:00.25Z")
	// Further from the anchor than a time.Duration reaches, 292 years.
	f("0001-01-01T00:00:00Z", time.Second, "0001-01-01T00:00:00.25Z")
	f("2400-01-01T00:00:00Z", time.Second, "2400-01-01T00:00:00.25Z")
}

func TestNextInterval_Properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		every := time.Duration(rapid.Int64Range(1, 31536000).Draw(t, "seconds")) * time.Second
		at := time.Unix(rapid.Int64Range(-1<<33, 1<<33).Draw(t, "from"), rapid.Int64Range(0, 999999999).Draw(t, "nanos"))
		anchor := time.UnixMilli(rapid.Int64Range(-1<<42, 1<<42).Draw(t, "anchor"))
		next := NextInterval(at, anchor, every)
		// Time.Sub would saturate where anchor and next are centuries apart.
		beyond := (next.UnixMilli() - anchor.UnixMilli()) % every.Milliseconds()
		if !next.After(at) || next.Sub(at) > every || beyond != 0 {
			t.Fatalf("every %s from %s after %s: got %s", every, anchor, at, next)
		}
	})
}

func TestNextInterval_PanicsOnNonsense(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{0, -time.Second, time.Millisecond} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was taken", every)
				}
			}()
			NextInterval(time.Unix(0, 0), time.Unix(0, 0), every)
		}()
	}
}
