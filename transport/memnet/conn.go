package memnet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// conn is one end of a connection.
type conn struct {
	network       *Network
	local, remote address
	in, out       *pipe
	gone          bool // closed, its last bytes perhaps not arrived; guarded by network.mu
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = c.fail("read", err)
	}
	return n, err
}

// Write never blocks. It fails once the other end's Close has been heard of.
func (c *conn) Write(b []byte) (int, error) {
	if c.in.ended() {
		return 0, c.fail("write", syscall.EPIPE)
	}
	if err := c.out.write(b); err != nil {
		return 0, c.fail("write", err)
	}
	return len(b), nil
}

func (c *conn) Close() error {
	if !c.in.closeReader() {
		return c.fail("close", net.ErrClosed)
	}
	c.out.closeWriter()
	c.network.forget(c)
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	c.SetWriteDeadline(t)
	return c.SetReadDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setWriteDeadline(t)
	return nil
}

func (c *conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// pipe is one direction of a connection.
type pipe struct {
	// mu guards the fields below; changed is signalled when a reader should look.
	mu      sync.Mutex
	changed sync.Cond
	arrived bytes.Buffer
	eof     bool // the writer's Close has arrived

	cut      bool
	held     []byte // swallowed by the cut
	finished bool   // the writer has closed

	delay   time.Duration
	transit []packet    // under way, in their order
	landing *time.Timer // lands the first of them
	landed  func()      // called without mu when nothing is under way any more

	readerClosed  bool
	readDeadline  time.Time
	readTimer     *time.Timer // wakes readers at readDeadline
	writeDeadline time.Time
}

// packet is what is under way on a slow link.
type packet struct {
	at   time.Time // of its arrival, at the earliest
	data []byte
	last bool // it is the writer's Close
}

func newPipe(delay time.Duration) *pipe {
	p := &pipe{delay: delay}
	p.changed.L = &p.mu
	return p
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.readerClosed:
			return 0, net.ErrClosed
		case isPast(p.readDeadline):
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case p.arrived.Len() > 0:
			return p.arrived.Read(b)
		case p.eof:
			return 0, io.EOF
		}
		p.changed.Wait()
	}
}

func isPast(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (p *pipe) write(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.finished:
		return net.ErrClosed
	case isPast(p.writeDeadline):
		return os.ErrDeadlineExceeded
	case p.readerClosed: // nobody will read it
	case p.cut:
		p.held = append(p.held, b...)
	default:
		p.launch(packet{data: b})
	}
	return nil
}

// launch sends a packet on its way. It waits for those before it, whose delay may
// have been longer. mu is held; the data is the caller's.
func (p *pipe) launch(sent packet) {
	if p.delay == 0 && len(p.transit) == 0 {
		p.arrive(sent)
		return
	}
	sent.at, sent.data = time.Now().Add(p.delay), slices.Clone(sent.data)
	p.transit = append(p.transit, sent)
	p.schedule()
}

// arrive hands a packet to the reader. mu is held.
func (p *pipe) arrive(sent packet) {
	if !p.readerClosed {
		p.arrived.Write(sent.data)
	}
	p.eof = p.eof || sent.last
	p.changed.Broadcast()
}

// schedule makes the first packet under way land in time. mu is held.
func (p *pipe) schedule() {
	if p.landing != nil {
		p.landing.Stop()
	}
	if len(p.transit) > 0 {
		p.landing = time.AfterFunc(time.Until(p.transit[0].at), p.land)
	}
}

// land hands over the packets whose time has come.
func (p *pipe) land() {
	p.mu.Lock()
	for len(p.transit) > 0 && isPast(p.transit[0].at) {
		p.arrive(p.transit[0])
		p.transit = p.transit[1:]
	}
	p.schedule()
	empty := len(p.transit) == 0
	p.mu.Unlock()
	if empty {
		p.landed()
	}
}

func (p *pipe) setDelay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// ended reports whether the writer's Close has arrived at an open reader.
func (p *pipe) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.eof && !p.readerClosed
}

// closeReader reports false if it was closed before.
func (p *pipe) closeReader() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readerClosed {
		return false
	}
	p.readerClosed = true
	p.arrived, p.held = bytes.Buffer{}, nil
	p.stopTimer()
	p.changed.Broadcast()
	return true
}

func (p *pipe) closeWriter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished = true
	if !p.cut {
		p.launch(packet{last: true})
	}
}

// hold begins a cut, which swallows what is under way too.
func (p *pipe) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for _, lost := range p.transit {
		p.held = append(p.held, lost.data...)
	}
	p.transit = nil
	p.schedule()
}

// isBusy reports whether something may yet arrive.
func (p *pipe) isBusy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut || len(p.transit) > 0
}

// deliver ends a cut: what it swallowed is sent again.
func (p *pipe) deliver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cut {
		return
	}
	p.cut = false
	p.launch(packet{data: p.held, last: p.finished})
	p.held = nil
}

func (p *pipe) setReadDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopTimer()
	p.readDeadline = t
	if !t.IsZero() && !p.readerClosed {
		p.readTimer = time.AfterFunc(time.Until(t), p.wake)
	}
	p.changed.Broadcast()
}

func (p *pipe) stopTimer() {
	if p.readTimer != nil {
		p.readTimer.Stop()
	}
}

func (p *pipe) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed.Broadcast()
}

func (p *pipe) setWriteDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writeDeadline = t
}
