package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/httpserver/client"
)

// pipes are a listener whose connections exist in memory only, so that a server on
// it fits into a bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func() // closed, however often
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	p.close()
	return nil
}

func (pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// newPiped is a fake that fits into a bubble, and an HTTP client that reaches it.
func newPiped(t *testing.T, answers ...http.HandlerFunc) (*fake, *http.Client) {
	t.Helper()
	closed := make(chan struct{})
	listener := pipes{conns: make(chan net.Conn), closed: closed, close: sync.OnceFunc(func() { close(closed) })}
	f := &fake{answers: answers}
	f.Server = &httptest.Server{
		Listener: listener,
		Config:   &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.next(r)(w, r) })},
	}
	f.Start()
	t.Cleanup(f.Close)
	return f, &http.Client{Transport: &http.Transport{DialContext: listener.dial}}
}

// newPipedClient is a client of a fake that fits into a bubble.
func newPipedClient(t *testing.T, cfg client.Config, answers ...http.HandlerFunc) (*fake, *client.Client) {
	t.Helper()
	f, reach := newPiped(t, answers...)
	cfg.HTTPClient = reach
	return f, newClient(t, cfg, f.URL)
}

// The time for one try, and that of the caller's HTTP client, are not for streams.
func TestEvents_NoTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const short, long = 200 * time.Millisecond, 10 * time.Second
		f, reach := newPiped(t,
			streaming(message("1-0"), func(*http.Request) { time.Sleep(long) }), problem(http.StatusUnauthorized, "unauthorized", ""))
		reach.Timeout = short
		c := newClient(t, client.Config{Timeout: short, HTTPClient: reach}, f.URL)
		began, events := time.Now(), 0
		for _, err := range c.Events(t.Context(), client.EventFilter{}) {
			switch {
			case err == nil:
				events++
			case !errors.Is(err, client.ErrUnauthorized):
				t.Error(err)
			}
		}
		if took := time.Since(began); took < long || events != 1 {
			t.Errorf("the stream had %d events and took %v, want one and %v", events, took, long)
		}
	})
}

func TestRetry_RetryAfter(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"no_leader": 503, "rate_limited": 429} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, c := newPipedClient(t, soon, problem(status, name, "1"), data(200, someJob))
				began := time.Now()
				if _, err := c.Job(t.Context(), "job_1"); err != nil {
					t.Fatal(err)
				}
				took(t, began, time.Second, 2*time.Second)
			})
		})
	}
}

// A wait that does not fit into the time that is left is not begun.
func TestRetry_RetryAfterBeyondTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, c := newPipedClient(t, soon, problem(503, "disk_full", "3600"))
		began := time.Now()
		_, err := c.Job(t.Context(), "job_1")
		var e *client.Error
		if !errors.As(err, &e) || !errors.Is(err, client.ErrDiskFull) || e.RetryAfter != time.Hour || e.Server != a.URL || e.RequestID != "req_1" {
			t.Errorf("got %#v", err)
		}
		took(t, began, 0, 0)
	})
}

func TestRetry_RetryAfterBeyondTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := newPipedClient(t, client.Config{RetryFor: 3 * time.Hour}, problem(503, "disk_full", "3600"))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := c.Job(ctx, "job_1"); !errors.Is(err, client.ErrDiskFull) {
			t.Errorf("got %v", err)
		}
		took(t, began, 0, 0)
	})
}

func TestRetry_NobodyListens(t *testing.T) {
	t.Parallel()
	addresses := []string{refusing(t), refusing(t)}
	synctest.Test(t, func(t *testing.T) {
		cfg := soon
		cfg.RetryFor = time.Second
		c := newClient(t, cfg, addresses...)
		began := time.Now()
		_, err := c.UpdateJob(t.Context(), "job_1", client.JobPatch{})
		if !errors.Is(err, client.ErrUnreachable) || errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("got %v", err)
		}
		took(t, began, 0, time.Second)
	})
}

func TestRetry_ContextEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		call    func(context.Context, *client.Client) error
		unknown bool
	}{
		"read": {func(ctx context.Context, c *client.Client) error { _, err := c.Job(ctx, "job_1"); return err }, false},
		"post": {func(ctx context.Context, c *client.Client) error {
			_, err := c.CreateJob(ctx, client.JobSpec{})
			return err
		}, true},
		"delete": {func(ctx context.Context, c *client.Client) error { return c.DeleteJob(ctx, "job_1") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const patience = 300 * time.Millisecond
				_, c := newPipedClient(t, soon, hang)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				began := time.Now()
				err := test.call(ctx, c)
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, client.ErrOutcomeUnknown) != test.unknown {
					t.Errorf("got %v", err)
				}
				took(t, began, patience, patience)
			})
		})
	}
}

func TestRetry_ContextHasEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newClient(t, soon, newFake(t, hang).URL).CreateJob(ctx, client.JobSpec{})
	if !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrOutcomeUnknown) {
		t.Errorf("got %v", err)
	}
}
