package fsm

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// maxLooks is how many keys are looked at for one page of a list, but for the first
// one of each list that it is made of: a page is made in bounded time, and there is
// an end to the pages.
const maxLooks = 5000

// reading reads the state as it was at one moment, beside Apply.
type reading struct {
	snapshot *pebble.Snapshot
	looks    int // that are left
	read     int // bytes of jobs so far
	cursors  map[cursorName]*cursor
	// scattered means that the jobs of the page are far from each other.
	scattered bool
}

// reading calls read with the state as it is now. Unlike a view it does not keep
// Apply waiting.
func (s *Store) reading(read func(*reading) error) error {
	return s.readingFrom(func(*state) {}, read)
}

// readingFrom calls begin with the state in memory at the moment of the reading.
func (s *Store) readingFrom(begin func(*state), read func(*reading) error) error {
	s.life.RLock()
	defer s.life.RUnlock()
	r := &reading{looks: s.cfg.looks, cursors: map[cursorName]*cursor{}}
	err := s.view(func(st *state) error {
		begin(st)
		r.snapshot = st.db.NewSnapshot()
		return nil
	})
	if err != nil {
		return err
	}
	return errors.Join(read(r), r.closeCursors(), r.snapshot.Close())
}

// beside is the same state for another goroutine, without a look into any list.
func (r *reading) beside() *reading {
	return &reading{snapshot: r.snapshot, cursors: map[cursorName]*cursor{}, scattered: r.scattered}
}

func (r *reading) closeCursors() error {
	var err error
	for _, c := range r.cursors { // order-free: all are closed
		err = errors.Join(err, c.it.Close())
	}
	return err
}

// cursor reads the keys with a prefix. Lists share it, those of all namespaces for
// one; at is the list that moved it last.
type cursor struct {
	it *pebble.Iterator
	at *keys
}

// cursorName is a prefix, and a number for each list in a namespace that needs a
// cursor of its own.
type cursorName struct {
	prefix string
	number int
}

// source is a list of keys: those with a prefix, read by a cursor.
type source struct {
	cursorName
	prefix []byte
}

// keys makes the list of a source.
func (r *reading) keys(s source) (*keys, error) {
	c, err := r.cursor(s.cursorName)
	if err != nil {
		return nil, err
	}
	return &keys{r: r, cursor: c, prefix: s.prefix, end: afterAll(s.prefix)}, nil
}

// cursor makes the cursor with a name, unless there is one.
func (r *reading) cursor(name cursorName) (*cursor, error) {
	if c := r.cursors[name]; c != nil {
		return c, nil
	}
	all := []byte(name.prefix)
	it, err := r.iterate(all, afterAll(all))
	if err != nil {
		return nil, err
	}
	c := &cursor{it: it}
	r.cursors[name] = c
	return c, nil
}

func (r *reading) iterate(lower, upper []byte) (*pebble.Iterator, error) {
	it, err := r.snapshot.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	return it, nil
}

// scan visits the keys from lower on and before upper.
func (r *reading) scan(lower, upper []byte, visit func(key, value []byte) error) error {
	it, err := r.iterate(lower, upper)
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		err = visitRecord(it, anyLength, visit)
	}
	return errors.Join(err, it.Close())
}

// get hands the value of key to read, which must not keep it; [job.ErrNotFound] if
// there is none.
func (r *reading) get(key []byte, read func(value []byte) error) error {
	value, closer, err := r.snapshot.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return job.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	return errors.Join(read(value), closer.Close())
}

// has looks whether there is a key.
func (r *reading) has(key []byte) (bool, error) {
	r.looks--
	err := r.get(key, func([]byte) error { return nil })
	if errors.Is(err, job.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// job reads a job, but for how many of its executions are running.
func (r *reading) job(id job.ID) (j job.Job, err error) {
	state, err := r.value(statePrefix, stateKey(id))
	if err != nil {
		return j, err
	}
	definition, err := r.value(definitionPrefix, definitionKey(id))
	if err != nil {
		return j, err
	}
	r.read += len(definition)
	return readJob(id, definition, state)
}

// value reads the value of a key, which is valid until the next call with its
// prefix; [job.ErrNotFound] if there is none. A cursor is faster for keys that are near
// each other; otherwise the filters of the database's files save looks into them.
func (r *reading) value(prefix string, key []byte) (value []byte, err error) {
	if r.scattered {
		err = r.get(key, func(v []byte) error {
			value = bytes.Clone(v)
			return nil
		})
		return value, err
	}
	c, err := r.cursor(cursorName{prefix, 0})
	if err != nil {
		return nil, err
	}
	if !c.it.SeekGE(key) || !bytes.Equal(c.it.Key(), key) {
		return nil, cmp.Or(c.it.Error(), error(job.ErrNotFound))
	}
	return c.it.ValueAndErr()
}

// withExternalID is the job that has an external ID; zero if there is none.
func (r *reading) withExternalID(namespace, externalID string) (job.ID, error) {
	var p logpb.JobRef
	err := r.get(externalKey(namespace, externalID), func(value []byte) error { return proto.Unmarshal(value, &p) })
	if errors.Is(err, job.ErrNotFound) {
		return 0, nil
	}
	return job.ID(p.GetJob()), err
}

// spaces are the namespaces for which there are keys with a prefix, one look each.
func (r *reading) spaces(prefix string) ([]string, error) {
	it, err := r.iterate([]byte(prefix), afterAll([]byte(prefix)))
	if err != nil {
		return nil, err
	}
	var list []string
	for ok := it.First(); ok; {
		name := it.Key()[len(prefix)+4:]
		namespace := string(name[:binary.BigEndian.Uint32(it.Key()[len(prefix):])])
		list = append(list, namespace)
		ok = it.SeekGE(afterAll(namedKeys(prefix, namespace)))
	}
	return list, it.Close()
}
