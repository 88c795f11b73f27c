package node

import (
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// carefulLog is a raft log whose first failed write ends the node: after a failed
// write or fsync nobody knows what is on the disk, and raft alone would go on
// (rules D9 and D19).
//
// A full disk is not a damaged one. New entries are refused while it is full, the
// last of the room being kept for raft's term and vote, which raft cannot live
// without; the node goes on with what it has.
type carefulLog struct {
	LogStore
	disk *disk
	fail func(error)
	// leads reports whether raft leads here: a leader that may not write its own
	// entries would only be elected again. It is nil until raft runs.
	leads atomic.Pointer[func() bool]
	// torn: the log's end was removed, and what replaces it is not yet written.
	// Raft believes in the old end until it is, so that write must not be refused.
	torn atomic.Bool
}

func (l *carefulLog) check(doing string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w: this node must stop; if its disk is damaged, remove the data directory and let it join again", doing, err)
		l.fail(err)
	}
	return err
}

// StoreLog writes one entry.
func (l *carefulLog) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

// StoreLogs writes entries.
func (l *carefulLog) StoreLogs(entries []*raft.Log) error {
	if l.isFull() {
		return errDiskFull
	}
	err := l.LogStore.StoreLogs(entries)
	if isFull(err) && !l.torn.Load() {
		l.disk.found(err)
		return err
	}
	if err = l.check("write the raft log", err); err == nil {
		l.torn.Store(false)
	}
	return err
}

// isFull reports whether entries are refused.
func (l *carefulLog) isFull() bool { return l.disk.isLow() && !l.isLeading() && !l.torn.Load() }

func (l *carefulLog) isLeading() bool {
	leads := l.leads.Load()
	return leads != nil && (*leads)()
}

// DeleteRange removes the entries from the index first to last: old ones that a
// snapshot covers, or a wrong end.
func (l *carefulLog) DeleteRange(first, last uint64) error {
	end, err := l.LastIndex()
	if err != nil {
		return l.check("read the raft log", err)
	}
	err = l.LogStore.DeleteRange(first, last)
	if isFull(err) {
		l.disk.found(err)
		return err
	}
	l.torn.Store(l.torn.Load() || last >= end)
	return l.check("shorten the raft log", err)
}

// Set keeps a value.
func (l *carefulLog) Set(key, value []byte) error {
	return l.check("write raft's vote", l.withRoom(func() error { return l.LogStore.Set(key, value) }))
}

// SetUint64 keeps a number.
func (l *carefulLog) SetUint64(key []byte, value uint64) error {
	return l.check("write raft's term", l.withRoom(func() error { return l.LogStore.SetUint64(key, value) }))
}

// withRoom tries a write again, once, in the room that was kept for it.
func (l *carefulLog) withRoom(write func() error) error {
	err := write()
	if !isFull(err) {
		return err
	}
	l.disk.found(err)
	l.disk.useSpare()
	return write()
}
