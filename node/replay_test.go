package node_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
)

// TestUpdate_OfAJobThatCatchesUp pauses a job that fires each of the thousands of
// slots that it has missed: what it gives up is on record, and nothing else fires.
func TestUpdate_OfAJobThatCatchesUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var ahead atomic.Int64
	cfg := node.Config{
		ID: "alone", DataDir: t.TempDir(), RootKey: rootKey, Secret: testSecret(t, "m"),
		PeerAddr: freeAddr(t), GossipAddr: freeAddr(t), HTTPAddr: freeAddr(t),
	}
	parts, err := node.Listen(cfg.PeerAddr, cfg.GossipAddr, nil)
	if err != nil {
		t.Fatal(err)
	}
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
	spec := secondJob()
	spec.Misfire = job.MisfireFireAll
	var made job.Job
	poll(ctx, t, "a job that fires each missed slot", func() bool {
		made, _, err = n.Jobs().Create(ctx, by, spec, nil)
		if err != nil && !errors.Is(err, job.ErrOldMember) {
			t.Fatal(err)
		}
		return err == nil
	})
	ahead.Store(int64(5 * time.Hour))
	poll(ctx, t, "the replay", func() bool {
		list, err := newest(ctx, n, made.ID, 500)
		if err != nil {
			t.Fatal(err)
		}
		return len(list) > 20
	})
	pause := func(s *job.Spec) error { s.State = job.Paused; return nil }
	after, err := n.Jobs().Update(ctx, "", made.ID, 0, pause)
	if err != nil {
		t.Fatalf("pause: %v", err)
	}
	if after.State != job.Paused || after.Counts.Missed < 10000 {
		t.Errorf("paused after hours behind, with %d missed slots: %+v", after.Counts.Missed, after.State)
	}
}
