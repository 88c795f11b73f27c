package transport

import (
	"context"
	"net"
	"sync"
	"time"
)

// protocol is what a peer connection is for.
type protocol int

const (
	protocolRaft protocol = iota
	protocolCall
	protocols // how many there are
)

// alpn are the protocols' names in the TLS handshake.
var alpn = [protocols]string{protocolRaft: "cronraft-raft", protocolCall: "cronraft-call"}

// preface is the first byte of a connection that carries no TLS.
var preface = [protocols]byte{protocolRaft: 0x01, protocolCall: 0x02}

// Stream is the part of a [Port] that carries one protocol: a listener for the
// connections that others open for it, and the way to open one to another node.
// Closing it refuses further connections of its protocol, and leaves the port and
// the connections as they are.
type Stream struct {
	port     *Port
	protocol protocol
	accepted chan net.Conn
	closed   chan struct{}
	close    func()
}

var _ net.Listener = (*Stream)(nil)

func newStream(p *Port, kind protocol) *Stream {
	s := &Stream{port: p, protocol: kind, accepted: make(chan net.Conn), closed: make(chan struct{})}
	s.close = sync.OnceFunc(func() { close(s.closed) })
	return s
}

// Accept waits for the next connection whose handshake is done; net.ErrClosed
// once the stream or its port is closed.
func (s *Stream) Accept() (net.Conn, error) {
	select {
	case <-s.closed:
		return nil, net.ErrClosed
	case <-s.port.ctx.Done():
		return nil, net.ErrClosed
	case c := <-s.accepted:
		return c, nil
	}
}

// Close ends Accept.
func (s *Stream) Close() error {
	s.close()
	return nil
}

// Addr is the address at which other nodes reach this one.
func (s *Stream) Addr() net.Addr { return address(s.port.advertise) }

// Dial opens a connection of the stream's protocol to the peer port at addr,
// handshake included. It ends early when the port is closed.
func (s *Stream) Dial(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.port.ctx, timeout)
	defer cancel()
	return s.port.open(ctx, addr, s.protocol)
}

// DialContext is Dial within ctx.
func (s *Stream) DialContext(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.port.ctx, cancel)()
	return s.port.open(ctx, addr, s.protocol)
}

// deliver hands c to Accept, and closes it if nobody accepts within ctx.
func (s *Stream) deliver(ctx context.Context, c net.Conn) {
	select {
	case s.accepted <- c:
	case <-s.closed:
		c.Close()
	case <-ctx.Done():
		c.Close()
	}
}

// address is a net.Addr that may be a host name.
type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }
