package fsm

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cronraft/cronraft/internal/job"
)

// backup takes a whole backup.
func (n *node) backup() (*Backup, []byte) {
	n.Helper()
	b, err := n.Store.Backup()
	n.must(err)
	content, err := io.ReadAll(b)
	n.must(err)
	n.must(b.Close())
	return b, content
}

func TestBackup_Restores(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	b, content := n.backup()
	equal(t, "index", b.Index, n.Applied())
	equal(t, "cluster", b.ClusterID, n.ClusterID())
	equal(t, "size", b.Size, int64(len(content)))
	equal(t, "left", strings.Join(n.names(), " "), "CURRENT db-1 snapshots")

	fresh := newNode(t)
	fresh.must(fresh.Restore(io.NopCloser(bytes.NewReader(content))))
	equal(t, "restored index", fresh.Applied(), b.Index)
	equal(t, "restored hash", fresh.hash(), n.hash())
	equal(t, "restored memory", fresh.memory(), n.memory())
}

// The state goes on meanwhile, and the backup does not notice.
func TestBackup_StaysAtItsIndex(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	n.do(plan(1))
	index, hash := n.Applied(), n.hash()
	b, err := n.Store.Backup()
	n.must(err)
	for i := 2; i < 50; i++ {
		n.do(plan(i))
	}
	n.snapshot() // flushes, too
	fresh := newNode(t)
	fresh.must(fresh.Restore(b))
	n.must(b.Close())
	equal(t, "index", b.Index, index)
	equal(t, "restored index", fresh.Applied(), index)
	equal(t, "restored hash", fresh.hash(), hash)
}

// Backups that are taken while entries are applied and flushed name the index that
// they really have, and restore what the state was there.
func TestBackup_WhileApplying(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	hashes := map[uint64]string{n.Applied(): n.hash()}
	end := make(chan struct{})
	taken := make([][]*Backup, 2)
	var taking sync.WaitGroup
	for i := range taken {
		taking.Go(func() {
			for over := false; !over; {
				select {
				case <-end:
					over = true // after one more
				default:
				}
				b, err := n.Store.Backup()
				if err != nil {
					t.Error(err)
					return
				}
				taken[i] = append(taken[i], b)
			}
		})
	}
	for i := 1; i <= 60; i++ {
		n.do(plan(i))
		hashes[n.Applied()] = n.hash()
	}
	close(end)
	taking.Wait()
	for _, b := range slices.Concat(taken...) {
		fresh := newNode(t)
		fresh.must(fresh.Restore(b))
		fresh.must(b.Close())
		equal(t, "index", fresh.Applied(), b.Index)
		equal(t, "hash", fresh.hash(), hashes[b.Index])
	}
	equal(t, "left", strings.Join(n.names(), " "), "CURRENT db-1 snapshots")
}

func TestBackup_DamageIsNoticed(t *testing.T) {
	t.Parallel()
	_, content := busy(t, vfs.NewMem()).backup()
	fresh := newNode(t)
	hash := fresh.hash()
	for cut := 0; cut < len(content); cut += 1 + len(content)/97 {
		if err := fresh.Restore(io.NopCloser(bytes.NewReader(content[:cut]))); err == nil {
			t.Errorf("%d of %d bytes were restored", cut, len(content))
		}
		changed := bytes.Clone(content)
		changed[cut] ^= 0x10
		if err := fresh.Restore(io.NopCloser(bytes.NewReader(changed))); err == nil {
			t.Errorf("restored with another byte at %d", cut)
		}
	}
	equal(t, "hash", fresh.hash(), hash)
	equal(t, "left", strings.Join(fresh.names(), " "), "CURRENT db-1 snapshots")
}

// What a process leaves that dies while a backup is read is removed by the next start.
func TestBackup_LeftByACrash(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	b, err := n.Store.Backup()
	n.must(err)
	_, err = io.ReadFull(b, make([]byte, 1000))
	n.must(err)
	n.must(n.Store.Close())
	equal(t, "before", strings.Join(n.names(), " "), "CURRENT checkpoint-1 db-1 snapshots")
	n.reopen()
	equal(t, "after", strings.Join(n.names(), " "), "CURRENT db-1 snapshots")
}

func TestBackup_OfAClosedStore(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	n.must(n.Store.Close())
	if _, err := n.Store.Backup(); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
	equal(t, "left", strings.Join(n.names(), " "), "CURRENT db-1 snapshots")
}

// lockingFS refuses to lock a database while fail is set.
type lockingFS struct {
	vfs.FS
	fail atomic.Bool
}

func (f *lockingFS) Lock(name string) (io.Closer, error) {
	if f.fail.Load() {
		return nil, errFull
	}
	return f.FS.Lock(name)
}

// A copy that cannot be opened is no backup.
func TestBackup_CannotBeOpened(t *testing.T) {
	t.Parallel()
	files := &lockingFS{FS: vfs.NewMem()}
	n := busy(t, files)
	files.fail.Store(true)
	if _, err := n.Store.Backup(); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	equal(t, "left", strings.Join(n.names(), " "), "CURRENT db-1 snapshots")
}
