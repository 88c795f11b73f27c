package fsm

import (
	"reflect"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestInit(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	key := job.APIKey{ID: "root", Name: "root", Role: job.RoleAdmin, Root: true, Secret: job.Secret{Hash: [32]byte{1}, Sealed: []byte{2}}, CreatedAt: epoch}
	n.do(job.Init{ClusterID: "c1", RootKey: key})
	equal(t, "cluster", n.ClusterID(), "c1")
	for name, find := range map[string]func() (job.APIKey, error){
		"KeyByHash": func() (job.APIKey, error) { return n.KeyByHash([32]byte{1}) },
		"Key":       func() (job.APIKey, error) { return n.Key("root") },
	} {
		got, err := find()
		if err != nil || !reflect.DeepEqual(got, key) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, key)
		}
	}
	n.refused(job.ErrStale, job.Init{ClusterID: "c2", RootKey: key})
	if _, err := n.Key("other"); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("unknown key: got %v", err)
	}
}

func TestPutJobs_Create(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	s := spec(job.OverlapAllow)
	body := "{}"
	s.Target.Body = &body
	s.Target.Headers = []job.Header{{Name: "X-A", Sealed: []byte{1, 2}}}
	n.do(put(jobA, at(1), s))
	want := job.Job{
		ID: jobA, Namespace: job.DefaultNamespace, KeyID: "key", Version: 1,
		CreatedAt: epoch, UpdatedAt: epoch, Spec: s, NextRunAt: at(1), NextDueAt: at(1),
	}
	if got := n.job(jobA); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	equal(t, "jobs", n.JobCount(), 1)
	n.refused(job.Errorf(job.CodeConflict, ""), put(jobA, at(2), s))
}

func TestPutJobs_TwiceInOneDecision(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d := put(jobA, at(1), spec(job.OverlapSkip))
	d.Jobs = append(d.Jobs, d.Jobs[0])
	a := n.submit(d)
	if a.Items[0].Err != nil || job.CodeOf(a.Items[1].Err) != job.CodeConflict {
		t.Errorf("got %v", a.Items)
	}
}

func TestPutJobs_Replace(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	n.do(succeed(2, ref(slotID(1), 1)))

	d := put(jobA, at(9), spec(job.OverlapAllow))
	d.At = at(3)
	d.Jobs[0].Job.Version, d.Jobs[0].Job.KeyID, d.Jobs[0].Job.CreatedAt = 1, "other", at(3)
	n.do(d)
	got := n.job(jobA)
	equal(t, "version", got.Version, 2)
	equal(t, "key", got.KeyID, "key")
	equal(t, "created", got.CreatedAt, epoch)
	equal(t, "updated", got.UpdatedAt, at(3))
	equal(t, "overlap", got.Overlap, job.OverlapAllow)
	equal(t, "next", got.NextRunAt, at(9))
	equal(t, "counts", got.Counts, job.Counts{Success: 1})
	equal(t, "history", len(n.history()), 1)
	n.refused(job.ErrStale, plan(2)) // the old slot

	n.refused(job.Errorf(job.CodePreconditionFailed, ""), d)
	d.Jobs[0].Job.ID, d.Jobs[0].Job.Version = jobB, 2
	n.refused(job.ErrNotFound, d)
	d.Jobs[0].Job.ID, d.Jobs[0].Job.Namespace = jobA, "other"
	n.refused(job.ErrNotFound, d)
}

func TestPutJobs_StateDecidesTheAgenda(t *testing.T) {
	t.Parallel()
	for state, due := range map[job.State]bool{job.Active: true, job.Paused: false, job.Completed: false} {
		n := withJob(t, job.OverlapSkip)
		d := put(jobA, at(5), spec(job.OverlapSkip))
		d.Jobs[0].Job.Version, d.Jobs[0].Job.State = 1, state
		n.do(d)
		next, ok := n.NextDue()
		equal(t, string(state)+" is due", ok, due)
		equal(t, string(state)+" has a next run", !n.job(jobA).NextRunAt.IsZero(), due)
		if due {
			equal(t, "next", next, at(5))
		}
	}
}

