package node_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
)

// TestUpdate_WhileTheClockIsBehind changes a schedule after the clock was set back:
// slots that have a record already must not be due once more.
func TestUpdate_WhileTheClockIsBehind(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := node.Config{
		ID: "alone", DataDir: t.TempDir(), Secret: testSecret(t, "k"), RootKey: rootKey,
		PeerAddr: freeAddr(t), GossipAddr: freeAddr(t), HTTPAddr: freeAddr(t),
	}
	parts, err := node.Listen(cfg.PeerAddr, cfg.GossipAddr, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ahead atomic.Int64
	parts.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	n, err := node.Start(ctx, cfg, parts)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Kill()
	untilReady(ctx, t, n)
	by, err := n.Keys().Authenticate(ctx, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	j, _, err := n.Jobs().Create(ctx, by, secondJob(), nil)
	if err != nil {
		t.Fatal(err)
	}
	fired := func() []job.Execution {
		list, err := newest(ctx, n, j.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	poll(ctx, t, "a slot is fired", func() bool { return len(fired()) > 0 })
	ahead.Store(int64(-time.Hour))
	j, err = n.Jobs().Update(ctx, "", j.ID, 0, func(s *job.Spec) error {
		s.Schedule.Interval = 2 * time.Second
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if last := fired()[0].ScheduledAt; !j.NextRunAt.After(last) {
		t.Errorf("the next run is at %v, and the slot %v was fired already", j.NextRunAt, last)
	}
}

// TestUpdate_AfterAFastClock: a run by hand that a clock which was ahead asked for is no
// slot, and none is passed over because of it.
func TestUpdate_AfterAFastClock(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := startSingle(ctx, t)
	spec := secondJob()
	spec.Schedule.Interval = 24 * time.Hour
	j, _, err := s.Jobs().Create(ctx, root(ctx, t, s.Node), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.ahead.Store(int64(30 * time.Minute))
	if _, _, err := s.Executions().Run(ctx, "", j.ID, "", nil); err != nil {
		t.Fatal(err)
	}
	s.ahead.Store(0)
	j, err = s.Jobs().Update(ctx, "", j.ID, 0, func(s *job.Spec) error {
		s.Schedule.Interval = time.Minute
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if in := time.Until(j.NextRunAt); in > time.Minute {
		t.Errorf("the next run of a job of each minute is in %v", in)
	}
}
