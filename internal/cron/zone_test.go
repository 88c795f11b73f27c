package cron

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestLoadZone_Refuses(t *testing.T) {
	t.Parallel()
	f := func(name, nearest string) {
		t.Helper()
		_, err := LoadZone(name)
		var unknown *ZoneError
		if !errors.As(err, &unknown) {
			t.Errorf("%q: got %v, want a ZoneError", name, err)
			return
		}
		if unknown.Nearest != nearest || !strings.Contains(err.Error(), nearest) {
			t.Errorf("%q: got %v, want it to suggest %q", name, err, nearest)
		}
	}
	f("", "")
	f(strings.Repeat("x", 1000), "")
	f("europe/berlin", "Europe/Berlin")
	f("Europe/Berlim", "Europe/Berlin")
	f("Berlin", "Europe/Berlin")
	f("New York", "America/New_York")
	f("America/NewYork", "America/New_York")
	f("utc", "UTC")
	f("posix/Asia/Tokyo", "Asia/Tokyo")
	f("right/Asia/Tokyo", "Asia/Tokyo")
	f("../Asia/Tokyo", "Asia/Tokyo")
	for _, name := range []string{"Local", "localtime", "posixrules", "Factory", "Europe/", "Europe"} {
		if z, err := LoadZone(name); err == nil {
			t.Errorf("%q: got the zone %s", name, z.Name())
		}
	}
}

func TestLoadZone_SharesZones(t *testing.T) {
	t.Parallel()
	a, b := mustZone(t, "Asia/Tokyo"), mustZone(t, "Asia/Tokyo")
	if a != b {
		t.Error("a zone was loaded twice")
	}
	if got, want := a.Name(), "Asia/Tokyo"; got != want {
		t.Errorf("got name %q, want %q", got, want)
	}
	at := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	if got, want := at.In(a.Location()).Format(time.RFC3339), "2026-03-01T09:00:00+09:00"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTable_AgreesWithPackageTime: on the days when Time.ZoneBounds does not
// know where it is, too.
func TestTable_AgreesWithPackageTime(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "UTC"} {
		z := mustZone(t, name)
		end := time.Date(2100, time.January, 1, 0, 0, 0, 0, time.UTC)
		for at := time.Date(1970, time.January, 1, 0, 0, 0, 0, time.UTC); at.Before(end); at = at.Add(5 * time.Hour) {
			_, want := at.In(z.Location()).Zone()
			if got := z.clock[z.clock.at(at.Unix())].offset; got != int64(want) {
				t.Fatalf("%s at %s: got offset %d, want %d", name, at, got, want)
			}
		}
	}
}

func TestTable_FindsEachChange(t *testing.T) {
	t.Parallel()
	clock := mustZone(t, "America/New_York").clock
	spring := time.Date(2028, time.March, 12, 7, 0, 0, 0, time.UTC).Unix()
	if got := clock[clock.at(spring)].start; got != spring {
		t.Errorf("the segment after the change starts at %d, want %d", got, spring)
	}
	autumn := time.Date(2028, time.November, 5, 6, 0, 0, 0, time.UTC).Unix()
	if got, want := clock.highest(autumn), autumn-4*3600-1; got != want {
		t.Errorf("highest wall clock is %d, want %d", got, want)
	}
	if got, want := len(clock), 250; got < want || got > want+50 {
		t.Errorf("got %d segments, want about %d", got, want)
	}
}
