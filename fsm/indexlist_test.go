package fsm

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/cronraft/cronraft/internal/job"
)

// TestLists compares pages of every kind with what a look at all jobs and all
// executions finds, after whatever may happen to them.
func TestLists(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := newLister(t, rt)
		defer func() { l.must(l.Close()) }()
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			l.submit(l.decision())
		}
		for range 8 {
			q := l.jobQuery()
			wantList(rt, q, l.readJobs(q, func() {}), l.findJobs(q), jobKeyOf)
			x := l.executionQuery()
			if _, err := l.Job(x.Job); x.Job != 0 && err != nil {
				continue
			}
			wantList(rt, x, l.readExecutions(x, func() {}), l.findExecutions(x), executionKeyOf)
		}
	})
}

// TestLists_WhileTheyChange reads lists page by page while what they are of
// changes: nothing comes twice, and what was there all the time comes.
func TestLists_WhileTheyChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := newLister(t, rt)
		defer func() { l.must(l.Close()) }()
		for range rapid.IntRange(10, 60).Draw(rt, "steps") {
			l.submit(l.decision())
		}
		q := l.jobQuery()
		steady := idsOf(l.findJobs(q), jobKeyOf)
		read := l.readJobs(q, func() {
			l.submit(l.decision())
			steady = keepOnly(steady, idsOf(l.findJobs(q), jobKeyOf))
		})
		wantAll(rt, idsOf(read, jobKeyOf), steady)

		x := l.executionQuery()
		x.Job = 0
		steady = idsOf(l.findExecutions(x), executionKeyOf)
		all := l.readExecutions(x, func() {
			l.submit(l.decision())
			steady = keepOnly(steady, idsOf(l.findExecutions(x), executionKeyOf))
		})
		wantAll(rt, idsOf(all, executionKeyOf), steady)
	})
}

// TestIndex_Rebuilt makes the index anew, and compares it with the one that was
// kept up.
func TestIndex_Rebuilt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := newLister(t, rt)
		defer func() { l.must(l.Close()) }()
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			l.submit(l.decision())
		}
		kept := l.derived()
		l.must(l.state.buildIndex())
		if built := l.derived(); built != kept {
			rt.Errorf("kept up:\n%s\nmade anew:\n%s", kept, built)
		}
	})
}

// lister is a node with lists, and what changes them.
type lister struct {
	*generator
	*node
}

// newLister allows for very few looks in some of its lists, and for many in others.
func newLister(t *testing.T, rt *rapid.T) *lister {
	n := &node{TB: t, cfg: Config{FS: vfs.NewMem(), Dir: "store", CacheBytes: 1 << 20}}
	n.cfg.looks = rapid.SampledFrom([]int{1, 2, 5, 1000}).Draw(rt, "looks")
	n.reopen()
	n.submit(job.RaiseVersion{Version: 3})
	return &lister{&generator{rt: rt, node: n}, n}
}

func (l *lister) must(err error) {
	if err != nil {
		l.rt.Fatal(err)
	}
}

var (
	listNames  = []string{"a", "ab", "abc", "b", "a\x00b", "é"}
	listTags   = []job.Tag{{Key: "env", Value: "prod"}, {Key: "env", Value: "test"}, {Key: "team", Value: "a"}}
	listSpaces = []string{"default", "one", "two"}
)

func draw[T any](l *lister, what string, from ...T) T {
	return rapid.SampledFrom(from).Draw(l.rt, what)
}

func (l *lister) decision() job.Decision {
	switch draw(l, "list decision", 0, 0, 1, 2, 2, 2) {
	case 0:
		return l.putListed()
	case 1:
		return job.DeleteJob{At: at(l.now), ID: job.ID(rapid.IntRange(7, 12).Draw(l.rt, "deleted"))}
	}
	return l.generator.decision()
}

// putListed puts a job that has names and tags.
func (l *lister) putListed() job.Decision {
	s := spec(job.OverlapAllow)
	s.Name = draw(l, "name", listNames...)
	s.State = draw(l, "state", job.Active, job.Active, job.Paused)
	for _, tag := range listTags {
		if rapid.Bool().Draw(l.rt, "tag") && !slices.ContainsFunc(s.Tags, func(t job.Tag) bool { return t.Key == tag.Key }) {
			s.Tags = append(s.Tags, tag)
		}
	}
	s.ExternalID = draw(l, "external ID", "", "", "x", "y")
	j := job.Job{ID: job.ID(rapid.IntRange(7, 12).Draw(l.rt, "listed")), Spec: s, NextRunAt: at(l.now + 1), Namespace: draw(l, "namespace", listSpaces...)}
	if old, err := l.Job(j.ID); err == nil {
		j.Version, j.Namespace = old.Version, old.Namespace
	}
	return job.PutJobs{At: at(l.now), Jobs: []job.PutJob{{Job: j}}}
}

