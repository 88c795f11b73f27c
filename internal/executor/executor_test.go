package executor

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cronraft/cronraft/internal/job"
)

func TestAccept_RunsAndReports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		reply := assign(t, b.Executor, assignment(1, quick))
		want := job.BatchReply{Incarnation: testIncarnation, Token: 1, Clock: job.Instant(time.Now()), Open: 1}
		if reply != want {
			t.Errorf("reply = %+v, want %+v", reply, want)
		}
		o := b.outcome(t)
		expectCode(t, o, "")
		node := job.NodeRef{ID: "n1", Incarnation: testIncarnation}
		if o.AttemptRef != ref(1, 1) || o.Node != node || o.HTTPStatus != 200 || !o.StartedAt.Equal(time.Now()) {
			t.Errorf("outcome = %+v", o)
		}
		if n := b.OpenCount(); n != 0 {
			t.Errorf("OpenCount = %d, want 0", n)
		}
	})
}

func TestAccept_Deduplicates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{Concurrency: 1})
		var refuse atomic.Bool
		refuse.Store(true)
		b.report = func([]job.Outcome) error {
			if refuse.Load() {
				return job.ErrNotLeader
			}
			return nil
		}
		again := func(when string, open int) {
			t.Helper()
			if reply := assign(t, b.Executor, assignment(1, hold), assignment(2, quick)); reply.Open != open {
				t.Errorf("%s: open = %d, want %d", when, reply.Open, open)
			}
			synctest.Wait()
		}
		again("new", 2)
		again("open and queued", 2)
		close(b.target.release)
		synctest.Wait()
		again("ended, not acknowledged", 0)
		refuse.Store(false)
		b.outcome(t)
		b.outcome(t)
		again("acknowledged", 0)
		b.target.expect(t, []int{1, 2}, nil)

		retry := assignment(2, quick)
		retry.Attempt = 2
		assign(t, b.Executor, retry)
		if o := b.outcome(t); o.AttemptRef != ref(2, 2) {
			t.Errorf("outcome of %+v, want of the second attempt", o.AttemptRef)
		}
	})
}

func TestAccept_OlderTermChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		accept(t, b.Executor, job.Batch{Term: 7, Lease: time.Second, Assignments: []job.Assignment{assignment(1, hold)}})
		synctest.Wait()
		stale := job.Batch{
			Term: 6, Lease: time.Hour,
			Assignments: []job.Assignment{assignment(2, quick)},
			Aborts:      []job.AttemptRef{ref(1, 1)},
		}
		if _, err := b.Accept(stale); !errors.Is(err, job.ErrStale) {
			t.Errorf("Accept = %v, want %v", err, job.ErrStale)
		}
		synctest.Wait()
		b.target.expect(t, []int{1}, nil)
		expectCode(t, b.outcome(t), job.ErrNodeLost) // the lease was not renewed
	})
}

func TestAccept_OtherIncarnationIsIgnored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		other := assignment(1, quick)
		other.Incarnation = testIncarnation - 1
		if reply := assign(t, b.Executor, other); reply.Incarnation != testIncarnation || reply.Open != 0 {
			t.Errorf("reply = %+v", reply)
		}
		synctest.Wait()
		b.target.expect(t, nil, nil)
		b.none(t)
	})
}

func TestAccept_BeforeAndAfterRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := New(Config{Reporter: newReporter()})
		if _, err := e.Accept(job.Batch{Term: 1}); err != nil {
			t.Errorf("before Run: Accept = %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
		if _, err := e.Accept(job.Batch{Term: 1}); !errors.Is(err, ErrStopped) {
			t.Errorf("after Run: Accept = %v, want %v", err, ErrStopped)
		}
	})
}

