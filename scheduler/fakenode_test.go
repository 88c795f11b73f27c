package scheduler

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// fakeNode is a node that takes note of what it is sent, and keeps the rule of
// the lease as the executor does.
type fakeNode struct {
	id       string
	down     bool // calls break at once
	gone     bool // calls find nobody
	hung     bool // calls end with their context, and do not arrive
	refusing bool // every batch is refused
	draining bool
	ahead    time.Duration        // of its wall clock
	delay    func() time.Duration // how long a call is under way, each way; nil: not at all
	calls    []call
	// accept, if set, runs for each batch that arrives, without the assignments that
	// were refused.
	accept func(b job.Batch)
	stop   chan struct{} // while open, what arrives waits: the process is stopped

	*life
}

// life is what a restart ends.
type life struct {
	incarnation uint64
	born        time.Time
	ended       bool
	term        uint64    // the highest it has heard of
	leaseUntil  time.Time // zero: there is none
	known       map[job.AttemptRef]bool
}

// call is one that a node was sent.
type call struct {
	at    time.Time
	batch job.Batch
	ok    bool // it was answered
}

func newFakeNode(id string, incarnation uint64) *fakeNode {
	return &fakeNode{id: id, life: newLife(incarnation)}
}

func newLife(incarnation uint64) *life {
	return &life{incarnation: incarnation, born: time.Now(), known: map[job.AttemptRef]bool{}}
}

// restart begins another life; the requests of this one are over.
func (w *world) restart(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nodes[id]
	for _, r := range w.requests.of(n) {
		delete(w.requests.open, r.ref)
	}
	n.ended = true
	n.life = newLife(n.incarnation + 1)
}

// stopNode stops a node as SIGSTOP does. Its open requests do not count until it
// goes on.
func (w *world) stopNode(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.nodes[id]; n.stop == nil {
		n.stop = make(chan struct{})
	}
}

// goOn lets a stopped node go on: the first thing it sees is the time.
func (w *world) goOn(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nodes[id]
	if n.stop == nil {
		return
	}
	close(n.stop)
	n.stop = nil
	w.endLease(n)
	w.requests.count()
}

// call is what becomes of a leader's call.
func (w *world) call(ctx context.Context, id string, b job.Batch) (job.BatchReply, error) {
	w.mu.Lock()
	n := w.nodes[id]
	at := len(n.calls)
	n.calls = append(n.calls, call{at: time.Now(), batch: b})
	down, gone, hung := n.down, n.gone, n.hung
	w.mu.Unlock()
	switch {
	case down:
		return job.BatchReply{}, errReset
	case gone:
		return job.BatchReply{}, fmt.Errorf("dial %s: %w", id, ErrNotDelivered)
	case hung:
		<-ctx.Done()
		return job.BatchReply{}, ctx.Err()
	}
	type answer struct {
		reply job.BatchReply
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		reply, err := w.deliver(n, b)
		answers <- answer{reply, err}
	}()
	select {
	case <-ctx.Done():
		return job.BatchReply{}, ctx.Err()
	case a := <-answers:
		w.mu.Lock()
		defer w.mu.Unlock()
		n.calls[at].ok = a.err == nil
		return a.reply, a.err
	}
}

// deliver brings a batch to a node, however long that takes, and the answer back.
func (w *world) deliver(n *fakeNode, b job.Batch) (job.BatchReply, error) {
	w.travel(n)
	w.mu.Lock()
	if !w.untilRunning(n) {
		w.mu.Unlock()
		return job.BatchReply{}, context.Canceled
	}
	reply, err := w.take(n, &b)
	accept := n.accept
	w.mu.Unlock()
	if err == nil && accept != nil {
		accept(b)
	}
	w.travel(n)
	return reply, err
}

func (w *world) travel(n *fakeNode) {
	w.mu.Lock()
	delay := n.delay
	var d time.Duration
	if delay != nil {
		d = delay()
	}
	w.mu.Unlock()
	w.sleep(d)
}

// sleep is cut short by the end of the test, at which it returns false.
func (w *world) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return !isClosed(w.over)
	case <-w.over:
		return false
	}
}

