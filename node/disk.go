package node

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	diskInterval = time.Second
	// spareBytes are kept in a file of their own, to be given up when the disk is
	// full: room for raft's term and vote.
	spareBytes = 1 << 20
	spareFile  = "spare"
)

// errDiskFull says that this node takes no new entries.
var errDiskFull = job.Errorf(job.CodeDiskFull, "the disk is full; nothing is written until there is room again, and what is there can be read")

// disk watches the room on the file system that holds the data directory. A node
// whose disk is nearly full stops taking entries while it still can do everything
// else.
type disk struct {
	room    func() (uint64, error)
	reserve uint64 // below it the disk is nearly full; zero never is
	spare   string // path of the spare file; empty has none
	logger  *slog.Logger

	low atomic.Bool
	// slow says that writes take so long that another node had better lead.
	slow atomic.Bool
	pace pace
	// majority says that too few voters have room for any entry to be committed.
	majority atomic.Bool
}

func newDisk(c Config, parts Parts, logger *slog.Logger) *disk {
	d := &disk{room: parts.Room, reserve: uint64(max(c.DiskReserve, 0)), logger: logger}
	if parts.FS != nil {
		return d
	}
	if d.room == nil {
		d.room = func() (uint64, error) {
			usage, err := vfs.Default.GetDiskUsage(c.DataDir)
			return usage.AvailBytes, err
		}
	}
	d.spare = filepath.Join(c.DataDir, spareFile)
	return d
}

func (d *disk) isLow() bool { return d.low.Load() }

// refusal is [errDiskFull] if nothing can be committed for want of room.
func (d *disk) refusal() error {
	if d.low.Load() || d.majority.Load() {
		return errDiskFull
	}
	return nil
}

// run looks at the room until ctx is done.
func (d *disk) run(ctx context.Context) error {
	if d.room == nil {
		return nil
	}
	tick := time.NewTicker(diskInterval)
	defer tick.Stop()
	for {
		d.look()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look compares the room with the reserve. There has to be a quarter more for the
// disk to count as usable again, so that it does not flap.
func (d *disk) look() {
	room, err := d.room()
	switch {
	case err != nil:
		d.logger.Debug("ask for the room on the disk", "err", err)
	case room < d.reserve && !d.low.Swap(true):
		d.logger.Warn("the disk is nearly full: this node takes no new entries until there is room; reads go on",
			"free", room, "reserve", d.reserve)
	case room >= d.reserve+d.reserve/4+2*spareBytes && room > 0:
		if d.low.Swap(false) {
			d.logger.Info("there is room on the disk again", "free", room)
		}
		d.keepSpare()
	}
}

// pace counts writes of one kind in a row. It is for one goroutine.
type pace struct{ slow, fast int }

const (
	// slowWrite is what makes a write slow: many times what a disk needs that is
	// busy, and a good part of the time within which a callback is called.
	slowWrite = 250 * time.Millisecond
	// slowWrites in a row make a slow disk, fastWrites one that is not.
	slowWrites = 3
	fastWrites = 10
)

// took takes note of how long one durable write took.
func (d *disk) took(t time.Duration) {
	if t > slowWrite {
		d.pace = pace{slow: d.pace.slow + 1}
	} else {
		d.pace = pace{fast: d.pace.fast + 1}
	}
	switch {
	case d.pace.slow == slowWrites && !d.slow.Swap(true):
		d.logger.Warn("the disk is slow; another node had better lead", "write", t.Round(time.Millisecond).String())
	case d.pace.fast == fastWrites && d.slow.Swap(false):
		d.logger.Info("the disk is no longer slow")
	}
}

// isFit reports whether a node with this disk may well lead.
func (d *disk) isFit() bool { return !d.low.Load() && !d.slow.Load() }

// found takes note of a write that failed for want of room.
func (d *disk) found(err error) {
	if !d.low.Swap(true) {
		d.logger.Warn("the disk is full: this node takes no new entries until there is room; reads go on", "err", err)
	}
}

// keepSpare fills the spare file. It holds chance, which no file system
// compresses.
func (d *disk) keepSpare() {
	if d.spare == "" {
		return
	}
	if info, err := os.Stat(d.spare); err == nil && info.Size() == spareBytes {
		return
	}
	b := make([]byte, spareBytes)
	rand.Read(b)
	if err := os.WriteFile(d.spare, b, 0o600); err != nil {
		d.logger.Debug("keep room for raft's vote", "err", err)
	}
}

// useSpare gives the room of the spare file free.
func (d *disk) useSpare() {
	if d.spare == "" {
		return
	}
	if err := os.Remove(d.spare); err != nil {
		d.logger.Debug("use the room kept for raft's vote", "err", err)
	}
}

// isFull reports whether a write failed for want of room.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
