package fsm

import (
	"context"
	"fmt"
	"slices"
)

// waiter is someone who waits until an index is applied; done is closed then, or
// when the store is.
type waiter struct {
	index uint64
	done  chan struct{}
}

// WaitApplied returns once the entry with the index is applied, or with the
// error of ctx, or when the store is closed.
func (s *Store) WaitApplied(ctx context.Context, index uint64) error {
	if s.Applied() >= index {
		return nil
	}
	w := waiter{index: index, done: make(chan struct{})}
	s.await(w)
	select {
	case <-ctx.Done():
		s.forget(w)
		return fmt.Errorf("wait for entry %d of the log: %w", index, ctx.Err())
	case <-w.done:
	}
	if s.Applied() < index {
		return errClosed
	}
	return nil
}

func (s *Store) await(w waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, w)
	s.wake()
}

func (s *Store) forget(w waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(other waiter) bool { return other == w })
}

// advance moves the applied index. The caller holds mu.
func (s *Store) advance(index uint64) {
	s.state.applied = index
	s.applied.Store(index)
	s.wake()
}

// wake releases those who have waited long enough. The caller holds mu.
func (s *Store) wake() {
	s.waiting = slices.DeleteFunc(s.waiting, func(w waiter) bool {
		over := s.closed || w.index <= s.state.applied
		if over {
			close(w.done)
		}
		return over
	})
}
