package fsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cronraft/cronraft/internal/job"
)

// listed is a node with a job that has run, one that is paused, and a webhook.
func listed(t testing.TB) *node {
	t.Helper()
	n := withJob(t, job.OverlapAllow)
	n.submit(job.RaiseVersion{Version: 3})
	s := spec(job.OverlapSkip)
	s.Name, s.State, s.ExternalID = "paused", job.Paused, "x"
	s.Tags = []job.Tag{{Key: "env", Value: "prod"}}
	n.do(put(jobB, at(1), s))
	hook := put(job.ID(0xc), at(0), spec(job.OverlapAllow))
	hook.Jobs[0].Job.Hook = &job.Hook{Events: []job.EventType{job.EventExecutionSucceeded}}
	n.do(hook)
	n.do(plan(1))
	n.do(succeed(2, ref(slotID(1), 1)))
	n.do(plan(2))
	return n
}

func (n *node) reopened() {
	n.Helper()
	n.must(n.Close())
	n.reopen()
}

func TestIndex_MadeAnewUnlessKeptUp(t *testing.T) {
	t.Parallel()
	stray := namedKeys(tagIndex, "stray")
	tests := map[string]struct {
		spoil func(n *node) error
		kept  bool
	}{
		"kept up": {func(n *node) error { return nil }, true},
		"no mark": {func(n *node) error { return n.state.db.Delete(indexFormatKey, pebble.NoSync) }, false},
		"another format": {func(n *node) error {
			return n.state.db.Set(indexFormatKey, append([]byte{indexFormat + 1}, indexMark(n.Applied())[1:]...), pebble.NoSync)
		}, false},
		"entries of another program": {func(n *node) error { return n.state.db.Set(indexFormatKey, indexMark(n.Applied()-1), pebble.NoSync) }, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := listed(t)
			want := n.derived()
			n.must(n.state.db.Set(stray, nil, pebble.NoSync))
			n.must(tc.spoil(n))
			n.reopened()
			got := n.derived()
			equal(t, "a key that does not belong there is kept", strings.Contains(got, "stray"), tc.kept)
			n.must(n.state.db.Delete(stray, pebble.NoSync))
			equal(t, "index", n.derived(), want)
		})
	}
}

// TestIndex_Restored restores the state of a program that kept no index.
func TestIndex_Restored(t *testing.T) {
	t.Parallel()
	leader := listed(t)
	want := leader.derived()
	leader.must(leader.state.db.DeleteRange([]byte(indexPrefix), afterAll([]byte(indexPrefix)), pebble.NoSync))
	n := newNode(t)
	n.restoreFrom(leader)
	equal(t, "index", n.derived(), want)
	page, err := n.ExecutionList(job.ExecutionQuery{Result: job.Running, Limit: 9})
	n.must(err)
	equal(t, "running", len(page.Executions), 1)
}

func TestIndex_IsNotInTheHash(t *testing.T) {
	t.Parallel()
	n := listed(t)
	want := n.hash()
	n.must(n.state.db.Set(namedKeys(tagIndex, "stray"), nil, pebble.NoSync))
	equal(t, "hash", n.hash(), want)
}

// written applies a decision and returns the kinds of the keys that it wrote into
// the index.
func (n *node) written(d job.Decision) string {
	n.Helper()
	l := n.entry(d)
	n.mu.Lock()
	defer n.mu.Unlock()
	x := n.begin()
	x.apply(d, &job.Applied{})
	var kinds []string
	keys := x.index.batch.Reader()
	for {
		_, key, _, ok, err := keys.Next()
		n.must(err)
		if !ok {
			break
		}
		kinds = append(kinds, string(key[:len(tagIndex)]))
	}
	n.commit(x, l.Index)
	slices.Sort(kinds)
	return fmt.Sprint(kinds)
}

// TestIndex_WritesWhatChanges looks at what the decisions of a job's run write:
// what does not change is not written.
func TestIndex_WritesWhatChanges(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	equal(t, "plan", n.written(plan(1)), "[]")
	equal(t, "first success", n.written(succeed(2, ref(slotID(1), 1))), "[i/l/ i/r/]")
	equal(t, "plan", n.written(plan(2)), "[]")
	equal(t, "another success", n.written(succeed(3, ref(slotID(2), 1))), "[i/r/]")
	equal(t, "plan", n.written(plan(3)), "[]")
	equal(t, "failure", n.written(record(4, outcome(ref(slotID(3), 1), errStatus))), "[i/l/ i/l/ i/r/]")
	edit := put(jobA, at(4), spec(job.OverlapAllow))
	edit.Jobs[0].Job.Version = 1
	equal(t, "edit", n.written(edit), "[]")
	equal(t, "run", n.written(runNow(5, 1, "")), "[]")
	equal(t, "cancel", n.written(cancel(5, job.ManualExecution(jobA, at(5), 1))), "[i/g/ i/l/ i/l/ i/r/]")
	equal(t, "delete", n.written(job.DeleteJob{At: at(6), ID: jobA}), "[i/g/ i/l/ i/n/ i/r/ i/r/ i/r/ i/r/ i/s/]")
	equal(t, "index", strings.Count(n.derived(), "\n"), 1) // the mark
}