func TestAbort(t *testing.T) {
	t.Parallel()
	abort := func(t *testing.T, b *bubble, n int) {
		t.Helper()
		accept(t, b.Executor, job.Batch{Term: 1, Aborts: []job.AttemptRef{ref(n, 1)}})
		synctest.Wait()
	}
	tests := map[string]func(*testing.T, *bubble){
		"open": func(t *testing.T, b *bubble) {
			assign(t, b.Executor, assignment(1, hold))
			synctest.Wait()
			abort(t, b, 1)
			o := b.outcome(t)
			expectCode(t, o, job.ErrCancelled)
			if o.StartedAt.IsZero() {
				t.Error("StartedAt is zero, but the request was begun")
			}
			b.target.expect(t, []int{1}, []int{1})
		},
		"queued": func(t *testing.T, b *bubble) {
			assign(t, b.Executor, assignment(1, hold), assignment(2, hold))
			synctest.Wait()
			abort(t, b, 2)
			expectUnbegun(t, b.outcome(t), 2)
			close(b.target.release)
			expectCode(t, b.outcome(t), "")
			synctest.Wait()
			b.target.expect(t, []int{1}, nil)
		},
		"in the batch that assigns": func(t *testing.T, b *bubble) {
			accept(t, b.Executor, job.Batch{
				Term:        1,
				Assignments: []job.Assignment{assignment(1, quick)},
				Aborts:      []job.AttemptRef{ref(1, 1)},
			})
			expectUnbegun(t, b.outcome(t), 1)
			b.target.expect(t, nil, nil)
		},
		"unknown": func(t *testing.T, b *bubble) {
			abort(t, b, 1)
			expectUnbegun(t, b.outcome(t), 1)
			assign(t, b.Executor, assignment(1, quick)) // late
			synctest.Wait()
			b.target.expect(t, nil, nil)
			b.none(t)
		},
		"ended": func(t *testing.T, b *bubble) {
			var refuse atomic.Bool
			refuse.Store(true)
			b.report = func([]job.Outcome) error {
				if refuse.Load() {
					return job.ErrNotLeader
				}
				return nil
			}
			assign(t, b.Executor, assignment(1, quick))
			synctest.Wait()
			abort(t, b, 1)
			refuse.Store(false)
			expectCode(t, b.outcome(t), "")
			synctest.Wait()
			b.none(t)
		},
		"acknowledged": func(t *testing.T, b *bubble) {
			assign(t, b.Executor, assignment(1, quick))
			expectCode(t, b.outcome(t), "")
			synctest.Wait()
			abort(t, b, 1)
			expectUnbegun(t, b.outcome(t), 1)
		},
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { f(t, startBubble(t, Config{Concurrency: 1})) })
		})
	}
}

func expectUnbegun(t *testing.T, o job.Outcome, n int) {
	t.Helper()
	expectCode(t, o, job.ErrCancelled)
	if o.AttemptRef != ref(n, 1) || !o.StartedAt.IsZero() {
		t.Errorf("outcome = %+v, want one of %+v, never begun", o, ref(n, 1))
	}
}

func TestLease_EndAbortsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{Concurrency: 1})
		start := time.Now()
		accept(t, b.Executor, job.Batch{
			Term: 1, Lease: 3 * time.Second,
			Assignments: []job.Assignment{assignment(1, hold), assignment(2, hold)},
		})
		time.Sleep(2 * time.Second)
		accept(t, b.Executor, job.Batch{Term: 1, Lease: 3 * time.Second})
		time.Sleep(2 * time.Second)
		accept(t, b.Executor, job.Batch{Term: 1}) // renews nothing
		for range 2 {
			expectCode(t, b.outcome(t), job.ErrNodeLost)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("ended after %s, want 5s", took)
		}
		synctest.Wait()
		b.target.expect(t, []int{1}, []int{1})
	})
}

func TestLease_ComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		accept(t, b.Executor, job.Batch{Term: 1, Lease: time.Second})
		time.Sleep(time.Minute)
		accept(t, b.Executor, job.Batch{
			Term: 1, Lease: time.Hour, Assignments: []job.Assignment{assignment(1, hold)},
		})
		synctest.Wait()
		accept(t, b.Executor, job.Batch{Term: 2, Lease: time.Second}) // a shorter one counts too
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		b.none(t)
		expectCode(t, b.outcome(t), job.ErrNodeLost)
	})
}

func TestLease_NoneIsNotAnEndedOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		a := assignment(1, hold)
		a.Timeout = 15 * time.Second
		assign(t, b.Executor, a)
		expectCode(t, b.outcome(t), job.ErrTimeout)
	})
}

