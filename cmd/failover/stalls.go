package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	beatEvery = 5 * time.Millisecond
	// stallLimit is how long after a beat the next one may come and count as in time.
	stallLimit = 40 * time.Millisecond
	// echo is for how long after a stall everything waits for its turn.
	echo = 100 * time.Millisecond
)

// stall is a time in which this process did not run.
type stall struct{ from, to time.Time }

// stalls notes when this process stood still, which it does on a busy machine: it
// then sees late what others do. Its methods may be called from any goroutine.
type stalls struct {
	// mu guards the fields below.
	mu   sync.Mutex
	last time.Time // the last beat
	list []stall
}

// run beats until ctx is done.
func (s *stalls) run(ctx context.Context) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		s.beat(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *stalls) beat(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) > stallLimit {
		s.list = append(s.list, stall{s.last, now})
	}
	s.last = now
}

// earliest is when something may have happened that is noticed only now.
func (s *stalls) earliest(now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) > stallLimit {
		return s.last // nothing has beaten yet
	}
	if n := len(s.list); n > 0 && now.Sub(s.list[n-1].to) < echo {
		return s.list[n-1].from
	}
	return now
}

// longest is the longest stall after a moment.
func (s *stalls) longest(after time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var longest time.Duration
	for _, x := range slices.Backward(s.list) {
		if x.to.Before(after) {
			break
		}
		longest = max(longest, x.to.Sub(x.from))
	}
	return longest
}
