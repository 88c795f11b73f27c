package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/job"
)

// The nodes, times and jobs of the tests.
var (
	epoch = time.Date(2026, 3, 26, 16, 0, 0, 0, time.UTC)
	n1    = job.NodeRef{ID: "n1", Incarnation: 1}
	n2    = job.NodeRef{ID: "n2", Incarnation: 7}
)

const jobA, jobB = job.ID(0xa), job.ID(0xb)

// at is so many seconds after the epoch of the tests.
func at(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

// slotID is the execution of job A's slot at so many seconds.
func slotID(seconds int) job.ExecutionID { return job.SlotExecution(jobA, at(seconds)) }

// NextDue is the earliest slot that waits to be planned; false if there is none.
func (s *Store) NextDue() (time.Time, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d, ok := s.state.agenda.tree.Min()
	return instant(d.at), ok
}

// JobCount is how many jobs there are; -1 if they cannot be read.
func (s *Store) JobCount() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.jobCount()
}

func (st *state) jobCount() int {
	count := 0
	if err := st.scan(statePrefix, anyLength, func(_, _ []byte) error { count++; return nil }); err != nil {
		return -1
	}
	return count
}

// node is a store and the log it was fed.
type node struct {
	testing.TB
	*Store
	cfg Config
	log []*raft.Log
}

func newNode(t testing.TB) *node { return newNodeOn(t, vfs.NewMem()) }

func newNodeOn(t testing.TB, files vfs.FS) *node {
	t.Helper()
	n := &node{TB: t, cfg: Config{FS: files, Dir: "data/store", CacheBytes: 1 << 20}}
	n.reopen()
	t.Cleanup(func() { n.must(n.Close()) })
	return n
}

// reopen opens the node's store, which is closed or has crashed.
func (n *node) reopen() {
	n.Helper()
	s, err := Open(n.cfg)
	n.must(err)
	n.Store = s
	n.must(s.RecoverSnapshot())
}

