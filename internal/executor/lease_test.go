package executor

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// on is a batch of term 1 that rests on a reply.
func on(r job.BatchReply, lease time.Duration, assignments ...job.Assignment) job.Batch {
	return job.Batch{
		Term: 1, Fenced: true, Incarnation: r.Incarnation, Token: r.Token, Lease: lease, Assignments: assignments,
	}
}

// firstReply is the reply to a new leader's first batch.
func firstReply(t *testing.T, e *Executor) job.BatchReply {
	t.Helper()
	reply := accept(t, e, on(job.BatchReply{Incarnation: testIncarnation}, time.Hour))
	if !reply.Refused || reply.Token == 0 {
		t.Fatalf("reply to a batch that rests on none = %+v, want a refusal with a token", reply)
	}
	return reply
}

// take gives the executor a batch that must be admitted.
func take(t *testing.T, e *Executor, b job.Batch) job.BatchReply {
	t.Helper()
	reply := accept(t, e, b)
	if reply.Refused {
		t.Fatalf("a batch with token %d was refused: %+v", b.Token, reply)
	}
	return reply
}

func TestLease_CountsFromTheReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		time.Sleep(7 * time.Second) // tokens do not depend on when life began
		reply, given := firstReply(t, b.Executor), time.Now()
		time.Sleep(2 * time.Second) // the batch is under way
		take(t, b.Executor, on(reply, 3*time.Second, assignment(1, hold)))
		expectCode(t, b.outcome(t), job.ErrNodeLost)
		if after := time.Since(given); after != 3*time.Second {
			t.Errorf("the lease ended %s after the reply, want 3s", after)
		}
		synctest.Wait()
		b.target.expect(t, []int{1}, []int{1})
	})
}

func TestLease_IsRenewedOnLaterReplies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		begun := time.Now()
		reply := take(t, b.Executor, on(firstReply(t, b.Executor), 3*time.Second, assignment(1, hold)))
		for range 5 {
			time.Sleep(time.Second)
			reply = take(t, b.Executor, on(reply, 3*time.Second))
		}
		expectCode(t, b.outcome(t), job.ErrNodeLost)
		if after := time.Since(begun); after != 7*time.Second { // the last batch rests on the reply at 4s
			t.Errorf("the lease ended after %s, want 7s", after)
		}
	})
}

// TestLease_Refused has a node that holds a lease until 3s, at 2s.
func TestLease_Refused(t *testing.T) {
	t.Parallel()
	tests := map[string]func(first, second job.BatchReply) job.Batch{
		"another life": func(_, second job.BatchReply) job.Batch {
			second.Incarnation--
			return on(second, time.Hour)
		},
		"no reply": func(_, second job.BatchReply) job.Batch {
			second.Token = 0
			return on(second, time.Hour)
		},
		"a reply not given yet": func(_, second job.BatchReply) job.Batch {
			second.Token += uint64(3 * time.Second)
			return on(second, time.Hour)
		},
		"older than its lease":     func(_, second job.BatchReply) job.Batch { return on(second, time.Second) },
		"older than the lease's":   func(first, _ job.BatchReply) job.Batch { return on(first, time.Hour) },
		"older, and renewing none": func(first, _ job.BatchReply) job.Batch { return on(first, 0) },
	}
	for name, build := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startBubble(t, Config{})
				begun := time.Now()
				first := firstReply(t, b.Executor)
				time.Sleep(time.Second)
				second := firstReply(t, b.Executor)
				take(t, b.Executor, on(second, 2*time.Second, assignment(1, hold), assignment(2, hold)))
				time.Sleep(time.Second)

				refused := build(first, second)
				refused.Term = 2
				refused.Assignments = []job.Assignment{assignment(3, quick)}
				refused.Aborts = []job.AttemptRef{ref(1, 1)}
				if reply := accept(t, b.Executor, refused); !reply.Refused || reply.Token <= second.Token || reply.Open != 2 {
					t.Errorf("reply = %+v, want a refusal with a new token and 2 open", reply)
				}
				o := b.outcome(t)
				if expectCode(t, o, job.ErrCancelled); o.AttemptRef != ref(1, 1) {
					t.Errorf("outcome of %+v, want of the aborted one", o.AttemptRef)
				}
				if _, err := b.Accept(on(second, time.Hour)); !errors.Is(err, job.ErrStale) {
					t.Errorf("Accept of the earlier term = %v, want %v", err, job.ErrStale)
				}
				expectCode(t, b.outcome(t), job.ErrNodeLost)
				if after := time.Since(begun); after != 3*time.Second {
					t.Errorf("the lease ended after %s, want 3s: it was not renewed", after)
				}
				b.none(t)
				synctest.Wait()
				b.target.mu.Lock()
				defer b.target.mu.Unlock()
				if n := len(b.target.began); n != 2 {
					t.Errorf("%d requests, want 2: nothing of the refused batch", n)
				}
			})
		})
	}
}

func TestLease_BatchThatRenewsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		reply := firstReply(t, b.Executor)
		if r := accept(t, b.Executor, on(reply, 0, assignment(1, quick))); !r.Refused {
			t.Error("taken by a node without a lease")
		}
		take(t, b.Executor, on(reply, time.Second))
		take(t, b.Executor, on(reply, 0, assignment(2, quick)))
		expectCode(t, b.outcome(t), "")
		time.Sleep(time.Second)
		if r := accept(t, b.Executor, on(reply, 0, assignment(3, quick))); !r.Refused {
			t.Error("taken by a node whose lease has ended")
		}
		synctest.Wait()
		b.target.expect(t, []int{2}, nil)
	})
}

