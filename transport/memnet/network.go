// Package memnet is a network in memory for tests and simulations: hosts that
// listen and dial as over TCP, cables that can be cut, and slow ones.
//
// It works inside a testing/synctest bubble (make the [Network] there), has no
// goroutines of its own, and hands over bytes at once, in order, without a limit:
// a Write never blocks.
//
// A host is the part of an address before the last colon. A cut swallows what is
// sent, and what is under way, silently: reads wait, dials wait, and the other end
// is not told of a Close. As with TCP, what was swallowed is sent again, so that it
// arrives after the cut is healed, possibly long after everyone has forgotten about
// it, unless the receiver has closed the connection meanwhile.
//
// A slow cable, see [Network.SetDelay], delays what is sent, a Close included, and
// keeps its order; a dial takes a round trip. What is under way arrives also when
// its sender is killed, or its delay is changed.
package memnet

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// backlog is how many connections wait to be accepted; further ones are refused.
const backlog = 256

// Network connects hosts. Make one with [New].
type Network struct {
	// mu guards the fields below. It may be held while a pipe's is taken.
	mu        sync.Mutex
	listeners map[address]*listener
	conns     map[*conn]struct{} // both ends of each
	cuts      map[cable]bool
	delays    map[cable]time.Duration
	healed    chan struct{} // closed, and replaced, by Heal
	lastPort  int
}

// cable is the way from one host to another.
type cable struct{ from, to string }

// New makes a network without hosts.
func New() *Network {
	return &Network{
		listeners: map[address]*listener{},
		conns:     map[*conn]struct{}{},
		cuts:      map[cable]bool{},
		delays:    map[cable]time.Duration{},
		healed:    make(chan struct{}),
	}
}

// Listen accepts connections to addr, "host:port".
func (n *Network) Listen(addr string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := address(addr)
	if n.listeners[a] != nil {
		return nil, &net.OpError{Op: "listen", Net: a.Network(), Addr: a, Err: syscall.EADDRINUSE}
	}
	l := &listener{network: n, addr: a, queue: make(chan *conn, backlog), closed: make(chan struct{})}
	n.listeners[a] = l
	return l, nil
}

// Dial connects the host from to the listener at addr. While either way between
// them is cut it waits, until ctx ends.
func (n *Network) Dial(ctx context.Context, from, addr string) (net.Conn, error) {
	to := address(addr)
	if err := sleep(ctx, n.roundTrip(from, to.host())); err != nil {
		return nil, &net.OpError{Op: "dial", Net: to.Network(), Addr: to, Err: err}
	}
	for {
		c, healed, err := n.connect(from, to)
		if err != nil {
			return nil, &net.OpError{Op: "dial", Net: to.Network(), Addr: to, Err: err}
		}
		if c != nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, &net.OpError{Op: "dial", Net: to.Network(), Addr: to, Err: ctx.Err()}
		case <-healed:
		}
	}
}

// roundTrip is how long it takes to hear from a host.
func (n *Network) roundTrip(from, to string) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.delays[cable{from, to}] + n.delays[cable{to, from}]
}

// sleep returns ctx's error if it ends before.
func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// connect gives neither a connection nor an error while a cable is cut, but what
// to wait for.
func (n *Network) connect(from string, to address) (c *conn, healed <-chan struct{}, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cuts[cable{from, to.host()}] || n.cuts[cable{to.host(), from}] {
		return nil, n.healed, nil
	}
	l := n.listeners[to]
	if l == nil || len(l.queue) == cap(l.queue) {
		return nil, nil, syscall.ECONNREFUSED
	}
	n.lastPort++
	near, far := n.pair(address(from+":"+strconv.Itoa(n.lastPort)), to)
	l.queue <- far
	return near, nil, nil
}

