package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxItemsPerBatch and maxBatchBytes bound one call to a node.
	maxItemsPerBatch = 500
	maxBatchBytes    = 1 << 20

	// assignmentOverhead is a generous guess at what an assignment takes beside
	// its texts.
	assignmentOverhead = 512
)

// sender calls one node: it hands over what the node is to run and to abort
// until that is acknowledged, keeps the node's lease alive, and notices when
// the node is lost. One call is under way at a time; what gathers meanwhile goes
// with the next.
type sender struct {
	cfg     *Config
	node    *node
	losses  *losses
	onAlive func() // the node has become eligible
	logger  *slog.Logger

	next time.Time // when the node is to be called again if there is nothing to send
	dead bool      // the loss of the node was logged
}

func newSender(cfg *Config, n *node, l *losses, onAlive func()) *sender {
	return &sender{cfg: cfg, node: n, losses: l, onAlive: onAlive, logger: cfg.Logger.With("peer", n.id)}
}

// run works until the term ends or the node is removed.
func (s *sender) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.node.removed:
			return nil
		case <-s.node.wake:
		case <-timer.C:
		}
		timer.Reset(s.turn(ctx))
	}
}

// turn does what is to be done now and returns when to look again.
func (s *sender) turn(ctx context.Context) time.Duration {
	now := time.Now()
	s.lose(now)
	o := s.node.outlook(now)
	if !o.member {
		return o.wait
	}
	early := now.Before(s.next)
	if early && o.failing {
		return min(o.wait, s.next.Sub(now))
	}
	items := s.node.take(now, maxItemsPerBatch)
	if early && len(items) == 0 {
		return min(o.wait, s.next.Sub(now))
	}
	s.call(ctx, now, items)
	return 0
}

// lose gives up the attempts that are lost.
func (s *sender) lose(now time.Time) {
	lost, silent := s.node.lose(now)
	switch {
	case silent && !s.dead:
		s.logger.Warn("node lost: it has not answered for too long", "attempts", len(lost))
	case !silent && len(lost) > 0:
		s.logger.Warn("node restarted: the attempts of its earlier life are lost", "attempts", len(lost))
	}
	s.dead = silent
	s.losses.add(lost)
}

// call sends one batch and takes note of the answer.
func (s *sender) call(ctx context.Context, now time.Time, items []*item) {
	batch, sent := s.batch(now, items)
	lease, deadline := s.node.beginCall(now)
	batch.Lease = lease
	ctx, cancel := context.WithDeadline(ctx, deadline)
	reply, err := s.cfg.Peers.Assign(ctx, s.node.id, batch)
	cancel()
	if err != nil {
		s.failed(err)
		return
	}
	s.next = now.Add(s.node.pace.renew)
	s.node.settle(sent...)
	failures, becameAlive := s.node.answer(reply, time.Now())
	if failures > 0 {
		s.logger.Info("node answers again")
	}
	if becameAlive {
		s.onAlive()
	}
}

func (s *sender) failed(err error) {
	failures, backoff := s.node.fail()
	s.next = time.Now().Add(backoff)
	if failures == 1 {
		s.logger.Info("node does not answer", "err", err)
	}
}

// batch builds a batch of the items, as many as it may hold. Those in it are
// returned; the others stay for a later one.
func (s *sender) batch(now time.Time, items []*item) (b job.Batch, sent []*item) {
	b = job.Batch{Term: s.cfg.Term, Leader: s.cfg.NodeID}
	size := 0
	for _, it := range items {
		if it.open.Phase == job.PhaseAborting {
			b.Aborts = append(b.Aborts, ref(it.open))
			sent = append(sent, it)
			continue
		}
		a, ok := s.assignment(now, it)
		if !ok {
			continue
		}
		if size += assignmentSize(&a); size > maxBatchBytes && len(b.Assignments) > 0 {
			break
		}
		b.Assignments = append(b.Assignments, a)
		sent = append(sent, it)
	}
	return b, sent
}

// assignment builds the assignment of an item; false if it is not to be sent,
// or not now.
func (s *sender) assignment(now time.Time, it *item) (job.Assignment, bool) {
	a, err := s.cfg.Jobs.Assignment(it.open)
	switch {
	case err == nil:
		return a, true
	case errors.Is(err, job.ErrNotFound):
		s.node.settle(it) // the job is gone; the feed brings the abort
	default:
		s.node.postpone(it, now.Add(s.node.pace.renew))
		s.logger.Error("build assignment", "exec", it.open.Execution, "attempt", it.open.Attempt, "err", err)
	}
	return job.Assignment{}, false
}

func assignmentSize(a *job.Assignment) int {
	size := assignmentOverhead + len(a.Target.URL)
	for _, h := range a.Target.Headers {
		size += len(h.Name) + len(h.Value)
	}
	if a.Target.Body != nil {
		size += len(*a.Target.Body)
	}
	return size
}
