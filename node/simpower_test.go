//go:build !race

package node_test

import (
	"math/rand/v2"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/node"
)

// simDisk is what outlives a node's process: the file system of its store, and
// raft's log.
type simDisk struct {
	files *vfs.MemFS
	log   *simLog
}

func newSimDisk() simDisk { return simDisk{files: vfs.NewCrashableMem(), log: newSimLog()} }

// afterPowerLoss is what is left if the power goes now: all that was synced, and of
// what was not the given part, by chance. The dying process goes on with the
// original, which nobody reads again. The log is held meanwhile: the two halves
// are of one moment, or a log that was shortened would meet a store that is not
// flushed yet.
func (d simDisk) afterPowerLoss(percent int, chance *rand.Rand) simDisk {
	d.log.mu.Lock()
	defer d.log.mu.Unlock()
	return simDisk{
		files: d.files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: chance}),
		log:   d.log.clone(),
	}
}

// written is a crash point besides those that the code announces: a file of the
// store is about to be made, linked, renamed or removed, or entries are about to be
// written to raft's log.
const written crashpoint.Point = "something is about to be written"

// tappedFiles announce what is about to be written.
type tappedFiles struct {
	vfs.FS
	reached crashpoint.Hook
}

// Create announces itself.
func (f tappedFiles) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f.reached.Reach(written)
	return f.FS.Create(name, category)
}

// Link announces itself.
func (f tappedFiles) Link(from, to string) error {
	f.reached.Reach(written)
	return f.FS.Link(from, to)
}

// Remove announces itself.
func (f tappedFiles) Remove(name string) error {
	f.reached.Reach(written)
	return f.FS.Remove(name)
}

// RemoveAll announces itself.
func (f tappedFiles) RemoveAll(name string) error {
	f.reached.Reach(written)
	return f.FS.RemoveAll(name)
}

// Rename announces itself.
func (f tappedFiles) Rename(from, to string) error {
	f.reached.Reach(written)
	return f.FS.Rename(from, to)
}

// ReuseForWrite announces itself.
func (f tappedFiles) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f.reached.Reach(written)
	return f.FS.ReuseForWrite(from, to, category)
}

// MkdirAll announces itself.
func (f tappedFiles) MkdirAll(dir string, mode os.FileMode) error {
	f.reached.Reach(written)
	return f.FS.MkdirAll(dir, mode)
}

// tappedLog announces that entries are about to be written or removed. It says
// nothing of votes and terms, among which are the probes of every second.
type tappedLog struct {
	*simLog
	reached crashpoint.Hook
}

var _ node.LogStore = tappedLog{}

// StoreLog keeps one entry.
func (l tappedLog) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

// StoreLogs announces itself.
func (l tappedLog) StoreLogs(entries []*raft.Log) error {
	l.reached.Reach(written)
	return l.simLog.StoreLogs(entries)
}

// DeleteRange announces itself.
func (l tappedLog) DeleteRange(low, high uint64) error {
	l.reached.Reach(written)
	return l.simLog.DeleteRange(low, high)
}
