package node

import (
	"errors"
	"log/slog"
	"testing"
	"time"
)

func TestDisk_LowAndBack(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	var room uint64
	var failure error
	d := &disk{reserve: 64 * mib, logger: slog.New(slog.DiscardHandler), room: func() (uint64, error) { return room, failure }}
	for _, step := range []struct {
		room    uint64
		failure error
		low     bool
	}{
		{room: 500 * mib},
		{room: 64 * mib},
		{room: 64*mib - 1, low: true},
		{room: 70 * mib, low: true}, // not enough more
		{failure: errors.New("no answer"), low: true},
		{room: 82 * mib},
	} {
		room, failure = step.room, step.failure
		d.look()
		if d.isLow() != step.low || (d.refusal() != nil) != step.low {
			t.Errorf("%d MiB free, %v: low is %t, refusal %v", step.room/mib, step.failure, d.isLow(), d.refusal())
		}
	}
}

func TestDisk_Slow(t *testing.T) {
	t.Parallel()
	d := &disk{logger: slog.New(slog.DiscardHandler)}
	write := func(took time.Duration, times int, fit bool) {
		t.Helper()
		for range times {
			d.took(took)
		}
		if d.isFit() != fit {
			t.Errorf("after %d writes of %v fit is %t", times, took, d.isFit())
		}
	}
	write(time.Millisecond, 20, true)
	write(time.Second, slowWrites-1, true)
	write(time.Millisecond, 1, true)
	write(time.Second, slowWrites, false)
	write(time.Millisecond, fastWrites-1, false)
	write(time.Millisecond, 1, true)
}