func (l *lister) jobQuery() job.JobQuery {
	q := job.JobQuery{
		Namespace:  draw(l, "namespace", append(listSpaces, "", "", "none")...),
		State:      draw(l, "state", "", "", job.Active, job.Paused, job.Completed, "none"),
		LastResult: draw(l, "last result", "", "", job.Success, job.Failed, job.Missed, job.Skipped),
		NamePrefix: draw(l, "name prefix", "", "", "a", "ab", "a\x00", "none"),
		ExternalID: draw(l, "external ID", "", "", "", "x", "none"),
		Hooks:      draw(l, "hooks", false, false, false, true),
		Limit:      draw(l, "limit", 1, 2, 3, 100),
	}
	for _, tag := range listTags {
		if draw(l, "tag", false, false, true) {
			q.Tags = append(q.Tags, tag)
		}
	}
	return q
}

func (l *lister) executionQuery() job.ExecutionQuery {
	q := job.ExecutionQuery{
		Namespace: draw(l, "namespace", append(listSpaces, "", "", "none")...),
		Result:    draw(l, "result", append(results, "", "", "")...),
		Trigger:   draw(l, "trigger", append(triggers, "", "", "", "")...),
		Limit:     draw(l, "limit", 1, 2, 3, 100),
	}
	if q.Namespace == "" {
		q.Job = draw(l, "job", 0, 0, l.id(), job.ID(7), job.ID(8))
	}
	if rapid.Bool().Draw(l.rt, "bounded") {
		q.From, q.To = at(l.now-rapid.IntRange(-1, 3).Draw(l.rt, "from")), at(l.now-rapid.IntRange(-3, 2).Draw(l.rt, "to"))
	}
	return q
}

