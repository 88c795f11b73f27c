package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/localcluster"
)

// nothing is the baseline: what the workload looks like when nothing is done.
func nothing(ctx context.Context, s *stage) error {
	s.mark()
	return pause(ctx, s.span(8*time.Second, 20*time.Second))
}

// kill ends a node with SIGKILL. The fault ends when the node is ready again.
func (s *stage) kill(i int) (fault int, err error) {
	s.setDown(i, true)
	fault = s.begin(checker.FaultKill, i)
	if err := s.cluster.Kill(i); err != nil {
		return fault, fmt.Errorf("kill %s: %w", s.name(i), err)
	}
	return fault, nil
}

// revive starts a node again, which ends its fault.
func (s *stage) revive(ctx context.Context, i, fault int) error {
	err := s.start(ctx, i)
	s.end(fault)
	return err
}

// killFor kills a node for a while. The others have a leader by the end of it.
func killFor(short, full time.Duration) act {
	return func(ctx context.Context, s *stage, i int) error {
		s.mark()
		fault, err := s.kill(i)
		if err != nil {
			return err
		}
		if err := pause(ctx, s.span(short, full)); err != nil {
			return err
		}
		if _, err := s.leader(ctx, i); err != nil {
			return err
		}
		return s.revive(ctx, i, fault)
	}
}

// flappingLeaders kills whoever leads, every five seconds.
func flappingLeaders(ctx context.Context, s *stage) error {
	const every = 5 * time.Second
	for range int(s.span(20*time.Second, 40*time.Second) / every) {
		next := time.Now().Add(every)
		leader, err := s.leader(ctx)
		if err != nil {
			return err
		}
		s.mark()
		fault, err := s.kill(leader)
		if err != nil {
			return err
		}
		if _, err := s.leader(ctx, leader); err != nil {
			return err
		}
		if err := s.revive(ctx, leader, fault); err != nil {
			return err
		}
		if err := pause(ctx, time.Until(next)); err != nil {
			return err
		}
	}
	return nil
}

// transferLeadership has the leader hand over, every three seconds. It is no
// fault, and excuses nothing.
func transferLeadership(ctx context.Context, s *stage) error {
	for range int(s.span(12*time.Second, 30*time.Second) / (3 * time.Second)) {
		before, err := s.leader(ctx)
		if err != nil {
			return err
		}
		s.mark()
		r := ask(ctx, s.cluster, s.rng.IntN(s.cluster.Len()), localcluster.Request{Method: http.MethodPost, Path: "/cluster/transfer-leadership"})
		if r.outcome != checker.OK {
			return fmt.Errorf("transfer leadership: %d %s", r.Status, r.Body)
		}
		err = until(ctx, electLimit, "another leader after a transfer", func() bool {
			now := s.leaderNow(ctx, nil)
			return now >= 0 && now != before
		})
		if err != nil {
			return err
		}
		if err := pause(ctx, 3*time.Second); err != nil {
			return err
		}
	}
	return nil
}

func killMajority(ctx context.Context, s *stage) error {
	survivor, err := s.follower(ctx)
	if err != nil {
		return err
	}
	return s.killMany(ctx, s.span(10*time.Second, 15*time.Second), s.others(survivor))
}

func killAll(ctx context.Context, s *stage) error {
	return s.killMany(ctx, s.span(15*time.Second, 30*time.Second), s.others())
}

// killMany kills nodes at once and starts them again at once.
func (s *stage) killMany(ctx context.Context, d time.Duration, nodes []int) error {
	s.mark()
	var faults []int
	for _, i := range nodes {
		fault, err := s.kill(i)
		if err != nil {
			return err
		}
		faults = append(faults, fault)
	}
	if err := pause(ctx, d); err != nil {
		return err
	}
	for _, i := range nodes {
		if err := s.cluster.Restart(i); err != nil {
			return err
		}
	}
	for k, i := range nodes {
		if err := s.ready(ctx, i); err != nil {
			return err
		}
		s.end(faults[k])
	}
	return nil
}

// pauseFor stops a node with SIGSTOP for a while. The others have a leader by the
// end of it.
func pauseFor(d time.Duration) act {
	return func(ctx context.Context, s *stage, i int) error {
		s.mark()
		s.setDown(i, true)
		s.paused = append(s.paused, i)
		fault := s.begin(checker.FaultPause, i)
		if err := s.cluster.Pause(i); err != nil {
			return err
		}
		if err := pause(ctx, d); err != nil {
			return err
		}
		if !stopped(s.cluster.PID(i)) {
			return fmt.Errorf("%s was sent SIGSTOP and does not stand still", s.name(i))
		}
		if _, err := s.leader(ctx, i); err != nil {
			return err
		}
		err := s.cluster.Resume(i)
		s.end(fault)
		s.paused = nil
		return errors.Join(err, s.ready(ctx, i))
	}
}

// rollingRestart stops each node with SIGTERM and starts it again, one after the
// other, the leader among them.
func rollingRestart(ctx context.Context, s *stage) error {
	for i := range s.cluster.Len() {
		s.mark()
		s.setDown(i, true)
		fault := s.begin(checker.FaultStop, i)
		if err := s.cluster.Stop(i); err != nil {
			return fmt.Errorf("%s did not stop cleanly: %w", s.name(i), err)
		}
		if err := s.revive(ctx, i, fault); err != nil {
			return err
		}
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// firstCallback kills the leader again and again, at any time of a second, to
// measure how soon firing goes on.
func firstCallback(ctx context.Context, s *stage) error {
	const kills = 10
	for range kills {
		if err := pause(ctx, 3*time.Second+time.Duration(s.rng.IntN(1000))*time.Millisecond); err != nil {
			return err
		}
		if err := toLeader(killFor(5*time.Second, 5*time.Second))(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
