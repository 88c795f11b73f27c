package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// echo answers what comes in on a stream with the same bytes.
func echo(s *Stream) {
	for {
		c, err := s.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

// checkRaft sends bytes over the raft stream and back.
func checkRaft(t *testing.T, from, to *testNode) {
	t.Helper()
	c, err := from.port.Raft().Dial(to.addr, 10*time.Second)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte("vote")); err != nil {
		t.Fatalf("Write: %v", err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "vote" {
		t.Fatalf("Read: got %q, %v", got, err)
	}
}

func checkCall(t *testing.T, from, to *testNode) {
	t.Helper()
	if got, err := from.ReadIndex(t.Context(), to.addr); err != nil || got != 7 {
		t.Fatalf("ReadIndex: got %d, %v, want 7", got, err)
	}
}

func TestPort_CarriesRaftAndCalls(t *testing.T) {
	t.Parallel()
	from, to := pair(t, fakeHandler{readIndex: index})
	go echo(to.port.Raft())
	checkRaft(t, from, to)
	checkCall(t, from, to)
	checkRaft(t, from, to)
}

func TestPort_CarriesPlainTextWithoutTLS(t *testing.T) {
	t.Parallel()
	plain := func() PortConfig {
		c := tcp(t, loopback, newSecret(t))
		c.TLS = nil
		return c
	}
	from, to := startNode(t, plain(), fakeHandler{}), startNode(t, plain(), fakeHandler{readIndex: index})
	go echo(to.port.Raft())
	checkRaft(t, from, to)
	checkCall(t, from, to)
}

func TestPort_AdvertisesItsAddress(t *testing.T) {
	t.Parallel()
	c := tcp(t, loopback, newSecret(t))
	c.Advertise = "n1.example:7000"
	n := startNode(t, c, fakeHandler{})
	if got, want := n.port.Raft().Addr().String(), "n1.example:7000"; got != want {
		t.Errorf("Addr: got %s, want %s", got, want)
	}
}

func TestPort_RefusesAnotherSecret(t *testing.T) {
	t.Parallel()
	stranger := startNode(t, tcp(t, loopback, newSecret(t)), fakeHandler{})
	from, to := pair(t, fakeHandler{readIndex: index})
	go echo(to.port.Raft())
	if c, err := stranger.port.Raft().Dial(to.addr, 10*time.Second); err == nil {
		c.Close()
		t.Error("a stranger got a raft stream")
	}
	if _, err := stranger.ReadIndex(t.Context(), to.addr); err == nil {
		t.Error("a stranger got an answer")
	}
	if _, err := stranger.Forward(t.Context(), to.addr, nil); !errors.Is(err, job.ErrNotLeader) {
		t.Errorf("a stranger's Forward: got %v, want ErrNotLeader", err)
	}
	checkCall(t, from, to)
}

// TestPort_IsNotDisturbed has guests that do not know how to behave.
func TestPort_IsNotDisturbed(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]string{
		"silence":  "",
		"HTTP":     "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"garbage":  "\x00\xff\x16\x03\x01\xff\xff garbage",
		"half TLS": "\x16\x03\x01\x02\x00\x01\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := pair(t, fakeHandler{readIndex: index})
			go echo(to.port.Raft())
			guest, err := net.Dial("tcp", to.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer guest.Close()
			if _, err := io.WriteString(guest, first); err != nil {
				t.Fatal(err)
			}
			checkCall(t, from, to)
			checkRaft(t, from, to)
		})
	}
}

func TestPort_RefusesUnknownProtocols(t *testing.T) {
	t.Parallel()
	c := newSecret(t)
	n := startNode(t, tcp(t, loopback, c), fakeHandler{})
	for _, protocols := range [][]string{nil, {"h2"}} {
		cfg := nodeTLS(t, c)
		cfg.NextProtos = protocols
		guest, err := tls.Dial("tcp", n.addr, cfg)
		if err != nil {
			continue
		}
		defer guest.Close()
		guest.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := guest.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("protocols %v: got %v, want the connection closed", protocols, err)
		}
	}
}

func TestPort_SlowHandshakesHoldUpNobody(t *testing.T) {
	t.Parallel()
	c := newSecret(t)
	from := startNode(t, tcp(t, loopback, c), fakeHandler{})
	cfg := tcp(t, loopback, c)
	cfg.MaxHandshakes = 4
	to := startNode(t, cfg, fakeHandler{readIndex: index})
	var slow []net.Conn
	for range 3 * cfg.MaxHandshakes {
		guest, err := net.Dial("tcp", to.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer guest.Close()
		slow = append(slow, guest)
	}
	checkCall(t, from, to)
	slow[0].SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := slow[0].Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the oldest guest: got %v, want it closed", err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestPort_HandshakesTimeOut(t *testing.T) {
	t.Parallel()
	cfg := tcp(t, loopback, newSecret(t))
	cfg.HandshakeTimeout = 50 * time.Millisecond
	n := startNode(t, cfg, fakeHandler{})
	guest, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	guest.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := guest.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("a silent guest: got %v, want it closed", err)
	}
}

func TestPort_CloseClosesItsConnections(t *testing.T) {
	t.Parallel()
	from, to := pair(t, fakeHandler{readIndex: index})
	outgoing, err := from.port.Raft().Dial(to.addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	incoming, err := to.port.Raft().Accept()
	if err != nil {
		t.Fatal(err)
	}
	to.stop(t)
	if _, err := incoming.Read(make([]byte, 1)); err == nil {
		t.Error("an accepted connection outlived its port")
	}
	if _, err := to.port.Raft().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: got %v, want ErrClosed", err)
	}
	if _, err := to.port.Raft().Dial(from.addr, 10*time.Second); err == nil {
		t.Error("a closed port can dial")
	}
	from.stop(t)
	if _, err := outgoing.Write([]byte("x")); err == nil {
		t.Error("a dialled connection outlived its port")
	}
}

func TestStream_CloseLeavesTheOther(t *testing.T) {
	t.Parallel()
	from, to := pair(t, fakeHandler{readIndex: index})
	to.port.Raft().Close()
	if _, err := to.port.Raft().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: got %v, want ErrClosed", err)
	}
	if c, err := from.port.Raft().Dial(to.addr, 10*time.Second); err == nil {
		defer c.Close()
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("a connection to the closed stream: got %v, want it closed", err)
		}
	}
	checkCall(t, from, to)
}
