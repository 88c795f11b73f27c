package node

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// hungLog does not finish a write while its gate is closed.
type hungLog struct {
	*raft.InmemStore
	gate atomic.Pointer[chan struct{}]
}

func (l *hungLog) Close() error { return nil }

func (l *hungLog) SetUint64(key []byte, value uint64) error {
	if gate := l.gate.Load(); gate != nil {
		<-*gate
	}
	return l.InmemStore.SetUint64(key, value)
}

// TestWatchdog_InTime wants a leader with a hung disk to be replaced before any
// slot is too late to be planned as if it were on time, which is after ten seconds.
func TestWatchdog_InTime(t *testing.T) {
	timing := Config{}.withDefaults().Timing
	noticed := timing.DiskPatience + 3*timing.DiskPatience/looks // the hang begins after a look, and so does the write
	elected := 2*timing.Election + timing.Election/spread        // the second try may have to wait for another time-out
	if took := noticed + elected; took > 8*time.Second {
		t.Errorf("a leader whose disk hangs is replaced after %v", took)
	}
}

// TestWatchdog_HungDisk hangs a write: the node falls silent after the watchdog's
// patience, speaks again when the write is done, and stops if that takes for ever.
func TestWatchdog_HungDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		log := &hungLog{InmemStore: raft.NewInmemStore()}
		var silent atomic.Bool
		w := &watchdog{disk: &disk{logger: slog.New(slog.DiscardHandler)}, logs: log, applying: &pulse{}, silence: &silent, patience: 5 * time.Second, logger: slog.New(slog.DiscardHandler)}
		watched := make(chan error, 1)
		go func() { _ = w.write(ctx) }()
		go func() { watched <- w.watch(ctx) }()
		expect := func(when string, after time.Duration, want bool) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if silent.Load() != want {
				t.Errorf("%s: silent is %t", when, silent.Load())
			}
		}
		expect("a disk that works", 3500*time.Millisecond, false)
		gate := make(chan struct{})
		log.gate.Store(&gate)
		expect("a write hangs", 5*time.Second, false)
		expect("for too long", 3*time.Second, true)
		log.gate.Store(nil)
		close(gate)
		expect("the write is done", 2*time.Second, false)

		w.applying.begin()
		expect("applying hangs", 7*time.Second, true)
		w.applying.end()
		expect("applied", 2*time.Second, false)

		w.applying.begin()
		if err := <-watched; err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("a hopeless disk: %v", err)
		}
	})
}
