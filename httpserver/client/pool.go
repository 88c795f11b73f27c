package client

import (
	"math/rand/v2"
	"sync"
	"time"
)

// How long a server that failed is tried last: each failure in a row doubles it.
const (
	firstPause = 250 * time.Millisecond
	maxPause   = 8 * time.Second
)

// pause is how long to wait after so many failures in a row, between half of it and
// one and a half, so that clients which failed together do not come back together.
func pause(failures int) time.Duration {
	d := maxPause
	if shift := failures - 1; shift < 6 {
		d = min(maxPause, firstPause<<max(0, shift))
	}
	return d/2 + rand.N(d)
}

// server is one address.
type server struct {
	base string
	// until is when the server may be tried again, if there is another one; told says
	// that it asked for that time itself, so that it is not tried earlier in any case.
	until time.Time
	told  bool
	// failures is how often it failed in a row.
	failures int
}

// pool knows which server to try next.
type pool struct {
	// mu guards the fields below, and those of the servers.
	mu      sync.Mutex
	servers []*server
	// next is where in servers the search begins: the one that answered last.
	next int
}

func newPool(bases []string) *pool {
	p := &pool{}
	for _, b := range bases {
		p.servers = append(p.servers, &server{base: b})
	}
	return p
}

// pick returns the server to try, and how long to wait before: not at all as long as
// there is one that did not fail lately. The first try of a call waits only for a
// server that asked for it.
func (p *pool) pick(now time.Time, first bool) (*server, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *server
	for i := range p.servers {
		s := p.servers[(p.next+i)%len(p.servers)]
		if !s.until.After(now) {
			return s, 0
		}
		if best == nil || s.until.Before(best.until) {
			best = s
		}
	}
	if first {
		for i := range p.servers {
			if s := p.servers[(p.next+i)%len(p.servers)]; !s.told {
				return s, 0
			}
		}
	}
	return best, best.until.Sub(now)
}

// answered notes that a server works.
func (p *pool) answered(s *server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.failures, s.until, s.told = 0, time.Time{}, false
	for i := range p.servers {
		if p.servers[i] == s {
			p.next = i
		}
	}
}

// failed notes that a try which began at a time failed. A retryAfter that is not zero
// is what the server asked for.
func (p *pool) failed(s *server, began time.Time, retryAfter time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.servers[p.next] == s {
		p.next = (p.next + 1) % len(p.servers)
	}
	if began.Before(s.until) && retryAfter == 0 {
		return // one of several tries that failed together
	}
	s.failures++
	wait := pause(s.failures)
	if s.told = retryAfter > 0; s.told {
		wait = retryAfter + rand.N(retryAfter/4+1)
	}
	s.until = now.Add(wait)
}
