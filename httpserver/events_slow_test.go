package httpserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/event"
	"github.com/cronraft/cronraft/internal/job"
)

// tightListener accepts connections that hold little of what is written to them.
type tightListener struct{ net.Listener }

func (l tightListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return conn, conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
}

// serveTCP serves on a port of this machine, to clients that take little at a time.
func (s *testServer) serveTCP() *http.Client {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(tightListener{l}) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		return conn, conn.(*net.TCPConn).SetReadBuffer(16 << 10)
	}}
	s.t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-served); err != nil {
			s.t.Error(err)
		}
	})
	return &http.Client{Transport: transport, Timeout: testDeadline}
}

// TestEvents_SlowReader stops reading while far more happens than the connection
// holds: it is cut off, in a way that cannot be taken for an end, and has with the
// last ID that came whole all that it needs to miss nothing.
func TestEvents_SlowReader(t *testing.T) {
	t.Parallel()
	s, log := startEvents(t)
	s.patience = 100 * time.Millisecond
	s.client = s.serveTCP()
	r, last := s.follow("")
	const entries, parts = 20, 100 // far more than the connection holds
	events := make([]job.Event, parts)
	for i := range events {
		events[i] = failedEvent("team", job.ID(i+1))
	}
	for range entries {
		log.tell(events...)
	}
	await(t, "the stream of a reader that does not read is cut off", func() bool { return s.streamsOpen() == 0 })

	want := job.EventID{Index: 1}
	take := func(m message) {
		t.Helper()
		if m.name == "" {
			return
		}
		if m.id != event.FormatID(want) {
			t.Fatalf("got %s, want %s", m.id, event.FormatID(want))
		}
		last = m.id
		if want.Part++; want.Part == parts {
			want = job.EventID{Index: want.Index + 1}
		}
	}
	m, err := readMessage(r.in)
	for ; err == nil; m, err = readMessage(r.in) {
		take(m)
	}
	if errors.Is(err, io.EOF) || want.Index > entries {
		t.Fatalf("after %s the stream ends with %v: nothing tells that it was cut off", last, err)
	}
	s.patience = writeTimeout
	again, _ := s.follow("", headerLastEventID, last)
	for want.Index <= entries {
		take(again.next())
	}
}
