//go:build !race

package node_test

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// gossipNet carries memberlist's packets in memory. Unlike memberlist's own mock
// it drops what a stopped or cut-off member does not take, instead of blocking.
type gossipNet struct {
	links *simLinks

	// mu guards ports, by address.
	mu    sync.Mutex
	ports map[string]*gossipPort
}

func newGossipNet(links *simLinks) *gossipNet {
	return &gossipNet{links: links, ports: map[string]*gossipPort{}}
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
	listener, err := g.links.streams.Listen(addr)
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
	delay, err := p.network.links.travel(host(p.addr), host(addr))
	switch {
	case err != nil: // a lost packet is no error
	case delay == 0:
		p.network.deliver(packet, addr)
	default:
		time.AfterFunc(delay, func() { p.network.deliver(packet, addr) })
	}
	return now, nil
}

func (g *gossipNet) deliver(packet *memberlist.Packet, addr string) {
	g.mu.Lock()
	to, ok := g.ports[addr]
	g.mu.Unlock()
	if !ok {
		return
	}
	select {
	case to.packets <- packet:
	default:
	}
}

func (p *gossipPort) PacketCh() <-chan *memberlist.Packet { return p.packets }

func (p *gossipPort) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return p.network.links.dial(ctx, host(p.addr), addr)
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
