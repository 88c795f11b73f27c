package transport

import (
	"bufio"
	"context"
	"errors"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// errUnasked ends a connection on which the peer speaks out of turn.
var errUnasked = errors.New("the peer sent an answer without a request")

// conn is a client's connection to a peer: one call at a time, many after each
// other. Its reader goroutine is always reading, also between calls, so that a
// peer that hangs up is noticed at once and not by the next call.
type conn struct {
	net.Conn
	peer   *peer
	writer *bufio.Writer
	idle   *time.Timer // closes it; runs while it waits for a call
	proven bool        // the peer has answered a call; of the caller under way

	calls    chan *fasthttp.Response // size 1: where the reader puts the next answer
	answered chan struct{}           // size 1: the answer is there
	dead     chan struct{}           // closed by the reader when it ends
	err      error                   // why; to be read after dead
}

func newConn(c net.Conn, p *peer) *conn {
	return &conn{
		Conn:     c,
		peer:     p,
		writer:   bufio.NewWriter(c),
		calls:    make(chan *fasthttp.Response, 1),
		answered: make(chan struct{}, 1),
		dead:     make(chan struct{}),
	}
}

// read is the reader goroutine.
func (c *conn) read() {
	defer close(c.dead)
	defer c.Conn.Close()
	r := bufio.NewReader(c.Conn)
	for last := false; !last; {
		if _, c.err = r.Peek(1); c.err != nil {
			return
		}
		var answer *fasthttp.Response
		select {
		case answer = <-c.calls:
		default:
			c.err = errUnasked
			return
		}
		if c.err = answer.ReadLimitBody(r, MaxResponse); c.err != nil {
			return
		}
		last = answer.ConnectionClose()
		c.answered <- struct{}{}
	}
	c.err = net.ErrClosed
}

// roundTrip sends a request and waits for its answer, until ctx ends. After an
// error the connection is closed; sent reports whether the peer may have got the
// request then. The connection may be used again if reusable.
func (c *conn) roundTrip(ctx context.Context, request *fasthttp.Request, answer *fasthttp.Response) (reusable, sent bool, err error) {
	stop := context.AfterFunc(ctx, func() { c.Conn.Close() })
	defer stop()
	c.calls <- answer
	if err := c.write(request); err != nil {
		c.Conn.Close()
		<-c.dead // the reader has let go of answer
		return false, false, c.reason(ctx, err)
	}
	select {
	case <-c.answered:
	case <-c.dead:
		select {
		case <-c.answered: // it was the last
		default:
			return false, !c.isRefusedByTLS(), c.reason(ctx, c.err)
		}
	}
	c.proven = true
	return stop() && !answer.ConnectionClose(), true, nil
}

// write sends a request. After an error some of it is missing at the other end,
// whose handlers see whole requests only.
func (c *conn) write(request *fasthttp.Request) error {
	if err := request.Write(c.writer); err != nil {
		return err
	}
	return c.writer.Flush()
}

// isRefusedByTLS reports whether the connection has ended because the peer did not
// accept this end's certificate. In TLS 1.3 this end learns of that when it first
// reads, after its request has gone. The caller has seen dead.
func (c *conn) isRefusedByTLS() bool {
	var alert *net.OpError
	return !c.proven && errors.As(c.err, &alert) && alert.Op == "remote error"
}

// reason is what to tell about err: that ctx has ended, if that closed the
// connection.
func (c *conn) reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// isDead reports whether the peer has hung up.
func (c *conn) isDead() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}
