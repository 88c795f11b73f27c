package cron

import (
	"strings"
	"testing"
	"time"
)

func TestNote(t *testing.T) {
	t.Parallel()
	// f walks from an instant to the next one at which the expression fires.
	f := func(expr, zone, from, want, note string) {
		t.Helper()
		e, z := mustParse(t, expr), mustZone(t, zone)
		at, err := time.Parse(time.RFC3339, from)
		if err != nil {
			t.Fatal(err)
		}
		next, _ := e.Next(at, z)
		if got := next.In(z.Location()).Format(time.RFC3339); got != want {
			t.Fatalf("%q in %s after %s: got %s, want %s", expr, zone, from, got, want)
		}
		if got := e.Note(next, z); got != note {
			t.Errorf("%q in %s at %s:\ngot  %q\nwant %q", expr, zone, want, got, note)
		}
	}
	const (
		newYork = "America/New_York"
		twice   = " comes twice on this day because clocks go back; "
		gone    = " on this day because clocks go forward; "
	)
	// Fixed, clocks go forward.
	f("30 2 * * *", newYork, "2026-03-07T12:00:00Z", "2026-03-08T03:00:00-04:00", "02:30 does not exist"+gone+"runs at 03:00")
	f("0,30 2 * * *", newYork, "2026-03-07T12:00:00Z", "2026-03-08T03:00:00-04:00", "02:00 and 02:30 do not exist"+gone+"these run once, at 03:00")
	f("0,20,40 2 * * *", newYork, "2026-03-07T12:00:00Z", "2026-03-08T03:00:00-04:00", "3 times from 02:00 to 02:40 do not exist"+gone+"these run once, at 03:00")
	f("30 2,3 * * *", newYork, "2026-03-07T12:00:00Z", "2026-03-08T03:00:00-04:00", "02:30 does not exist"+gone+"runs at 03:00")
	f("30 2,3 * * *", newYork, "2026-03-08T07:00:00Z", "2026-03-08T03:30:00-04:00", "")
	f("0 2,3 * * *", newYork, "2026-03-07T12:00:00Z", "2026-03-08T03:00:00-04:00", "02:00 does not exist"+gone+"runs at the same time as 03:00")
	f("0 3 * * *", newYork, "2026-03-07T12:00:00Z", "2026-03-08T03:00:00-04:00", "")
	f("30 2 * * *", newYork, "2026-03-08T12:00:00Z", "2026-03-09T02:30:00-04:00", "")
	f("0 0 * * *", "Pacific/Apia", "2011-12-29T11:00:00Z", "2011-12-31T00:00:00+14:00", "2011-12-30 00:00 does not exist because clocks go forward; runs at the same time as 2011-12-31 00:00")
	f("30 23 * * *", "America/Nuuk", "2024-03-30T12:00:00Z", "2024-03-31T00:00:00-01:00", "2024-03-30 23:30 does not exist because clocks go forward; runs at 2024-03-31 00:00")
	f("10 2 * * *", "Australia/Lord_Howe", "2025-10-04T12:00:00Z", "2025-10-05T02:30:00+11:00", "02:10 does not exist"+gone+"runs at 02:30")
	// Fixed, clocks go back.
	f("30 1 * * *", newYork, "2026-10-31T12:00:00Z", "2026-11-01T01:30:00-04:00", "01:30"+twice+"runs the first time only")
	f("30 1 * * *", newYork, "2026-11-01T05:30:00Z", "2026-11-02T01:30:00-05:00", "")
	f("0 2 * * *", newYork, "2026-10-31T12:00:00Z", "2026-11-01T02:00:00-05:00", "")
	f("0 1 * * *", newYork, "2026-10-31T12:00:00Z", "2026-11-01T01:00:00-04:00", "01:00"+twice+"runs the first time only")
	// Interval-like, clocks go forward: every hour is as good as the one that is not there.
	f("30 * * * *", newYork, "2026-03-08T06:30:00Z", "2026-03-08T03:30:00-04:00", "")
	f("*/15 * * * *", newYork, "2026-03-08T06:45:00Z", "2026-03-08T03:00:00-04:00", "")
	f("*/20 2 * * *", newYork, "2026-03-07T12:00:00Z", "2026-03-08T03:00:00-04:00", "3 times from 02:00 to 02:40 do not exist"+gone+"these run once, at 03:00")
	f("5 */2 * * *", newYork, "2026-03-08T06:00:00Z", "2026-03-08T03:00:00-04:00", "02:05 does not exist"+gone+"runs at 03:00")
	// Interval-like, clocks go back.
	f("30 * * * *", newYork, "2026-11-01T05:00:00Z", "2026-11-01T01:30:00-04:00", "01:30"+twice+"runs both times, this is the first")
	f("30 * * * *", newYork, "2026-11-01T05:30:00Z", "2026-11-01T01:30:00-05:00", "01:30"+twice+"runs both times, this is the second")
	f("30 * * * *", newYork, "2026-11-01T06:30:00Z", "2026-11-01T02:30:00-05:00", "")
	f("*/30 1 * * *", "Europe/London", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "01:30"+twice+"runs both times, this is the second")
	f("* * * * *", "UTC", "2026-10-25T01:00:00Z", "2026-10-25T01:01:00Z", "")
}

// TestNote_GoldenVectors: the vectors that are about clocks that change have a note
// where they say that something is moved, or comes twice, and the others have none.
func TestNote_GoldenVectors(t *testing.T) {
	t.Parallel()
	type vector struct {
		ID, Expr, Zone string
		From           time.Time
		Next           []time.Time
		Tags           []string
	}
	noted := 0
	for _, v := range readVectors[vector](t, "cron-golden.json") {
		e, z := mustParse(t, v.Expr), mustZone(t, v.Zone)
		for _, at := range v.Next {
			note := e.Note(at, z)
			if want := moved(e, z, at); (note != "") != want {
				t.Errorf("%s: %q in %s at %s: note %q, want one: %t", v.ID, v.Expr, v.Zone, at, note, want)
			}
			if note != "" {
				noted++
			}
			if note != "" && !strings.Contains(note, "because clocks go ") {
				t.Errorf("%s: note %q does not say why", v.ID, note)
			}
		}
	}
	if noted < 10 {
		t.Errorf("%d notes, want some", noted)
	}
}

// moved reads the clock, as package time has it, for what a note is about: the
// instant shows a wall clock that does not match, or that is shown once more within
// a day, or follows a gap in which a wall clock matches that does not run by itself.
func moved(e *Expression, z *Zone, at time.Time) bool {
	wall := func(t time.Time) time.Time {
		_, offset := t.In(z.Location()).Zone()
		return t.Add(time.Duration(offset) * time.Second).UTC()
	}
	for m := -24 * 60; m <= 24*60; m++ {
		if m != 0 && wall(at.Add(time.Duration(m)*time.Minute)).Equal(wall(at)) {
			return true
		}
	}
	if e.allHours {
		return false
	}
	for w := wall(at.Add(-time.Minute)).Add(time.Minute); w.Before(wall(at)); w = w.Add(time.Minute) {
		if e.sets.matches(w) {
			return true
		}
	}
	return false
}
