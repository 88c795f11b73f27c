//go:build !race

package node_test

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/node"
)

// simLog is a raft log and vote store in memory. What it has taken is synced, as
// bolt's is. Entries are shared between the logs of all nodes: nobody changes one.
type simLog struct {
	// full makes it refuse entries for want of room.
	full atomic.Bool

	// mu guards the fields below.
	mu          sync.Mutex
	hung        chan struct{} // closed when the disk works again; nil while it does
	first, last uint64        // indexes; zero if there are no entries
	entries     map[uint64]*raft.Log
	values      map[string][]byte
	numbers     map[string]uint64
}

var _ node.LogStore = (*simLog)(nil)

func newSimLog() *simLog {
	return &simLog{entries: map[uint64]*raft.Log{}, values: map[string][]byte{}, numbers: map[string]uint64{}}
}

// clone copies everything; mu is held.
func (l *simLog) clone() *simLog {
	return &simLog{
		first: l.first, last: l.last,
		entries: maps.Clone(l.entries), values: maps.Clone(l.values), numbers: maps.Clone(l.numbers),
	}
}

// hang lets every write wait until release.
func (l *simLog) hang() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hung == nil {
		l.hung = make(chan struct{})
	}
}

func (l *simLog) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hung != nil {
		close(l.hung)
		l.hung = nil
	}
}

// write makes a change once the disk works.
func (l *simLog) write(change func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.hung != nil {
		works := l.hung
		l.mu.Unlock()
		<-works
		l.mu.Lock()
	}
	change()
	return nil
}

// FirstIndex is that of the oldest entry.
func (l *simLog) FirstIndex() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first, nil
}

// LastIndex is that of the newest entry.
func (l *simLog) LastIndex() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, nil
}

// GetLog reads one entry.
func (l *simLog) GetLog(index uint64, entry *raft.Log) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.entries[index]
	if found == nil {
		return raft.ErrLogNotFound
	}
	*entry = *found
	return nil
}

// StoreLog keeps one entry.
func (l *simLog) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

// StoreLogs keeps entries.
func (l *simLog) StoreLogs(entries []*raft.Log) error {
	if l.full.Load() {
		return syscall.ENOSPC
	}
	return l.write(func() {
		for _, e := range entries {
			l.entries[e.Index] = e
			if l.first == 0 {
				l.first = e.Index
			}
			l.last = max(l.last, e.Index)
		}
	})
}

// DeleteRange removes the entries from the index low to high.
func (l *simLog) DeleteRange(low, high uint64) error {
	return l.write(func() {
		for i := low; i <= high; i++ {
			delete(l.entries, i)
		}
		if len(l.entries) == 0 {
			l.first, l.last = 0, 0
			return
		}
		for l.entries[l.first] == nil { // an installed snapshot leaves a hole
			l.first++
		}
		for l.entries[l.last] == nil {
			l.last--
		}
	})
}

// Set keeps a value.
func (l *simLog) Set(key, value []byte) error {
	return l.write(func() { l.values[string(key)] = append([]byte(nil), value...) })
}

// Get reads a value.
func (l *simLog) Get(key []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	value, ok := l.values[string(key)]
	if !ok {
		return nil, errNoValue
	}
	return value, nil
}

// SetUint64 keeps a number.
func (l *simLog) SetUint64(key []byte, value uint64) error {
	return l.write(func() { l.numbers[string(key)] = value })
}

// GetUint64 reads a number.
func (l *simLog) GetUint64(key []byte) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	value, ok := l.numbers[string(key)]
	if !ok {
		return 0, errNoValue
	}
	return value, nil
}

// errNoValue has the words that raft goes by.
var errNoValue = errors.New("not found")

// Close keeps everything: the next life opens it again.
func (*simLog) Close() error { return nil }