func TestPutJobs_KeepNextRun(t *testing.T) {
	t.Parallel()
	last := plan(1)
	last.Slots[0].Next = time.Time{}
	paused := spec(job.OverlapSkip)
	paused.State = job.Paused
	tests := map[string]struct {
		plan job.Plan
		spec job.Spec
		want time.Time
	}{
		"a plan moved it on":  {plan(1), spec(job.OverlapSkip), at(2)},
		"a plan completed it": {last, spec(job.OverlapSkip), at(9)},
		"it is to be paused":  {plan(1), paused, time.Time{}},
	}
	for name, tc := range tests {
		n := withJob(t, job.OverlapSkip)
		n.do(tc.plan)
		d := put(jobA, at(9), tc.spec)
		d.Jobs[0].Job.Version, d.Jobs[0].KeepNextRun = 1, true
		n.do(d)
		equal(t, name, n.job(jobA).NextRunAt, tc.want)
		next, _ := n.NextDue()
		equal(t, name+": agenda", next, tc.want)
	}
}

// giveUp edits job A while slots from second 1 on are due.
func giveUp(n *node, s job.Spec) job.PutJobs {
	d := put(jobA, at(20), s)
	d.At = at(9)
	d.Jobs[0].Job.Version = n.job(jobA).Version
	d.Jobs[0].Due, d.Jobs[0].Missed = at(1), job.Gap{From: at(1), To: at(3), Count: 3}
	return d
}

func TestPutJobs_GivesUpDueSlots(t *testing.T) {
	t.Parallel()
	paused := spec(job.OverlapSkip)
	paused.State = job.Paused
	for name, tc := range map[string]struct {
		spec job.Spec
		next time.Time
	}{
		"another schedule": {spec(job.OverlapSkip), at(20)},
		"a pause":          {paused, time.Time{}},
	} {
		n := withJob(t, job.OverlapSkip)
		n.do(giveUp(n, tc.spec))
		want := job.Execution{
			ID: job.GapExecution(jobA, at(1)), Trigger: job.TriggerCatchup, ScheduledAt: at(1), DueAt: at(1), CreatedAt: at(9),
			FinishedAt: at(9), Result: job.Missed, MissedFrom: at(1), MissedTo: at(3), MissedCount: 3,
		}
		if got := n.execution(want.ID); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
		got := n.job(jobA)
		equal(t, name+": counts", got.Counts, job.Counts{Missed: 3})
		equal(t, name+": last result", got.LastResult, job.Missed)
		equal(t, name+": last run", got.LastRunAt, time.Time{})
		equal(t, name+": next", got.NextRunAt, tc.next)
		equal(t, name+": version", got.Version, 2)
	}
}

func TestPutJobs_GivesUpOnlyWhatIsDue(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	d := giveUp(n, spec(job.OverlapSkip))
	n.do(plan(1)) // the slot was planned before the edit is applied
	n.refused(job.ErrStale, d)

	n = withJob(t, job.OverlapSkip)
	d = giveUp(n, spec(job.OverlapSkip))
	d.Jobs[0].Job.Version = 0
	d.Jobs[0].Job.ID = jobB
	n.refused(job.ErrStale, d)
	equal(t, "jobs", n.JobCount(), 1)
}

// TestPutJobs_GivesUpAndKeepsNothing: the slot that is recorded as missed is not
// planned as well.
func TestPutJobs_GivesUpAndKeepsNothing(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	d := giveUp(n, spec(job.OverlapSkip))
	d.Jobs[0].KeepNextRun = true
	n.do(d)
	equal(t, "next", n.job(jobA).NextRunAt, at(20))
	equal(t, "due", len(n.Due(at(9), 9, nil)), 0)
}

func TestPutJobs_GivesUpNothing(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	d := giveUp(n, spec(job.OverlapSkip))
	d.Jobs[0].Missed = job.Gap{}
	n.do(d)
	equal(t, "history", len(n.history()), 0)
	equal(t, "last result", n.job(jobA).LastResult, "")
}

