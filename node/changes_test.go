package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
)

// named is a paused job with an external ID.
func named(externalID string) *job.Spec {
	s := pausedJob()
	s.Name, s.ExternalID = "job "+externalID, externalID
	return &s
}

// change makes changes, and describes what they came to.
func change(ctx context.Context, s *single, changes []job.JobChange, once *job.Idempotent[[]job.JobOutcome]) (outcomes []job.JobOutcome, again []byte) {
	s.t.Helper()
	s.do(ctx, "a change", func() (err error) {
		outcomes, again, err = s.Jobs().Change(ctx, root(ctx, s.t, s.Node), changes, once)
		return err
	})
	return outcomes, again
}

// described is a word for each outcome.
func described(outcomes []job.JobOutcome) string {
	var words []string
	for _, o := range outcomes {
		word := fmt.Sprintf("%s:%d", o.Job.ExternalID, o.Job.Version)
		if o.Err != nil {
			word = string(o.Err.Code)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestChange(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := startSingle(ctx, t)
	invalid := *named("bad")
	invalid.Target.URL = "nowhere"
	made, _ := change(ctx, s, []job.JobChange{
		{Spec: named("a")}, {Spec: &invalid}, {Spec: named("b")}, {Spec: named("a")}, {Spec: named("c")}, {},
	}, nil)
	if got, want := described(made), "a:1 validation_error b:1 conflict c:1 validation_error"; got != want {
		t.Fatalf("created: %s, want %s", got, want)
	}
	a, b, c := made[0].Job, made[2].Job, made[4].Job
	if stored, err := s.Jobs().ByExternalID(ctx, "", "b"); err != nil || stored.ID != b.ID || !stored.UpdatedAt.Equal(b.UpdatedAt) {
		t.Errorf("found by its external id: %+v, %v", stored, err)
	}
	// b takes the ID that a gives up in the same entry, and c would take that of d.
	renamed, taken := *named("a2"), *named("d")
	changed, _ := change(ctx, s, []job.JobChange{
		{ID: a.ID, Version: 1, Spec: &renamed}, {ID: b.ID, Spec: named("a")}, {Spec: named("d")},
		{ID: c.ID, Version: 1, Spec: &taken}, {ID: 12345, Spec: named("e")}, {ID: b.ID},
	}, nil)
	if got, want := described(changed), "a2:2 a:2 d:1 conflict not_found conflict"; got != want {
		t.Errorf("changed: %s, want %s", got, want)
	}
	gone, _ := change(ctx, s, []job.JobChange{{ID: a.ID, Version: 1}, {ID: b.ID, Version: 2}, {ID: c.ID}, {ID: 12345}}, nil)
	if got, want := described(gone), "precondition_failed a:2 c:1 not_found"; got != want {
		t.Errorf("deleted: %s, want %s", got, want)
	}
	if _, err := s.Jobs().ByExternalID(ctx, "", "a"); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("deleted, and still found: %v", err)
	}
	if _, err := s.Jobs().Get(ctx, "", a.ID); err != nil {
		t.Errorf("not deleted, and gone: %v", err)
	}
}

// TestChange_OfAnotherNamespace finds no job of one, not even for the root key, which
// has to say which it means.
func TestChange_OfAnotherNamespace(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := startSingle(ctx, t)
	key := newKey(ctx, s, editor("a"))
	mine, _, err := s.Jobs().Create(ctx, key.APIKey, *named("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	outcomes, _ := change(ctx, s, []job.JobChange{{ID: mine.ID}, {Spec: named("x")}}, nil)
	if got, want := described(outcomes), "not_found x:1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestChange_Once repeats changes of which some were refused: what is answered is
// what was done, and nothing is done again.
func TestChange_Once(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := startSingle(ctx, t)
	change(ctx, s, []job.JobChange{{Spec: named("taken")}}, nil)
	changes := []job.JobChange{{Spec: named("a")}, {Spec: named("taken")}, {Spec: named("b")}, {Spec: named("b")}}
	const want = "a:1 conflict b:1 conflict"
	outcomes, again := change(ctx, s, changes, once(1, 1, described))
	if got := described(outcomes); got != want || again != nil {
		t.Errorf("first: %s, again %q; want %s", got, again, want)
	}
	if _, again := change(ctx, s, changes, once(1, 1, described)); string(again) != want {
		t.Errorf("again: %q, want %s", again, want)
	}
	if page, err := s.Jobs().List(ctx, job.JobQuery{Limit: 10}); err != nil || len(page.Jobs) != 3 {
		t.Errorf("%d jobs: %v", len(page.Jobs), err)
	}
	_, _, err := s.Jobs().Change(ctx, root(ctx, t, s.Node), changes[:1], once(1, 2, described))
	if job.CodeOf(err) != job.CodeIdempotencyMismatch {
		t.Errorf("the key with other changes: %v", err)
	}
}

// TestCreate_OnceThoughARuleSaysNoNow repeats the creation of a job that was to run
// soon, when that time has passed.
func TestCreate_OnceThoughARuleSaysNoNow(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := startSingle(ctx, t)
	spec := secondJob()
	spec.Schedule.Interval, spec.Schedule.RunAt = 0, job.Instant(s.now().Add(time.Hour))
	jobID := func(j job.Job) string { return j.ID.String() }
	var made job.Job
	s.do(ctx, "create", func() (err error) {
		made, _, err = s.Jobs().Create(ctx, root(ctx, t, s.Node), spec, once(1, 1, jobID))
		return err
	})
	s.ahead.Store(int64(3 * time.Hour))
	_, again, err := s.Jobs().Create(ctx, root(ctx, t, s.Node), spec, once(1, 1, jobID))
	if err != nil || string(again) != made.ID.String() {
		t.Errorf("again: %q, %v", again, err)
	}
	if _, _, err := s.Jobs().Create(ctx, root(ctx, t, s.Node), spec, once(2, 1, jobID)); job.CodeOf(err) != job.CodeValidation {
		t.Errorf("another key: %v", err)
	}
}

// TestUpdate_RaceOfWriters lets fifty writers at three nodes replace the same version
// of a job: one of them does. If leadership is lost meanwhile, none of them may know.
func TestUpdate_RaceOfWriters(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := newCrew(ctx, t, 3)
	var made job.Job
	c.do(ctx, "a job", func(n *node.Node) (err error) {
		made, _, err = n.Jobs().Create(ctx, root(ctx, t, n), pausedJob(), nil)
		return err
	})
	nodes := c.all()
	for clear, version := 0, made.Version; clear < 5; {
		var won, lost, unknown atomic.Int64
		var writers sync.WaitGroup
		for i := range 50 {
			writers.Go(func() {
				rename := func(s *job.Spec) error { s.Name = fmt.Sprintf("job of %d", i); return nil }
				switch j, err := updateAnywhere(ctx, slices.Concat(nodes[i%len(nodes):], nodes), made.ID, version, rename); {
				case err == nil && j.Version == version+1 && j.Name == fmt.Sprintf("job of %d", i):
					won.Add(1)
				case job.CodeOf(err) == job.CodePreconditionFailed:
					lost.Add(1)
				case job.CodeOf(err) == job.CodeOutcomeUnknown:
					unknown.Add(1)
				default:
					t.Errorf("a writer got version %d of %q: %v", j.Version, j.Name, err)
				}
			})
		}
		writers.Wait()
		untilReady(ctx, t, nodes[0])
		after, err := nodes[0].Jobs().Get(ctx, "", made.ID)
		if err != nil {
			t.Fatal(err)
		}
		replaced := after.Version - version
		if unknown.Load() == 0 {
			clear++
		}
		if replaced > 1 || uint64(won.Load()) > replaced || unknown.Load() == 0 && (won.Load() != 1 || lost.Load() != 49) {
			t.Fatalf("version %d became %d: %d writers won, %d lost, %d do not know", version, after.Version, won.Load(), lost.Load(), unknown.Load())
		}
		version = after.Version
	}
}

// updateAnywhere asks the first of the nodes, and the others if that does not lead.
func updateAnywhere(ctx context.Context, nodes []*node.Node, id job.ID, version uint64, edit func(*job.Spec) error) (j job.Job, err error) {
	for try := 0; ctx.Err() == nil; try++ {
		j, err = nodes[try%len(nodes)].Jobs().Update(ctx, "", id, version, edit)
		if job.CodeOf(err) != job.CodeNoLeader {
			break
		}
	}
	return j, err
}

// TestChange_Vetoed: an answer that cannot be made keeps the whole change out of the
// log, and the key unused.
func TestChange_Vetoed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := startSingle(ctx, t)
	errVeto := errors.New("one of them is refused")
	veto := once(1, 1, described)
	veto.Answer = func([]job.JobOutcome) ([]byte, error) { return nil, errVeto }
	before := s.Applied()
	outcomes, again, err := s.Jobs().Change(ctx, root(ctx, t, s.Node), []job.JobChange{{Spec: named("a")}, {Spec: named("b")}}, veto)
	if !errors.Is(err, errVeto) || outcomes != nil || again != nil {
		t.Fatalf("%v, again %q: %v", outcomes, again, err)
	}
	if page, err := s.Jobs().List(ctx, job.JobQuery{Limit: 10}); err != nil || len(page.Jobs) != 0 {
		t.Errorf("%d jobs after %d entries: %v", len(page.Jobs), s.Applied()-before, err)
	}
	made, again := change(ctx, s, []job.JobChange{{Spec: named("a")}}, once(1, 2, described))
	if got := described(made); got != "a:1" || again != nil {
		t.Errorf("with the same key and another request: %s, again %q", got, again)
	}
}

// TestHeaderIs compares with what is stored, which only the job itself opens.
func TestHeaderIs(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := startSingle(ctx, t)
	spec := *named("a")
	spec.Target.Headers = []job.Header{{Name: "Authorization", Value: "Bearer 1"}, {Name: "X-Empty"}}
	var jobs []job.Job
	for _, id := range []string{"a", "b"} {
		spec.ExternalID = id
		made, _, err := s.Jobs().Create(ctx, root(ctx, t, s.Node), spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, made)
	}
	stored := jobs[0].Target.Headers
	for value, want := range map[string]bool{"Bearer 1": true, "Bearer 2": false, "bearer 1": false, "Bearer": false, "": false} {
		if got, err := s.Jobs().HeaderIs(ctx, jobs[0].ID, stored[0], value); got != want || err != nil {
			t.Errorf("%q: %t, %v", value, got, err)
		}
	}
	if got, err := s.Jobs().HeaderIs(ctx, jobs[0].ID, stored[1], ""); !got || err != nil {
		t.Errorf("an empty value: %t, %v", got, err)
	}
	if got, err := s.Jobs().HeaderIs(ctx, jobs[1].ID, stored[0], "Bearer 1"); got || err == nil {
		t.Errorf("in another job: %t, %v", got, err)
	}
	if got, err := s.Jobs().HeaderIs(ctx, jobs[0].ID, job.Header{Name: "X-Empty", Sealed: stored[0].Sealed}, "Bearer 1"); got || err == nil {
		t.Errorf("under another name: %t, %v", got, err)
	}
}