func TestConcurrency_BoundAndOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		b := startBubble(t, Config{Concurrency: 3, Metrics: NewMetrics(registry)})
		var batch []job.Assignment
		for n := range 10 {
			a := assignment(n, hold)
			a.Timeout = time.Duration(1+n%3) * time.Second
			batch = append(batch, a)
		}
		assign(t, b.Executor, batch...)
		synctest.Wait()
		if n := b.OpenCount(); n != 10 {
			t.Errorf("OpenCount = %d, want 10", n)
		}
		expectGauge(t, registry, 10)
		b.target.mu.Lock()
		if n := len(b.target.began); n != 3 {
			t.Errorf("%d requests open, want 3", n)
		}
		b.target.mu.Unlock()
		for range 10 {
			expectCode(t, b.outcome(t), job.ErrTimeout)
		}
		expectGauge(t, registry, 0)
	})
}

func expectGauge(t *testing.T, registry *prometheus.Registry, want float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("Gather = %d families, %v", len(families), err)
	}
	if name := families[0].GetName(); name != "cronraft_open_attempts" {
		t.Errorf("metric = %s, want cronraft_open_attempts", name)
	}
	if got := families[0].GetMetric()[0].GetGauge().GetValue(); got != want {
		t.Errorf("open attempts = %v, want %v", got, want)
	}
}

func TestConcurrency_FirstComeFirstServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{Concurrency: 1})
		for n := range 5 {
			assign(t, b.Executor, assignment(n, quick))
		}
		for range 5 {
			expectCode(t, b.outcome(t), "")
		}
		b.target.expect(t, []int{0, 1, 2, 3, 4}, nil)
	})
}

func TestOutbox_SendsAgainUntilAcknowledged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		var at []time.Duration
		begun := time.Now()
		b.report = func([]job.Outcome) error {
			at = append(at, time.Since(begun))
			if len(at) < 8 {
				return fmt.Errorf("report: %w", job.ErrOutcomeUnknown)
			}
			return nil
		}
		assign(t, b.Executor, assignment(1, quick))
		b.outcome(t)
		want := []time.Duration{0, 50, 150, 350, 750, 1550, 2550, 3550}
		for i := range want {
			if want[i] *= time.Millisecond; at[i] != want[i] {
				t.Errorf("report %d after %s, want %s", i, at[i], want[i])
			}
		}
	})
}

func TestOutbox_NewLeaderIsTriedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		var leader atomic.Bool
		b.report = func([]job.Outcome) error {
			if !leader.Load() {
				return job.ErrNotLeader
			}
			return nil
		}
		assign(t, b.Executor, assignment(1, quick))
		time.Sleep(10*time.Second + 123*time.Millisecond)
		leader.Store(true)
		accept(t, b.Executor, job.Batch{Term: 2})
		synctest.Wait()
		select {
		case <-b.got:
		default:
			t.Error("the outcome was not sent at once")
		}
	})
}

func TestOutbox_Batches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		r := newReporter()
		r.report = func(outcomes []job.Outcome) error {
			sizes = append(sizes, len(outcomes))
			return nil
		}
		e := New(Config{Reporter: r})
		small := make([]job.Outcome, 2*maxReportCount+1)
		e.outbox.add(small...)
		large := make([]job.Outcome, 600)
		for i := range large {
			large[i].Response = make([]byte, job.CaptureLimit)
		}
		e.outbox.add(large...)
		for batch := e.outbox.take(); len(batch) > 0; batch = e.outbox.take() {
			_ = r.Report(t.Context(), batch)
		}
		total := 0
		for i, n := range sizes {
			total += n
			if n > maxReportCount || i > 2 && n*(outcomeBytes+job.CaptureLimit) > maxReportBytes {
				t.Errorf("batch %d has %d outcomes", i, n)
			}
		}
		if want := len(small) + len(large); total != want {
			t.Errorf("batches have %d outcomes, want %d", total, want)
		}
	})
}

