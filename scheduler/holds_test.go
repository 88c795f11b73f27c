package scheduler

import (
	"testing"
	"time"
)

func TestHolds(t *testing.T) {
	t.Parallel()
	h := newHolds()
	f := func(step string, wantFirst, wantSecond bool) {
		t.Helper()
		if first, second := h.has(1), h.has(2); first != wantFirst || second != wantSecond {
			t.Errorf("after %s, 1 and 2 are held: %t, %t; want %t, %t", step, first, second, wantFirst, wantSecond)
		}
	}
	h.add(1, noon.Add(time.Minute))
	h.addReplay(2, noon.Add(time.Second))
	f("both were added", true, true)
	if got, want := h.next(), noon.Add(time.Second); !got.Equal(want) {
		t.Errorf("next = %v, want %v", got, want)
	}
	h.release(1)
	h.release(2)
	f("executions of both ended", true, false)
	h.addReplay(2, noon.Add(time.Second))
	h.sweep(noon.Add(time.Second))
	f("a second", true, false)
	if got, want := h.next(), noon.Add(time.Minute); !got.Equal(want) {
		t.Errorf("next = %v, want %v", got, want)
	}
	h.sweep(noon.Add(time.Minute))
	f("a minute", false, false)
	if got := h.next(); !got.IsZero() {
		t.Errorf("next = %v, want none", got)
	}
}
