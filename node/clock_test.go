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
