package node

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// failingLog is a raft log whose first failed write ends the node: after a failed
// write or fsync nobody knows what is on the disk, and raft alone would go on
// (rules D9 and D19).
type failingLog struct {
	LogStore
	fail func(error)
}

func (l failingLog) check(doing string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w: this node must stop; if its disk is damaged, remove the data directory and let it join again", doing, err)
		l.fail(err)
	}
	return err
}

// StoreLog writes one entry.
func (l failingLog) StoreLog(entry *raft.Log) error {
	return l.check("write the raft log", l.LogStore.StoreLog(entry))
}

// StoreLogs writes entries.
func (l failingLog) StoreLogs(entries []*raft.Log) error {
	return l.check("write the raft log", l.LogStore.StoreLogs(entries))
}

// DeleteRange removes the entries from the index first to last.
func (l failingLog) DeleteRange(first, last uint64) error {
	return l.check("shorten the raft log", l.LogStore.DeleteRange(first, last))
}

// Set keeps a value.
func (l failingLog) Set(key, value []byte) error {
	return l.check("write raft's vote", l.LogStore.Set(key, value))
}

// SetUint64 keeps a number.
func (l failingLog) SetUint64(key []byte, value uint64) error {
	return l.check("write raft's term", l.LogStore.SetUint64(key, value))
}
