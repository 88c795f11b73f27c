package transport

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/transport/memnet"
)

// inBubble runs f with two nodes on a network in memory: a calls b.
func inBubble(t *testing.T, h Handler, f func(t *testing.T, network *memnet.Network, a, b *testNode)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New()
		a := startNode(t, memory(t, network, "a"), fakeHandler{})
		b := startNode(t, memory(t, network, "b"), h)
		f(t, network, a, b)
	})
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestBubble_CutAndHeal(t *testing.T) {
	t.Parallel()
	inBubble(t, fakeHandler{readIndex: index}, func(t *testing.T, network *memnet.Network, a, b *testNode) {
		checkCall(t, a, b)
		network.Cut("a", "b")
		start := time.Now()
		if _, err := a.ReadIndex(within(t, 3*time.Second), b.addr); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("over a kept connection: got %v, want DeadlineExceeded", err)
		}
		if _, err := a.ReadIndex(within(t, 3*time.Second), b.addr); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("over a new connection: got %v, want DeadlineExceeded", err)
		}
		if got := time.Since(start); got != 6*time.Second {
			t.Errorf("the calls took %v, want 6s", got)
		}
		network.Heal()
		checkCall(t, a, b)
	})
}

func TestBubble_ForwardThroughACut(t *testing.T) {
	t.Parallel()
	done := 0
	handler := fakeHandler{readIndex: index, forward: func(context.Context, []byte) ([]byte, error) {
		done++
		return nil, nil
	}}
	inBubble(t, handler, func(t *testing.T, network *memnet.Network, a, b *testNode) {
		network.Cut("a", "b")
		if _, err := a.Forward(within(t, time.Second), b.addr, nil); !errors.Is(err, job.ErrNotLeader) {
			t.Errorf("no connection: got %v, want ErrNotLeader", err)
		}
		network.Heal()
		checkCall(t, a, b)
		network.CutOneWay("b", "a") // the answer is lost
		if _, err := a.Forward(within(t, time.Second), b.addr, nil); !errors.Is(err, job.ErrOutcomeUnknown) {
			t.Errorf("no answer: got %v, want ErrOutcomeUnknown", err)
		}
		synctest.Wait()
		if done != 1 {
			t.Errorf("the leader did it %d times, want once", done)
		}
	})
}

func TestBubble_KilledPeer(t *testing.T) {
	t.Parallel()
	inBubble(t, fakeHandler{readIndex: index}, func(t *testing.T, network *memnet.Network, a, b *testNode) {
		checkCall(t, a, b)
		network.Kill("b")
		synctest.Wait()
		start := time.Now()
		if _, err := a.Forward(t.Context(), b.addr, nil); !errors.Is(err, job.ErrNotLeader) || time.Since(start) != 0 {
			t.Errorf("got %v after %v, want ErrNotLeader at once", err, time.Since(start))
		}
	})
}

func TestBubble_IdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	inBubble(t, fakeHandler{readIndex: index}, func(t *testing.T, network *memnet.Network, a, b *testNode) {
		for range 3 {
			checkCall(t, a, b)
			time.Sleep(defaultIdle - time.Second)
		}
		if got := network.Conns("a"); got != 1 {
			t.Errorf("connections in use: got %d, want 1", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := network.Conns("a") + network.Conns("b"); got != 0 {
			t.Errorf("idle connections: got %d, want none", got)
		}
		if got := len(a.pool.peers); got != 0 {
			t.Errorf("remembered peers: got %d, want none", got)
		}
		checkCall(t, a, b)
	})
}

// TestBubble_StubbornHandler is one that does not heed its context: its caller is
// let go all the same.
func TestBubble_StubbornHandler(t *testing.T) {
	t.Parallel()
	handler := fakeHandler{readIndex: func(context.Context) (uint64, error) {
		time.Sleep(time.Hour)
		return 0, nil
	}}
	inBubble(t, handler, func(t *testing.T, _ *memnet.Network, a, b *testNode) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if _, err := a.ReadIndex(ctx, b.addr); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want Canceled after 1s", err, time.Since(start))
		}
	})
}
