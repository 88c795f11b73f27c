package fsm

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const hookA, hookB = job.ID(0x1a), job.ID(0x1b)

// raised makes a node whose log is at version 3, with job A, due at second 1.
func raised(t testing.TB, change ...func(*job.Spec)) *node {
	t.Helper()
	n := newNode(t)
	n.do(job.RaiseVersion{Version: 3})
	s := spec(job.OverlapSkip)
	for _, c := range change {
		c(&s)
	}
	n.do(put(jobA, at(1), s))
	return n
}

// hooked is a webhook for some events.
func hooked(id job.ID, events ...job.EventType) job.PutJobs {
	s := spec(job.OverlapAllow)
	s.Name, s.Schedule = "hook", job.Schedule{}
	d := put(id, time.Time{}, s)
	d.Jobs[0].Job.Hook = &job.Hook{Events: events}
	return d
}

// deliveries are the events of a webhook's executions, oldest first.
func (n *node) deliveries(id job.ID) []job.Event {
	n.Helper()
	list, err := n.Executions(id, job.ExecutionID{}, 1000)
	n.must(err)
	var events []job.Event
	for i := range list {
		events = append(events, *list[len(list)-1-i].Event)
	}
	return events
}

func (n *node) wantDeliveries(id job.ID, want ...job.EventType) {
	n.Helper()
	var got []job.EventType
	for _, e := range n.deliveries(id) {
		got = append(got, e.Type)
	}
	if !reflect.DeepEqual(got, want) {
		n.Errorf("deliveries: got %v, want %v", got, want)
	}
}

func fail(seconds int, r job.AttemptRef) job.Record { return record(seconds, outcome(r, errStatus)) }

func TestHook_Delivers(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(hooked(hookA, job.EventExecutionFailed))
	n.do(plan(1))
	n.do(fail(2, ref(slotID(1), 1)))
	x := job.ManualExecution(hookA, at(2), 1)
	want := job.Execution{
		ID: x, Trigger: job.TriggerEvent, ScheduledAt: at(2), DueAt: at(2), CreatedAt: at(2), Result: job.Running,
		Event: &job.Event{
			ID: job.EventID{Index: 5}, Type: job.EventExecutionFailed, At: at(2), Namespace: job.DefaultNamespace, Job: jobA, JobName: "report",
			Execution: slotID(1), Trigger: job.TriggerScheduled, ScheduledAt: at(1), Result: job.Failed, HTTPStatus: 500, Err: errStatus, Failures: 1,
		},
	}
	if got := n.execution(x); !reflect.DeepEqual(got, want) {
		t.Errorf("record: got %+v %+v, want %+v %+v", got, got.Event, want, want.Event)
	}
	open, _ := n.OpenExecution(x)
	equal(t, "open", open, job.Open{Execution: x, Trigger: job.TriggerEvent, ScheduledAt: at(2), Phase: job.PhasePending, RetryAt: at(2)})
	n.do(begin(3, ref(x, 1)))
	n.do(fail(4, ref(x, 1)))
	n.wantDeliveries(hookA, job.EventExecutionFailed) // and none about its own failure
	h := n.job(hookA)
	equal(t, "counts", h.Counts, job.Counts{Failed: 1})
	equal(t, "events of it", len(n.since(job.EventID{Index: 5, Part: 1})), 0)
}

