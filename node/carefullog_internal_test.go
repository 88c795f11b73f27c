package node

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
)

// brittleLog fails writes on demand.
type brittleLog struct {
	*raft.InmemStore
	entries, keys error
	// cured ends the failures of keys when it says so.
	cured func() bool
}

func (l *brittleLog) Close() error { return nil }

func (l *brittleLog) StoreLogs(entries []*raft.Log) error {
	if l.entries != nil {
		return l.entries
	}
	return l.InmemStore.StoreLogs(entries)
}

func (l *brittleLog) SetUint64(key []byte, value uint64) error {
	if l.keys != nil && (l.cured == nil || !l.cured()) {
		return l.keys
	}
	return l.InmemStore.SetUint64(key, value)
}

type carefulCase struct {
	inner  *brittleLog
	log    *carefulLog
	failed error
}

func newCarefulCase(spare string) *carefulCase {
	c := &carefulCase{inner: &brittleLog{InmemStore: raft.NewInmemStore()}}
	d := &disk{logger: slog.New(slog.DiscardHandler), spare: spare}
	c.log = &carefulLog{LogStore: c.inner, disk: d, fail: func(err error) { c.failed = err }}
	return c
}

func entries(from, to uint64) []*raft.Log {
	var out []*raft.Log
	for i := from; i <= to; i++ {
		out = append(out, &raft.Log{Index: i, Term: 1})
	}
	return out
}

var (
	errFull   = &os.PathError{Op: "write", Path: "raft.db", Err: syscall.ENOSPC}
	errBroken = &os.PathError{Op: "fsync", Path: "raft.db", Err: syscall.EIO}
)

func TestCarefulLog_AFullDiskIsNoDamage(t *testing.T) {
	t.Parallel()
	c := newCarefulCase("")
	c.inner.entries = errFull
	if err := c.log.StoreLogs(entries(1, 2)); !errors.Is(err, syscall.ENOSPC) || c.failed != nil {
		t.Fatalf("a full disk: %v, node failed: %v", err, c.failed)
	}
	if !c.log.disk.isLow() {
		t.Error("the node does not know that its disk is full")
	}
	c.inner.entries = nil
	if err := c.log.StoreLogs(entries(1, 2)); !errors.Is(err, errDiskFull) {
		t.Errorf("entries on a disk that is nearly full: %v", err)
	}
	leads := func() bool { return true }
	c.log.leads.Store(&leads)
	if err := c.log.StoreLogs(entries(1, 2)); err != nil {
		t.Errorf("a leader's own entries on a disk that is nearly full: %v", err)
	}
}

func TestCarefulLog_DamageEndsTheNode(t *testing.T) {
	t.Parallel()
	c := newCarefulCase("")
	c.inner.entries = errBroken
	if err := c.log.StoreLogs(entries(1, 1)); !errors.Is(err, syscall.EIO) || !errors.Is(c.failed, syscall.EIO) {
		t.Errorf("a failed fsync: %v, node failed: %v", err, c.failed)
	}
}

// TestCarefulLog_TornEnd removes the end of the log on a disk that is nearly full:
// raft believes in that end until something replaces it.
func TestCarefulLog_TornEnd(t *testing.T) {
	t.Parallel()
	c := newCarefulCase("")
	if err := c.log.StoreLogs(entries(1, 9)); err != nil {
		t.Fatal(err)
	}
	c.log.disk.low.Store(true)
	if err := c.log.DeleteRange(1, 3); err != nil {
		t.Fatal(err)
	}
	if err := c.log.StoreLogs(entries(10, 10)); !errors.Is(err, errDiskFull) {
		t.Errorf("after a compaction: %v", err)
	}
	if err := c.log.DeleteRange(7, 9); err != nil {
		t.Fatal(err)
	}
	c.inner.entries = errFull
	if err := c.log.StoreLogs(entries(7, 9)); !errors.Is(c.failed, syscall.ENOSPC) {
		t.Errorf("a torn log and no room: %v, and the node goes on", err)
	}
	c.inner.entries = nil
	if err := c.log.StoreLogs(entries(7, 9)); err != nil {
		t.Errorf("the new end of a torn log: %v", err)
	}
	if err := c.log.StoreLogs(entries(10, 10)); !errors.Is(err, errDiskFull) {
		t.Errorf("after the end was mended: %v", err)
	}
}

// TestCarefulLog_SpareRoom writes raft's term to a full disk: the spare file makes
// room for it, once.
func TestCarefulLog_SpareRoom(t *testing.T) {
	t.Parallel()
	spare := filepath.Join(t.TempDir(), spareFile)
	c := newCarefulCase(spare)
	c.log.disk.keepSpare()
	c.inner.keys = errFull
	c.inner.cured = func() bool { _, err := os.Stat(spare); return err != nil }
	if err := c.log.SetUint64([]byte("term"), 7); err != nil || c.failed != nil {
		t.Fatalf("with room kept: %v, node failed: %v", err, c.failed)
	}
	c.inner.cured = nil
	if err := c.log.SetUint64([]byte("term"), 8); err == nil || c.failed == nil {
		t.Error("without room: the node goes on")
	}
}
