package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// ExecutionList is a page of the executions that a query selects, as they are at one
// moment: of one job, of which all records are looked at one after the other, or of
// all jobs, from the index and from what has not ended. It is [job.ErrNotFound] if
// the query names a job that the namespace does not have.
func (s *Store) ExecutionList(q job.ExecutionQuery) (page job.ExecutionPage, err error) {
	if q.Job != 0 {
		err = s.reading(func(r *reading) error {
			page, err = r.historyPage(q)
			return err
		})
	} else {
		l := executionLister{ExecutionQuery: q, unended: map[string]*given{}, most: unendedPerLook * s.cfg.looks}
		err = s.readingFrom(l.takeUnended, func(r *reading) error {
			l.reading = r
			page, err = l.page()
			return err
		})
	}
	switch {
	case errors.Is(err, job.ErrNotFound):
		return job.ExecutionPage{}, err
	case err != nil:
		return job.ExecutionPage{}, fmt.Errorf("list executions: %w", err)
	}
	return page, nil
}

// executionLister makes the list of the executions of all jobs that a query selects.
type executionLister struct {
	*reading
	job.ExecutionQuery
	// unended has those that have no result yet, by namespace.
	unended map[string]*given
	// most is how many of them are looked at, in memory, with Apply waiting.
	most int
}

// unendedPerLook is how many executions are looked at in memory for each look at a
// key that a page may take.
const unendedPerLook = 5

// takeUnended takes those for one page, of each namespace.
func (l *executionLister) takeUnended(st *state) {
	if l.Result.Terminal() {
		return
	}
	spaces := []string{l.Namespace}
	if l.Namespace == "" {
		spaces = st.unended.spaces()
	}
	start, end := l.start(), l.end()
	for _, namespace := range spaces {
		g, looks := &given{}, max(1, l.most/len(spaces))
		st.unended.ascend(namespace, executionAt(start[:placeBytes]), func(id job.ExecutionID) bool {
			place := appendPlace(nil, id)
			switch {
			case bytes.Compare(place, start) < 0: // where the page before ended
				return true
			case bytes.Compare(place, end) >= 0:
				return false
			case len(g.places) > l.Limit || looks <= 0:
				g.more = place
				return false
			case l.selectsOpen(st.opens.byID[id]):
				g.places = append(g.places, place)
			}
			looks--
			return true
		})
		l.unended[namespace] = g
	}
}

// selectsOpen reports whether the query selects an execution that has no result yet.
func (l *executionLister) selectsOpen(x job.Open) bool {
	result := job.Running
	if x.Phase == job.PhasePending && x.Attempt > 0 {
		result = job.Retrying
	}
	return (l.Result == "" || l.Result == result) && (l.Trigger == "" || l.Trigger == x.Trigger)
}

// start is where the page begins: after the page before, or at the last place that
// is before To.
func (l *executionLister) start() []byte {
	from := newestID
	if !l.To.IsZero() {
		from = job.ExecutionID{Job: ^job.ID(0), Order: job.SlotExecution(0, l.To).Order - 1}
	}
	if !l.Before.IsZero() && compareNewest(l.Before, from) >= 0 {
		return after(appendPlace(nil, l.Before))
	}
	return appendPlace(nil, from)
}

// end is where the list ends: right after the last place that is not before From.
func (l *executionLister) end() []byte {
	last := job.ExecutionID{}
	if !l.From.IsZero() {
		last.Order = job.SlotExecution(0, l.From).Order
	}
	return after(appendPlace(nil, last))
}

// everywhere is the list of the query's namespace, or of all.
func (l *executionLister) everywhere() (places, error) {
	spaces := []string{l.Namespace}
	if l.Namespace == "" {
		var err error
		if spaces, err = l.spaces(endedIndex); err != nil {
			return nil, err
		}
	}
	var all union
	for _, list := range l.unended { // order-free: a union has none
		all = append(all, list)
	}
	for _, namespace := range spaces {
		lists, err := l.ended(namespace)
		if err != nil {
			return nil, err
		}
		all = append(all, lists...)
	}
	return all, nil
}

// ended are the lists of those that have ended, in a namespace.
func (l *executionLister) ended(namespace string) (union, error) {
	if l.Trigger != "" && l.Trigger != job.TriggerScheduled {
		list, err := l.triggered(namespace)
		return union{list}, err
	}
	var lists union
	for i, result := range results {
		if !result.Terminal() || l.Result != "" && l.Result != result {
			continue
		}
		list, err := l.keys(endedIndex, namespace, i)
		if err != nil {
			return nil, err
		}
		if l.Trigger == "" {
			lists = append(lists, list)
			continue
		}
		lists = append(lists, &filter{list: list, keep: func([]byte) bool {
			return list.value == byte(logpb.Trigger_TRIGGER_SCHEDULED)
		}})
	}
	return lists, nil
}

// triggered is the list of those that have ended, with another trigger than
// SCHEDULED.
func (l *executionLister) triggered(namespace string) (places, error) {
	list, err := l.keys(triggerIndex, namespace, slices.Index(triggers, l.Trigger))
	if err != nil || l.Result == "" {
		return list, err
	}
	ended, err := l.keys(endedIndex, namespace, slices.Index(results, l.Result))
	return intersection{list, ended}, err
}

// keys is the list of those in a namespace that have a word, within the time of the
// query.
func (l *executionLister) keys(prefix, namespace string, word int) (*keys, error) {
	list, err := l.reading.keys(source{cursorName{prefix, word}, wordKey(nil, prefix, namespace, byte(word))})
	if err != nil {
		return nil, err
	}
	list.end = append(slices.Clone(list.prefix), l.end()...)
	return list, nil
}

func (l *executionLister) page() (page job.ExecutionPage, err error) {
	list, err := l.everywhere()
	if err != nil {
		return page, err
	}
	full := func() bool { return len(page.Executions) >= l.Limit }
	next, err := walk(list, l.start(), full, func(place []byte) error {
		id := executionAt(place)
		return l.get(executionKey(id), func(value []byte) error {
			x, err := readExecution(id, value)
			if err == nil {
				page.Executions = append(page.Executions, *x)
			}
			return err
		})
	})
	if next != nil {
		page.Next = executionBefore(next)
	}
	return page, err
}

// executionBefore is the execution that a page comes after that begins at a place:
// at that of an execution, or right after it, which has a byte more. There need not be
// an execution with that ID.
func executionBefore(place []byte) *job.ExecutionID {
	x := executionAt(place[:placeBytes])
	if len(place) == placeBytes {
		if x.Job++; x.Job == 0 {
			x.Order++
		}
	}
	return &x
}
