package transport

import (
	"container/list"
	"io"
	"net"
	"sync"
)

// peerConn is a connection of a [Port]. Close closes the bare connection: the
// protocols frame their messages, so that TLS's farewell would tell the peer
// nothing, and writing it could take seconds when the peer hangs.
type peerConn struct {
	net.Conn // what is read and written: raw, or TLS over it
	raw      net.Conn
	set      *connSet
}

func (c *peerConn) Close() error {
	c.set.remove(c)
	return c.raw.Close()
}

// connSet is a set of open connections that can be closed together.
type connSet struct {
	// mu guards the fields below.
	mu     sync.Mutex
	closed bool
	open   map[io.Closer]struct{}
}

// add reports false if the set is closed: the connection is the caller's to close.
func (s *connSet) add(c io.Closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.open == nil {
		s.open = map[io.Closer]struct{}{}
	}
	s.open[c] = struct{}{}
	return true
}

func (s *connSet) remove(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func (s *connSet) closeAll() {
	s.mu.Lock()
	open := s.open
	s.closed, s.open = true, nil
	s.mu.Unlock()
	for c := range open {
		c.Close()
	}
}

// queue is a bounded waiting room: whoever enters when it is full puts the one
// out that has been there longest, who is the likeliest never to finish.
type queue struct {
	limit int
	// mu guards waiting.
	mu      sync.Mutex
	waiting list.List // of io.Closer, oldest first
}

// enter takes a place for c; the caller calls leave when it is done.
func (q *queue) enter(c io.Closer) (leave func()) {
	q.mu.Lock()
	place := q.waiting.PushBack(c)
	var oldest io.Closer
	if q.waiting.Len() > q.limit {
		oldest = q.waiting.Remove(q.waiting.Front()).(io.Closer)
	}
	q.mu.Unlock()
	if oldest != nil {
		oldest.Close()
	}
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.waiting.Remove(place)
	}
}
