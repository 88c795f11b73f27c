package fsm

import (
	"bytes"
	"math"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// JobState keeps two orders so that retention costs little. No terminal record
// is below Oldest: a look for the oldest one begins there, beyond the tombstones
// of what was removed. No record is above Newest: a new one there needs no look
// whether it exists.

// recorded reports whether an execution has a record. One that retention has
// removed has none.
func (t *tx) recorded(r *row, id job.ExecutionID) bool {
	return id.Order <= r.GetNewest() && t.has(executionKey(id))
}

// addRecord writes the record of a new execution.
func (t *tx) addRecord(r *row, x *job.Execution) {
	t.putExecution(x)
	t.listRecord(r, x)
	r.Records++
	r.Newest = max(r.Newest, x.ID.Order)
	r.Oldest = min(r.Oldest, x.ID.Order)
}

// trim removes the oldest terminal records of a job until it has no more than
// keep, or no terminal one is left. Zero keeps all. Not all that are open count: many
// of them would leave no history.
func (t *tx) trim(r *row, keep int) {
	most := int64(keep + t.beyondKeep(r, keep))
	if keep <= 0 || r.GetRecords() <= most {
		return
	}
	from, end := recordsFrom(r)
	t.scan(from, end, func(key, value []byte) bool {
		if r.GetRecords() <= most {
			return false
		}
		id := executionOf(key)
		if !unfinished(t.state.opens.byID[id].Phase) {
			t.removeRecord(r, id, value)
		}
		r.Oldest = id.Order + 1
		return true
	})
}

// beyondKeep is how many records of open executions do not count: those that are
// queued, and deliveries of webhooks; and from version 3 of the log on those that would
// take more than half of what is kept.
func (t *tx) beyondKeep(r *row, keep int) int {
	queued, begun := t.state.opens.queued(r.id), t.state.opens.begun(r.id)
	switch {
	case r.GetHook():
		return queued + begun
	case t.isThird():
		return queued + max(0, begun-keep/2)
	default:
		return queued
	}
}

func (t *tx) removeRecord(r *row, id job.ExecutionID, record []byte) {
	t.unlistRecord(r, id, record)
	if t.isThird() {
		r.Removed = max(r.Removed, id.Order)
	}
	t.delete(executionKey(id))
	r.Records--
}

// recordsFrom are the bounds of a job's records that may be terminal.
func recordsFrom(r *row) (from, end []byte) {
	from = executionKey(job.ExecutionID{Job: r.id, Order: r.GetOldest()})
	return from, afterAll(jobKey(executionPrefix, r.id))
}

// maxPruned is how many records one entry removes at most, from version 3 of the log
// on: whoever applies it keeps all others waiting.
const maxPruned = 20_000

// prune removes the terminal records of a page of jobs that ended before a time.
// It returns the job after which to go on; zero if there is none.
func (t *tx) prune(d job.Prune) job.ID {
	var page []job.ID
	more := false
	t.scan(after(stateKey(d.After)), afterAll([]byte(statePrefix)), func(key, _ []byte) bool {
		more = len(page) >= max(d.Jobs, 1)
		if !more {
			page = append(page, jobOf(key))
		}
		return !more
	})
	left := math.MaxInt
	if t.isThird() {
		left = maxPruned
	}
	for _, id := range page {
		left -= t.pruneJob(t.row(id), d.Before, left)
		if left == 0 {
			return id - 1 // so that the job comes again: it may have more
		}
	}
	if !more {
		return 0
	}
	return page[len(page)-1]
}

// pruneJob looks at records whose slot is old enough; a late execution of an old
// slot stays as long as others that ended when it did. It removes no more than most,
// and returns how many.
func (t *tx) pruneJob(r *row, before time.Time, most int) (removed int) {
	if r.GetRecords() == 0 {
		return 0
	}
	from, _ := recordsFrom(r)
	end := executionKey(job.SlotExecution(r.id, before))
	if bytes.Compare(from, end) >= 0 {
		return 0
	}
	oldest := executionOf(end).Order
	t.scan(from, end, func(key, value []byte) bool {
		id := executionOf(key)
		if removed == most {
			oldest = min(oldest, id.Order)
			return false
		}
		x, err := readExecution(id, value)
		check("read the state", err)
		switch {
		case !x.Result.Terminal():
		case x.FinishedAt.Before(before):
			t.removeRecord(r, id, value)
			removed++
		default:
			oldest = min(oldest, id.Order)
		}
		return true
	})
	if removed > 0 {
		r.Oldest = oldest
		t.save(r)
	}
	return removed
}