// untilRunning waits until a node is not stopped; false if the test ends before.
// The caller holds mu, which is let go meanwhile.
func (w *world) untilRunning(n *fakeNode) bool {
	for n.stop != nil {
		stopped := n.stop
		w.mu.Unlock()
		select {
		case <-stopped:
		case <-w.over:
		}
		w.mu.Lock()
		if isClosed(w.over) {
			return false
		}
	}
	return true
}

// take is the node's side of the lease. It takes the refused assignments out of
// the batch. The caller holds mu.
func (w *world) take(n *fakeNode, b *job.Batch) (job.BatchReply, error) {
	now := time.Now()
	if b.Term < n.term {
		return job.BatchReply{}, job.ErrStale
	}
	n.term = b.Term
	w.endLease(n)
	age := now.Sub(n.born) + 1 - time.Duration(b.Token)
	refused := n.refusing || b.Incarnation != n.incarnation || b.Token == 0 || age < 0 || b.Lease > 0 && age > b.Lease
	switch {
	case refused:
		b.Assignments = nil
	case b.Lease > 0:
		n.leaseUntil = now.Add(b.Lease - age)
		w.watchLease(n)
	case n.leaseUntil.IsZero():
		b.Assignments = nil
	}
	b.Assignments = slices.DeleteFunc(slices.Clone(b.Assignments), func(a job.Assignment) bool {
		return n.known[a.AttemptRef] || a.Incarnation != n.incarnation
	})
	w.requests.abort(n, b.Aborts)
	for _, a := range b.Assignments {
		n.known[a.AttemptRef] = true
		w.requests.begin(n, a)
	}
	return job.BatchReply{
		Incarnation: n.incarnation, Token: uint64(now.Sub(n.born)) + 1, Refused: refused,
		Clock: now.Add(n.ahead), AppliedIndex: 42, Draining: n.draining,
	}, nil
}

