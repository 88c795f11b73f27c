package transport

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/group"
)

// pool keeps the connections of a [Client].
//
// It stands where fasthttp.HostClient could: that one can neither end a call when
// its context ends, nor tell a request that was never sent from one that may have
// been, and its cleaner sleeps on after the client is closed.
type pool struct {
	dial  func(ctx context.Context, addr string) (net.Conn, error)
	limit int
	idle  time.Duration
	group *group.Group // the connections' readers

	// mu guards the fields below, and those of each peer and conn.
	mu     sync.Mutex
	closed bool
	peers  map[string]*peer // those with calls or connections
	open   map[*conn]struct{}
}

// peer is the connections to one address.
type peer struct {
	addr  string
	slots chan struct{} // has an item for each call under way
	users int           // calls under way, or waiting for a slot
	idle  []*conn       // the one used last at the end
}

// acquire waits for a free slot and gives a connection to addr for one call: one
// that has served before, or a new one if fresh or there is none. The caller gives
// it back with release.
func (p *pool) acquire(ctx context.Context, addr string, fresh bool) (*conn, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	peer := p.enter(addr)
	select {
	case peer.slots <- struct{}{}:
	case <-ctx.Done():
		p.leave(peer)
		return nil, ctx.Err()
	}
	c, err := p.connect(ctx, peer, fresh)
	if err != nil {
		<-peer.slots
		p.leave(peer)
	}
	return c, err
}

func (p *pool) connect(ctx context.Context, peer *peer, fresh bool) (*conn, error) {
	if !fresh {
		if c := p.take(peer); c != nil {
			return c, nil
		}
	}
	raw, err := p.dial(ctx, peer.addr)
	if err != nil {
		return nil, err
	}
	return p.start(newConn(raw, peer))
}

// start begins to read c; it closes it if the pool is closed.
func (p *pool) start(c *conn) (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Conn.Close()
		return nil, net.ErrClosed
	}
	p.open[c] = struct{}{}
	p.group.Go(func(context.Context) error {
		c.read()
		p.forget(c)
		return nil
	})
	return c, nil
}

// take gives the idle connection that was used last; nil if there is none.
func (p *pool) take(peer *peer) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := len(peer.idle); n > 0; n = len(peer.idle) {
		c := peer.idle[n-1]
		peer.idle = peer.idle[:n-1]
		if c.idle.Stop() && !c.isDead() {
			return c
		}
	}
	return nil
}

// release takes back a connection after its call.
func (p *pool) release(c *conn, reusable bool) {
	p.mu.Lock()
	if reusable && !p.closed {
		c.idle = time.AfterFunc(p.idle, func() { c.Conn.Close() })
		c.peer.idle = append(c.peer.idle, c)
	} else {
		c.Conn.Close()
	}
	p.mu.Unlock()
	<-c.peer.slots
	p.leave(c.peer)
}

// forget removes a connection whose reader has ended.
func (p *pool) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	for i, idle := range c.peer.idle {
		if idle == c {
			c.idle.Stop()
			c.peer.idle = append(c.peer.idle[:i], c.peer.idle[i+1:]...)
			break
		}
	}
	p.forgetPeer(c.peer)
}

func (p *pool) enter(addr string) *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.peers[addr]
	if e == nil {
		e = &peer{addr: addr, slots: make(chan struct{}, p.limit)}
		p.peers[addr] = e
	}
	e.users++
	return e
}

func (p *pool) leave(e *peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.users--
	p.forgetPeer(e)
}

// forgetPeer drops a peer that has neither calls nor connections. mu is held.
func (p *pool) forgetPeer(e *peer) {
	if e.users == 0 && len(e.idle) == 0 && p.peers[e.addr] == e {
		delete(p.peers, e.addr)
	}
}

// close closes every connection, which ends the calls under way, and waits for
// the readers.
func (p *pool) close() error {
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		c.Conn.Close()
	}
	p.mu.Unlock()
	return p.group.Stop()
}
