package fsm

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cronraft/cronraft/fsm/logpb"
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
		if err := r.slots(id, from, to, limit, &list); err != nil {
			return err
		}
		return r.backfills(id, &list)
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
// slot before that time can be one.
func (r *reading) gapInto(id job.ID, from time.Time, list *job.SlotRecords) error {
	x, err := r.lastSlot(jobKey(executionPrefix, id), executionKey(job.SlotExecution(id, from)))
	if x != nil && x.Result == job.Missed && !x.MissedTo.Before(from) {
		list.Records = append(list.Records, *x)
	}
	return err
}

// LastSlot is the last slot of a job that has a record, or is in a gap that has one:
// zero if there is none.
func (s *Store) LastSlot(id job.ID) (at time.Time, err error) {
	err = s.reading(func(r *reading) error {
		all := jobKey(executionPrefix, id)
		x, err := r.lastSlot(all, afterAll(all))
		if x != nil {
			at = latest(x.ID.Time(), x.MissedTo)
		}
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("read the last slot of %v: %w", id, err)
	}
	return at, nil
}

// lastSlot is the record of the last slot, or gap, with a key from lower on and before
// upper; nil if there is none. Other executions may follow it, as many as retention
// leaves; of those of one millisecond, as a backfill has them, one is looked at.
func (r *reading) lastSlot(lower, upper []byte) (x *job.Execution, err error) {
	it, err := r.iterate(lower, upper)
	if err != nil {
		return nil, err
	}
	ok := it.Last()
	for ok && !isSlot(executionOf(it.Key())) {
		id := executionOf(it.Key())
		id.Order = id.Order&^slotBits + 1
		ok = it.SeekLT(executionKey(id))
	}
	if ok {
		x, err = readExecutionAt(it)
	}
	return x, errors.Join(err, it.Close())
}

func (r *reading) slots(id job.ID, from, to time.Time, limit int, list *job.SlotRecords) error {
	it, err := r.iterate(executionKey(job.SlotExecution(id, from)), executionKey(job.SlotExecution(id, to)))
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; {
		if id := executionOf(it.Key()); !isSlot(id) { // no slot has its millisecond and comes after it
			id.Order = (id.Order | slotBits) + 1
			ok = it.SeekGE(executionKey(id))
			continue
		}
		if list.More = len(list.Records) >= limit; list.More {
			break
		}
		var x *job.Execution
		if x, err = readExecutionAt(it); err == nil {
			list.Records = append(list.Records, *x)
		}
		ok = it.Next()
	}
	return errors.Join(err, it.Close())
}

// backfills finds those of slots in the gaps of a list. Who backfills a slot does it
// later, so they come after it.
func (r *reading) backfills(id job.ID, list *job.SlotRecords) error {
	var gaps []job.Execution
	for _, x := range list.Records {
		if x.Result == job.Missed {
			gaps = append(gaps, x)
		}
	}
	if len(gaps) == 0 {
		return nil
	}
	lower := executionKey(job.SlotExecution(id, gaps[0].ScheduledAt))
	err := r.scan(lower, afterAll(jobKey(executionPrefix, id)), func(key, value []byte) error {
		x, err := readBackfill(executionOf(key), value)
		if x != nil && slices.ContainsFunc(gaps, func(gap job.Execution) bool { return isInGap(x.ScheduledAt, gap) }) {
			list.Backfills = append(list.Backfills, *x)
		}
		return err
	})
	slices.SortStableFunc(list.Backfills, func(a, b job.Execution) int { return a.ScheduledAt.Compare(b.ScheduledAt) })
	return err
}

// readBackfill is the record of an execution; nil if no backfill made it.
func readBackfill(id job.ExecutionID, value []byte) (*job.Execution, error) {
	if isSlot(id) {
		return nil, nil
	}
	_, trigger, err := endOf(value)
	if err != nil || trigger != logpb.Trigger_TRIGGER_BACKFILL {
		return nil, err
	}
	return readExecution(id, value)
}

func isInGap(slot time.Time, gap job.Execution) bool {
	return !slot.Before(gap.ScheduledAt) && !slot.After(gap.MissedTo)
}
