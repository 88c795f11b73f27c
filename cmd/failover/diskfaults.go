package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

// failLimit is how long a node may go on with a disk that fails.
const failLimit = 30 * time.Second

// moveToSmallDisk puts a follower's data on a small disk, before anything else
// happens.
func moveToSmallDisk(ctx context.Context, s *stage) (undo func(context.Context) error, err error) {
	victim, err := s.follower(ctx)
	if err != nil {
		return nil, err
	}
	fault := s.begin(checker.FaultStop, victim)
	if err := s.cluster.Stop(victim); err != nil {
		return nil, fmt.Errorf("%s did not stop cleanly: %w", s.name(victim), err)
	}
	s.small, err = mountSmallDisk(ctx, s.cluster.Node(victim).Dir)
	if err != nil {
		return nil, err
	}
	s.victim = victim
	undo = func(ctx context.Context) error {
		if err := s.cluster.Stop(victim); err != nil {
			return fmt.Errorf("%s did not stop cleanly: %w", s.name(victim), err)
		}
		return errors.Join(s.small.unmount(ctx), s.start(ctx, victim))
	}
	return undo, s.revive(ctx, victim, fault)
}

// diskFull fills the disk of the follower that has a small one, and frees it later.
// The node has to say so, to go on, and to catch up by itself.
func diskFull(ctx context.Context, s *stage) error {
	s.mark()
	log := s.logSize(s.victim)
	fault := s.begin(checker.FaultDisk, s.victim)
	if err := s.small.fill(); err != nil {
		return err
	}
	said := until(ctx, failLimit, s.name(s.victim)+" says that its disk is full", func() bool { return s.logSays(s.victim, log, "disk is") })
	if err := pause(ctx, s.span(10*time.Second, 20*time.Second)); err != nil {
		return err
	}
	if err := s.small.free(); err != nil {
		return err
	}
	err := s.ready(ctx, s.victim)
	s.end(fault)
	return errors.Join(said, err)
}

// fsyncError makes every fsync of a node fail. It has to stop and say why; wiped it
// joins again.
func fsyncError(ctx context.Context, s *stage, i int) error {
	strace, err := os.Create(filepath.Join(s.out, "strace.log"))
	if err != nil {
		return err
	}
	defer strace.Close()
	s.mark()
	s.setDown(i, true)
	log := s.logSize(i)
	fault := s.begin(checker.FaultDisk, i)
	t, err := attach(ctx, s.cluster.PID(i), "error=EIO", strace)
	if err != nil {
		return err
	}
	ended := s.endsSaying(ctx, i, log, "input/output error")
	if err := errors.Join(ended, t.detach()); err != nil {
		return err
	}
	if err := pause(ctx, s.span(5*time.Second, 10*time.Second)); err != nil {
		return err
	}
	if err := s.cluster.Wipe(i); err != nil {
		return err
	}
	return s.revive(ctx, i, fault)
}

// endsSaying waits until a node has stopped by itself, which has to be with an
// exit code and with a reason in its log from an offset on.
func (s *stage) endsSaying(ctx context.Context, i int, log int64, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, failLimit)
	defer cancel()
	code, err := s.cluster.WaitExit(ctx, i)
	if err != nil {
		return fmt.Errorf("%s goes on with a disk that fails: %w", s.name(i), err)
	}
	if code <= 0 || !s.logSays(i, log, reason) {
		return fmt.Errorf("%s stopped with exit code %d; wanted is one above 0, and %q in its log", s.name(i), code, reason)
	}
	return nil
}

// logSize is how long a node's log is.
func (s *stage) logSize(i int) int64 {
	info, err := os.Stat(s.cluster.Node(i).LogPath)
	if err != nil {
		return 0
	}
	return info.Size()
}

// logSays reports whether a node's log has the words from an offset on.
func (s *stage) logSays(i int, from int64, words string) bool {
	log, err := os.ReadFile(s.cluster.Node(i).LogPath)
	return err == nil && int64(len(log)) >= from && strings.Contains(string(log[from:]), words)
}

// slowDisk makes every fsync of a node take so much longer.
func slowDisk(by time.Duration) act {
	return func(ctx context.Context, s *stage, i int) error {
		strace, err := os.Create(filepath.Join(s.out, "strace.log"))
		if err != nil {
			return err
		}
		defer strace.Close()
		s.mark()
		fault := s.begin(checker.FaultDisk, i)
		t, err := attach(ctx, s.cluster.PID(i), fmt.Sprintf("delay_enter=%d", by.Microseconds()), strace)
		if err != nil {
			return err
		}
		waited := pause(ctx, 20*time.Second)
		err = t.detach()
		s.end(fault)
		if err := errors.Join(waited, err); err != nil {
			return err
		}
		return wasInjected(strace.Name())
	}
}

// wasInjected wants strace to have meddled with a call at least.
func wasInjected(log string) error {
	text, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), "(INJECTED)") && !strings.Contains(string(text), "(DELAYED)") {
		return errors.New("no fsync was made slow")
	}
	return nil
}
