package main

import (
	"context"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

func TestDiskProbe_Faults(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	var p diskProbe
	for _, write := range [][2]time.Duration{{0, 20 * ms}, {120 * ms, 900 * ms}, {1000 * ms, 1400 * ms}} {
		p.begin(at(write[0]))
		p.end(at(write[1]))
	}
	p.begin(at(2000 * ms))
	want := []checker.Fault{
		{Kind: checker.FaultDisk, From: at(120 * ms), To: at(900 * ms)},
		{Kind: checker.FaultDisk, From: at(2000 * ms), To: at(2600 * ms)},
	}
	for now, n := range map[time.Duration]int{2400 * ms: 1, 2600 * ms: 2} {
		got := p.faults(at(now))
		if len(got) != n || !got[0].From.Equal(want[0].From) || !got[n-1].To.Equal(want[n-1].To) {
			t.Errorf("after %v: %+v", now, got)
		}
	}
}

func TestDiskProbe_Run(t *testing.T) {
	t.Parallel()
	p, err := newDiskProbe(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.run(ctx); err != nil || !p.began.IsZero() {
		t.Errorf("one write: %v, under way since %v", err, p.began)
	}
	if err := p.run(ctx); err == nil {
		t.Error("a closed file can be written")
	}
}
