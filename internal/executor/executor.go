package executor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
)

// ErrStopped says that [Executor.Run] has returned: nothing is accepted any more.
var ErrStopped = errors.New("executor: stopped")

// Executor runs the attempts assigned to one life of one node. Make it with
// [New], start it with [Executor.Run]; its methods may be called from any
// goroutine, before Run and after it too.
type Executor struct {
	cfg    Config
	node   job.NodeRef
	born   time.Time // the tokens count from here
	client *client
	outbox *outbox

	waiting chan struct{} // the queue may have something for a free place
	leased  chan struct{} // the lease ends sooner than was known

	// mu guards what follows.
	mu       sync.Mutex
	term     uint64 // the highest seen
	lease    lease
	attempts *table
	ending   error         // not nil: new attempts end at once, of this cause
	stopped  bool          // Run has returned
	settled  chan struct{} // closed and replaced when nothing is live any more
}

// New makes an executor.
func New(cfg Config) *Executor {
	cfg = cfg.withDefaults()
	cfg.Logger = cfg.Logger.With("component", "executor", "node", cfg.NodeID)
	e := &Executor{
		cfg:      cfg,
		node:     job.NodeRef{ID: cfg.NodeID, Incarnation: cfg.Incarnation},
		born:     time.Now(),
		client:   newClient(cfg),
		waiting:  make(chan struct{}, 1),
		leased:   make(chan struct{}, 1),
		attempts: newTable(cfg.Concurrency),
		settled:  make(chan struct{}),
	}
	e.client.permit = e.mayRequest
	e.outbox = newOutbox(cfg.Reporter, e.settle, cfg.Logger)
	return e
}

// Run does the work until ctx is done, and returns when every goroutine has
// ended: what was open then is aborted, and what was not acknowledged is lost.
// Call [Executor.Drain] before for a stop without loss. Run may be called once.
func (e *Executor) Run(ctx context.Context) error {
	g := group.New(ctx)
	g.Go(e.watchLease)
	for range senders {
		g.Go(e.outbox.send)
	}
	g.Go(func(ctx context.Context) error { return e.dispatch(ctx, g) })
	err := g.Wait()
	e.stop()
	if err != nil {
		return fmt.Errorf("executor: %w", err)
	}
	return nil
}

// settle is called by the outbox with what was acknowledged.
func (e *Executor) settle(outcomes []job.Outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.attempts.settle(outcomes, time.Now())
	if len(e.attempts.live) == 0 {
		e.wakeDrain()
	}
}

// wakeDrain makes [Executor.Drain] look again. The caller holds e.mu.
func (e *Executor) wakeDrain() {
	close(e.settled)
	e.settled = make(chan struct{})
}

// stop refuses whatever comes after the end of Run.
func (e *Executor) stop() {
	e.client.close()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	e.wakeDrain()
}

// OpenCount is how many attempts have not ended, those that wait for a place
// included.
func (e *Executor) OpenCount() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.attempts.unended
}
