package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
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
	close(p.closed)
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

// The time for one try, and that of the caller's HTTP client, are not for streams.
func TestEvents_NoTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const short, long = 200 * time.Millisecond, 10 * time.Second
		f := &fake{answers: []http.HandlerFunc{
			streaming(message("1-0"), func(*http.Request) { time.Sleep(long) }), problem(http.StatusUnauthorized, "unauthorized", ""),
		}}
		listener := pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.next(r)(w, r) })}
		served := make(chan error)
		go func() { served <- server.Serve(listener) }()
		cfg := client.Config{Timeout: short, HTTPClient: &http.Client{Timeout: short, Transport: &http.Transport{DialContext: listener.dial}}}
		began, events := time.Now(), 0
		for _, err := range newClient(t, cfg, "http://pipes").Events(t.Context(), client.EventFilter{}) {
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
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}
