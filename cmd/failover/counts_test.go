package main

import (
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return noon.Add(d) }

func TestLongestGap(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, c := range map[string]struct {
		times []time.Time
		want  time.Duration
	}{
		"none":           {nil, 10 * s},
		"between":        {[]time.Time{at(6 * s), at(1 * s), at(9 * s)}, 5 * s},
		"at the begin":   {[]time.Time{at(7 * s), at(8 * s)}, 7 * s},
		"at the end":     {[]time.Time{at(1 * s), at(2 * s)}, 8 * s},
		"outside counts": {[]time.Time{at(-5 * s), at(50 * s)}, 10 * s},
	} {
		if got := longestGap(c.times, noon, at(10*s)); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestFirstAfter(t *testing.T) {
	t.Parallel()
	deliveries := []checker.Delivery{
		{ScheduledAt: at(0), Arrived: at(300 * time.Millisecond)}, // planned before the fault
		{ScheduledAt: at(time.Second), Arrived: at(2500 * time.Millisecond)},
		{ScheduledAt: at(2 * time.Second), Arrived: at(2200 * time.Millisecond)},
	}
	if got := firstAfter(at(200*time.Millisecond), deliveries); !slices.Equal(got, []time.Duration{2 * time.Second}) {
		t.Errorf("got %v", got)
	}
	if got := firstAfter(at(time.Hour), deliveries); got != nil {
		t.Errorf("got %v of nothing", got)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	if got := median([]time.Duration{9, 1, 5}); got != 5 {
		t.Errorf("got %d", got)
	}
	if got := median(nil); got != 0 {
		t.Errorf("got %d of none", got)
	}
}

func TestLateness(t *testing.T) {
	t.Parallel()
	request := func(id, job, trigger string, late time.Duration) checker.Delivery {
		return checker.Delivery{Execution: id, Job: job, Trigger: trigger, ScheduledAt: noon, Arrived: at(late)}
	}
	got := lateness([]checker.Delivery{
		request("a", "j-ok", "SCHEDULED", 3*time.Millisecond),
		request("a", "j-ok", "SCHEDULED", time.Hour), // a later attempt
		request("b", "j-ok", "SCHEDULED", 5*time.Millisecond),
		request("c", "j-ok", "CATCHUP", time.Hour),
		request("d", "j-slow", "SCHEDULED", time.Hour), // may have waited for itself
		request("e", "j-ok", "MANUAL", time.Hour),
		request("f", "j-ok", "SCHEDULED", 4*time.Millisecond),
	})
	if want := (checker.Quantiles{P50: 4 * time.Millisecond, P99: 5 * time.Millisecond, Max: 5 * time.Millisecond}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCalledSlots(t *testing.T) {
	t.Parallel()
	got := calledSlots([]checker.Delivery{
		{Execution: "a", Trigger: "SCHEDULED"}, {Execution: "a", Trigger: "SCHEDULED"}, {Execution: "b", Trigger: "CATCHUP"}, {Execution: "c", Trigger: "MANUAL"},
	})
	if got != 2 {
		t.Errorf("got %d", got)
	}
}
