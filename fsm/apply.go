package fsm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/internal/job"
)

var (
	_ raft.BatchingFSM        = (*Store)(nil)
	_ raft.ConfigurationStore = (*Store)(nil)
)

// Apply applies one log entry. The answer is a [*job.Applied]; for an entry that
// was applied before, one without items.
func (s *Store) Apply(l *raft.Log) any { return s.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies log entries in one Pebble batch and answers each with a
// [*job.Applied]. What the entries come to does not depend on where one batch
// ends and the next begins. A decision that was made for another term than its
// entry's is not applied. It panics on an entry that this program cannot read,
// before anything is changed, and when the database fails.
func (s *Store) ApplyBatch(logs []*raft.Log) []any {
	answers := make([]any, len(logs))
	decisions := make([]job.Decision, len(logs)) // nil for an entry that is not to be applied
	applied := s.Applied()
	for i, l := range logs {
		answers[i] = &job.Applied{Index: l.Index}
		if l.Type == raft.LogCommand && l.Index > applied {
			d, term := mustDecode(l)
			if term == 0 || term == l.Term {
				decisions[i] = d
			} else {
				answers[i].(*job.Applied).WrongTerm = true
			}
		}
	}
	if len(logs) == 0 || logs[len(logs)-1].Index <= applied {
		return answers
	}
	s.cfg.Reached.Reach(crashpoint.Logged)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.begin()
	for i, d := range decisions {
		if d != nil {
			t.entry, t.parts = logs[i].Index, 0
			t.once(d, answers[i].(*job.Applied))
			t.endDeliveries()
		}
	}
	s.commit(t, logs[len(logs)-1].Index)
	return answers
}

// StoreConfiguration moves the applied index past an entry that changed raft's
// configuration, which the state does not keep.
func (s *Store) StoreConfiguration(index uint64, _ raft.Configuration) {
	s.Apply(&raft.Log{Index: index, Type: raft.LogConfiguration})
}

func mustDecode(l *raft.Log) (job.Decision, uint64) {
	d, term, err := Decode(l.Data)
	if err != nil {
		panic(fmt.Sprintf("fsm: this node cannot apply entry %d of the log and must not skip it: %v", l.Index, err))
	}
	return d, term
}

// tx applies decisions: to one Pebble batch, which later ones read through, and
// to the state in memory. The store's lock is held as long as there is one.
type tx struct {
	state *state
	batch *pebble.Batch
	w     writer
	// changed has the executions that opened, changed or closed, in order.
	changed []job.Open
	// planned tells that the agenda has changed.
	planned bool
	// events has what the entries made happen, in order; entry is the index of the
	// one that is applied now, and parts the number of its events.
	events []job.Event
	entry  uint64
	parts  int
	// index writes what lists are made of, to a batch of its own: nothing reads it
	// before it is committed, with the other.
	index index
	// receivers are the webhooks that the entry delivers to.
	receivers map[job.ID]*row
	// minutes are the statistics that have changed.
	minutes map[minute]*job.Stats
}

func (s *Store) begin() *tx {
	if s.closed {
		panic("fsm: an entry was applied after the store was closed")
	}
	db := s.state.db
	return &tx{state: s.state, batch: db.NewIndexedBatch(), index: index{batch: db.NewBatch()}}
}

// commit writes the batch with the index of its last entry and tells the feeds
// and waiters. The database may lose the batch in a crash; raft's log does not.
func (s *Store) commit(t *tx, index uint64) {
	t.writeMinutes()
	t.put(appliedKey, &logpb.Applied{Index: index})
	check("write the state", t.w.err)
	t.index.set(indexFormatKey, indexMark(index))
	all := t.index.batch
	check("write the state", all.Apply(t.batch, nil))
	check("write the state", all.Commit(pebble.NoSync))
	check("write the state", errors.Join(t.batch.Close(), all.Close()))
	s.advance(index)
	if len(t.events) > 0 {
		s.events.add(t.events)
	}
	if len(t.changed) == 0 && !t.planned {
		return
	}
	for _, f := range s.feeds {
		f.publish(t.changed)
	}
}

// check panics if the database has failed: going on would make this node differ
// from the others.
func check(doing string, err error) {
	if err != nil {
		panic(fmt.Sprintf("fsm: %s: %v: the database has failed, and this node must stop", doing, err))
	}
}

// apply applies a decision that repeats none.
func (t *tx) apply(d job.Decision, a *job.Applied) {
	switch d := d.(type) {
	case job.Init:
		a.Items = []job.Item{t.init(d)}
	case job.TakeOffice:
		a.Items = []job.Item{{}}
	case job.PutJobs:
		a.Items = t.putJobs(d)
	case job.DeleteJob:
		a.Items = []job.Item{t.deleteJob(d)}
	case job.Plan:
		t.keep(d.HistoryPerJob)
		a.Items = each(d.Slots, func(p job.PlannedSlot) job.Item { return t.plan(d, p) })
	case job.Run:
		a.Items = []job.Item{t.run(d)}
	case job.Begin:
		a.Items = each(d.Attempts, func(b job.BeginAttempt) job.Item { return t.beginAttempt(b) })
	case job.Record:
		a.Items = each(d.Outcomes, func(o job.RecordedOutcome) job.Item { return t.record(d.At, o) })
	case job.MarkLost:
		a.Items = slices.Concat(
			each(d.Attempts, func(r job.AttemptRef) job.Item { return t.markLost(d.At, r, lossOfBegun) }),
			each(d.Unbegun, func(r job.AttemptRef) job.Item { return t.markLost(d.At, r, lossOfUnbegun) }),
			each(d.Final, func(r job.AttemptRef) job.Item { return t.markLost(d.At, r, lastLoss) }))
	case job.Cancel:
		a.Items = []job.Item{t.cancelRequested(d)}
	case job.Prune:
		a.Next = t.prune(d)
	case job.PruneAnswers:
		a.More = t.pruneAnswers(d)
	case job.RaiseVersion:
		a.Items = []job.Item{t.raiseVersion(d)}
	case job.DismissNode:
		a.Items = []job.Item{t.dismissNode(d.Node)}
	case job.Backfill:
		a.Items = []job.Item{t.backfill(d)}
	case job.PutKey:
		a.Items = []job.Item{t.putKey(d)}
	case job.DeleteKey:
		a.Items = []job.Item{t.deleteKey(d)}
	case job.Announce:
		a.Items = []job.Item{t.announce(d)}
	case job.TryHook:
		a.Items = []job.Item{t.tryHook(d)}
	}
}

// each makes one item for each part of a decision.
func each[P any](parts []P, apply func(P) job.Item) []job.Item {
	items := make([]job.Item, len(parts))
	for i, p := range parts {
		items[i] = apply(p)
	}
	return items
}

func refuse(err *job.Error) job.Item { return job.Item{Err: err} }

// get hands the value of key to read, which must not keep it; false if there is
// none.
func (t *tx) get(key []byte, read func(value []byte) error) bool {
	value, closer, err := t.batch.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false
	}
	check("read the state", err)
	check("read the state", read(value))
	check("read the state", closer.Close())
	return true
}

