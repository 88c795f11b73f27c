package fsm

import (
	"errors"
	"sync"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxPageBytes is how many bytes of jobs are read for one page, give or take one
	// job: bodies may be large, and JSON may make six bytes of one.
	maxPageBytes = 2 << 20
	// minShare is how many jobs are worth a goroutine of their own, and maxShares how
	// many of those read one page.
	minShare  = 100
	maxShares = 4
)

// jobs reads the jobs at places of a list, in their order, as many as a page has room
// for. Several goroutines read a share each: most of the time of a large page goes into
// unpacking blocks of the database.
func (r *reading) jobs(places [][]byte) (jobs []job.Job, err error) {
	shares := make([]share, max(1, min(len(places)/minShare, maxShares)))
	var wait sync.WaitGroup
	for i := range shares {
		part := places[len(places)*i/len(shares) : len(places)*(i+1)/len(shares)]
		wait.Go(func() { shares[i].fill(r.beside(), part) })
	}
	wait.Wait()
	for _, s := range shares {
		if s.err != nil {
			return nil, s.err
		}
		for i, j := range s.jobs {
			if r.read >= maxPageBytes {
				return jobs, nil
			}
			jobs = append(jobs, j)
			r.read += s.bytes[i]
		}
	}
	return jobs, nil
}

// share is a part of the jobs of a page.
type share struct {
	jobs  []job.Job
	bytes []int // of each
	err   error
}

// fill reads the jobs at places, until they fill a page alone.
func (s *share) fill(r *reading, places [][]byte) {
	for _, place := range places {
		if r.read >= maxPageBytes {
			break
		}
		before := r.read
		j, err := r.job(jobOf(place))
		if err != nil {
			s.err = err
			break
		}
		s.jobs, s.bytes = append(s.jobs, j), append(s.bytes, r.read-before)
	}
	s.err = errors.Join(s.err, r.closeCursors())
}