func TestDeleteJob(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	n.do(put(jobB, at(1), spec(job.OverlapSkip)))
	n.do(plan(1))
	n.do(runNow(1, 5, job.OverlapAllow))
	n.refused(job.ErrNotFound, job.DeleteJob{At: at(2), ID: jobA, Namespace: "other"})
	n.refused(job.Errorf(job.CodePreconditionFailed, ""), job.DeleteJob{At: at(2), ID: jobA, Version: 2})
	n.do(job.DeleteJob{At: at(2), ID: jobA, Namespace: job.DefaultNamespace, Version: 1})

	if _, err := n.Job(jobA); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("job: got %v", err)
	}
	if _, err := n.Executions(jobA, job.ExecutionID{}, 9); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("executions: got %v", err)
	}
	if _, err := n.Execution(slotID(1)); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("execution: got %v", err)
	}
	equal(t, "running", n.phase(slotID(1)), job.PhaseAborting)
	equal(t, "pending", n.phase(job.ManualExecution(jobA, at(1), 5)), job.PhaseClosed)
	equal(t, "due", len(n.Due(at(9), 9, nil)), 1)
	equal(t, "jobs", n.JobCount(), 1)
	n.refused(job.ErrNotFound, job.DeleteJob{At: at(2), ID: jobA})

	equal(t, "late outcome", n.do(succeed(3, ref(slotID(1), 1))), "")
	equal(t, "after it", n.phase(slotID(1)), job.PhaseClosed)
}

func TestDeleteJob_AndCreateAgain(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	n.do(job.DeleteJob{At: at(2), ID: jobA})
	n.do(put(jobA, at(2), spec(job.OverlapSkip)))
	equal(t, "history", len(n.history()), 0)
	equal(t, "slot", n.do(plan(2)), job.Skipped) // the old request may be open
	n.do(job.MarkLost{At: at(3), Attempts: []job.AttemptRef{ref(slotID(1), 1)}})
	equal(t, "slot", n.do(plan(3)), job.Running)
	equal(t, "running", n.job(jobA).Running, 1)
}

func TestJobs_Pages(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for id, namespace := range map[job.ID]string{1: "a", 2: "ab", 3: "a", 1 << 63: "a", ^job.ID(0): "b"} {
		d := put(id, at(1), spec(job.OverlapSkip))
		d.Jobs[0].Job.Namespace = namespace
		n.do(d)
	}
	tests := []struct {
		namespace string
		after     job.ID
		limit     int
		want      []job.ID
	}{
		{"", 0, 9, []job.ID{1, 2, 3, 1 << 63, ^job.ID(0)}},
		{"", 1, 2, []job.ID{2, 3}},
		{"", ^job.ID(0), 2, nil},
		{"a", 0, 9, []job.ID{1, 3, 1 << 63}},
		{"a", 1, 1, []job.ID{3}},
		{"b", 0, 9, []job.ID{^job.ID(0)}},
		{"c", 0, 9, nil},
	}
	for _, tc := range tests {
		page, err := n.Jobs(job.JobQuery{Namespace: tc.namespace, After: job.JobPosition{ID: tc.after}, Limit: tc.limit})
		n.must(err)
		var got []job.ID
		for _, j := range page.Jobs {
			got = append(got, j.ID)
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("Jobs(%q, %d, %d): got %v, want %v", tc.namespace, tc.after, tc.limit, got, tc.want)
		}
	}
	n.do(job.DeleteJob{At: at(2), ID: 3})
	page, err := n.Jobs(job.JobQuery{Namespace: "a", Limit: 9})
	n.must(err)
	equal(t, "after deleting one", len(page.Jobs), 2)
}

func TestDue(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for id, seconds := range map[job.ID]int{1: 3, 2: 1, 3: 2, 4: 1, 5: 9} {
		n.do(put(id, at(seconds), spec(job.OverlapSkip)))
	}
	got := n.Due(at(3).Add(time.Millisecond), 9, func(id job.ID) bool { return id == 3 })
	want := []job.DueSlot{{Job: 2, Slot: at(1), Due: at(1)}, {Job: 4, Slot: at(1), Due: at(1)}, {Job: 1, Slot: at(3), Due: at(3)}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	equal(t, "limited", len(n.Due(at(99), 2, nil)), 2)
	equal(t, "exactly due", len(n.Due(at(1), 9, nil)), 2)
	next, ok := n.NextDue()
	equal(t, "next", next, at(1))
	equal(t, "next is known", ok, true)
}
