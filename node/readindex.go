package node

import (
	"context"
	"sync"
)

// rounds lets many readers share one confirmation of the commit index: whoever
// arrives while a round is under way takes part in the next, so that each
// reader's index was confirmed after it asked (rule D12).
type rounds struct {
	// confirm asks the leader for a commit index that it has just proved to be
	// current; it has a time-out of its own.
	confirm func(ctx context.Context) (uint64, error)
	// turn holds one token while a round is under way.
	turn chan struct{}

	// mu guards next, the round that readers may still join.
	mu   sync.Mutex
	next *round
}

type round struct {
	done  chan struct{}
	index uint64
	err   error
}

func newRounds(confirm func(ctx context.Context) (uint64, error)) *rounds {
	return &rounds{confirm: confirm, turn: make(chan struct{}, 1)}
}

// index is a commit index at least as new as the moment of the call.
func (r *rounds) index(ctx context.Context) (uint64, error) {
	mine, first := r.enter()
	if first {
		r.run(ctx, mine)
	}
	select {
	case <-mine.done:
		return mine.index, mine.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (r *rounds) enter() (mine *round, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		return r.next, false
	}
	r.next = &round{done: make(chan struct{})}
	return r.next, true
}

// run waits for the round under way and then confirms for everyone who joined
// meanwhile; the context of one reader must not fail the others.
func (r *rounds) run(ctx context.Context, mine *round) {
	r.turn <- struct{}{}
	r.mu.Lock()
	r.next = nil
	r.mu.Unlock()
	mine.index, mine.err = r.confirm(context.WithoutCancel(ctx))
	<-r.turn
	close(mine.done)
}
