package fsm

import (
	"errors"
	"fmt"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// slotBits are those of an order that are zero for the record of a slot or a gap,
// and of no other execution.
const slotBits = 0xffff

func isSlot(x job.ExecutionID) bool { return x.Order&slotBits == 0 }

// Slots are the records of a job's slots from a time on and before another, oldest
// first, at most limit; and before them that of the gap that reaches into that time,
// if there is one. Executions that a person asked for are no slots. The next page
// begins right after the last slot, for a gap right after the last one of it.
func (s *Store) Slots(id job.ID, from, to time.Time, limit int) (list job.SlotRecords, err error) {
	err = s.reading(func(r *reading) error {
		if list.CompleteFrom, err = r.completeFrom(id); err != nil {
			return err
		}
		if err := r.gapInto(id, from, &list); err != nil {
			return err
		}
		return r.slots(id, from, to, limit, &list)
	})
	switch {
	case errors.Is(err, job.ErrNotFound):
		return job.SlotRecords{}, err
	case err != nil:
		return job.SlotRecords{}, fmt.Errorf("read the slots of %v: %w", id, err)
	}
	return list, nil
}

// completeFrom is the time from which on no record of a job was removed: zero if
// none was. What was removed before the log had version 3 is told by the oldest
// record.
func (r *reading) completeFrom(id job.ID) (at time.Time, err error) {
	err = r.get(stateKey(id), func(value []byte) error {
		p, err := readState(value)
		if err != nil {
			return err
		}
		first := p.GetOldest()
		if p.GetRemoved() > 0 {
			first = p.GetRemoved() + 1
		}
		at = instant(int64((first + slotBits) >> 16))
		return nil
	})
	return at, err
}

// gapInto finds the gap that began before a time and reaches into it. Only the last
// slot before that time can be one; executions that are no slots may follow it.
func (r *reading) gapInto(id job.ID, from time.Time, list *job.SlotRecords) error {
	it, err := r.iterate(jobKey(executionPrefix, id), executionKey(job.SlotExecution(id, from)))
	if err != nil {
		return err
	}
	ok := it.Last()
	for ok && !isSlot(executionOf(it.Key())) && r.looks > 0 {
		r.looks--
		ok = it.Prev()
	}
	if ok && err == nil {
		var x *job.Execution
		if x, err = readExecutionAt(it); err == nil && x.Result == job.Missed && !x.MissedTo.Before(from) {
			list.Records = append(list.Records, *x)
		}
	}
	return errors.Join(err, it.Close())
}

func (r *reading) slots(id job.ID, from, to time.Time, limit int, list *job.SlotRecords) error {
	it, err := r.iterate(executionKey(job.SlotExecution(id, from)), executionKey(job.SlotExecution(id, to)))
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		if !isSlot(executionOf(it.Key())) {
			continue
		}
		if list.More = len(list.Records) >= limit; list.More {
			break
		}
		var x *job.Execution
		if x, err = readExecutionAt(it); err == nil {
			list.Records = append(list.Records, *x)
		}
	}
	return errors.Join(err, it.Close())
}
