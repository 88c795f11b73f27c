package fsm

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cronraft/cronraft/internal/job"
)

// view runs a read between two calls of ApplyBatch.
func (s *Store) view(read func(*state) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	return read(s.state)
}

// Job is a job as it stands; [job.ErrNotFound] if there is none.
func (s *Store) Job(id job.ID) (j job.Job, err error) {
	err = s.view(func(st *state) error {
		j, err = st.job(id)
		return err
	})
	return j, err
}

// Execution is the record of an execution; [job.ErrNotFound] if there is none,
// or retention has removed it.
func (s *Store) Execution(id job.ExecutionID) (x job.Execution, err error) {
	err = s.view(func(st *state) error {
		return st.get(executionKey(id), func(value []byte) error {
			p, err := readExecution(id, value)
			if err == nil {
				x = *p
			}
			return err
		})
	})
	return x, err
}

// Executions are the records of a job, newest first: at most limit of those
// before the execution before, from the newest if that is zero. It is
// [job.ErrNotFound] if there is no such job.
func (s *Store) Executions(id job.ID, before job.ExecutionID, limit int) (list []job.Execution, err error) {
	err = s.view(func(st *state) error {
		if err := st.get(stateKey(id), func([]byte) error { return nil }); err != nil {
			return err
		}
		list, err = st.executions(id, before, limit)
		return err
	})
	return list, err
}

// get hands the value of key to read, which must not keep it.
func (st *state) get(key []byte, read func(value []byte) error) error {
	value, closer, err := st.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return job.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	return errors.Join(read(value), closer.Close())
}

func (st *state) job(id job.ID) (j job.Job, err error) {
	err = st.get(stateKey(id), func(state []byte) error {
		return st.get(definitionKey(id), func(definition []byte) error {
			j, err = readJob(id, definition, state)
			return err
		})
	})
	j.Running = st.opens.running(id)
	return j, err
}

func (st *state) executions(id job.ID, before job.ExecutionID, limit int) (list []job.Execution, err error) {
	prefix := jobKey(executionPrefix, id)
	upper := afterAll(prefix)
	if !before.IsZero() {
		upper = executionKey(job.ExecutionID{Job: id, Order: before.Order})
	}
	it, err := st.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upper})
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	for ok := it.Last(); ok && len(list) < limit && err == nil; ok = it.Prev() {
		var x *job.Execution
		if x, err = readExecutionAt(it); err == nil {
			list = append(list, *x)
		}
	}
	return list, errors.Join(err, it.Close())
}

func readExecutionAt(it *pebble.Iterator) (*job.Execution, error) {
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	return readExecution(executionOf(it.Key()), value)
}
