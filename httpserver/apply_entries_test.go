package httpserver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// choosyChanges makes the changes of jobBackend but for those that refuse has something
// against, each by itself, as a node does. Before is told how many entries were made, and
// its error is that of the next one.
type choosyChanges struct {
	jobBackend
	refuse func(job.JobChange) *job.Error
	before func(entries uint64) error
}

func (b choosyChanges) Change(_ context.Context, by job.APIKey, changes []job.JobChange, once *job.Idempotent[[]job.JobOutcome]) ([]job.JobOutcome, []byte, error) {
	return changeOnce(b.backend, once, func() ([]job.JobOutcome, error) {
		var outcomes []job.JobOutcome
		if err := b.before(b.index); err != nil {
			return nil, err
		}
		for _, c := range changes {
			if e := b.refuse(c); e != nil {
				outcomes = append(outcomes, job.JobOutcome{Err: e})
				continue
			}
			j, err := b.apply(by, c)
			if err != nil {
				return nil, err
			}
			outcomes = append(outcomes, job.JobOutcome{Job: j})
		}
		return outcomes, nil
	})
}

func startChoosy(t *testing.T, edit func(*choosyChanges)) *testServer {
	t.Helper()
	b := &backend{store: newStore()}
	return start(t, "n1", b, func(c *Config) {
		choosy := choosyChanges{
			jobBackend: jobBackend{b}, refuse: func(job.JobChange) *job.Error { return nil }, before: func(uint64) error { return nil },
		}
		edit(&choosy)
		c.Jobs = choosy
	})
}

// twoEntries is a list of nine jobs that are too large for one entry of the log.
func twoEntries() string {
	var jobs []string
	for i := range 9 {
		jobs = append(jobs, declared(fmt.Sprint("j", i), `,"body":"`+strings.Repeat("x", 250_000)+`"`))
	}
	return bulkOf(jobs...)
}

func past(ids ...string) func(job.JobChange) *job.Error {
	return func(c job.JobChange) *job.Error {
		if c.Spec == nil || !slices.Contains(ids, c.Spec.ExternalID) {
			return nil
		}
		return job.Invalid([]job.FieldError{{Field: "runAt", Msg: "is in the past"}})
	}
}

// TestApply_MakesNoneOfManyEntriesIfOneIsRefused: what only the leader knows to be wrong
// with the last jobs is told before the first are made, and all of it.
func TestApply_MakesNoneOfManyEntriesIfOneIsRefused(t *testing.T) {
	t.Parallel()
	s := startChoosy(t, func(b *choosyChanges) { b.refuse = past("j0", "j8") })
	for _, once := range []string{"", "k"} {
		p := s.do("POST", "/jobs/apply", twoEntries(), headerOnce, once).problem(400, "validation_error")
		if got, want := fields(p), []string{"jobs[0].runAt", "jobs[8].runAt"}; !slices.Equal(got, want) {
			t.Errorf("fields %v, want %v", got, want)
		}
	}
	if len(s.jobs) != 0 || s.writes() != 0 {
		t.Errorf("%d jobs were made in %d entries", len(s.jobs), s.writes())
	}
	s.do("POST", "/jobs/import", twoEntries()).wantApplied(7, 0, 0, 0, 2)
}

func TestApply_ManyEntries(t *testing.T) {
	t.Parallel()
	s := startChoosy(t, func(*choosyChanges) {})
	s.do("POST", "/jobs/apply", twoEntries()).wantApplied(9, 0, 0, 0, 0)
	s.do("POST", "/jobs/apply", twoEntries()).wantApplied(0, 0, 9, 0, 0)
	if s.writes() != 2 {
		t.Errorf("%d entries, want 2", s.writes())
	}
}

// TestApply_InPartIsUnknown: once an entry was committed, nothing that comes then is as
// if nothing had happened, and whoever sends the list again gets it done.
func TestApply_InPartIsUnknown(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{
		"no leader": job.ErrNotLeader, "unknown": job.ErrOutcomeUnknown, "disk": errDisk, "time": context.DeadlineExceeded,
		"rule": job.Errorf(job.CodeDiskFull, "the disk is full"),
	} {
		for _, path := range []string{"/jobs/apply", "/jobs/import"} {
			lost := true
			s := startChoosy(t, func(b *choosyChanges) {
				b.before = func(entries uint64) error {
					if lost && entries == 1 {
						return cause
					}
					return nil
				}
			})
			s.do("POST", path, twoEntries()).problem(503, "outcome_unknown")
			if len(s.jobs) != 8 {
				t.Errorf("%s, %s: %d jobs", path, name, len(s.jobs))
			}
			lost = false
			s.do("POST", path, twoEntries()).wantApplied(1, 0, 8, 0, 0)
		}
	}
	s := startChoosy(t, func(b *choosyChanges) { b.before = func(uint64) error { return job.ErrNotLeader } })
	s.do("POST", "/jobs/apply", twoEntries()).problem(503, "no_leader")
}

// newJobs only makes jobs, as fast as very many need it.
type newJobs struct {
	jobBackend
	named map[string]job.Job
}

func (b newJobs) ByExternalID(_ context.Context, _, externalID string) (job.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if j, known := b.named[externalID]; known {
		return j, nil
	}
	return job.Job{}, job.ErrNotFound
}

