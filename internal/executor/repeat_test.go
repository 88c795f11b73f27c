package executor

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// TestDo_NeverRepeatsBehindOurBack breaks a kept connection after the target got
// the request: net/http would send some requests again by itself.
func TestDo_NeverRepeatsBehindOurBack(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"X-Other", "Idempotency-Key", "x-idempotency-key"} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			target := breakingTarget(t)
			c := newClient(Config{}.withDefaults())
			defer c.close()
			body := "hello"
			a := &job.Assignment{
				Target: job.Target{
					URL: "http://" + target.addr, Method: http.MethodPost, Body: &body,
					Headers: []job.Header{{Name: header, Value: "1"}},
				},
				Timeout: 5 * time.Second, SuccessStatuses: []string{"2XX"},
			}
			a.Attempt = 1
			if first := c.do(t.Context(), a); first.Err != nil {
				t.Fatalf("the first attempt: %v", first.Err)
			}
			a.Attempt = 2
			if second := c.do(t.Context(), a); second.Err == nil || second.Err.Code != job.ErrProtocol {
				t.Errorf("the second attempt, whose connection broke: %v", second.Err)
			}
			if got := target.seen.Load(); got != 2 {
				t.Errorf("the target got %d requests of 2 attempts", got)
			}
		})
	}
}

// TestDo_RepeatsWhatWasNeverWritten has a kept connection that is found broken
// before a byte of the second request is written to it.
func TestDo_RepeatsWhatWasNeverWritten(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	var broken atomic.Bool
	c := newClient(Config{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &brittleConn{Conn: conn, broken: &broken}, err
	}}.withDefaults())
	defer c.close()
	first, second := assignment(1, url), assignment(2, url)
	expectCode(t, c.do(t.Context(), &first), "")
	broken.Store(true)
	expectCode(t, c.do(t.Context(), &second), "")
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// brittleConn fails, once, to write.
type brittleConn struct {
	net.Conn
	broken *atomic.Bool
}

func (c *brittleConn) Write(b []byte) (int, error) {
	if c.broken.CompareAndSwap(true, false) {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(b)
}

// TestExchange_StoppedBeforeItsRequest: an abort that comes while net/http hands a
// connection to the request keeps it from being written.
func TestExchange_StoppedBeforeItsRequest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	c := newClient(Config{}.withDefaults())
	x := &exchange{permit: c.permitWithin(ctx), refuse: cancel}
	near, far := net.Pipe()
	defer far.Close()
	go func() { _, _ = io.Copy(io.Discard, far) }()
	cancel(errCancelled)
	x.onConn(httptrace.GotConnInfo{Conn: near})
	if _, err := near.Write([]byte("GET")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write = %v, want %v", err, io.ErrClosedPipe)
	}
	if x.mayHaveAsked() {
		t.Error("the attempt counts as begun")
	}
}

// breaker answers the first request of a connection, and closes it at the second.
type breaker struct {
	addr string
	seen atomic.Int64
}

func breakingTarget(t *testing.T) *breaker {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &breaker{addr: listener.Addr().String()}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *breaker) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for answered := false; ; answered = true {
		request, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return
		}
		s.seen.Add(1)
		if answered {
			return
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}
