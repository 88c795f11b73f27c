package node

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/fsm"
)

const (
	// looks is how often the watchdog looks, and writes, within its patience.
	looks = 6
	// hopeless is after how many times its patience the watchdog ends the node.
	hopeless = 10
)

// probeKey is what the watchdog writes.
var probeKey = []byte("cronraft-probe")

// watchdog notices a disk that hangs instead of failing (rule D8). Raft would not:
// a leader with such a disk goes on with its heartbeats, so that nobody else is
// elected, and commits nothing. The watchdog makes it fall silent, and another node
// takes over; if the disk comes back, so does the node. If it does not, the node
// stops. Of a disk that is merely slow it takes note: such a node had better not
// lead.
type watchdog struct {
	disk     *disk
	logs     LogStore
	applying *pulse
	writing  pulse
	silence  *atomic.Bool
	patience time.Duration
	logger   *slog.Logger
}

// pulse tells what is under way: an odd beat is one that has begun and not ended.
type pulse struct{ beat atomic.Uint64 }

func (p *pulse) begin() { p.beat.Add(1) }
func (p *pulse) end()   { p.beat.Add(1) }

// look is what one pulse was at the last look, and for how many looks it has been
// the same beat.
type look struct {
	beat  uint64
	looks int
}

// again looks at the pulse and returns how often it was found at the same beat
// before. To count looks, instead of reading a clock, keeps a process that was
// stopped for a while from taking that for a hung disk.
func (l *look) again(p *pulse) int {
	beat := p.beat.Load()
	if beat%2 == 0 || beat != l.beat {
		*l = look{beat: beat}
		return 0
	}
	l.looks++
	return l.looks
}

// write makes one durable write after the other, with pauses.
func (w *watchdog) write(ctx context.Context) error {
	for n := uint64(1); ; n++ {
		began := time.Now()
		w.writing.begin()
		err := w.logs.SetUint64(probeKey, n)
		w.writing.end()
		w.disk.took(time.Since(began))
		if err != nil {
			return fmt.Errorf("write to the disk, to see whether it works: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(w.patience / looks):
		}
	}
}

// watch looks at how long the write under way, and the entries being applied, have
// been so.
func (w *watchdog) watch(ctx context.Context) error {
	tick := time.NewTicker(w.patience / looks)
	defer tick.Stop()
	var writing, applying look
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			same := max(writing.again(&w.writing), applying.again(w.applying))
			if err := w.judge(time.Duration(same) * w.patience / looks); err != nil {
				return err
			}
		}
	}
}

func (w *watchdog) judge(age time.Duration) error {
	switch hangs := age > w.patience; {
	case age > hopeless*w.patience:
		return fmt.Errorf("the disk has not finished a write for %v: this node stops; check the disk, and start the node again", age.Round(time.Second))
	case hangs && !w.silence.Swap(true):
		w.logger.Warn("the disk hangs: this node gives up leadership until it works", "for", age.Round(time.Second).String())
	case !hangs && w.silence.Swap(false):
		w.logger.Info("the disk works again")
	}
	return nil
}

// watchedState is the state machine, with a pulse.
type watchedState struct {
	*fsm.Store
	applying pulse
}

var (
	_ raft.BatchingFSM        = (*watchedState)(nil)
	_ raft.ConfigurationStore = (*watchedState)(nil)
)

// Apply applies one entry.
func (s *watchedState) Apply(l *raft.Log) any {
	s.applying.begin()
	defer s.applying.end()
	return s.Store.Apply(l)
}

// ApplyBatch applies entries.
func (s *watchedState) ApplyBatch(logs []*raft.Log) []any {
	s.applying.begin()
	defer s.applying.end()
	return s.Store.ApplyBatch(logs)
}