func (t *tx) has(key []byte) bool {
	return t.get(key, func([]byte) error { return nil })
}

func (t *tx) put(key []byte, m proto.Message) {
	value, err := marshal.Marshal(m)
	check("encode the state", err)
	check("write the state", t.batch.Set(key, value, nil))
}

func (t *tx) delete(key []byte) { check("write the state", t.batch.Delete(key, nil)) }

// scan visits the keys from lower on and before upper, until visit returns
// false. Keys that visit deletes do not disturb it.
func (t *tx) scan(lower, upper []byte, visit func(key, value []byte) bool) {
	it, err := t.batch.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	check("read the state", err)
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		check("read the state", err)
		if !visit(it.Key(), value) {
			break
		}
	}
	check("read the state", it.Close())
}

// row reads the state of a job; nil if there is no such job.
func (t *tx) row(id job.ID) *row {
	if r := t.receivers[id]; r != nil {
		return r
	}
	var r *row
	t.get(stateKey(id), func(value []byte) error {
		p, err := readState(value)
		r = newRow(id, p)
		return err
	})
	return r
}

// save writes the state of a job and moves its entry in the agenda, and its places
// in lists.
func (t *tx) save(r *row) {
	t.put(stateKey(r.id), r.JobState)
	t.listState(r)
	t.reschedule(r, dueOf(r.id, r.JobState))
}

func (t *tx) reschedule(r *row, now due) {
	if r.due == now {
		return
	}
	if r.due.at != 0 {
		t.state.agenda.remove(r.due)
	}
	if now.at != 0 {
		t.state.agenda.add(now)
	}
	r.due = now
	t.planned = true
}

// execution reads a record; nil if there is none.
func (t *tx) execution(id job.ExecutionID) *job.Execution {
	var x *job.Execution
	t.get(executionKey(id), func(value []byte) (err error) {
		x, err = readExecution(id, value)
		return err
	})
	return x
}

func (t *tx) putExecution(x *job.Execution) { t.put(executionKey(x.ID), t.w.execution(x)) }

// setOpen writes where an open execution stands.
func (t *tx) setOpen(x job.Open) {
	t.put(openKey(x.Execution), t.w.open(x))
	t.state.opens.put(x)
	t.changed = append(t.changed, x)
}

// close ends an open execution: no request of it can be open any more.
func (t *tx) close(x job.Open) {
	t.delete(openKey(x.Execution))
	t.state.opens.remove(x.Execution)
	x.Phase = job.PhaseClosed
	t.changed = append(t.changed, x)
}
