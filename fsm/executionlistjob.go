package fsm

import (
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cronraft/cronraft/internal/job"
)

// historyPage reads the records of one job backwards. It looks into each, but reads
// only those that the query selects.
func (r *reading) historyPage(q job.ExecutionQuery) (page job.ExecutionPage, err error) {
	if err := r.owns(q.Namespace, q.Job); err != nil {
		return page, err
	}
	lower, upper := historyBounds(q)
	it, err := r.iterate(lower, upper)
	if err != nil {
		return page, err
	}
	last := job.ExecutionID{Job: q.Job}
	for ok := it.Last(); ok && err == nil; ok = it.Prev() {
		if len(page.Executions) >= q.Limit || r.looks <= 0 {
			page.Next = &last
			break
		}
		r.looks--
		last = executionOf(it.Key())
		err = selectRecord(it, q, &page)
	}
	return page, errors.Join(err, it.Close())
}

// owns is [job.ErrNotFound] unless there is a job, and in the namespace, if that is
// not empty.
func (r *reading) owns(namespace string, id job.ID) error {
	return r.get(stateKey(id), func(value []byte) error {
		p, err := readState(value)
		if err == nil && namespace != "" && p.GetNamespace() != namespace {
			return job.ErrNotFound
		}
		return err
	})
}

// historyBounds are the keys from the first to before the second, of the records of
// the job that are within the time of the query and before the page before.
func historyBounds(q job.ExecutionQuery) (lower, upper []byte) {
	lower = jobKey(executionPrefix, q.Job)
	upper = afterAll(lower)
	if !q.From.IsZero() {
		lower = executionKey(job.SlotExecution(q.Job, q.From))
	}
	if !q.To.IsZero() {
		upper = executionKey(job.SlotExecution(q.Job, q.To))
	}
	if !q.Before.IsZero() {
		upper = slices.MinFunc([][]byte{upper, executionKey(job.ExecutionID{Job: q.Job, Order: q.Before.Order})}, slices.Compare)
	}
	return lower, upper
}

func selectRecord(it *pebble.Iterator, q job.ExecutionQuery, page *job.ExecutionPage) error {
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	result, trigger, err := endOf(value)
	words := &reader{}
	if err != nil ||
		q.Result != "" && q.Result != word(words, results, result) ||
		q.Trigger != "" && q.Trigger != word(words, triggers, trigger) {
		return errors.Join(err, words.err)
	}
	x, err := readExecution(executionOf(it.Key()), value)
	if err == nil {
		page.Executions = append(page.Executions, *x)
	}
	return err
}
