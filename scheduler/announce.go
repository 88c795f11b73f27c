package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// announcer makes events of what the term notices about the cluster itself.
type announcer struct {
	cfg  *Config
	wake chan struct{}

	mu    sync.Mutex // guards queue
	queue []job.Announce
}

func newAnnouncer(cfg *Config) *announcer {
	return &announcer{cfg: cfg, wake: make(chan struct{}, 1)}
}

// add announces something about a node, as of now.
func (a *announcer) add(event job.EventType, node string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = append(a.queue, job.Announce{At: a.cfg.instant(), Type: event, NodeID: node})
	poke(a.wake)
}

// run commits the announcements in their order until the term ends, the term's own
// first.
func (a *announcer) run(ctx context.Context) error {
	a.add(job.EventLeaderChanged, a.cfg.NodeID)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.wake:
		case <-timer.C:
		}
		if err := a.commit(ctx); isOver(err) {
			return err
		} else if err != nil {
			a.cfg.Logger.Warn("announce an event of the cluster; trying again", "err", err)
			timer.Reset(retryPause)
		}
	}
}

// commit submits until nothing is left. While some member is too old to know of
// events there are none: what would read them, streams and webhooks, is not there yet
// either. In a new cluster that time is over before its first term begins. One whose
// outcome is unknown is submitted again: to be told twice is better than not at all.
func (a *announcer) commit(ctx context.Context) error {
	for d, ok := a.first(); ok; d, ok = a.first() {
		if _, err := a.cfg.Log.Submit(ctx, d); err != nil && !errors.Is(err, job.ErrOldMember) {
			return fmt.Errorf("submit announcement: %w", err)
		}
		a.done()
	}
	return nil
}

func (a *announcer) first() (job.Announce, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return job.Announce{}, false
	}
	return a.queue[0], true
}

// done drops the first announcement.
func (a *announcer) done() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = a.queue[1:]
}