// TestLease_OfAStoppedProcess: what was queued on a process that was stopped, and
// what lay in its socket, starts nothing when it goes on, whichever goroutine is
// the first to run. Here none runs but the test.
func TestLease_OfAStoppedProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReporter()
		e := New(Config{NodeID: "n1", Incarnation: testIncarnation, Reporter: r, Concurrency: 1})
		reply := firstReply(t, e)
		batch := on(reply, 3*time.Second, assignment(1, quick), assignment(2, quick), assignment(3, quick))
		reply = take(t, e, batch)
		open, _ := e.hire(t.Context())
		if open == nil {
			t.Fatal("an attempt under a lease is not begun")
		}
		time.Sleep(3 * time.Second) // SIGSTOP, SIGCONT

		if a, _ := e.next(t.Context(), open); a != nil {
			t.Error("a worker begins another attempt after the lease")
		}
		if a, _ := e.hire(t.Context()); a != nil {
			t.Error("a worker is hired after the lease")
		}
		if e.attempts.workers != 0 {
			t.Errorf("%d workers, want none", e.attempts.workers)
		}
		if r := accept(t, e, batch); !r.Refused || r.Open != 0 {
			t.Errorf("reply to the batch that lay in the socket = %+v, want a refusal and nothing open", r)
		}
		if r := accept(t, e, on(reply, time.Second)); !r.Refused {
			t.Error("a batch that rests on a reply from before the stop is taken")
		}
		for _, n := range []int{2, 3} {
			if !e.attempts.knows(ref(n, 1)) || e.attempts.live[ref(n, 1)].stage != ended {
				t.Errorf("attempt %d has not ended", n)
			}
		}
	})
}

// TestLease_EndedIsNotRenewed: a batch that rests on a reply given under a lease
// begins a new one, and does not save what the old one covered.
func TestLease_EndedIsNotRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := New(Config{NodeID: "n1", Incarnation: testIncarnation, Reporter: newReporter()})
		take(t, e, on(firstReply(t, e), time.Second, assignment(1, quick)))
		time.Sleep(900 * time.Millisecond)
		reply := firstReply(t, e)
		time.Sleep(600 * time.Millisecond) // nobody watches
		if r := take(t, e, on(reply, time.Second, assignment(2, quick))); r.Open != 1 {
			t.Errorf("%d attempts open, want the new one", r.Open)
		}
		if a, _ := e.hire(t.Context()); a == nil || a.AttemptRef != ref(2, 1) {
			t.Errorf("hired for %+v, want the new one", a)
		}
	})
}

// TestLease_BatchesAtOnce: of batches that are read at the same moment none is a
// straggler.
func TestLease_BatchesAtOnce(t *testing.T) {
	t.Parallel()
	e := New(Config{NodeID: "n1", Incarnation: testIncarnation, Reporter: newReporter()})
	var leaders sync.WaitGroup
	for range 8 {
		leaders.Go(func() {
			for range 500 {
				if reply, err := e.Accept(job.Batch{Term: 1, Lease: time.Hour}); err != nil || reply.Refused {
					t.Errorf("Accept = %+v, %v, want no refusal", reply, err)
					return
				}
			}
		})
	}
	leaders.Wait()
}

func TestLease_MakesTheMemoryLonger(t *testing.T) {
	t.Parallel()
	e := New(Config{NodeID: "n1", Incarnation: testIncarnation, Reporter: newReporter()})
	take(t, e, on(firstReply(t, e), time.Hour))
	if got := e.attempts.forgotten.atLeast; got != 2*time.Hour {
		t.Errorf("attempts are remembered for %s at least, want twice the lease", got)
	}
}

// TestLease_EndsWhileDialling: the connection is there after the lease, before
// anyone has noticed its end. No request is made, and the outcome says so.
func TestLease_EndsWhileDialling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		arrived := make(chan int64, 1)
		go func() {
			n, _ := io.Copy(io.Discard, far)
			arrived <- n
		}()
		e := New(Config{Incarnation: testIncarnation, Reporter: newReporter(), DialContext: func(context.Context, string, string) (net.Conn, error) {
			time.Sleep(2 * time.Second)
			return near, nil
		}})
		take(t, e, on(firstReply(t, e), time.Second, assignment(1, quick)))
		a, ctx := e.hire(t.Context())
		o := e.client.do(ctx, &a.Assignment)
		expectCode(t, o, job.ErrNodeLost)
		if !o.StartedAt.IsZero() || o.Duration != 0 {
			t.Errorf("outcome = %+v, want one of an attempt that was never begun", o)
		}
		if n := <-arrived; n != 0 {
			t.Errorf("the target got %d bytes, want none", n)
		}
	})
}

func TestLease_OfAnOlderProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		reply := accept(t, b.Executor, job.Batch{Term: 1, Lease: time.Second, Assignments: []job.Assignment{assignment(1, hold)}})
		if reply.Refused {
			t.Error("a batch of a program that knows no tokens was refused")
		}
		time.Sleep(500 * time.Millisecond)
		upgraded := on(reply, time.Second)
		upgraded.Term = 2
		take(t, b.Executor, upgraded) // until 1s
		accept(t, b.Executor, job.Batch{Term: 3, Lease: time.Second, Assignments: []job.Assignment{assignment(2, hold)}})
		begun := time.Now()
		for range 2 {
			expectCode(t, b.outcome(t), job.ErrNodeLost)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("the older program's lease took %s from its arrival, want 1s", took)
		}
	})
}
