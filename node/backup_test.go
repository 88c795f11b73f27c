package node_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cronraft/cronraft/fsm"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
)

// archive is a backup, read whole.
type archive struct {
	*node.Backup
	content []byte
}

func backUp(ctx context.Context, t *testing.T, n *node.Node) archive {
	t.Helper()
	b, err := n.Backup(ctx)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(b)
	if err = errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	if int64(len(content)) != b.Size {
		t.Errorf("the backup has %d bytes and says that it has %d", len(content), b.Size)
	}
	return archive{b, content}
}

// restored is an empty store that the backup was restored to.
func (a archive) restored(t *testing.T) *fsm.Store {
	t.Helper()
	s, err := fsm.Open(fsm.Config{FS: vfs.NewMem(), Dir: "store"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Restore(io.NopCloser(bytes.NewReader(a.content))); err != nil {
		t.Fatal(err)
	}
	if s.Applied() != a.Index || s.ClusterID() != a.ClusterID || a.ClusterID == "" {
		t.Errorf("restored index %d of cluster %q, want %d of %q", s.Applied(), s.ClusterID(), a.Index, a.ClusterID)
	}
	return s
}

// noCheckpoint wants no node to keep anything of its backups.
func (c *crew) noCheckpoint() {
	c.t.Helper()
	for id, cfg := range c.cfgs {
		if left, err := filepath.Glob(filepath.Join(cfg.DataDir, "store", "checkpoint-*")); err != nil || len(left) > 0 {
			c.t.Errorf("%s keeps %v, %v", id, left, err)
		}
	}
}

// hashes samples what the state's hash is at which index, until it is stopped.
type hashes struct {
	mu sync.Mutex // guards at
	at map[uint64]string
}

func (h *hashes) sample(ctx context.Context, nodes ...*node.Node) error {
	for ctx.Err() == nil {
		for _, n := range nodes {
			index, hash, err := n.StateHash(ctx)
			if err != nil {
				return err
			}
			h.mu.Lock()
			h.at[index] = hash
			h.mu.Unlock()
		}
	}
	return nil
}

func (h *hashes) of(index uint64) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at[index]
}

// TestBackup_OfAFollower takes backups of a follower while jobs are written. Each has
// what was acknowledged before it was asked for at a read point; and is, restored, the
// state that the nodes had at its index.
func TestBackup_OfAFollower(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := newCrew(ctx, t, 3)
	follower := c.nodes[c.follower(ctx)]
	nodes := c.all()

	busy, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	var last atomic.Pointer[job.Job]
	work.Go(func() {
		for i := 0; busy.Err() == nil; i++ {
			made, err := tryCreatePaused(busy, nodes[i%len(nodes)])
			if err == nil {
				last.Store(&made)
			}
		}
	})
	seen := &hashes{at: map[uint64]string{}}
	work.Go(func() {
		if err := seen.sample(busy, nodes...); err != nil {
			t.Error(err)
		}
	})

	poll(ctx, t, "a first job", func() bool { return last.Load() != nil })
	compared := 0
	poll(ctx, t, "three backups at indexes of which the hash is known", func() bool {
		known := last.Load().ID
		if err := follower.Barrier(ctx); err != nil {
			return false
		}
		a := backUp(ctx, t, follower)
		store := a.restored(t)
		if _, err := store.Job(known); err != nil {
			t.Errorf("the backup lacks an acknowledged job: %v", err)
		}
		if want := seen.of(a.Index); want != "" {
			compared++
			if _, hash, err := store.Hash(); err != nil || hash != want {
				t.Errorf("restored at index %d the hash is %s, %v, want %s", a.Index, hash, err, want)
			}
		}
		return compared == 3
	})
	stop()
	work.Wait()
	c.noCheckpoint()
}

// TestBackup_Half closes a backup that is half read: nothing of it is left.
func TestBackup_Half(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := newCrew(ctx, t, 1)
	_, n := c.leader(ctx)
	createPaused(ctx, t, n)
	b, err := n.Backup(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, b, b.Size/2); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	c.noCheckpoint()
	backUp(ctx, t, n).restored(t)
}

// TestBackup_NoRoom: a backup neither begins nor goes on when the disk is nearly full.
func TestBackup_NoRoom(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := node.Config{
		ID: "alone", DataDir: t.TempDir(), RootKey: rootKey, Secret: testSecret(t, "m"), DiskReserve: 1 << 20,
		PeerAddr: freeAddr(t), GossipAddr: freeAddr(t), HTTPAddr: freeAddr(t),
	}
	parts, err := node.Listen(cfg.PeerAddr, cfg.GossipAddr, nil)
	if err != nil {
		t.Fatal(err)
	}
	var full atomic.Bool
	parts.Room = func() (uint64, error) {
		if full.Load() {
			return 1, nil
		}
		return 1 << 40, nil
	}
	n, err := node.Start(ctx, cfg, parts)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Kill()
	untilReady(ctx, t, n)
	b, err := n.Backup(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(b, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	poll(ctx, t, "no new backups", func() bool {
		another, err := n.Backup(ctx)
		if err == nil {
			err = another.Close()
		}
		return job.CodeOf(err) == job.CodeDiskFull
	})
	if _, err := b.Read(make([]byte, 100)); job.CodeOf(err) != job.CodeDiskFull {
		t.Errorf("reading goes on: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	full.Store(false)
	poll(ctx, t, "backups again", func() bool {
		another, err := n.Backup(ctx)
		return err == nil && another.Close() == nil
	})
}