func TestJobs_Hooks(t *testing.T) {
	t.Parallel()
	n := listed(t)
	jobs, err := n.Jobs(job.JobQuery{Limit: 9})
	n.must(err)
	equal(t, "jobs", len(jobs.Jobs), 2)
	equal(t, "running", jobs.Jobs[0].Running, 1)
	hooks, err := n.Jobs(job.JobQuery{Hooks: true, Limit: 9})
	n.must(err)
	equal(t, "webhooks", len(hooks.Jobs), 1)
	all, err := n.ExecutionList(job.ExecutionQuery{Limit: 9})
	n.must(err)
	equal(t, "executions", len(all.Executions), 2)
	deliveries, err := n.ExecutionList(job.ExecutionQuery{Job: 0xc, Trigger: job.TriggerEvent, Limit: 9})
	n.must(err)
	equal(t, "deliveries", len(deliveries.Executions), 1)
}

// TestJobs_Bounded selects by two tags that no job has both of: the page is empty,
// and there is a next one.
func TestJobs_Bounded(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := job.PutJobs{At: epoch}
	for i := range 2 * maxLooks {
		s := spec(job.OverlapSkip)
		s.Tags = []job.Tag{{Key: "even", Value: fmt.Sprint(i%2 == 0)}}
		d.Jobs = append(d.Jobs, job.PutJob{Job: job.Job{ID: job.ID(i + 1), Spec: s}})
	}
	n.submit(d)
	q := job.JobQuery{Tags: []job.Tag{{Key: "even", Value: "true"}, {Key: "even", Value: "false"}}, Limit: 10}
	page, err := n.Jobs(q)
	n.must(err)
	equal(t, "jobs", len(page.Jobs), 0)
	if page.Next == nil || page.Next.ID > maxLooks || page.Next.ID < maxLooks/4 {
		t.Fatalf("next: got %+v", page.Next)
	}
	q.After = *page.Next
	if page, err = n.Jobs(q); err != nil || page.Next == nil {
		t.Errorf("next page: got %+v, %v", page, err)
	}
}

// TestJobs_LargeBodies lists jobs that are too large for one page; the smaller ones are
// so many that several goroutines read them.
func TestJobs_LargeBodies(t *testing.T) {
	t.Parallel()
	for count, bodyBytes := range map[int]int{30: 250_000, 700: 7_000} {
		n := newNode(t)
		body := strings.Repeat("b", bodyBytes)
		for i := range count {
			s := spec(job.OverlapSkip)
			s.Name = fmt.Sprintf("job-%04d", count-i)
			s.Target.Body = &body
			n.submit(job.PutJobs{At: epoch, Jobs: []job.PutJob{{Job: job.Job{ID: job.ID(i + 1), Spec: s}}}})
		}
		var byID, byName []job.ID
		for i := range count {
			byID, byName = append(byID, job.ID(i+1)), append(byName, job.ID(count-i))
		}
		if got := n.pagesOf(job.JobQuery{Limit: 500}, bodyBytes); !slices.Equal(got, byID) {
			t.Errorf("%d jobs: got %v", count, got)
		}
		if got := n.pagesOf(job.JobQuery{Limit: 500, NamePrefix: "job"}, bodyBytes); !slices.Equal(got, byName) {
			t.Errorf("%d jobs by name: got %v", count, got)
		}
	}
}

// pagesOf lists jobs with bodies, and checks how large each page is.
func (n *node) pagesOf(q job.JobQuery, bodyBytes int) (seen []job.ID) {
	n.Helper()
	for {
		page, err := n.Jobs(q)
		n.must(err)
		size := len(page.Jobs) * bodyBytes
		// A job is a little more than its body.
		if full := size > maxPageBytes*9/10-bodyBytes; size > maxPageBytes+bodyBytes || !full && page.Next != nil {
			n.Fatalf("a page of %d jobs has %d bytes of bodies; next %v", len(page.Jobs), size, page.Next)
		}
		for _, j := range page.Jobs {
			seen = append(seen, j.ID)
		}
		if page.Next == nil {
			return seen
		}
		q.After = *page.Next
	}
}

// TestCheckpoint_NoIndexForOldMembers: a program that knows of no index would take it
// for a part of the state.
func TestCheckpoint_NoIndexForOldMembers(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]bool{2: false, 3: true} {
		n := newNode(t)
		n.do(job.RaiseVersion{Version: version})
		n.do(put(jobA, at(1), spec(job.OverlapSkip)))
		n.do(plan(1))
		n.do(succeed(2, ref(slotID(1), 1)))
		a, err := n.checkpoint(99)
		n.must(err)
		db, err := pebble.Open(a.dir, n.options(func(err error) { t.Error(err) }))
		n.must(err)
		copied := &state{db: db}
		has := false
		n.must(copied.scan(indexPrefix, anyLength, func(_, _ []byte) error { has = true; return nil }))
		equal(t, fmt.Sprintf("version %d: index in the copy", version), has, want)
		n.must(errors.Join(db.Close(), a.Close()))
		equal(t, "index of the node itself", len(n.keysOf(indexPrefix)) > 0, true)
		other := newNode(t)
		other.restoreFrom(n)
		equal(t, "hash", other.hash(), n.hash())
		equal(t, "restored index", len(other.keysOf(indexPrefix)), len(n.keysOf(indexPrefix)))
	}
}
