package fsm

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cronraft/cronraft/internal/crashpoint"
)

// errClosed is what a store says that was closed.
var errClosed = errors.New("the store is closed")

// Config is what a store needs. Only Dir has no default.
type Config struct {
	// FS is where the store keeps its files; default the machine's.
	FS vfs.FS
	// Dir is the store's own folder. It is made if it does not exist.
	Dir string
	// CacheBytes is what Pebble may keep in memory; default 128 MiB. Up to three
	// tables of what is not on disk yet, of 16 MiB each, are taken from it, and the
	// rest is its block cache.
	CacheBytes int64
	// Failed is told, by any goroutine and perhaps more than once, that the
	// database cannot write or is corrupt: the node has to stop. Default: panic.
	Failed func(error)
	// Reached is told, with no lock held, when Apply or Restore has come to a
	// moment at which a crash is worth a test; default: nobody is.
	Reached crashpoint.Hook

	// looks is [maxLooks] in all but some tests.
	looks int
}

// Validate reports what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("fsm: Dir is empty")
	case c.CacheBytes < 0:
		return fmt.Errorf("fsm: CacheBytes is %d", c.CacheBytes)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 128 << 20
	}
	if c.looks == 0 {
		c.looks = maxLooks
	}
	if c.Failed == nil {
		c.Failed = func(err error) { panic(fmt.Sprintf("fsm: %v: this node must stop", err)) }
	}
	return c
}

// Store is the replicated state of one node. It is a raft.BatchingFSM.
type Store struct {
	cfg       Config
	cache     *pebble.Cache
	snapshots *Snapshots
	// applied repeats the state's index for those who must not wait for mu.
	applied atomic.Uint64

	// life keeps the database open: whoever uses it without mu holds it for
	// reading; closing takes it for writing. It is taken before mu.
	life sync.RWMutex

	// mu guards what follows, and the state in memory. Apply holds it from the
	// first change until the database has the batch; views hold it for reading.
	mu     sync.RWMutex
	state  *state
	closed bool
	feeds  []*Feed
	events *events
	// waiting has those who wait for an index.
	waiting []waiter
}

// Open opens the store in a folder, or makes an empty one. Then, before raft
// starts, [Store.RecoverSnapshot] has to be called.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg.withDefaults()}
	s.cache = pebble.NewCache(s.cfg.CacheBytes)
	if err := s.open(); err != nil {
		s.cache.Unref()
		return nil, fmt.Errorf("open the store in %s: %w", cfg.Dir, err)
	}
	s.applied.Store(s.state.applied)
	s.events = newEvents(s.state.applied)
	return s, nil
}

func (s *Store) open() error {
	if err := makeDir(s.cfg.FS, s.cfg.Dir); err != nil {
		return err
	}
	name, err := s.currentDir()
	if err != nil {
		return err
	}
	if err := s.removeLeftovers(name); err != nil {
		return err
	}
	if s.snapshots, err = openSnapshots(s); err != nil {
		return err
	}
	if s.state, err = s.openState(name, false); err != nil {
		return err
	}
	return syncDir(s.cfg.FS, s.cfg.Dir)
}

// Close flushes the database, so that the next start has nothing to apply again,
// and closes it. Nothing may be applied afterwards; views answer that the store
// is closed. It may be called twice.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.wake()
	err := errors.Join(s.state.db.Flush(), s.state.db.Close())
	s.cache.Unref()
	if err != nil {
		return fmt.Errorf("close the store in %s: %w", s.cfg.Dir, err)
	}
	return nil
}

// Applied is the index of the last entry that was applied. Entries that raft
// keeps to itself, no-ops and barriers, do not reach it.
func (s *Store) Applied() uint64 { return s.applied.Load() }

// Snapshots is where raft keeps its snapshots.
func (s *Store) Snapshots() *Snapshots { return s.snapshots }

// flush makes all that was applied durable and returns the index of the last
// entry of it that is known to be.
func (s *Store) flush() (uint64, error) {
	s.life.RLock()
	defer s.life.RUnlock()
	db, applied, err := s.database()
	if err != nil {
		return 0, err
	}
	if err := db.Flush(); err != nil {
		return 0, fmt.Errorf("flush the store: %w", err)
	}
	return applied, nil
}

// database is the open database, for whoever holds life, and the index that it
// has at least.
func (s *Store) database() (*pebble.DB, uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, 0, errClosed
	}
	return s.state.db, s.state.applied, nil
}

// replace puts a state in the place of the current one, which it returns. The
// caller holds life for writing and closes the old one.
func (s *Store) replace(now *state) *state {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.state
	s.state = now
	s.advance(now.applied)
	close(s.events.more)
	s.events = newEvents(now.applied)
	changes := replaced(old.opens, now.opens)
	for _, f := range s.feeds {
		f.publish(changes)
	}
	return old
}
