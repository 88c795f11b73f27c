package memnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// readAfter checks that text arrives, and when.
func readAfter(t *testing.T, c net.Conn, text string, since time.Time, want time.Duration) {
	t.Helper()
	read(t, c, text)
	if got := time.Since(since); got != want {
		t.Fatalf("%q arrived after %v, want %v", text, got, want)
	}
}

func TestSetDelay_OneWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		n.SetDelay("a", "b", 3*time.Second) // a connection that exists, dialled by a
		start := time.Now()
		write(t, near, "to b")
		write(t, far, "to a")
		readAfter(t, near, "to a", start, 0)
		readAfter(t, far, "to b", start, 3*time.Second)

		n.SetDelay("a", "b", 0)
		n.SetDelay("b", "a", time.Second) // a connection that comes about later, either way
		start = time.Now()
		near, far = connect(t, n)
		if got := time.Since(start); got != time.Second {
			t.Errorf("the dial took %v, want a round trip of 1s", got)
		}
		start = time.Now()
		write(t, near, "to b")
		write(t, far, "to a")
		readAfter(t, far, "to b", start, 0)
		readAfter(t, near, "to a", start, time.Second)
	})
}

func TestSetDelay_LeavesOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		n.SetDelay("a", "c", time.Hour)
		n.SetDelay("c", "b", time.Hour)
		start := time.Now()
		near, far := connect(t, n)
		write(t, near, "at once")
		readAfter(t, far, "at once", start, 0)
	})
}

func TestSetDelay_NothingOvertakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		start := time.Now()
		n.SetDelay("a", "b", 3*time.Second)
		write(t, near, "first")
		time.Sleep(time.Second)
		n.SetDelay("a", "b", time.Second)
		write(t, near, "second")
		n.SetDelay("a", "b", 0)
		write(t, near, "third")
		near.Close()
		readAfter(t, far, "firstsecondthird", start, 3*time.Second)
		if _, err := far.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != 3*time.Second {
			t.Errorf("Read: got %v after %v, want EOF after 3s", err, time.Since(start))
		}
	})
}

// TestSetDelay_KeepsTheOrder writes at random times over a cable that changes its
// delay, and is cut and healed.
func TestSetDelay_KeepsTheOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			n := New()
			near, far := connect(t, n)
			chance := rand.New(rand.NewPCG(seed, 0))
			var want bytes.Buffer
			go func() {
				text := make([]byte, 2) // the writer's own, to use again
				for i := range 1000 {
					text[0], text[1] = byte(i), byte(i>>8)
					want.Write(text)
					_, _ = near.Write(text)
					switch chance.IntN(20) {
					case 0:
						n.Cut("a", "b")
					case 1:
						n.Heal()
					case 2, 3:
						n.SetDelay("a", "b", time.Duration(chance.IntN(50))*time.Millisecond)
					}
					time.Sleep(time.Duration(chance.IntN(10)) * time.Millisecond)
				}
				near.Close()
				n.Heal()
			}()
			if got, err := io.ReadAll(far); err != nil || !bytes.Equal(got, want.Bytes()) {
				t.Errorf("seed %d: read %d bytes, %v, not the %d that were written", seed, len(got), err, want.Len())
			}
			far.Close()
			synctest.Wait()
			if got := len(n.conns); got != 0 {
				t.Errorf("ends kept: got %d, want none", got)
			}
		})
	}
}

func TestSetDelay_CloseIsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		n.SetDelay("a", "b", time.Second)
		near.Close()
		write(t, far, "not heard of it")
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := far.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write: got %v, want EPIPE", err)
		}
		far.Close()
		if got := len(n.conns); got != 0 {
			t.Errorf("ends kept: got %d, want none", got)
		}
	})
}

func TestSetDelay_Cut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		n.SetDelay("a", "b", 2*time.Second)
		write(t, near, "under way, ")
		time.Sleep(time.Second)
		n.Cut("a", "b")
		write(t, near, "sent into the cut")
		near.Close()
		for range 3 {
			silent(t, far)
		}
		n.Heal()
		start := time.Now()
		readAfter(t, far, "under way, sent into the cut", start, 2*time.Second) // the delay stays
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read: got %v, want EOF", err)
		}
		far.Close()
		synctest.Wait()
		if got := len(n.conns); got != 0 {
			t.Errorf("ends kept: got %d, want none", got)
		}
	})
}

func TestSetDelay_CutAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		n.SetDelay("a", "b", 2*time.Second)
		write(t, near, "last words")
		near.Close()
		time.Sleep(time.Second)
		n.Cut("a", "b") // while they are under way
		for range 3 {
			silent(t, far)
		}
		n.Heal()
		read(t, far, "last words")
	})
}

func TestSetDelay_Kill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		n.SetDelay("a", "b", time.Second)
		n.SetDelay("b", "a", time.Second)
		start := time.Now()
		write(t, near, "last words")
		write(t, far, "to the dead")
		n.Kill("a")
		if got := n.Conns("a"); got != 0 {
			t.Errorf("open ends of the dead: got %d, want none", got)
		}
		readAfter(t, far, "last words", start, time.Second)
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read: got %v, want EOF", err)
		}
		far.Close()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := len(n.conns); got != 0 {
			t.Errorf("ends kept: got %d, want none", got)
		}
	})
}

func TestSetDelay_DialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		n.SetDelay("a", "b", time.Minute)
		start := time.Now()
		if _, err := n.Dial(t.Context(), "a", "b:1"); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(start) != time.Minute {
			t.Errorf("Dial: got %v after %v, want ECONNREFUSED after a round trip", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err := n.Dial(ctx, "a", "b:1"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Dial: got %v after %v, want DeadlineExceeded after 1s", err, time.Since(start))
		}
	})
}

// TestSetDelay_LeavesNothingBehind ends the bubble with bytes under way.
func TestSetDelay_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, _ := connect(t, n)
		n.SetDelay("a", "b", time.Hour)
		write(t, near, "too late")
	})
}
