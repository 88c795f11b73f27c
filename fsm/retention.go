package fsm

import (
	"bytes"
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
// keep, or no terminal one is left. Zero keeps all. Those that are queued do not
// count: a long backfill would leave no history.
func (t *tx) trim(r *row, keep int) {
	most := int64(keep + t.state.opens.queued(r.id))
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

func (t *tx) removeRecord(r *row, id job.ExecutionID, record []byte) {
	t.unlistRecord(r, id, record)
	t.delete(executionKey(id))
	r.Records--
}

// recordsFrom are the bounds of a job's records that may be terminal.
func recordsFrom(r *row) (from, end []byte) {
	from = executionKey(job.ExecutionID{Job: r.id, Order: r.GetOldest()})
	return from, afterAll(jobKey(executionPrefix, r.id))
}

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
	for _, id := range page {
		t.pruneJob(t.row(id), d.Before)
	}
	if d.After == 0 {
		t.pruneMinutes(d.Before)
	}
	if !more {
		return 0
	}
	return page[len(page)-1]
}

// pruneJob looks at records whose slot is old enough; a late execution of an old
// slot stays as long as others that ended when it did.
func (t *tx) pruneJob(r *row, before time.Time) {
	if r.GetRecords() == 0 {
		return
	}
	from, _ := recordsFrom(r)
	end := executionKey(job.SlotExecution(r.id, before))
	if bytes.Compare(from, end) >= 0 {
		return
	}
	records, oldest := r.GetRecords(), executionOf(end).Order
	t.scan(from, end, func(key, value []byte) bool {
		id := executionOf(key)
		x, err := readExecution(id, value)
		check("read the state", err)
		switch {
		case !x.Result.Terminal():
		case x.FinishedAt.Before(before):
			t.removeRecord(r, id, value)
		default:
			oldest = min(oldest, id.Order)
		}
		return true
	})
	if r.GetRecords() != records {
		r.Oldest = oldest
		t.save(r)
	}
}
