package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// indexFormat is that of the keys of the index. Who changes them raises it.
const indexFormat = 1

var indexFormatKey = []byte("i/format")

// indexMark is what an index is known by that has everything up to an entry. A
// program that does not keep an index up leaves the mark of an earlier entry.
func indexMark(applied uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{indexFormat}, applied)
}

// ensureIndex makes the index, unless the database has one that was kept up.
func (st *state) ensureIndex() error {
	mark, closer, err := st.db.Get(indexFormatKey)
	if err == nil {
		kept := string(mark) == string(indexMark(st.applied))
		if err := closer.Close(); kept || err != nil {
			return err
		}
	} else if !errors.Is(err, pebble.ErrNotFound) {
		return err
	}
	return st.buildIndex()
}

// buildBatchBytes is how much of a new index is held in memory.
const buildBatchBytes = 1 << 20

// buildIndex makes the index anew, in one pass over the jobs and their records. The
// mark comes last: until then, there is no index.
func (st *state) buildIndex() error {
	b := &indexBuilder{index: index{batch: st.db.NewBatch()}}
	err := b.batch.DeleteRange([]byte(indexPrefix), afterAll([]byte(indexPrefix)), nil)
	if err == nil {
		err = b.open(st.db)
	}
	for err == nil && b.states.Valid() {
		if err = b.add(); err == nil && b.batch.Len() > buildBatchBytes {
			err = b.flush()
		}
	}
	if err == nil {
		b.set(indexFormatKey, indexMark(st.applied))
		err = b.flush()
	}
	if err = errors.Join(err, b.close()); err != nil {
		return fmt.Errorf("make the index: %w", err)
	}
	return nil
}

// indexBuilder reads the jobs, and beside them what they have.
type indexBuilder struct {
	index
	states, definitions, records *pebble.Iterator
}

func (b *indexBuilder) open(db *pebble.DB) error {
	var errs [3]error
	b.states, errs[0] = first(db, statePrefix)
	b.definitions, errs[1] = first(db, definitionPrefix)
	b.records, errs[2] = first(db, executionPrefix)
	return errors.Join(errs[:]...)
}

// first is at the first key with a prefix.
func first(db *pebble.DB, prefix string) (*pebble.Iterator, error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte(prefix), UpperBound: afterAll([]byte(prefix))})
	if err != nil {
		return nil, err
	}
	it.First()
	return it, nil
}

func (b *indexBuilder) close() error {
	err := b.batch.Close()
	for _, it := range []*pebble.Iterator{b.states, b.definitions, b.records} {
		if it != nil {
			err = errors.Join(err, it.Close())
		}
	}
	return err
}

func (b *indexBuilder) flush() error {
	if err := b.batch.Commit(pebble.NoSync); err != nil {
		return err
	}
	b.batch.Reset()
	return nil
}

// add adds the next job.
func (b *indexBuilder) add() error {
	id := jobOf(b.states.Key())
	value, err := b.states.ValueAndErr()
	if err != nil {
		return err
	}
	state, err := readState(value)
	if err != nil {
		return err
	}
	definition, err := b.definition(id)
	if err != nil {
		return err
	}
	if !state.GetHook() {
		b.jobState(state.GetNamespace(), id, indexed{}, indexedOf(state))
		b.jobSpec(state.GetNamespace(), id, nil, definition.GetSpec())
	}
	b.states.Next()
	return b.history(state, id)
}

// definition reads the definition that belongs to a state.
func (b *indexBuilder) definition(id job.ID) (*logpb.Definition, error) {
	if !b.definitions.Valid() || jobOf(b.definitions.Key()) != id {
		return nil, fmt.Errorf("%v has no definition", id)
	}
	value, err := b.definitions.ValueAndErr()
	if err != nil {
		return nil, err
	}
	var p logpb.Definition
	if err := proto.Unmarshal(value, &p); err != nil {
		return nil, fmt.Errorf("decode the definition of %v: %w", id, err)
	}
	b.definitions.Next()
	return &p, nil
}

// history adds the records of a job.
func (b *indexBuilder) history(state *logpb.JobState, id job.ID) error {
	for b.records.Valid() {
		x := executionOf(b.records.Key())
		if x.Job != id {
			return nil
		}
		value, err := b.records.ValueAndErr()
		if err != nil {
			return err
		}
		result, trigger, err := endOf(value)
		if err != nil {
			return err
		}
		if hasEnded(result) && !state.GetHook() {
			b.ended(state.GetNamespace(), x, result, trigger)
		}
		b.records.Next()
	}
	return nil
}
