package memnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// connect makes a connection from host a to host b.
func connect(t *testing.T, n *Network) (near, far net.Conn) {
	t.Helper()
	l, err := n.Listen("b:1")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = n.Dial(t.Context(), "a", "b:1"); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

func read(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("read: got %q, %v, want %q", got, err, want)
	}
}

// silent checks that nothing arrives within a second of the bubble.
func silent(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Second))
	defer c.SetReadDeadline(time.Time{})
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read: got %d bytes, %v, want silence", n, err)
	}
}

func TestConn_CarriesBytesBothWays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := connect(t, New())
		big := bytes.Repeat([]byte("x"), 10<<20)
		for _, c := range []net.Conn{near, far} { // neither end reads yet
			if _, err := c.Write(big); err != nil {
				t.Fatalf("Write: %v", err)
			}
		}
		for _, c := range []net.Conn{near, far} {
			got := make([]byte, len(big))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, big) {
				t.Fatalf("read: %v", err)
			}
		}
		if got, want := far.RemoteAddr().String(), near.LocalAddr().String(); got != want {
			t.Errorf("addresses: got %s, want %s", got, want)
		}
	})
}

func TestConn_CloseIsHeard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		write(t, near, "last")
		near.Close()
		read(t, far, "last")
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read: got %v, want EOF", err)
		}
		if _, err := far.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write: got %v, want EPIPE", err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read on the closed end: got %v, want ErrClosed", err)
		}
		far.Close()
		if got := n.Conns("a") + n.Conns("b") + len(n.conns); got != 0 {
			t.Errorf("open ends: got %d, want none", got)
		}
	})
}

func TestConn_CloseWakesItsReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, _ := connect(t, New())
		failed := make(chan error, 1)
		go func() {
			_, err := near.Read(make([]byte, 1))
			failed <- err
		}()
		synctest.Wait()
		near.Close()
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read: got %v, want ErrClosed", err)
		}
	})
}

func TestConn_Deadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := connect(t, New())
		start := time.Now()
		near.SetReadDeadline(start.Add(time.Minute))
		go func() {
			time.Sleep(time.Second)
			near.SetReadDeadline(start.Add(2 * time.Second)) // also for a Read that waits
		}()
		_, err := near.Read(make([]byte, 1))
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(start) != 2*time.Second {
			t.Errorf("Read: got %v after %v, want a timeout after 2s", err, time.Since(start))
		}
		near.SetDeadline(start)
		if _, err := near.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: got %v, want a timeout", err)
		}
		near.SetDeadline(time.Time{})
		write(t, near, "late")
		read(t, far, "late")
	})
}

func TestNetwork_RefusesWhereNobodyListens(t *testing.T) {
	t.Parallel()
	n := New()
	if _, err := n.Dial(t.Context(), "a", "b:1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial: got %v, want ECONNREFUSED", err)
	}
	l, err := n.Listen("b:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Listen("b:1"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen: got %v, want EADDRINUSE", err)
	}
	waiting, err := n.Dial(t.Context(), "a", "b:1")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := waiting.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a connection that was never accepted: got %v, want EOF", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: got %v, want ErrClosed", err)
	}
	if _, err = n.Listen("b:1"); err != nil {
		t.Errorf("Listen again: %v", err)
	}
}

func TestCut_SwallowsUntilHealed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		n.Cut("a", "b")
		write(t, near, "from a")
		write(t, far, "from b")
		silent(t, near)
		silent(t, far)
		n.Heal()
		read(t, far, "from a")
		read(t, near, "from b")
	})
}

func TestCutOneWay_LeavesTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		n.CutOneWay("a", "b")
		write(t, near, "from a")
		write(t, far, "from b")
		read(t, near, "from b")
		silent(t, far)
	})
}

func TestCut_HidesClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		n.Cut("a", "b")
		write(t, near, "last words")
		near.Close()
		silent(t, far)
		write(t, far, "to nobody")
		n.Heal()
		read(t, far, "last words")
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read: got %v, want EOF", err)
		}
		far.Close()
		if got := len(n.conns); got != 0 {
			t.Errorf("ends kept: got %d, want none", got)
		}
	})
}

func TestCut_DialsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		l, err := n.Listen("b:1")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		n.CutOneWay("b", "a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var timeout net.Error
		if _, err := n.Dial(ctx, "a", "b:1"); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("Dial: got %v, want a timeout", err)
		}
		if c, err := n.Dial(t.Context(), "c", "b:1"); err != nil {
			t.Errorf("Dial from elsewhere: %v", err)
		} else {
			c.Close()
		}
		time.AfterFunc(time.Minute, n.Heal)
		c, err := n.Dial(t.Context(), "a", "b:1")
		if err != nil {
			t.Fatalf("Dial: %v", err)
		}
		c.Close()
	})
}

func TestKill_ClosesAllOfAHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		l, err := n.Listen("b:2")
		if err != nil {
			t.Fatal(err)
		}
		n.Kill("b")
		if _, err := near.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the survivor: got %v, want EOF", err)
		}
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the dead: got %v, want ErrClosed", err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: got %v, want ErrClosed", err)
		}
		if got, want := [2]int{n.Conns("a"), n.Conns("b")}, [2]int{1, 0}; got != want {
			t.Errorf("open ends: got %v, want %v", got, want)
		}
	})
}
