package executor

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// dialSlack lets an attempt's own deadline pass before its dial's, so that the
// attempt ends as a TIMEOUT.
const dialSlack = time.Second

// tlsSessions is how many TLS sessions are kept for a short handshake.
const tlsSessions = 1024

// dialer makes the connections of callbacks. net/http goes on dialling after a
// request has ended, for the benefit of a later one; the dialer bounds that, the
// TLS handshake included, by the attempt's deadline. So the connections in the
// making are no more than the attempts of the last deadline's length.
type dialer struct {
	plain func(ctx context.Context, network, addr string) (net.Conn, error)
	tls   *tls.Config
}

func newDialer(cfg Config) *dialer {
	d := &dialer{plain: cfg.DialContext, tls: cfg.TLS.Clone()}
	if d.plain == nil {
		g := newGuard(cfg.Allow, cfg.Deny, cfg.OwnPorts)
		d.plain = (&net.Dialer{ControlContext: g.control}).DialContext
	}
	d.tls.NextProtos = []string{"h2", "http/1.1"}
	if d.tls.ClientSessionCache == nil {
		d.tls.ClientSessionCache = tls.NewLRUClientSessionCache(tlsSessions)
	}
	return d
}

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := withDialDeadline(ctx)
	defer cancel()
	return d.connect(ctx, network, addr)
}

// connect is plain with its errors marked.
func (d *dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.plain(ctx, network, addr)
	if err != nil {
		return nil, &dialError{err}
	}
	return conn, nil
}

func (d *dialer) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := withDialDeadline(ctx)
	defer cancel()
	conn, err := d.connect(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	secure, err := d.handshake(ctx, conn, addr)
	if err != nil {
		_ = conn.Close() // the handshake's error is the one to tell
		return nil, &tlsError{err}
	}
	return secure, nil
}

func (d *dialer) handshake(ctx context.Context, conn net.Conn, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	settings := d.tls.Clone()
	settings.ServerName = host
	secure := tls.Client(conn, settings)
	start := time.Now()
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if x := exchangeOf(ctx); x != nil {
		x.onTLSDone(start)
	}
	return secure, nil
}

func withDialDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if x := exchangeOf(ctx); x != nil {
		return context.WithDeadline(ctx, x.deadline.Add(dialSlack))
	}
	return context.WithCancel(ctx)
}