// TestHook_Wants: a webhook gets what it asked for, and nothing of others.
func TestHook_Wants(t *testing.T) {
	t.Parallel()
	tagged := func(key, value string) func(*job.Job) {
		return func(j *job.Job) { j.Hook.Tag = &job.Tag{Key: key, Value: value} }
	}
	tests := map[string]struct {
		change func(*job.Job)
		want   []job.EventType
	}{
		"its namespace":        {func(*job.Job) {}, []job.EventType{job.EventExecutionSucceeded}},
		"another namespace":    {func(j *job.Job) { j.Namespace = "other" }, nil},
		"all namespaces":       {func(j *job.Job) { j.Namespace, j.Hook.Cluster = "other", true }, []job.EventType{job.EventExecutionSucceeded, job.EventNodeLost}},
		"all, by tag":          {func(j *job.Job) { j.Hook.Cluster = true; tagged("team", "a")(j) }, []job.EventType{job.EventExecutionSucceeded}},
		"by tag":               {tagged("team", "a"), []job.EventType{job.EventExecutionSucceeded}},
		"by another value":     {tagged("team", "b"), nil},
		"by another key":       {tagged("tea", "a"), nil},
		"paused":               {func(j *job.Job) { j.State = job.Paused }, nil},
		"of other events":      {func(j *job.Job) { j.Hook.Events = []job.EventType{job.EventExecutionFailed} }, nil},
		"of one event, twice":  {func(j *job.Job) { j.Hook.Events = append(j.Hook.Events, j.Hook.Events...) }, []job.EventType{job.EventExecutionSucceeded}},
		"of an event unheard":  {func(j *job.Job) { j.Hook.Events = []job.EventType{"job.sang"} }, nil},
		"of nothing (no list)": {func(j *job.Job) { j.Hook.Events = nil }, nil},
	}
	for name, tc := range tests {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(name, restart), func(t *testing.T) {
				t.Parallel()
				n := raised(t, func(s *job.Spec) { s.Tags = []job.Tag{{Key: "team", Value: "a"}} })
				d := hooked(hookA, job.EventExecutionSucceeded, job.EventNodeLost)
				tc.change(&d.Jobs[0].Job)
				n.do(d)
				if restart {
					n.must(n.Close())
					n.reopen()
				}
				n.do(plan(1))
				n.do(succeed(2, ref(slotID(1), 1)))
				n.do(job.Announce{At: at(3), Type: job.EventNodeLost, NodeID: "n2"})
				n.wantDeliveries(hookA, tc.want...)
			})
		}
	}
}

func TestHook_EditAndDelete(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(hooked(hookA, job.EventExecutionSkipped))
	n.do(plan(1))
	n.do(plan(2))
	edit := hooked(hookA, job.EventExecutionSucceeded)
	edit.Jobs[0].Job.Version = 1
	n.do(edit)
	n.do(plan(3))
	n.do(succeed(4, ref(slotID(1), 1)))
	n.wantDeliveries(hookA, job.EventExecutionSkipped, job.EventExecutionSucceeded)
	n.do(job.DeleteJob{At: at(5), ID: hookA})
	n.do(plan(4))
	n.do(succeed(6, ref(slotID(4), 1)))
	equal(t, "open after the deletion", len(n.OpenOf(hookA)), 0)
	equal(t, "in memory", len(n.state.hooks.byID)+len(n.state.hooks.wanted)+len(n.state.hooks.homes)+len(n.state.hooks.counts), 0)
}

func TestHook_IsNoJob(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(hooked(hookA, job.EventNodeLost))
	asJob := put(hookA, at(1), spec(job.OverlapSkip))
	asJob.Jobs[0].Job.Version = 1
	n.refused(job.ErrNotFound, asJob)
	asHook := hooked(jobA, job.EventNodeLost)
	asHook.Jobs[0].Job.Version = 1
	n.refused(job.ErrNotFound, asHook)
	n.refused(job.ErrNotFound, job.Run{At: at(1), Execution: job.ManualExecution(hookA, at(1), 1)})
	n.refused(job.ErrNotFound, job.Backfill{At: at(1), Job: hookA})
	n.refused(job.ErrNotFound, job.TryHook{At: at(1), Hook: jobA, Execution: job.ManualExecution(jobA, at(1), 1)})
	_, due := n.NextDue()
	equal(t, "job A is due", due, true)
	equal(t, "agenda", n.AgendaLen(), 1)
}

// TestHook_DeliveriesHaveTheirOwnIDs: also those of one moment, and those whose
// record is gone.
func TestHook_DeliveriesHaveTheirOwnIDs(t *testing.T) {
	t.Parallel()
	n := raised(t)
	d := hooked(hookA, job.EventNodeLost)
	d.Jobs[0].Job.Hook.Cluster = true
	n.do(d)
	n.do(planKeeping(3, 1))
	seen := map[job.ExecutionID]bool{}
	for range 9 {
		n.do(job.Announce{At: at(1), Type: job.EventNodeLost})
		list, err := n.Executions(hookA, job.ExecutionID{}, 1)
		n.must(err)
		x := list[0].ID
		if seen[x] {
			t.Fatalf("%v is given twice", x)
		}
		seen[x] = true
		n.do(begin(2, ref(x, 1)))
		n.do(succeed(2, ref(x, 1)))
	}
	equal(t, "records kept, beside the one that was open", len(n.deliveries(hookA)), 3+1)
	n.do(job.Announce{At: at(-60), Type: job.EventNodeLost}) // a leader whose clock is behind
	equal(t, "the newest is last", n.deliveries(hookA)[3].At, at(-60))
}