// pair makes both ends of a connection. mu is held.
func (n *Network) pair(a, b address) (near, far *conn) {
	there, back := newPipe(n.delays[cable{a.host(), b.host()}]), newPipe(n.delays[cable{b.host(), a.host()}])
	near = &conn{network: n, local: a, remote: b, in: back, out: there}
	far = &conn{network: n, local: b, remote: a, in: there, out: back}
	there.landed, back.landed = func() { n.release(near) }, func() { n.release(far) }
	n.conns[near], n.conns[far] = struct{}{}, struct{}{}
	return near, far
}

// Cut cuts both ways between two hosts.
func (n *Network) Cut(a, b string) {
	n.CutOneWay(a, b)
	n.CutOneWay(b, a)
}

// CutOneWay cuts the way from one host to another: the bytes the other way go on
// flowing, but no new connection comes about in either direction.
func (n *Network) CutOneWay(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[cable{from, to}] = true
	for c := range n.conns {
		if c.local.host() == from && c.remote.host() == to {
			c.out.hold()
		}
	}
}

// SetDelay makes what is sent from host a to host b arrive d later, over whichever
// connection; zero makes it arrive at once again. What is under way keeps its time,
// and nothing overtakes it.
func (n *Network) SetDelay(a, b string, d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delays[cable{a, b}] = d
	for c := range n.conns {
		if c.local.host() == a && c.remote.host() == b {
			c.out.setDelay(d)
		}
	}
}

// Heal mends all cuts: what they swallowed sets out again, and waiting dials go on.
// It leaves the delays, which are no damage: SetDelay takes them away.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cuts)
	for c := range n.conns {
		c.out.deliver()
		n.drop(c)
	}
	close(n.healed)
	n.healed = make(chan struct{})
}

// Kill closes the listeners and connections of a host, as the death of its
// process does.
func (n *Network) Kill(host string) {
	n.mu.Lock()
	var closers []interface{ Close() error }
	for a, l := range n.listeners {
		if a.host() == host {
			closers = append(closers, l)
		}
	}
	for c := range n.conns {
		if c.local.host() == host {
			closers = append(closers, c)
		}
	}
	n.mu.Unlock()
	for _, c := range closers {
		c.Close()
	}
}

// Conns is how many ends of connections are open at a host.
func (n *Network) Conns(host string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for c := range n.conns {
		if !c.gone && c.local.host() == host {
			count++
		}
	}
	return count
}

// forget takes note that an end is closed.
func (n *Network) forget(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c.gone = true
	n.drop(c)
}

// release takes note that nothing from an end is under way any more.
func (n *Network) release(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drop(c)
}

// drop removes an end that is closed, unless its last bytes may yet arrive. mu is
// held.
func (n *Network) drop(c *conn) {
	if c.gone && !c.out.isBusy() {
		delete(n.conns, c)
	}
}

// address is "host:port".
type address string

func (a address) Network() string { return "memory" }
func (a address) String() string  { return string(a) }

func (a address) host() string {
	if i := strings.LastIndexByte(string(a), ':'); i >= 0 {
		return string(a[:i])
	}
	return string(a)
}

// listener is a net.Listener on a Network.
type listener struct {
	network *Network
	addr    address
	queue   chan *conn
	closed  chan struct{}
}

// Accept waits for a connection; net.ErrClosed after Close.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, l.errClosed("accept")
	case c := <-l.queue:
		return c, nil
	}
}

// Close refuses further connections and closes those not accepted yet.
func (l *listener) Close() error {
	l.network.mu.Lock()
	if l.network.listeners[l.addr] != l {
		l.network.mu.Unlock()
		return l.errClosed("close")
	}
	delete(l.network.listeners, l.addr)
	close(l.closed)
	l.network.mu.Unlock()
	for {
		select {
		case c := <-l.queue:
			c.Close()
		default:
			return nil
		}
	}
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) errClosed(op string) error {
	return fmt.Errorf("%s %s: %w", op, l.addr, net.ErrClosed)
}
