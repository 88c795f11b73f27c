//go:build !race

package node_test

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/cronraft/cronraft/transport/memnet"
)

// gossipNet carries memberlist's packets in memory. Unlike memberlist's own mock
// it drops what a stopped or cut-off member does not take, instead of blocking.
type gossipNet struct {
	streams *memnet.Network

	// mu guards the fields below.
	mu    sync.Mutex
	ports map[string]*gossipPort // by address
	cut   map[[2]string]bool     // by the two hosts
}

func newGossipNet(streams *memnet.Network) *gossipNet {
	return &gossipNet{streams: streams, ports: map[string]*gossipPort{}, cut: map[[2]string]bool{}}
}

// gossipPort is one member's memberlist.Transport.
type gossipPort struct {
	network  *gossipNet
	addr     string
	listener net.Listener
	packets  chan *memberlist.Packet
	conns    chan net.Conn
	ended    chan struct{}
}

var _ memberlist.Transport = (*gossipPort)(nil)

func (g *gossipNet) listen(addr string) (*gossipPort, error) {
	listener, err := g.streams.Listen(addr)
	if err != nil {
		return nil, err
	}
	p := &gossipPort{
		network: g, addr: addr, listener: listener, packets: make(chan *memberlist.Packet, 256),
		conns: make(chan net.Conn), ended: make(chan struct{}),
	}
	g.mu.Lock()
	g.ports[addr] = p
	g.mu.Unlock()
	go p.accept()
	return p, nil
}

func (p *gossipPort) accept() {
	defer close(p.ended)
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		select {
		case p.conns <- c:
		case <-time.After(time.Second):
			c.Close()
		}
	}
}

func (p *gossipPort) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	return net.ParseIP(ip), port, nil
}

func (p *gossipPort) WriteTo(b []byte, addr string) (time.Time, error) {
	now := time.Now()
	packet := &memberlist.Packet{Buf: append([]byte(nil), b...), From: gossipAddr(p.addr), Timestamp: now}
	p.network.mu.Lock()
	to, ok := p.network.ports[addr]
	ok = ok && !p.network.cut[[2]string{host(p.addr), host(addr)}]
	p.network.mu.Unlock()
	if ok {
		select {
		case to.packets <- packet:
		default:
		}
	}
	return now, nil
}

func (p *gossipPort) PacketCh() <-chan *memberlist.Packet { return p.packets }

func (p *gossipPort) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return p.network.streams.Dial(ctx, host(p.addr), addr)
}

func (p *gossipPort) StreamCh() <-chan net.Conn { return p.conns }

func (p *gossipPort) Shutdown() error {
	p.network.mu.Lock()
	if p.network.ports[p.addr] == p {
		delete(p.network.ports, p.addr)
	}
	p.network.mu.Unlock()
	err := p.listener.Close()
	<-p.ended
	return err
}

// setCut cuts or heals the packets between two hosts, both ways.
func (g *gossipNet) setCut(a, b string, cut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cut[[2]string{a, b}], g.cut[[2]string{b, a}] = cut, cut
}

func host(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return h
}

type gossipAddr string

func (gossipAddr) Network() string  { return "memory" }
func (a gossipAddr) String() string { return string(a) }