func TestNextDelivery_IsNoSlot(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(hooked(hookA, job.EventNodeLost))
	tx := n.begin()
	r := tx.row(hookA)
	r.Newest = job.SlotExecution(hookA, at(9)).Order - 1
	equal(t, "after the last of its millisecond", nextDelivery(r, at(1)), job.ManualExecution(hookA, at(9), 1))
	n.must(tx.batch.Close())
}

func TestHook_KeepsAsManyRecordsAsJobs(t *testing.T) {
	t.Parallel()
	n := raised(t)
	equal(t, "at first", n.state.keep, defaultKeep)
	n.do(planKeeping(0, 1))
	equal(t, "all", n.state.keep, 0)
	n.must(n.Close())
	n.reopen()
	equal(t, "all, after a restart", n.state.keep, 0)
	n.do(planKeeping(7, 2))
	equal(t, "seven", n.state.keep, 7)
	old := withJob(t, job.OverlapSkip)
	old.do(planKeeping(7, 1))
	equal(t, "before version 3", old.state.keep, defaultKeep)
}

// clusterHook is a webhook for the loss of nodes.
func clusterHook(id job.ID) job.PutJobs {
	d := hooked(id, job.EventNodeLost)
	d.Jobs[0].Job.Hook.Cluster = true
	return d
}

// TestHook_HealthyIsNeverCrowded: many events at once are no reason to drop one.
func TestHook_HealthyIsNeverCrowded(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(hooked(hookA, job.EventExecutionMissed))
	p := job.Plan{At: at(100), HistoryPerJob: 200}
	const count = 2 * maxFailing
	var puts job.PutJobs
	for i := range count {
		id := job.ID(0x1000 + i)
		puts.Jobs = append(puts.Jobs, job.PutJob{Job: job.Job{ID: id, KeyID: "key", Spec: spec(job.OverlapSkip), NextRunAt: at(1)}})
		p.Slots = append(p.Slots, job.PlannedSlot{Job: id, Slot: at(1), Next: at(101), Trigger: job.TriggerCatchup, Missed: job.Gap{From: at(1), To: at(9), Count: 9}})
	}
	n.submit(puts)
	n.submit(p)
	equal(t, "open", n.job(hookA).Running, count)
	equal(t, "counts", n.job(hookA).Counts, job.Counts{})
}

// TestHook_WhoseTargetIsGone: once many deliveries have failed, no more are opened. The
// events that are dropped share one record, until one is delivered again.
func TestHook_WhoseTargetIsGone(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(clusterHook(hookA))
	announce := func(seconds int) { n.do(job.Announce{At: at(seconds), Type: job.EventNodeLost}) }
	for range maxFailing {
		announce(1)
	}
	var failed []job.RecordedOutcome
	for _, x := range n.OpenOf(hookA) {
		n.do(begin(2, ref(x.Execution, 1)))
		o := outcome(ref(x.Execution, 1), errStatus)
		o.RetryAt = at(60)
		failed = append(failed, o)
	}
	announce(2) // none has failed yet
	n.submit(record(3, failed...))
	for i := range 3 {
		announce(4 + i)
	}
	h := n.job(hookA)
	equal(t, "open", h.Running, maxFailing+1)
	equal(t, "skipped", h.Counts.Skipped, 3)
	list, err := n.Executions(hookA, job.ExecutionID{}, 2)
	n.must(err)
	x := list[0]
	want := "events that were not delivered, this one and those after it: 3; " +
		"1000 deliveries of the webhook had failed and were to be tried again: its target does not accept them"
	equal(t, "error", *x.Err, job.AttemptError{Code: job.ErrOverlap, Msg: want})
	equal(t, "result", x.Result, job.Skipped)
	equal(t, "created", x.CreatedAt, at(4))
	equal(t, "finished", x.FinishedAt, at(6))
	equal(t, "event", x.Event.At, at(4))
	equal(t, "the one before it", list[1].Result, job.Running)

	try := job.TryHook{At: at(7), HistoryPerJob: 200, Hook: hookA, Execution: job.ManualExecution(hookA, at(7), 7)}
	equal(t, "a test", n.do(try), job.Running)
	n.do(cancel(8, failed[0].Execution))
	announce(9)
	equal(t, "open again", n.job(hookA).Running, maxFailing+2)
	announce(10)
	equal(t, "open", n.job(hookA).Running, maxFailing+3) // one of them was never tried
	equal(t, "skipped, still", n.job(hookA).Counts.Skipped, 3)
}

// TestHook_OneEntry: what an entry delivers to a webhook, and what else it does to it,
// does not get lost.
func TestHook_OneEntry(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(hooked(hookA, job.EventExecutionSucceeded))
	n.do(plan(1))
	n.do(succeed(2, ref(slotID(1), 1)))
	first := n.OpenOf(hookA)[0].Execution
	n.do(plan(2))
	n.do(begin(3, ref(first, 1)))
	n.submit(record(4, outcome(ref(slotID(2), 1), nil), outcome(ref(first, 1), nil)))
	h := n.job(hookA)
	equal(t, "counts", h.Counts, job.Counts{Success: 1})
	equal(t, "open", h.Running, 1)
	equal(t, "last", h.LastRunAt, at(4))
	n.wantDeliveries(hookA, job.EventExecutionSucceeded, job.EventExecutionSucceeded)

	n.do(hooked(hookB, job.EventJobCreated))
	both := put(jobB, at(9), spec(job.OverlapSkip))
	both.Jobs = append(both.Jobs, job.PutJob{Job: job.Job{ID: hookB, Spec: job.DefaultSpec()}, Delete: true})
	n.submit(both)
	if _, err := n.Job(hookB); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("a webhook that is deleted after a delivery: got %v", err)
	}
}

// TestHook_TooMany: each webhook makes each event dearer.
func TestHook_TooMany(t *testing.T) {
	t.Parallel()
	n := raised(t)
	for i := range job.HookLimit {
		n.do(hooked(job.ID(0x100+i), job.EventNodeLost))
		n.do(clusterHook(job.ID(0x200 + i)))
	}
	n.must(n.Close())
	n.reopen()
	refused := func(d job.PutJobs, want string) {
		t.Helper()
		got := n.item(d).Err
		if got == nil || got.Code != job.CodeConflict || !strings.Contains(got.Msg, want) {
			t.Errorf("got %v, want %q", got, want)
		}
	}
	refused(hooked(hookA, job.EventNodeLost), "namespace default has 20 webhooks, and may have no more")
	refused(clusterHook(hookA), "there are 20 webhooks of the whole cluster, and there may be no more")
	other := hooked(hookA, job.EventNodeLost)
	other.Jobs[0].Job.Namespace = "other"
	n.do(other)
	edit := hooked(0x100, job.EventExecutionFailed)
	edit.Jobs[0].Job.Version, edit.Jobs[0].Job.State = 1, job.Paused
	n.do(edit)
	refused(hooked(hookB, job.EventNodeLost), "20 webhooks") // one of them is paused
	n.do(job.DeleteJob{At: at(5), ID: 0x100})
	n.do(hooked(hookB, job.EventNodeLost))
}

func TestTryHook(t *testing.T) {
	t.Parallel()
	n := raised(t)
	d := hooked(hookA, job.EventNodeLost)
	d.Jobs[0].Job.State = job.Paused
	n.do(d)
	try := job.TryHook{At: at(4), HistoryPerJob: 9, Namespace: job.DefaultNamespace, Hook: hookA, Execution: job.ManualExecution(hookA, at(4), 7), Once: once(1, "tried")}
	equal(t, "result", n.do(try), job.Running)
	want := job.Event{ID: job.EventID{Index: 4}, Type: job.EventTest, At: at(4), Namespace: job.DefaultNamespace}
	if got := n.deliveries(hookA); len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	equal(t, "again", string(n.submit(try).Answer), "tried")
	try.Once = nil
	n.refused(job.ErrStale, try)
	try.Namespace = "other"
	n.refused(job.ErrNotFound, try)
}
