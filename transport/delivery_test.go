package transport

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/transport/memnet"
)

// checkNotDelivered checks an error that says that no handler was reached.
func checkNotDelivered(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrNotDelivered) {
		t.Errorf("got %v, want ErrNotDelivered", err)
	}
}

// checkPerhapsDelivered checks an error that leaves it open.
func checkPerhapsDelivered(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, ErrNotDelivered) {
		t.Errorf("got %v, want an error that is not ErrNotDelivered", err)
	}
}

func assign(t *testing.T, from, to *testNode) error {
	t.Helper()
	_, err := from.Assign(t.Context(), to.addr, job.Batch{Term: 1})
	return err
}

func TestNotDelivered_NoConnection(t *testing.T) {
	t.Parallel()
	from, to := pair(t, fakeHandler{})
	stranger := startNode(t, tcp(t, loopback, newSecret(t)), fakeHandler{})
	checkNotDelivered(t, assign(t, stranger, to)) // it does not accept our certificate, nor we its

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := from.Assign(ended, to.addr, job.Batch{})
	checkNotDelivered(t, err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled too", err)
	}

	_, err = from.Forward(t.Context(), to.addr, make([]byte, MaxRequest+1))
	checkNotDelivered(t, err)

	to.stop(t)
	checkNotDelivered(t, assign(t, from, to))
	from.Client.Close()
	checkNotDelivered(t, assign(t, from, to))
}

// TestNotDelivered_PeerRefusesTheCertificate: in TLS 1.3 the caller believes the
// handshake done, and has sent its request, when it hears of that.
func TestNotDelivered_PeerRefusesTheCertificate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network, c := memnet.New(), newSecret(t)
		old := memory(t, network, "a")
		var err error
		if old.TLS, err = c.TLS("a", time.Now().Add(-20*365*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		fresh := memory(t, network, "b")
		fresh.TLS = nodeTLS(t, c)
		a, b := startNode(t, old, fakeHandler{}), startNode(t, fresh, fakeHandler{})
		err = assign(t, a, b)
		checkNotDelivered(t, err)
		if !strings.Contains(err.Error(), "expired") {
			t.Errorf("got %q, want the peer's reason", err)
		}
	})
}

func TestConn_IsRefusedByTLS(t *testing.T) {
	t.Parallel()
	alert := &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}
	for _, tc := range []struct {
		conn conn
		want bool
	}{
		{conn{err: alert}, true},
		{conn{err: alert, proven: true}, false}, // it has served calls
		{conn{err: &net.OpError{Op: "read", Err: net.ErrClosed}}, false},
	} {
		if got := tc.conn.isRefusedByTLS(); got != tc.want {
			t.Errorf("%v, proven %t: got %t, want %t", tc.conn.err, tc.conn.proven, got, tc.want)
		}
	}
}

func TestNotDelivered_RequestCutShort(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := newSecret(t)
	to := startNode(t, tcp(t, loopback, c), fakeHandler{forward: func(context.Context, []byte) ([]byte, error) {
		calls.Add(1)
		return nil, nil
	}})
	var fails atomic.Bool
	cfg := tcp(t, loopback, c)
	cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
		raw, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		return &shortConn{Conn: raw, fails: &fails}, err
	}
	from := startNode(t, cfg, fakeHandler{})
	if _, err := from.Forward(t.Context(), to.addr, nil); err != nil {
		t.Fatal(err)
	}
	fails.Store(true)
	_, err := from.Forward(t.Context(), to.addr, make([]byte, 1<<20))
	checkNotDelivered(t, err)
	if !errors.Is(err, job.ErrNotLeader) {
		t.Errorf("got %v, want ErrNotLeader: it may be sent elsewhere", err)
	}
	to.stop(t) // every handler has returned
	if n := calls.Load(); n != 1 {
		t.Errorf("the handler was called %d times, want once", n)
	}
}

// shortConn breaks within a write.
type shortConn struct {
	net.Conn
	fails *atomic.Bool
}

func (c *shortConn) Write(b []byte) (int, error) {
	if !c.fails.Load() {
		return c.Conn.Write(b)
	}
	n, _ := c.Conn.Write(b[:len(b)/2])
	c.Conn.Close()
	return n, net.ErrClosed
}

func TestPerhapsDelivered(t *testing.T) {
	t.Parallel()
	entered, forward := hang()
	from, to := pair(t, fakeHandler{
		forward: forward,
		assign:  func(context.Context, job.Batch) (job.BatchReply, error) { return job.BatchReply{}, job.ErrStale },
	})
	err := assign(t, from, to)
	checkPerhapsDelivered(t, err)
	if !errors.Is(err, job.ErrStale) {
		t.Errorf("got %v, want the handler's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	_, err = from.Forward(ctx, to.addr, nil)
	checkPerhapsDelivered(t, err)
}

// TestPerhapsDelivered_RepeatFindsNobody: the first try arrived, and its answer was
// lost; the second finds no connection.
func TestPerhapsDelivered_RepeatFindsNobody(t *testing.T) {
	t.Parallel()
	var to *testNode
	handler := fakeHandler{assign: func(context.Context, job.Batch) (job.BatchReply, error) {
		to.port.Close()
		return job.BatchReply{}, nil
	}}
	inBubble(t, handler, func(t *testing.T, _ *memnet.Network, a, b *testNode) {
		to = b
		checkPerhapsDelivered(t, assign(t, a, b))
	})
}

// TestPerhapsDelivered_LaterPartFindsNobody: of a call in two requests the first
// is answered, and the second finds no connection.
func TestPerhapsDelivered_LaterPartFindsNobody(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", chunk)
	calls := map[string]func(context.Context, *Client, string) error{
		"Assign": func(ctx context.Context, c *Client, addr string) error {
			a := job.Assignment{Target: job.Target{URL: large}}
			_, err := c.Assign(ctx, addr, job.Batch{Assignments: []job.Assignment{a, a}})
			return err
		},
		"Report": func(ctx context.Context, c *Client, addr string) error {
			o := job.Outcome{Response: []byte(large)}
			return c.Report(ctx, addr, []job.Outcome{o, o})
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var to *testNode
			hangUp := func(ctx context.Context) {
				go to.server.Close() // once this is answered
				<-ctx.Done()
			}
			handler := fakeHandler{
				assign: func(ctx context.Context, _ job.Batch) (job.BatchReply, error) {
					hangUp(ctx)
					return job.BatchReply{}, nil
				},
				report: func(ctx context.Context, _ []job.Outcome) error { hangUp(ctx); return nil },
			}
			inBubble(t, handler, func(t *testing.T, _ *memnet.Network, a, b *testNode) {
				to = b
				dials := 0
				c := NewClient(t.Context(), ClientConfig{Dial: func(ctx context.Context, addr string) (net.Conn, error) {
					if dials++; dials > 1 {
						return nil, net.ErrClosed
					}
					return a.port.Calls().DialContext(ctx, addr)
				}})
				defer c.Close()
				checkPerhapsDelivered(t, call(t.Context(), c, b.addr))
				if dials < 2 {
					t.Error("the second request had a connection")
				}
			})
		})
	}
}