func TestDrain_WaitsForOpenAndUnreported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		begun := time.Now()
		b.report = func([]job.Outcome) error {
			if time.Since(begun) < 10*time.Second {
				return job.ErrNotLeader
			}
			return nil
		}
		a := assignment(1, hold)
		a.Timeout = 5 * time.Second
		assign(t, b.Executor, a)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := b.Drain(ctx); err != nil {
			t.Errorf("Drain = %v", err)
		}
		if took := time.Since(begun); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("drained after %s, want 10s to 11s", took)
		}
		expectCode(t, b.outcome(t), job.ErrTimeout)
	})
}

func TestDrain_AbortsAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{Concurrency: 1})
		assign(t, b.Executor, assignment(1, hold), assignment(2, hold))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if err := b.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain = %v, want %v", err, context.DeadlineExceeded)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("drained after %s, want 1s", took)
		}
		for range 2 {
			expectCode(t, b.outcome(t), job.ErrNodeLost)
		}
		assign(t, b.Executor, assignment(3, quick))
		expectCode(t, b.outcome(t), job.ErrNodeLost)
		synctest.Wait()
		b.target.expect(t, []int{1}, []int{1})
	})
}

func TestDrain_GivesUpWithoutALeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, Config{})
		b.report = func([]job.Outcome) error { return job.ErrNotLeader }
		assign(t, b.Executor, assignment(1, quick))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if err := b.Drain(ctx); err == nil {
			t.Error("Drain = nil, but the outcome is lost")
		}
		if took := time.Since(begun); took != time.Second+lastReports {
			t.Errorf("drained after %s, want %s", took, time.Second+lastReports)
		}
	})
}

func TestRun_EndAbortsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReporter()
		network := &pipeNetwork{} // nobody answers
		e := New(Config{Reporter: r, Incarnation: testIncarnation, DialContext: network.dial})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assign(t, e, assignment(1, quick)) // before Run, too
		begun := time.Now()
		if err := e.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("ended after %s, want 1s", took)
		}
	})
}

func TestMemory(t *testing.T) {
	t.Parallel()
	m := newMemory()
	now := testSlot
	m.add(ref(1, 2), now)
	tests := []struct {
		ref  job.AttemptRef
		want bool
	}{{ref(1, 1), true}, {ref(1, 2), true}, {ref(1, 3), false}, {ref(2, 1), false}}
	for _, tc := range tests {
		if got := m.knows(tc.ref); got != tc.want {
			t.Errorf("knows(%+v) = %t, want %t", tc.ref, got, tc.want)
		}
	}
	m.add(ref(1, 3), now.Add(time.Minute))
	m.add(ref(2, 1), now.Add(rememberFor+time.Second))
	if !m.knows(ref(1, 2)) {
		t.Error("forgot an attempt whose successor is remembered")
	}
	m.add(ref(3, 1), now.Add(rememberFor+2*time.Minute))
	if m.knows(ref(1, 3)) {
		t.Error("remembers an attempt for too long")
	}
}

func TestMemory_KeepsForLongEnough(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.keepFor(time.Hour)
	m.keepFor(time.Minute) // the longest counts
	for n := range 2 * rememberCount {
		m.add(ref(n, 1), testSlot)
	}
	m.add(ref(2*rememberCount, 1), testSlot.Add(time.Hour-1))
	if !m.knows(ref(0, 1)) {
		t.Error("forgot an attempt that a batch may still assign")
	}
	m.add(ref(2*rememberCount+1, 1), testSlot.Add(time.Hour))
	if m.knows(ref(0, 1)) {
		t.Error("remembers an attempt for too long")
	}
}

func TestMemory_IsBounded(t *testing.T) {
	t.Parallel()
	m := newMemory()
	for n := range 3 * rememberCount {
		m.add(ref(n, 1), testSlot)
	}
	if n := len(m.highest); n > rememberCount {
		t.Errorf("remembers %d executions, want at most %d", n, rememberCount)
	}
	if n := len(m.order); n > 2*rememberCount {
		t.Errorf("keeps %d entries, want at most %d", n, 2*rememberCount)
	}
	if last := ref(3*rememberCount-1, 1); !m.knows(last) {
		t.Error("forgot the last one")
	}
}
