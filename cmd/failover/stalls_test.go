package main

import (
	"testing"
	"time"
)

func TestStalls(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	var s stalls
	if got := s.earliest(noon); !got.Equal(noon) {
		t.Errorf("before the first beat: got %v", got)
	}
	for _, beat := range []time.Duration{0, 5 * ms, 20 * ms, 520 * ms, 525 * ms} {
		s.beat(at(beat))
	}
	for name, c := range map[string]struct{ seen, want time.Duration }{
		"right after the stall":    {521 * ms, 20 * ms},
		"while all catch up":       {560 * ms, 20 * ms},
		"long after the stall":     {700 * ms, 525 * ms}, // a stall of its own: no beat since
		"nothing has beaten since": {900 * ms, 525 * ms},
	} {
		if got := s.earliest(at(c.seen)); !got.Equal(at(c.want)) {
			t.Errorf("%s: got %v, want %v", name, got.Sub(noon), c.want)
		}
	}
	for beat := 530 * ms; beat < 800*ms; beat += 5 * ms {
		s.beat(at(beat))
	}
	if got := s.earliest(at(796 * ms)); !got.Equal(at(796 * ms)) {
		t.Errorf("when all runs: got %v", got.Sub(noon))
	}
	if got := s.longest(noon); got != 500*ms {
		t.Errorf("longest: got %v", got)
	}
	if got := s.longest(at(time.Second)); got != 0 {
		t.Errorf("longest of none: got %v", got)
	}
}
