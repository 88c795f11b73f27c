// Package group is the one door through which goroutines are started: each
// belongs to a [Group], and whoever made the group can wait until all of its
// goroutines have ended.
package group

import (
	"context"
	"errors"
	"sync"
)

// Group is a set of goroutines that live and end together. The first one that
// returns an error cancels the context that all of them were given. Make one
// with [New]; every method may be called from any goroutine.
type Group struct {
	ctx    context.Context
	cancel context.CancelFunc

	// mu guards the fields below; idle is signalled when running falls to zero.
	mu      sync.Mutex
	idle    sync.Cond
	running int
	stopped bool
	err     error
}

// New makes an empty group whose goroutines' context descends from ctx. Its
// maker must call [Group.Wait] or [Group.Stop], or the context leaks.
func New(ctx context.Context) *Group {
	g := &Group{}
	g.ctx, g.cancel = context.WithCancel(ctx)
	g.idle.L = &g.mu
	return g
}

// Go runs f in a goroutine of its own. f must return soon after its context is
// done. The first error cancels the group; an error that only repeats that the
// context is done counts as none. After [Group.Stop] or a finished
// [Group.Wait], Go does nothing: the group is over.
func (g *Group) Go(f func(ctx context.Context) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return
	}
	g.running++
	go func() {
		err := f(g.ctx)
		g.ended(err)
	}()
}

// Done is closed when the group's goroutines are to end, for whatever reason.
func (g *Group) Done() <-chan struct{} { return g.ctx.Done() }

// Err is the first error so far; nil if there was none. It does not wait.
func (g *Group) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// Cancel asks the goroutines to end and does not wait for it.
func (g *Group) Cancel() { g.cancel() }

// Wait returns when no goroutine of the group runs any more, with the first
// error. It does not ask them to end. Goroutines of the group may go on starting
// others meanwhile.
func (g *Group) Wait() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.running > 0 {
		g.idle.Wait()
	}
	g.stopped = true
	g.cancel()
	return g.err
}

// Stop cancels the group's context and returns when all goroutines have ended,
// with the first error. It may be called more than once, and before the first
// [Group.Go].
func (g *Group) Stop() error {
	g.mu.Lock()
	g.stopped = true
	g.cancel()
	g.mu.Unlock()
	return g.Wait()
}

// ended takes note of one goroutine's end.
func (g *Group) ended(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil && g.err == nil && !g.isCancellation(err) {
		g.err = err
		g.cancel()
	}
	if g.running--; g.running == 0 {
		g.idle.Broadcast()
	}
}

// isCancellation reports whether err only says that the group's context is done.
func (g *Group) isCancellation(err error) bool {
	return g.ctx.Err() != nil && errors.Is(err, g.ctx.Err())
}
