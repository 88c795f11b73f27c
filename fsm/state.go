package fsm

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// state is a database and what is kept of it in memory. Store.mu guards it.
type state struct {
	name string // of its folder
	// live: this is the node's state, and the node has to stop when its database
	// fails. One that is being restored may fail without harm.
	live      atomic.Bool
	db        *pebble.DB
	applied   uint64
	clusterID string
	// version is that of the newest log entries that may be written.
	version int
	// dismissed has the life of each node that is not let in again.
	dismissed map[string]uint64
	agenda    *agenda
	opens     *opens
	unended   *unended
	hooks     *hooks
	keys      *keyring
	// keep is how many records of a job are kept, as the last entry said that did.
	keep int
}

// The database's own settings. The format is raised on purpose only, once no
// member of any cluster runs a program that cannot read it.
const (
	databaseFormat = pebble.FormatColumnarBlocks
	memTableBytes  = 16 << 20
	maxOpenFiles   = 1000
	bloomBits      = 10
)

// openState opens the database in a folder of the store and reads what memory
// needs. One that is restored must exist, and is not live yet.
func (s *Store) openState(name string, restored bool) (*state, error) {
	st := &state{name: name, dismissed: map[string]uint64{}, opens: newOpens(), unended: newUnended(), hooks: newHooks(), keys: newKeyring()}
	st.live.Store(!restored)
	options := s.options(func(err error) {
		if st.live.Load() {
			s.cfg.Failed(err)
		}
	})
	options.ErrorIfNotExists = restored
	var err error
	if st.db, err = pebble.Open(s.cfg.FS.PathJoin(s.cfg.Dir, name), options); err != nil {
		return nil, fmt.Errorf("open the database %s: %w", name, err)
	}
	err = st.load()
	if err == nil {
		err = st.ensureIndex()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the database %s: %w", name, err), st.db.Close())
	}
	return st, nil
}

func (s *Store) options(failed func(error)) *pebble.Options {
	o := &pebble.Options{
		FS:                 s.cfg.FS,
		Cache:              s.cache,
		DisableWAL:         true,
		FormatMajorVersion: databaseFormat,
		MemTableSize:       memTableBytes,
		MaxOpenFiles:       maxOpenFiles,
		Logger:             quiet{failed},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { failed(fmt.Errorf("the database cannot write: %w", err)) },
			DataCorruption: func(c pebble.DataCorruptionInfo) {
				failed(fmt.Errorf("the database is corrupt: %s: %w", c.Path, c.Details))
			},
		},
	}
	last := len(o.Levels) - 1 // Pebble does not ask the last level's filters
	for i := range last {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	o.Levels[last].FilterPolicy = pebble.NoFilterPolicy
	return o
}

// quiet keeps what Pebble tells; what it cannot go on after stops the node.
type quiet struct{ failed func(error) }

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

func (q quiet) Fatalf(format string, args ...any) {
	q.failed(fmt.Errorf("the database has failed: "+format, args...))
	panic("fsm: the database has failed")
}

// load reads what is kept in memory.
func (st *state) load() error {
	if err := errors.Join(st.loadSingles(), st.loadDismissed()); err != nil {
		return err
	}
	if err := errors.Join(st.loadAgenda(), st.loadHooks(), st.loadKeys()); err != nil {
		return err
	}
	err := st.scan(openPrefix, len(openKey(job.ExecutionID{})), func(key, value []byte) error {
		x, err := readOpen(executionOf(key), value)
		st.opens.put(x)
		return err
	})
	if err != nil {
		return err
	}
	return st.loadUnended()
}

// loadSingles reads the values that exist once. A state in which there may be
// what this program has no words for is not opened.
func (st *state) loadSingles() error {
	var applied logpb.Applied
	var cluster logpb.Cluster
	var version logpb.LogVersion
	keep := logpb.Retention{PerJob: proto.Int64(defaultKeep)}
	err := errors.Join(st.read(appliedKey, &applied), st.read(clusterKey, &cluster), st.read(versionKey, &version), st.read(keepKey, &keep))
	st.keep = int(keep.GetPerJob())
	st.applied, st.clusterID, st.version = applied.GetIndex(), cluster.GetId(), max(1, int(version.GetVersion()))
	if err == nil && st.version > Version {
		return fmt.Errorf("it was written by log entries of version %d and this program reads %d at most: upgrade this node", st.version, Version)
	}
	return err
}

func (st *state) loadDismissed() error {
	return st.scan(dismissedPrefix, anyLength, func(key, value []byte) error {
		var p logpb.Dismissed
		err := proto.Unmarshal(value, &p)
		st.dismissed[nodeOf(key)] = p.GetIncarnation()
		return err
	})
}

// loadAgenda makes the agenda. It is what a start waits for,
// so it reuses what it decodes into.
func (st *state) loadAgenda() error {
	var entries []due
	var p logpb.JobState
	err := st.scan(statePrefix, len(stateKey(0)), func(key, value []byte) error {
		if err := proto.Unmarshal(value, &p); err != nil {
			return fmt.Errorf("decode the state of %v: %w", jobOf(key), err)
		}
		if d := dueOf(jobOf(key), &p); d.at != 0 {
			entries = append(entries, d)
		}
		return nil
	})
	st.agenda = newAgenda(entries)
	return err
}

// read reads the value of a key that may not be there yet.
func (st *state) read(key []byte, m proto.Message) error {
	value, closer, err := st.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(proto.Unmarshal(value, m), closer.Close())
}

// anyLength is the length of keys that differ in length.
const anyLength = 0

// scan visits the records of a kind, in the order of their keys, all of which
// have to be of the kind's length.
func (st *state) scan(prefix string, length int, visit func(key, value []byte) error) error {
	it, err := st.db.NewIter(&pebble.IterOptions{LowerBound: []byte(prefix), UpperBound: afterAll([]byte(prefix))})
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		err = visitRecord(it, length, visit)
	}
	return errors.Join(err, it.Close())
}

func visitRecord(it *pebble.Iterator, length int, visit func(key, value []byte) error) error {
	if length != anyLength && len(it.Key()) != length {
		return fmt.Errorf("there is a key %q", it.Key())
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	return visit(it.Key(), value)
}
