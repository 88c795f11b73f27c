package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cronraft/cronraft/internal/job"
)

// Jobs is a page of the jobs that a query selects, as they are at one moment; how
// many of their executions are running is told as of a moment later.
//
// A selection by name reads the names in their order, and looks for each whether the
// job is in the other lists; any other one jumps from list to list. The view of all
// namespaces costs a look for each of them.
func (s *Store) Jobs(q job.JobQuery) (job.JobPage, error) {
	var page job.JobPage
	err := s.reading(func(r *reading) (err error) {
		page, err = r.jobPage(q)
		return err
	})
	if err == nil {
		err = s.view(func(st *state) error {
			for i := range page.Jobs {
				page.Jobs[i].Running = st.opens.running(page.Jobs[i].ID)
			}
			return nil
		})
	}
	if err != nil {
		return job.JobPage{}, fmt.Errorf("list jobs: %w", err)
	}
	return page, nil
}

func (r *reading) jobPage(q job.JobQuery) (page job.JobPage, err error) {
	l := jobLister{reading: r, JobQuery: q}
	list, err := l.everywhere()
	if err != nil {
		return page, err
	}
	r.scattered = q.NamePrefix != ""
	for next := l.start(); ; {
		var found [][]byte
		full := func() bool { return len(page.Jobs)+len(found) >= q.Limit }
		next, err = walk(list, next, full, func(place []byte) error {
			found = append(found, bytes.Clone(place))
			return nil
		})
		if err = errors.Join(err, l.err); err != nil {
			return page, err
		}
		jobs, err := r.jobs(found)
		if err != nil {
			return page, err
		}
		for i := range jobs {
			if l.selects(&jobs[i]) {
				page.Jobs = append(page.Jobs, jobs[i])
			}
		}
		if len(jobs) < len(found) {
			next = found[len(jobs)]
		}
		if next == nil {
			return page, nil
		}
		if len(page.Jobs) >= q.Limit || r.read >= maxPageBytes || r.looks <= 0 {
			page.Next = l.before(next)
			return page, nil
		}
	}
}

// jobLister makes the list of the jobs that a query selects.
type jobLister struct {
	*reading
	job.JobQuery
	err error
}

// everywhere is the list of the query's namespace, or of all.
func (l *jobLister) everywhere() (places, error) {
	prefix := namespacePrefix
	if l.Hooks {
		prefix = hookPrefix
	}
	return l.inSpaces(l.Namespace, prefix, l.in)
}

// inSpaces is the list in a namespace or, if that is empty, what the lists in all of
// those have that have keys with a prefix.
func (r *reading) inSpaces(namespace, prefix string, in func(namespace string) (places, error)) (places, error) {
	if namespace != "" {
		return in(namespace)
	}
	spaces, err := r.spaces(prefix)
	if err != nil {
		return nil, err
	}
	var all union
	for _, namespace := range spaces {
		list, err := in(namespace)
		if err != nil {
			return nil, err
		}
		all = append(all, list)
	}
	return all, nil
}

func (l *jobLister) in(namespace string) (places, error) {
	switch {
	case l.ExternalID != "":
		return l.external(namespace)
	case l.Hooks:
		return l.keys(source{cursorName{hookPrefix, 0}, namedKeys(hookPrefix, namespace)})
	case l.NamePrefix != "":
		return l.named(namespace)
	}
	var lists intersection
	for _, s := range l.wanted(namespace) {
		list, err := l.keys(s)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	switch len(lists) {
	case 0:
		return l.keys(source{cursorName{namespacePrefix, 0}, namespaceKeys(namespace)})
	case 1:
		return lists[0], nil
	}
	return lists, nil
}

// wanted are the lists of the index that a job has to be in. There are no keys of a
// word that the program does not have.
func (l *jobLister) wanted(namespace string) []source {
	var list []source
	if l.State != "" {
		word := byte(slices.Index(states, l.State))
		list = append(list, source{cursorName{jobStateIndex, 0}, wordKey(nil, jobStateIndex, namespace, word)})
	}
	if l.LastResult != "" {
		word := byte(slices.Index(results, l.LastResult))
		list = append(list, source{cursorName{lastResultIndex, 0}, wordKey(nil, lastResultIndex, namespace, word)})
	}
	for i, t := range l.Tags {
		list = append(list, source{cursorName{tagIndex, i}, tagKey(nil, namespace, t)})
	}
	return list
}

// named is the list in the order of the names.
func (l *jobLister) named(namespace string) (places, error) {
	all, err := l.keys(source{cursorName{nameIndex, 0}, namedKeys(nameIndex, namespace)})
	if err != nil {
		return nil, err
	}
	all.end = afterAll(append(slices.Clone(all.prefix), escaped(l.NamePrefix)...))
	wanted := l.wanted(namespace)
	if len(wanted) == 0 {
		return all, nil
	}
	var key []byte
	return &filter{list: all, keep: func(place []byte) bool {
		for _, s := range wanted {
			key = append(append(key[:0], s.prefix...), place[len(place)-8:]...)
			has, err := l.has(key)
			l.err = errors.Join(l.err, err)
			if !has {
				return false
			}
		}
		return true
	}}, nil
}

// external is the one job that has the external ID, or none.
func (l *jobLister) external(namespace string) (places, error) {
	id, err := l.withExternalID(namespace, l.ExternalID)
	if id == 0 || err != nil {
		return &given{}, err
	}
	j, err := l.job(id)
	return &given{places: [][]byte{l.place(j.Name, id)}}, err
}

// place is the place of a job in the order that the query asks for.
func (l *jobLister) place(name string, id job.ID) []byte {
	if l.NamePrefix != "" {
		return namePlace(name, id)
	}
	return binary.BigEndian.AppendUint64(nil, uint64(id))
}

// start is where the page begins.
func (l *jobLister) start() []byte {
	if l.After != (job.JobPosition{}) {
		return after(l.place(l.After.Name, l.After.ID))
	}
	return escaped(l.NamePrefix)
}

// before is the position that a page comes after that begins at a place: at that of
// a job, or right after one, which has a byte more.
func (l *jobLister) before(place []byte) *job.JobPosition {
	var p job.JobPosition
	if l.NamePrefix != "" {
		p.Name, place = nameAt(place)
	}
	p.ID = job.ID(binary.BigEndian.Uint64(place))
	if len(place) == jobPlaceBytes {
		p.ID--
	}
	return &p
}

// selects reports whether the query selects a job. What the index says is true of
// all but the selections that it has no list for.
func (l *jobLister) selects(j *job.Job) bool {
	return (j.Hook != nil) == l.Hooks &&
		(l.State == "" || j.State == l.State) &&
		(l.LastResult == "" || j.LastResult == l.LastResult) &&
		(l.ExternalID == "" || j.ExternalID == l.ExternalID) &&
		strings.HasPrefix(j.Name, l.NamePrefix) &&
		!slices.ContainsFunc(l.Tags, func(t job.Tag) bool { return !slices.Contains(j.Tags, t) })
}