func (n *node) must(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

// entry makes the next log entry.
func (n *node) entry(d job.Decision) *raft.Log {
	n.Helper()
	b, err := Encode(d, 0)
	n.must(err)
	l := &raft.Log{Index: uint64(len(n.log)) + 1, Term: 1, Type: raft.LogCommand, Data: b}
	n.log = append(n.log, l)
	return l
}

// submit applies one decision.
func (n *node) submit(d job.Decision) *job.Applied {
	n.Helper()
	return n.Apply(n.entry(d)).(*job.Applied)
}

// item applies a decision of one part.
func (n *node) item(d job.Decision) job.Item {
	n.Helper()
	a := n.submit(d)
	if len(a.Items) != 1 {
		n.Fatalf("%T: got %d items, want 1", d, len(a.Items))
	}
	return a.Items[0]
}

// do applies a decision of one part, which must not be refused.
func (n *node) do(d job.Decision) job.Result {
	n.Helper()
	item := n.item(d)
	if item.Err != nil {
		n.Fatalf("%T: %v", d, item.Err)
	}
	return item.Result
}

// refused applies a decision of one part, which must be refused without effect.
func (n *node) refused(want *job.Error, d job.Decision) {
	n.Helper()
	before := n.contents()
	if got := n.item(d).Err; !errors.Is(got, want) {
		n.Errorf("%T: got %v, want %v", d, got, want)
	}
	if after := n.contents(); before != after {
		n.Errorf("%T was refused, and changed the state", d)
	}
}

// contents is all of the replicated state but the applied index.
func (n *node) contents() string {
	n.Helper()
	it, err := n.state.db.NewIter(nil)
	n.must(err)
	var all []byte
	for ok := it.First(); ok; ok = it.Next() {
		if !bytes.Equal(it.Key(), appliedKey) && !isDerived(it.Key()) {
			all = fmt.Appendf(all, "%q %q\n", it.Key(), it.Value())
		}
	}
	n.must(it.Close())
	return string(all)
}

func (n *node) hash() string {
	n.Helper()
	_, sum, err := n.Hash()
	n.must(err)
	return sum
}

func (n *node) job(id job.ID) job.Job {
	n.Helper()
	j, err := n.Job(id)
	n.must(err)
	return j
}

func (n *node) execution(id job.ExecutionID) job.Execution {
	n.Helper()
	x, err := n.Execution(id)
	n.must(err)
	return x
}

// history is the results of job A's records, oldest first.
func (n *node) history() []job.Result {
	n.Helper()
	list, err := n.Executions(jobA, job.ExecutionID{}, 1000)
	n.must(err)
	results := make([]job.Result, len(list))
	for i, x := range list {
		results[len(list)-1-i] = x.Result
	}
	return results
}

func (n *node) phase(id job.ExecutionID) job.Phase {
	x, _ := n.OpenExecution(id)
	return x.Phase
}

// spec is a job whose overlap policy matters.
func spec(overlap job.OverlapPolicy) job.Spec {
	s := job.DefaultSpec()
	s.Name = "report"
	s.Schedule.Interval = time.Second
	s.Target.URL = "https://example.com/hook"
	s.Overlap = overlap
	return s
}

func put(id job.ID, next time.Time, s job.Spec) job.PutJobs {
	return job.PutJobs{At: epoch, Jobs: []job.PutJob{{Job: job.Job{ID: id, KeyID: "key", Spec: s, NextRunAt: next}}}}
}

// withJob makes a node with job A, due at second 1.
func withJob(t testing.TB, overlap job.OverlapPolicy) *node {
	t.Helper()
	n := newNode(t)
	n.do(put(jobA, at(1), spec(overlap)))
	return n
}

// plan fires job A's slot at so many seconds on n1; the next is a second later.
func plan(seconds int) job.Plan {
	return job.Plan{At: at(seconds).Add(5 * time.Millisecond), HistoryPerJob: 200, Slots: []job.PlannedSlot{{
		Job: jobA, Slot: at(seconds), Next: at(seconds + 1), Node: n1, Fire: at(seconds), Trigger: job.TriggerScheduled,
	}}}
}

func ref(x job.ExecutionID, attempt int) job.AttemptRef {
	return job.AttemptRef{Execution: x, Attempt: attempt}
}

// outcome is an attempt of 40 ms that began half a second after its slot.
func outcome(r job.AttemptRef, err *job.AttemptError) job.RecordedOutcome {
	o := job.RecordedOutcome{Outcome: job.Outcome{
		AttemptRef: r,
		Node:       n1,
		StartedAt:  time.UnixMilli(int64(r.Execution.Order >> 16)).UTC().Add(500 * time.Millisecond),
		Duration:   40 * time.Millisecond,
		HTTPStatus: 200,
		Err:        err,
	}}
	if err != nil {
		o.HTTPStatus = 500
	}
	return o
}

var errStatus = &job.AttemptError{Code: job.ErrHTTPStatus, Msg: "the target answered 500"}

func record(seconds int, outcomes ...job.RecordedOutcome) job.Record {
	return job.Record{At: at(seconds), Outcomes: outcomes}
}

func succeed(seconds int, r job.AttemptRef) job.Record { return record(seconds, outcome(r, nil)) }

func begin(seconds int, r job.AttemptRef) job.Begin {
	return job.Begin{At: at(seconds), Attempts: []job.BeginAttempt{{AttemptRef: r, Node: n2}}}
}

func runNow(seconds int, salt uint16, overlap job.OverlapPolicy) job.Run {
	return job.Run{At: at(seconds), HistoryPerJob: 200, Execution: job.ManualExecution(jobA, at(seconds), salt), Overlap: overlap}
}

// once is a write that may be repeated, by its key.
func once(key byte, answer string) *job.Once {
	return &job.Once{Key: [32]byte{key, 31: 1}, Request: [32]byte{key, 31: 2}, Answer: []byte(answer)}
}

func cancel(seconds int, x job.ExecutionID) job.Cancel {
	return job.Cancel{At: at(seconds), Execution: x}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
