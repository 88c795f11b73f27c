package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/cronraft/cronraft/internal/group"
)

const (
	defaultHandshakeTimeout = 5 * time.Second
	defaultMaxHandshakes    = 256

	// acceptPause is how long accepting rests after an error such as too many
	// open files.
	acceptPause = 100 * time.Millisecond
)

// PortConfig is what a [Port] needs.
type PortConfig struct {
	// Listener is where peers connect. The port owns it.
	Listener net.Listener
	// Advertise is the address at which other nodes reach this one; default: the
	// listener's.
	Advertise string
	// TLS is the configuration for both ends of a connection, as package secret
	// makes it; its NextProtos are the port's to choose. Nil carries plain text,
	// for tests and single-node use on loopback.
	TLS *tls.Config
	// Dial opens a plain connection to another node; default: TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// HandshakeTimeout is how long a new connection may take to say what it is
	// for; default 5 s.
	HandshakeTimeout time.Duration
	// MaxHandshakes is how many new connections may be in that state; default 256.
	// One more, and the oldest is closed.
	MaxHandshakes int
	// Logger; default: discard.
	Logger *slog.Logger
}

func (c PortConfig) withDefaults() PortConfig {
	if c.Advertise == "" {
		c.Advertise = c.Listener.Addr().String()
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	if c.HandshakeTimeout <= 0 {
		c.HandshakeTimeout = defaultHandshakeTimeout
	}
	if c.MaxHandshakes <= 0 {
		c.MaxHandshakes = defaultMaxHandshakes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Port is a node's one port for its peers.
type Port struct {
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	group     *group.Group
	listener  net.Listener
	advertise string
	tls       *tls.Config
	dial      func(ctx context.Context, addr string) (net.Conn, error)
	timeout   time.Duration
	logger    *slog.Logger

	streams [protocols]*Stream
	conns   connSet // all that came or went through the port
	shaking *queue
}

// NewPort begins to accept connections. They end with ctx; the caller must call
// Close all the same.
func NewPort(ctx context.Context, c PortConfig) *Port {
	c = c.withDefaults()
	ctx, cancel := context.WithCancel(ctx)
	p := &Port{
		ctx:       ctx,
		cancel:    cancel,
		group:     group.New(ctx),
		listener:  c.Listener,
		advertise: c.Advertise,
		tls:       c.TLS,
		dial:      c.Dial,
		timeout:   c.HandshakeTimeout,
		logger:    c.Logger,
		shaking:   &queue{limit: c.MaxHandshakes},
	}
	for kind := range protocols {
		p.streams[kind] = newStream(p, kind)
	}
	p.group.Go(p.accept)
	p.group.Go(p.closeAtEnd)
	return p
}

// Raft is the stream for raft's own messages.
func (p *Port) Raft() *Stream { return p.streams[protocolRaft] }

// Calls is the stream for peer calls.
func (p *Port) Calls() *Stream { return p.streams[protocolCall] }

// Close closes the listener and every connection of the port, and returns when
// its goroutines have ended. It may be called more than once.
func (p *Port) Close() error {
	p.cancel()
	return p.group.Stop()
}

func (p *Port) closeAtEnd(ctx context.Context) error {
	<-ctx.Done()
	p.listener.Close()
	p.conns.closeAll()
	return nil
}

func (p *Port) accept(ctx context.Context) error {
	for {
		c, err := p.listener.Accept()
		switch {
		case err == nil:
			p.welcome(c)
		case ctx.Err() != nil, errors.Is(err, net.ErrClosed):
			return nil
		default:
			p.logger.Error("accepting peer connections fails", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
		}
	}
}

// welcome starts the handshake of a new connection, beside all others.
func (p *Port) welcome(raw net.Conn) {
	c := &peerConn{Conn: raw, raw: raw, set: &p.conns}
	if !p.conns.add(c) {
		raw.Close()
		return
	}
	leave := p.shaking.enter(c) // in the order of arrival
	p.group.Go(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, p.timeout)
		defer cancel()
		kind, err := p.identify(ctx, c)
		leave()
		if err != nil {
			c.Close()
			p.refused(raw.RemoteAddr(), err)
			return nil
		}
		p.streams[kind].deliver(ctx, c)
		return nil
	})
}

func (p *Port) refused(remote net.Addr, err error) {
	if p.ctx.Err() == nil {
		p.logger.Warn("a peer connection was refused", "remote", remote.String(), "err", err)
	}
}

// identify finds out what an accepted connection is for, and from then on
// encrypts it.
func (p *Port) identify(ctx context.Context, c *peerConn) (protocol, error) {
	if p.tls == nil {
		return readPreface(ctx, c.raw)
	}
	cfg := p.tls.Clone()
	cfg.NextProtos = alpn[:]
	t := tls.Server(c.raw, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return 0, fmt.Errorf("handshake: %w", err)
	}
	c.Conn = t
	for kind, name := range alpn {
		if t.ConnectionState().NegotiatedProtocol == name {
			return protocol(kind), nil
		}
	}
	return 0, errors.New("handshake: no protocol was asked for")
}

func readPreface(ctx context.Context, c net.Conn) (protocol, error) {
	deadline, _ := ctx.Deadline()
	if err := c.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	var first [1]byte
	if _, err := c.Read(first[:]); err != nil {
		return 0, fmt.Errorf("read the preface: %w", err)
	}
	for kind, b := range preface {
		if first[0] == b {
			return protocol(kind), c.SetReadDeadline(time.Time{})
		}
	}
	return 0, fmt.Errorf("preface %#x is of no known protocol", first[0])
}

// open connects to another node's port.
func (p *Port) open(ctx context.Context, addr string, kind protocol) (net.Conn, error) {
	raw, err := p.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	if kind == protocolCall {
		if err := forgetUnsent(raw); err != nil {
			raw.Close()
			return nil, err
		}
	}
	c := &peerConn{Conn: raw, raw: raw, set: &p.conns}
	if !p.conns.add(c) {
		raw.Close()
		return nil, net.ErrClosed
	}
	if err := p.announce(ctx, c, kind); err != nil {
		c.Close()
		return nil, fmt.Errorf("handshake with %s: %w", addr, err)
	}
	return c, nil
}

// forgetUnsent makes the end of a connection the end of what it has not carried yet.
// The kernel would go on sending that for a quarter of an hour: a user's write that a
// cut link held up, and whose outcome was given up as unknown, would take effect when
// the link is whole again. An answer that was asked for is read before the close, so
// there is nothing else to lose.
func forgetUnsent(c net.Conn) error {
	if tcp, ok := c.(interface{ SetLinger(seconds int) error }); ok {
		return tcp.SetLinger(0)
	}
	return nil
}

// announce says what a dialled connection is for, and from then on encrypts it.
func (p *Port) announce(ctx context.Context, c *peerConn, kind protocol) error {
	if p.tls == nil {
		_, err := c.raw.Write([]byte{preface[kind]})
		return err
	}
	cfg := p.tls.Clone()
	cfg.NextProtos = []string{alpn[kind]}
	t := tls.Client(c.raw, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	c.Conn = t
	return nil
}
