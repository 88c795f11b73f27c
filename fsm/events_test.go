package fsm

import (
	"reflect"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// since are the node's events after one.
func (n *node) since(id job.EventID) []job.Event {
	n.Helper()
	list, _, complete := n.Events(id)
	if !complete {
		n.Fatalf("the events after %+v are not complete", id)
	}
	return list
}

// wantEvents checks the types of the events that the decisions make.
func (n *node) wantEvents(what string, decisions []job.Decision, want ...job.EventType) {
	n.Helper()
	last := n.LastEvent()
	for _, d := range decisions {
		n.submit(d)
	}
	var got []job.EventType
	for _, e := range n.since(last) {
		got = append(got, e.Type)
		if e.At.IsZero() || e.ID.Index == 0 || !e.Type.IsOfCluster() && (e.JobName != "report" || e.Namespace != job.DefaultNamespace || e.Job != jobA) {
			n.Errorf("%s: got %+v", what, e)
		}
	}
	if !reflect.DeepEqual(got, want) {
		n.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestEvents_OfExecutions(t *testing.T) {
	t.Parallel()
	retry := outcome(ref(slotID(1), 1), errStatus)
	retry.RetryAt = at(3)
	lost := []job.AttemptRef{ref(slotID(1), 1)}
	gap := plan(1)
	gap.Slots[0].Missed, gap.Slots[0].Fire = job.Gap{From: at(1), To: at(1), Count: 1}, time.Time{}
	tests := map[string]struct {
		before, decisions []job.Decision
		want              []job.EventType
	}{
		"a slot":      {nil, []job.Decision{plan(1)}, []job.EventType{job.EventExecutionStarted}},
		"a run":       {nil, []job.Decision{runNow(1, 1, "")}, []job.EventType{job.EventExecutionStarted}},
		"a gap":       {nil, []job.Decision{gap}, []job.EventType{job.EventExecutionMissed}},
		"a skip":      {[]job.Decision{plan(1)}, []job.Decision{plan(2)}, []job.EventType{job.EventExecutionSkipped}},
		"a success":   {[]job.Decision{plan(1)}, []job.Decision{succeed(2, ref(slotID(1), 1))}, []job.EventType{job.EventExecutionSucceeded}},
		"a failure":   {[]job.Decision{plan(1)}, []job.Decision{fail(2, ref(slotID(1), 1))}, []job.EventType{job.EventExecutionFailed}},
		"a retry":     {[]job.Decision{plan(1)}, []job.Decision{record(2, retry)}, []job.EventType{job.EventExecutionRetrying}},
		"a loss":      {[]job.Decision{plan(1)}, []job.Decision{job.MarkLost{At: at(2), Attempts: lost}}, []job.EventType{job.EventExecutionRetrying}},
		"a last loss": {[]job.Decision{plan(1)}, []job.Decision{job.MarkLost{At: at(2), Final: lost}}, []job.EventType{job.EventExecutionFailed}},
		"a cancel": {[]job.Decision{plan(1)}, []job.Decision{cancel(2, slotID(1)), succeed(3, ref(slotID(1), 1))},
			[]job.EventType{job.EventExecutionCancelled}},
		"a recovery": {[]job.Decision{plan(1), fail(2, ref(slotID(1), 1)), plan(2)}, []job.Decision{succeed(3, ref(slotID(2), 1))},
			[]job.EventType{job.EventExecutionSucceeded, job.EventExecutionRecovered}},
		"a recovery after a cancel": {
			[]job.Decision{plan(1), fail(2, ref(slotID(1), 1)), runNow(2, 1, ""), cancel(2, job.ManualExecution(jobA, at(2), 1)), plan(2)},
			[]job.Decision{succeed(3, ref(slotID(2), 1))}, []job.EventType{job.EventExecutionSucceeded, job.EventExecutionRecovered}},
		"a backfill": {nil, []job.Decision{backfill("", 2), begin(101, ref(backfilled(0), 1)), succeed(102, ref(backfilled(0), 1))},
			[]job.EventType{job.EventExecutionStarted, job.EventExecutionSucceeded, job.EventExecutionStarted}},
		"a second time": {[]job.Decision{plan(1)}, []job.Decision{plan(1)}, nil},
	}
	for name, tc := range tests {
		n := raised(t)
		for _, d := range tc.before {
			n.do(d)
		}
		n.wantEvents(name, tc.decisions, tc.want...)
	}
}

func TestEvents_OfJobs(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.do(job.RaiseVersion{Version: 3})
	edit := put(jobA, at(1), spec(job.OverlapSkip))
	edit.Jobs[0].Job.Version = 1
	last := plan(1)
	last.Slots[0].Next = time.Time{}
	completed := put(jobA, at(1), spec(job.OverlapSkip))
	completed.Jobs[0].Job.Version, completed.Jobs[0].Job.State = 2, job.Completed
	n.wantEvents("creation", []job.Decision{put(jobA, at(1), spec(job.OverlapSkip))}, job.EventJobCreated)
	n.wantEvents("edit", []job.Decision{edit}, job.EventJobUpdated)
	equal(t, "version", n.since(job.EventID{Index: 2, Part: job.LastPart})[0].Version, 2)
	n.wantEvents("a refused edit", []job.Decision{edit})
	n.wantEvents("an edit that completes", []job.Decision{completed}, job.EventJobUpdated, job.EventJobCompleted)
	completed.Jobs[0].Job.Version, completed.Jobs[0].Job.State = 3, job.Active
	n.wantEvents("another begin", []job.Decision{completed}, job.EventJobUpdated)
	n.wantEvents("the last slot", []job.Decision{last}, job.EventExecutionStarted, job.EventJobCompleted)
	n.wantEvents("deletion", []job.Decision{job.DeleteJob{At: at(2), ID: jobA}}, job.EventJobDeleted)
	n.wantEvents("of the cluster", []job.Decision{job.Announce{At: at(3), Type: job.EventLeaderChanged, NodeID: "n2"}}, job.EventLeaderChanged)
	n.wantEvents("webhooks", []job.Decision{hooked(hookA, job.EventNodeLost), job.DeleteJob{At: at(4), ID: hookA}})
}

// TestEvents_BeforeVersionThree: an old member would not make them.
func TestEvents_BeforeVersionThree(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	n.do(job.Announce{At: at(1), Type: job.EventNodeLost})
	n.wantEvents("at version 1", []job.Decision{succeed(2, ref(slotID(1), 1)), job.Announce{At: at(3), Type: job.EventNodeLost}})
	n.do(job.RaiseVersion{Version: 3})
	n.wantEvents("the name of an old job", []job.Decision{plan(2)}, job.EventExecutionStarted)
	equal(t, "its name is kept", n.state.rowOf(n, jobA).GetName(), "report")
}

func (st *state) rowOf(t testing.TB, id job.ID) *row {
	var r *row
	if err := st.get(stateKey(id), func(value []byte) error {
		p, err := readState(value)
		r = newRow(id, p)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEvents_Reading(t *testing.T) {
	t.Parallel()
	n := raised(t)
	begin := n.LastEvent()
	equal(t, "the newest", begin, job.EventID{Index: 2})
	list, more, complete := n.Events(begin)
	equal(t, "none yet", len(list), 0)
	equal(t, "complete", complete, true)
	n.do(plan(1))
	select {
	case <-more:
	default:
		t.Error("the reader is not told of further ones")
	}
	equal(t, "one", len(n.since(begin)), 1)
	if _, _, complete := n.Events(job.EventID{Index: 9}); complete {
		t.Error("what this node has not applied is not complete")
	}

	n.must(n.Close())
	n.reopen()
	if _, _, complete := n.Events(begin); complete {
		t.Error("what was before the start is not known")
	}
	begin, last := n.LastEvent(), n.events.more
	equal(t, "a reader that begins now", begin, job.EventID{Index: 3, Part: job.LastPart})
	n.do(plan(2))
	equal(t, "what comes after", len(n.since(begin)), 1)
	select {
	case <-last:
	default:
		t.Error("the reader is not told of the first one")
	}

	other := raised(t)
	_, more, _ = other.Events(other.LastEvent())
	other.restoreFrom(n)
	select {
	case <-more:
	default:
		t.Error("the reader is not told of a restore")
	}
	if _, _, complete := other.Events(job.EventID{Index: 2}); complete {
		t.Error("what was before the restore is not known")
	}
	equal(t, "after the restore", other.LastEvent(), job.EventID{Index: 4, Part: job.LastPart})
}

func TestEvents_Ring(t *testing.T) {
	t.Parallel()
	e := newEvents(7)
	next := 0
	add := func(count int) {
		var list []job.Event
		for range count {
			next++
			list = append(list, job.Event{ID: job.EventID{Index: 8, Part: next}})
		}
		e.add(list)
	}
	add(3)
	add(maxEvents)
	equal(t, "kept", len(e.list), maxEvents)
	equal(t, "since", e.since, job.EventID{Index: 8, Part: 3})
	equal(t, "last", e.last(), job.EventID{Index: 8, Part: maxEvents + 3})
	seen := e.since
	for range maxEvents / maxEventPage {
		list, further := e.after(seen)
		equal(t, "page", len(list), maxEventPage)
		for _, event := range list {
			equal(t, "in order", event.ID.Part, seen.Part+1)
			seen = event.ID
		}
		equal(t, "further", further, seen.Part < maxEvents+3)
	}
	list, further := e.after(seen)
	equal(t, "at the end", len(list), 0)
	equal(t, "further at the end", further, false)
}