// watchLease ends the lease when it is over. The caller holds mu.
func (w *world) watchLease(n *fakeNode) {
	if w.requests == nil {
		return
	}
	until := n.leaseUntil
	go func() {
		if !w.sleep(time.Until(until)) {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if n.stop == nil {
			w.endLease(n)
		}
	}()
}

// endLease gives up what the node has open if its lease is over. The caller
// holds mu.
func (w *world) endLease(n *fakeNode) {
	if n.leaseUntil.IsZero() || time.Now().Before(n.leaseUntil) {
		return
	}
	n.leaseUntil = time.Time{}
	for _, r := range w.requests.of(n) {
		w.requests.finish(r, &job.AttemptError{Code: job.ErrNodeLost})
	}
}

// requests are what the nodes have open at the targets. The world's mu guards it.
// Its methods do nothing if there is none.
type requests struct {
	w *world
	// length is how long a target takes to answer.
	length func() time.Duration
	open   map[job.AttemptRef]*request
	// made counts the requests of each execution, and most is how many of one job
	// were open at a time.
	made map[job.ExecutionID]int
	most int
	last time.Time // when one was begun
}

type request struct {
	ref   job.AttemptRef
	node  *fakeNode
	began time.Time
}

// makeRequests makes the nodes make the requests of what they are assigned.
func (w *world) makeRequests(length func() time.Duration) *requests {
	w.requests = &requests{
		w: w, length: length,
		open: map[job.AttemptRef]*request{}, made: map[job.ExecutionID]int{},
	}
	return w.requests
}

func (q *requests) begin(n *fakeNode, a job.Assignment) {
	if q == nil {
		return
	}
	r := &request{ref: a.AttemptRef, node: n, began: time.Now()}
	q.open[r.ref] = r
	q.made[a.Execution]++
	q.last = r.began
	q.count()
	length := q.length()
	go func() {
		if !q.w.sleep(length) {
			return
		}
		q.w.mu.Lock()
		defer q.w.mu.Unlock()
		if q.w.untilRunning(n) { // before, it cannot see the answer
			q.finish(r, nil)
		}
	}()
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// count looks how many requests each job has open at nodes that are not stopped.
func (q *requests) count() {
	if q == nil {
		return
	}
	open := map[job.ID]int{}
	for ref, r := range q.open {
		if r.node.stop == nil {
			open[ref.Execution.Job]++
			q.most = max(q.most, open[ref.Execution.Job])
		}
	}
}

// mostOpen is how many requests of one job were open at a time.
func (q *requests) mostOpen() int {
	q.w.mu.Lock()
	defer q.w.mu.Unlock()
	return q.most
}

// madeOf is how many requests an execution had.
func (q *requests) madeOf(id job.ExecutionID) int {
	q.w.mu.Lock()
	defer q.w.mu.Unlock()
	return q.made[id]
}

func (q *requests) of(n *fakeNode) []*request {
	if q == nil {
		return nil
	}
	var list []*request
	for _, r := range q.open {
		if r.node == n {
			list = append(list, r)
		}
	}
	return list
}

func (q *requests) abort(n *fakeNode, refs []job.AttemptRef) {
	for _, ref := range refs {
		n.known[ref] = true
		if q == nil {
			continue
		}
		if r, ok := q.open[ref]; ok && r.node == n {
			q.finish(r, &job.AttemptError{Code: job.ErrCancelled})
		} else {
			go q.report(n.life, job.Outcome{AttemptRef: ref, Err: &job.AttemptError{Code: job.ErrCancelled}})
		}
	}
}

// finish ends a request, once, and reports how it ended.
func (q *requests) finish(r *request, err *job.AttemptError) {
	if q.open[r.ref] != r {
		return
	}
	delete(q.open, r.ref)
	go q.report(r.node.life, job.Outcome{AttemptRef: r.ref, StartedAt: job.Instant(r.began), Err: err})
}

// report brings an outcome to whoever is in office, until that has it or the life
// that has the outcome is over.
func (q *requests) report(of *life, o job.Outcome) {
	for {
		q.w.mu.Lock()
		term := q.w.seats[len(q.w.seats)-1].term
		ended := of.ended
		q.w.mu.Unlock()
		if ended {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := term.Report(ctx, []job.Outcome{o})
		cancel()
		if err == nil || !q.w.sleep(50*time.Millisecond) {
			return
		}
	}
}

// callsTo returns the calls that a node was sent.
func (w *world) callsTo(id string) []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.nodes[id].calls)
}

// assignedTo returns the attempts that a node was sent, each as often as it was.
func (w *world) assignedTo(id string) []job.AttemptRef {
	var refs []job.AttemptRef
	for _, c := range w.callsTo(id) {
		for _, a := range c.batch.Assignments {
			refs = append(refs, a.AttemptRef)
		}
	}
	return refs
}

// abortedAt returns the aborts that a node was sent.
func (w *world) abortedAt(id string) []job.AttemptRef {
	var refs []job.AttemptRef
	for _, c := range w.callsTo(id) {
		refs = append(refs, c.batch.Aborts...)
	}
	return refs
}

// succeed makes every node end each attempt at once, with success.
func (w *world) succeed(t *testing.T, term *Term) { w.endWith(t, term, nil) }

// endWith makes every node end each attempt at once, with err.
func (w *world) endWith(t *testing.T, term *Term, err *job.AttemptError) {
	for id := range w.nodes {
		w.node(id, func(n *fakeNode) {
			n.accept = func(b job.Batch) {
				go func() {
					var outcomes []job.Outcome
					for _, a := range b.Assignments {
						outcomes = append(outcomes, outcome(a.AttemptRef, err))
					}
					if err := term.Report(t.Context(), outcomes); err != nil {
						t.Errorf("Report = %v, want nil", err)
					}
				}()
			}
		})
	}
}

func outcome(r job.AttemptRef, err *job.AttemptError) job.Outcome {
	return job.Outcome{AttemptRef: r, StartedAt: job.Instant(time.Now()), Err: err}
}

// always is a length or delay that does not vary, and upTo one that does.
func always(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

func upTo(rng *rand.Rand, d time.Duration) func() time.Duration {
	return func() time.Duration { return time.Duration(rng.Int64N(int64(d))) }
}
