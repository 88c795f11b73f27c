//go:build !race

package node_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/cronraft/cronraft/transport/memnet"
)

// simLinks are the cables between the hosts of a simulation: one truth for the
// three networks that use them, which are streams (peer calls and callbacks), raft
// and gossip.
type simLinks struct {
	streams *memnet.Network

	// mu guards the fields below.
	mu    sync.Mutex
	cuts  map[way]bool
	slow  map[way]time.Duration
	dark  map[string]bool // hosts without power
	hosts map[string]bool // every host there ever was
}

// way is one direction of a cable.
type way struct{ from, to string }

var (
	errCut  = errors.New("the cable is cut")
	errDark = errors.New("the host has no power")
)

func newSimLinks() *simLinks {
	return &simLinks{
		streams: memnet.New(), cuts: map[way]bool{}, slow: map[way]time.Duration{},
		dark: map[string]bool{}, hosts: map[string]bool{},
	}
}

// travel tells how long something takes that is sent now, or that it is lost.
func (l *simLinks) travel(from, to string) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := way{from, to}
	switch {
	case l.dark[from] || l.dark[to]:
		return 0, errDark
	case l.cuts[w]:
		return 0, errCut
	}
	return l.slow[w], nil
}

// dial connects a host over streams, unless it has no power.
func (l *simLinks) dial(ctx context.Context, from, addr string) (net.Conn, error) {
	if l.isDark(from) {
		return nil, errDark
	}
	c, err := l.streams.Dial(ctx, from, addr)
	if err == nil && l.isDark(from) { // meanwhile
		return nil, errors.Join(errDark, c.Close())
	}
	return c, err
}

func (l *simLinks) isDark(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dark[host]
}

// switchOff takes the power of a host: from now on nothing leaves or reaches it.
func (l *simLinks) switchOff(host string) {
	l.mu.Lock()
	l.dark[host] = true
	l.mu.Unlock()
	l.streams.Kill(host)
}

func (l *simLinks) switchOn(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts[host] = true
	delete(l.dark, host)
}

// cut cuts one direction.
func (l *simLinks) cut(from, to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cuts[way{from, to}] = true
	l.streams.CutOneWay(from, to)
}

// delay makes one direction slow.
func (l *simLinks) delay(from, to string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slow[way{from, to}] = d
	l.streams.SetDelay(from, to, d)
}

// heal mends every cut.
func (l *simLinks) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.cuts)
	l.streams.Heal()
}

// hurry makes every direction fast again.
func (l *simLinks) hurry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.slow {
		l.streams.SetDelay(w.from, w.to, 0)
	}
	clear(l.slow)
}
