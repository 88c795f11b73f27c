package fsm

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/cronraft/cronraft/internal/job"
)

// poked reports whether a feed says that there is something to look at.
func poked(f *Feed) bool {
	select {
	case <-f.Changed():
		return true
	default:
		return false
	}
}

func TestFeed(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	n.do(plan(1))
	f := n.Watch()
	equal(t, "poked at first", poked(f), true)
	got := f.Drain()
	equal(t, "open at first", len(got), 1)
	equal(t, "first", got[0].Execution, slotID(1))
	equal(t, "poked again", poked(f), false)

	n.do(plan(2))
	n.do(plan(3))
	n.do(succeed(3, ref(slotID(2), 1)))
	equal(t, "poked", poked(f), true)
	got = f.Drain()
	equal(t, "changed", len(got), 2)
	equal(t, "over", got[0].Phase, job.PhaseClosed)
	equal(t, "over", got[0].Execution, slotID(2))
	equal(t, "running", got[1].Phase, job.PhaseRunning)
	equal(t, "drained", len(f.Drain()), 0)

	n.item(plan(9)) // stale
	equal(t, "poked without a change", poked(f), false)
	n.do(put(jobB, at(1), spec(job.OverlapSkip)))
	equal(t, "poked by the agenda", poked(f), true)
	equal(t, "changed by the agenda", len(f.Drain()), 0)

	f.Close()
	f.Close()
	n.do(plan(4))
	equal(t, "poked after its end", poked(f), false)
}

func TestFeed_Restore(t *testing.T) {
	t.Parallel()
	a := withJob(t, job.OverlapAllow)
	a.do(plan(1))
	b := withJob(t, job.OverlapAllow)
	b.do(plan(1))
	b.do(plan(2))
	a.do(succeed(2, ref(slotID(1), 1)))
	a.do(plan(2))
	f := b.Watch()
	f.Drain()
	b.restoreFrom(a)
	phases := map[job.ExecutionID]job.Phase{}
	for _, x := range f.Drain() {
		phases[x.Execution] = x.Phase
	}
	equal(t, "told", len(phases), 2)
	equal(t, "gone", phases[slotID(1)], job.PhaseClosed)
	equal(t, "there", phases[slotID(2)], job.PhaseRunning)
}

func TestWaitApplied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := withJob(t, job.OverlapSkip)
		defer func() { n.must(n.Close()) }()
		n.must(n.WaitApplied(t.Context(), 1))
		ctx, cancel := context.WithCancel(t.Context())
		wait := func(ctx context.Context, index uint64) chan error {
			done := make(chan error, 1)
			go func() { done <- n.WaitApplied(ctx, index) }()
			synctest.Wait()
			return done
		}
		second, third, given, never := wait(ctx, 2), wait(t.Context(), 3), wait(ctx, 3), wait(t.Context(), 9)
		n.do(plan(1))
		n.must(<-second)
		cancel()
		if err := <-given; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v", err)
		}
		n.do(plan(2))
		n.must(<-third)
		equal(t, "waiting", len(n.waiting), 1)
		n.must(n.Close())
		if err := <-never; !errors.Is(err, errClosed) {
			t.Errorf("closed: got %v", err)
		}
		if err := n.WaitApplied(t.Context(), 9); !errors.Is(err, errClosed) {
			t.Errorf("closed before: got %v", err)
		}
	})
}