func (b newJobs) Change(_ context.Context, by job.APIKey, changes []job.JobChange, once *job.Idempotent[[]job.JobOutcome]) ([]job.JobOutcome, []byte, error) {
	outcomes, again, err := changeOnce(b.backend, once, func() (outcomes []job.JobOutcome, err error) {
		for i, c := range changes {
			made := job.Job{ID: b.lastID + job.ID(i) + 1, Namespace: by.Namespace, Version: 1, Spec: c.Spec.Clone()}
			outcomes = append(outcomes, job.JobOutcome{Job: made})
		}
		return outcomes, nil
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range outcomes {
		if err == nil && len(again) == 0 {
			b.named[o.Job.ExternalID], b.lastID = o.Job, o.Job.ID
		}
	}
	return outcomes, again, err
}

// startForMany is a leader with newJobs, and a follower of it.
func startForMany(t *testing.T) (jobs newJobs, follower *testServer) {
	t.Helper()
	b := &backend{store: newStore()}
	jobs = newJobs{jobBackend{b}, map[string]job.Job{}}
	leader := start(t, "n1", b, func(c *Config) { c.Jobs = jobs })
	return jobs, start(t, "n2", &backend{store: leader.store, follower: true, forward: leader.ServeForwarded})
}

// TestApply_TenThousandJobs at a follower: they go to the leader in one piece, and a list
// that is larger than that is refused at once.
func TestApply_TenThousandJobs(t *testing.T) {
	t.Parallel()
	_, s := startForMany(t)
	body := `,"body":"` + strings.Repeat("x", 900) + `"`
	var jobs []string
	for i := range maxListJobs {
		jobs = append(jobs, declared(fmt.Sprint("j", i), body))
	}
	list := bulkOf(jobs...)
	s.do("POST", "/jobs/apply", list, headerOnce, "k").wantApplied(maxListJobs, 0, 0, 0, 0)
	s.do("POST", "/jobs/apply", list+strings.Repeat(" ", maxListBytes-len(list))).wantApplied(0, 0, maxListJobs, 0, 0)
	s.do("POST", "/jobs/apply", list+strings.Repeat(" ", maxListBytes-len(list)+1)).problem(413, "payload_too_large")
}

// TestApply_OneLargeListAtATime: each takes many times its size in memory.
func TestApply_OneLargeListAtATime(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	large := bulkOf(declared("a", "")) + strings.Repeat(" ", maxBulkBytes)
	s.lists <- struct{}{}
	for _, path := range []string{"/jobs/apply", "/jobs/import"} {
		a := s.do("POST", path, large)
		if a.problem(429, "rate_limited"); a.header.Get(headerRetryAfter) != "1" {
			t.Errorf("%s: Retry-After %q", path, a.header.Get(headerRetryAfter))
		}
	}
	s.do("POST", "/jobs/apply", bulkOf(declared("a", ""))).wantApplied(1, 0, 0, 0, 0)
	<-s.lists
	for range 2 {
		s.do("POST", "/jobs/apply", large).wantApplied(0, 0, 1, 0, 0)
	}
}

// TestApply_AnswerThatCannotBeKept is refused before anything is made.
func TestApply_AnswerThatCannotBeKept(t *testing.T) {
	t.Parallel()
	made, s := startForMany(t)
	chance := rand.New(rand.NewPCG(1, 2))
	var jobs []string
	const count = 7 * MaxChanges
	for i := range count {
		name := make([]rune, 190)
		for at := range name {
			name[at] = rune(0x4e00 + chance.IntN(0x5000))
		}
		jobs = append(jobs, fmt.Sprintf(`{"name":%q,"externalId":%q,"intervalSeconds":60,"targetUrl":"http://t.test/"}`, string(name), fmt.Sprint(i)))
	}
	list := bulkOf(jobs...)
	for _, path := range []string{"/jobs/apply", "/jobs/import"} {
		if a := s.do("POST", path, list, headerOnce, "k"); a.status != 413 || !strings.Contains(a.problem(413, "payload_too_large").Detail, headerOnce) {
			t.Errorf("%s: status %d, %s", path, a.status, clip(a.body))
		}
	}
	if len(made.named) > 0 {
		t.Errorf("%d jobs were made", len(made.named))
	}
	s.do("POST", "/jobs/apply", list).wantApplied(count, 0, 0, 0, 0)
}

// TestApply_PrunesByTag: a part of the jobs has a list of its own.
func TestApply_PrunesByTag(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	tagged := func(id, team string) string { return declared(id, `,"tags":{"team":"`+team+`","x":"y"}`) }
	s.do("POST", "/jobs/apply", bulkOf(tagged("a", "one"), tagged("b", "one"), tagged("c", "two"))).wantApplied(3, 0, 0, 0, 0)
	p := s.do("POST", "/jobs/apply?prune=true&tag=team:one", bulkOf(tagged("a", "one"), tagged("c", "two"), declared("d", ""))).problem(400, "validation_error")
	if got, want := fields(p), []string{"jobs[1].tags", "jobs[2].tags"}; !slices.Equal(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
	got := s.do("POST", "/jobs/apply?prune=true&tag=team:one&tag=x:y", bulkOf(tagged("a", "one"))).wantApplied(0, 0, 1, 1, 0)
	if *got.Changes[1].ExternalID != "b" {
		t.Errorf("got %+v", got.Changes[1])
	}
	s.do("GET", "/jobs/by-external-id/c", "").want(200)
}

// TestApply_PrunesNotEverything: what is deleted is listed, so there is a bound to it.
func TestApply_PrunesNotEverything(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for i := range maxListJobs + 1 {
		spec := job.DefaultSpec()
		spec.Name, spec.ExternalID = "n", fmt.Sprint(i)
		if _, err := s.make(theRootKey, spec); err != nil {
			t.Fatal(err)
		}
	}
	if got := fields(s.do("POST", "/jobs/apply?prune", bulkOf()).problem(400, "validation_error")); !slices.Equal(got, []string{"prune"}) {
		t.Errorf("fields %v", got)
	}
	s.do("POST", "/jobs/apply?prune", bulkOf(declared("0", ""))).wantApplied(0, 1, 0, maxListJobs, 0)
}