// findJobs looks at all jobs.
func (l *lister) findJobs(q job.JobQuery) []job.Job {
	var list []job.Job
	for _, j := range l.everyJob() {
		if (q.Namespace == "" || q.Namespace == j.Namespace) && (q.State == "" || q.State == j.State) &&
			(q.LastResult == "" || q.LastResult == j.LastResult) && (q.ExternalID == "" || q.ExternalID == j.ExternalID) &&
			strings.HasPrefix(j.Name, q.NamePrefix) && q.Hooks == (j.Hook != nil) && hasAll(j.Tags, q.Tags) {
			list = append(list, j)
		}
	}
	slices.SortFunc(list, func(a, b job.Job) int {
		if q.NamePrefix == "" {
			return cmp.Compare(a.ID, b.ID)
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func hasAll(tags, wanted []job.Tag) bool {
	for _, t := range wanted {
		if !slices.Contains(tags, t) {
			return false
		}
	}
	return true
}

func (n *node) everyJob() []job.Job {
	n.Helper()
	var list []job.Job
	n.must(n.state.scan(statePrefix, anyLength, func(key, _ []byte) error {
		list = append(list, n.job(jobOf(key)))
		return nil
	}))
	return list
}

// findExecutions looks at all executions.
func (l *lister) findExecutions(q job.ExecutionQuery) []job.Execution {
	jobs := map[job.ID]job.Job{}
	for _, j := range l.everyJob() {
		jobs[j.ID] = j
	}
	var list []job.Execution
	for _, x := range l.everyExecution() {
		j, when := jobs[x.ID.Job], instant(int64(x.ID.Order>>16))
		if (q.Namespace == "" || q.Namespace == j.Namespace) && (q.Job == x.ID.Job || q.Job == 0 && j.Hook == nil) &&
			(q.Result == "" || q.Result == x.Result) && (q.Trigger == "" || q.Trigger == x.Trigger) &&
			(q.From.IsZero() || !when.Before(q.From)) && (q.To.IsZero() || when.Before(q.To)) {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b job.Execution) int { return compareNewest(a.ID, b.ID) })
	return list
}

func (n *node) everyExecution() []job.Execution {
	n.Helper()
	var list []job.Execution
	n.must(n.state.scan(executionPrefix, anyLength, func(key, _ []byte) error {
		list = append(list, n.execution(executionOf(key)))
		return nil
	}))
	return list
}

// readJobs reads all pages, and calls between after each of them.
func (l *lister) readJobs(q job.JobQuery, between func()) []job.Job {
	var list []job.Job
	for range 1000 {
		page, err := l.Jobs(q)
		l.must(err)
		if list = append(list, page.Jobs...); page.Next == nil {
			return list
		}
		if len(page.Jobs) > q.Limit || *page.Next == q.After {
			l.rt.Fatalf("%+v: the page has %d jobs, and the next one begins after %+v", q, len(page.Jobs), *page.Next)
		}
		q.After = *page.Next
		between()
	}
	l.rt.Fatalf("%+v: there is no last page", q)
	return nil
}

func (l *lister) readExecutions(q job.ExecutionQuery, between func()) []job.Execution {
	var list []job.Execution
	for range 10_000 {
		page, err := l.ExecutionList(q)
		if err != nil {
			l.rt.Log(l.derived(), l.contents(), q)
		}
		l.must(err)
		if list = append(list, page.Executions...); page.Next == nil {
			return list
		}
		if len(page.Executions) > q.Limit || *page.Next == q.Before {
			l.rt.Fatalf("%+v: the page has %d executions, and the next one begins after %+v", q, len(page.Executions), *page.Next)
		}
		q.Before = *page.Next
		between()
	}
	l.rt.Fatalf("%+v: there is no last page", q)
	return nil
}

func wantList[T any](rt *rapid.T, query any, got, want []T, id func(T) string) {
	if !slices.Equal(idsOf(got, id), idsOf(want, id)) || len(got) > 0 && !reflect.DeepEqual(got, want) {
		rt.Errorf("%+v:\ngot\n%+v\nwant\n%+v", query, got, want)
	}
}

func wantAll(rt *rapid.T, got, steady []string) {
	for i, id := range got {
		if slices.Contains(got[:i], id) {
			rt.Errorf("%s came twice: %v", id, got)
		}
	}
	for _, id := range steady {
		if !slices.Contains(got, id) {
			rt.Errorf("%s was there all the time, and did not come: %v", id, got)
		}
	}
}

// jobKeyOf has the name: a job that is renamed has another place.
func jobKeyOf(j job.Job) string { return fmt.Sprintf("%v %q", j.ID, j.Name) }

// executionKeyOf tells the executions of a job from those of one with its ID that
// came after it.
func executionKeyOf(x job.Execution) string { return x.ID.String() }

func idsOf[T any](list []T, id func(T) string) []string {
	ids := []string{}
	for _, item := range list {
		ids = append(ids, id(item))
	}
	return ids
}

func keepOnly(ids, these []string) []string {
	return slices.DeleteFunc(ids, func(id string) bool { return !slices.Contains(these, id) })
}

// derived is the index.
func (n *node) derived() string {
	n.Helper()
	var all []byte
	n.must(n.state.scan(indexPrefix, anyLength, func(key, value []byte) error {
		all = fmt.Appendf(all, "%q %q\n", key, value)
		return nil
	}))
	return string(all)
}

// TestExecutionList_Job names a job that is not there, or is another namespace's.
func TestExecutionList_Job(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	for _, q := range []job.ExecutionQuery{{Job: jobB, Limit: 1}, {Job: jobA, Namespace: "other", Limit: 1}} {
		if _, err := n.ExecutionList(q); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("%+v: got %v, want %v", q, err, job.ErrNotFound)
		}
	}
	_, err := n.ExecutionList(job.ExecutionQuery{Job: jobA, Namespace: job.DefaultNamespace, Limit: 1})
	n.must(err)
}

// TestExecutionList_Unended has more open executions than one page may look at.
func TestExecutionList_Unended(t *testing.T) {
	t.Parallel()
	n := &node{TB: t, cfg: Config{FS: vfs.NewMem(), Dir: "store", looks: 1}}
	n.reopen()
	defer func() { n.must(n.Close()) }()
	n.do(put(jobA, at(1), spec(job.OverlapAllow)))
	const runs = 4 * unendedPerLook
	for i := range runs {
		n.do(runNow(i, 1, ""))
	}
	for _, result := range []job.Result{"", job.Running} {
		q := job.ExecutionQuery{Result: result, Limit: runs}
		for i := runs; i > 0; {
			page, err := n.ExecutionList(q)
			n.must(err)
			for _, x := range page.Executions {
				i--
				equal(t, "execution", x.ID, job.ManualExecution(jobA, at(i), 1))
			}
			if page.Next == nil {
				equal(t, "executions that did not come", i, 0)
				break
			}
			q.Before = *page.Next
		}
	}
	page, err := n.ExecutionList(job.ExecutionQuery{Result: job.Retrying, Limit: 1})
	n.must(err)
	if len(page.Executions) != 0 || page.Next == nil {
		t.Errorf("of those that none is: got %+v", page)
	}
}
