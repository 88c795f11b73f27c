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
// with the next. While the term's office is not confirmed it says nothing.
type sender struct {
	cfg       *Config
	node      *node
	losses    *losses
	office    *office
	announcer *announcer
	onAlive   func() // the node has become eligible
	logger    *slog.Logger

	// run alone uses the fields below.
	clock clockWatch
	next  time.Time // when the node is to be called again if there is nothing to send
	dead  bool      // the loss of the node was logged and announced
}

// run works until the term ends or the node is removed.
func (s *sender) run(ctx context.Context) error {
	defer s.clock.forget()
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
	if !s.office.isConfirmed(now) {
		return o.wait // the confirmation wakes it
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
		if s.node.isMember() {
			s.announcer.add(job.EventNodeLost, s.node.id)
		}
	case !silent && len(lost) > 0:
		s.logger.Warn("node restarted: the attempts of its earlier life are lost", "attempts", len(lost))
	}
	s.dead = silent
	unreached := s.node.giveUp()
	if len(unreached) > 0 {
		s.logger.Info("attempts that never came to the node go elsewhere", "attempts", len(unreached))
	}
	s.losses.add(append(lost, unreached...))
}

// call sends one batch and takes note of the answer. now is when the office was
// found confirmed: what the batch rests on had come by then.
func (s *sender) call(ctx context.Context, now time.Time, items []*item) {
	batch, sent := s.batch(now, items)
	rest, deadline, fresh := s.node.beginCall(now, sent)
	batch.Incarnation, batch.Token = rest.Incarnation, rest.Token
	bounded, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	began := time.Now()
	reply, err := s.cfg.Peers.Assign(bounded, s.node.id, batch)
	ended := time.Now()
	switch {
	case ctx.Err() != nil: // the term is over
		return
	case err != nil:
		s.failed(ended, err, fresh)
		return
	}
	s.answered(now, reply, sent, s.node.answer(reply, ended, s.clock.measure(reply.Clock, ended.Sub(began))))
}

// answered takes note of what an answer to a call that began at the given time
// has changed. A refusal settles nothing: the same is sent again.
func (s *sender) answered(began time.Time, reply job.BatchReply, sent []*item, c change) {
	if !reply.Refused {
		s.node.settle(sent...)
	}
	s.next = began.Add(c.pause)
	switch {
	case c.before > 0 && c.failures == 0:
		s.logger.Info("node answers again")
	case c.before == 0 && c.failures > 0:
		s.logger.Warn("node refuses even what rests on its last answer; trying again")
	}
	if c.becameAlive {
		s.onAlive()
	}
}

// failed takes note of a call without an answer; the fresh items went with it for
// the first time.
func (s *sender) failed(ended time.Time, err error, fresh []*item) {
	if !errors.Is(err, ErrNotDelivered) {
		fresh = nil
	}
	c := s.node.fail(fresh)
	s.next = ended.Add(c.pause)
	if c.before == 0 {
		s.logger.Info("node does not answer", "err", err)
	}
}

// batch builds a batch of the items, as many as it may hold. Those in it are
// returned; the others stay for a later one.
func (s *sender) batch(now time.Time, items []*item) (b job.Batch, sent []*item) {
	b = job.Batch{Term: s.cfg.Term, Leader: s.cfg.NodeID, Fenced: true, Lease: s.node.pace.lease}
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
