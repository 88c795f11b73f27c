package fsm

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/job"
)

var configuration = raft.Configuration{Servers: []raft.Server{{Suffrage: raft.Voter, ID: "n1", Address: "127.0.0.1:8401"}}}

// snapshot does what raft does to take one of its own.
func (n *node) snapshot() {
	n.Helper()
	s, err := n.Store.Snapshot()
	n.must(err)
	to := n.create(n.Applied())
	n.must(s.Persist(to))
	n.must(to.Close())
	s.Release()
}

func (n *node) create(index uint64) raft.SnapshotSink {
	n.Helper()
	to, err := n.Snapshots().Create(1, index, 3, configuration, 1, nil)
	n.must(err)
	return to
}

func (n *node) newest() *raft.SnapshotMeta {
	n.Helper()
	list, err := n.Snapshots().List()
	n.must(err)
	if len(list) == 0 {
		n.Fatal("there is no snapshot")
	}
	return list[0]
}

// stream is what a follower gets.
func (n *node) stream() (*raft.SnapshotMeta, []byte) {
	n.Helper()
	n.snapshot()
	meta, r, err := n.Snapshots().Open(n.newest().ID)
	n.must(err)
	content, err := io.ReadAll(r)
	n.must(err)
	n.must(r.Close())
	return meta, content
}

// receive stores a snapshot that a leader sends.
func (n *node) receive(meta *raft.SnapshotMeta, content []byte) {
	n.Helper()
	to := n.create(meta.Index)
	_, err := io.Copy(to, bytes.NewReader(content))
	n.must(err)
	n.must(to.Close())
}

// restoreFrom does what raft does to install a snapshot of another node.
func (n *node) restoreFrom(other *node) {
	n.Helper()
	n.receive(other.stream())
	_, r, err := n.Snapshots().Open(n.newest().ID)
	n.must(err)
	n.must(n.Restore(r))
	n.must(r.Close())
	n.log = slices.Clone(other.log)
}

// names lists a folder of the store.
func (n *node) names(dir ...string) []string {
	n.Helper()
	names, err := n.cfg.FS.List(n.cfg.FS.PathJoin(append([]string{n.cfg.Dir}, dir...)...))
	n.must(err)
	slices.Sort(names)
	return names
}

func TestSnapshot_OwnHasNoContent(t *testing.T) {
	t.Parallel()
	files := vfs.NewCrashableMem()
	n := busy(t, files)
	n.snapshot()
	m := n.newest()
	equal(t, "index", m.Index, n.Applied())
	equal(t, "configuration", fmt.Sprint(m.Configuration), fmt.Sprint(configuration))
	equal(t, "files", fmt.Sprint(n.names("snapshots", m.ID)), "[meta.json]")

	crashed := &node{TB: t, cfg: n.cfg}
	crashed.cfg.FS = files.CrashClone(vfs.CrashCloneCfg{})
	crashed.reopen()
	defer func() { crashed.must(crashed.Close()) }()
	equal(t, "flushed", crashed.hash(), n.hash())
	equal(t, "kept", fmt.Sprint(crashed.newest()), fmt.Sprint(m))
}

func TestSnapshots_KeepsTheNewest(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	for i := 1; i <= 4; i++ {
		n.do(plan(i))
		n.snapshot()
	}
	list, err := n.Snapshots().List()
	n.must(err)
	equal(t, "kept", len(list), retained)
	equal(t, "newest", list[0].Index, n.Applied())
	equal(t, "older", list[1].Index, n.Applied()-1)
	equal(t, "folders", len(n.names("snapshots")), retained)
	n.snapshot() // at the same index again
	equal(t, "folders", len(n.names("snapshots")), retained)
	n.must(n.Close())
	n.reopen()
	again, err := n.Snapshots().List()
	n.must(err)
	equal(t, "after a restart", len(again), retained)
	equal(t, "newest after a restart", again[0].Index, n.Applied())
}

func TestSnapshots_Sink(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	if _, err := n.Snapshots().Create(0, 1, 1, configuration, 1, nil); err == nil {
		t.Error("version 0 was accepted")
	}
	given := n.create(5)
	_, err := given.Write([]byte("half"))
	n.must(err)
	n.must(given.Cancel())
	n.must(given.Cancel())
	n.must(given.Close())
	if err := n.create(5).Close(); err == nil {
		t.Error("a snapshot with nothing in it was accepted from a leader")
	}
	list, err := n.Snapshots().List()
	n.must(err)
	equal(t, "snapshots", len(list), 0)
	equal(t, "folders", len(n.names("snapshots")), 0)
	if _, _, err := n.Snapshots().Open("3-5-1"); err == nil {
		t.Error("an unknown snapshot was opened")
	}
	own, err := n.Store.Snapshot()
	n.must(err)
	if err := own.Persist(&raft.InmemSnapshotSink{}); err == nil {
		t.Error("a foreign sink was accepted")
	}
	_ = n.create(7) // a crash leaves it incomplete
	n.must(n.Close())
	n.reopen()
	equal(t, "folders after a restart", len(n.names("snapshots")), 0)
}

func TestSnapshots_StreamsACheckpoint(t *testing.T) {
	t.Parallel()
	a := busy(t, vfs.NewMem())
	a.snapshot()
	index := a.Applied()
	a.do(plan(3)) // newer than the snapshot
	meta, r, err := a.Snapshots().Open(a.newest().ID)
	a.must(err)
	equal(t, "index", meta.Index, index)
	hash, memory := a.hash(), a.memory()
	a.do(plan(4)) // while it is streamed
	content, err := io.ReadAll(r)
	a.must(err)
	a.must(r.Close())
	equal(t, "size", meta.Size, int64(len(content)))
	equal(t, "left", fmt.Sprint(a.names()), "[CURRENT db-1 snapshots]")

	b := busy(t, vfs.NewMem())
	b.do(job.DeleteJob{At: at(3), ID: jobA})
	b.must(b.Restore(io.NopCloser(bytes.NewReader(content))))
	equal(t, "hash", b.hash(), hash)
	equal(t, "memory", b.memory(), memory)
	equal(t, "applied", b.Applied(), index+1)
	equal(t, "left", fmt.Sprint(b.names()), "[CURRENT db-2 snapshots]")

	b.log = slices.Clone(a.log)
	b.ApplyBatch(a.log)
	equal(t, "hash after the rest of the log", b.hash(), a.hash())
	b.must(b.Close())
	b.reopen()
	equal(t, "hash after a restart", b.hash(), a.hash())
	c := newNode(t)
	c.restoreFrom(b)
	equal(t, "hash of a copy's copy", c.hash(), a.hash())
}

func TestSnapshots_ClosedStreamLeavesNothing(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	n.snapshot()
	for _, read := range []int64{0, 10, 500, 2000} {
		_, r, err := n.Snapshots().Open(n.newest().ID)
		n.must(err)
		_, err = io.CopyN(io.Discard, r, read)
		n.must(err)
		n.must(r.Close())
	}
	equal(t, "left", fmt.Sprint(n.names()), "[CURRENT db-1 snapshots]")
}

func TestRestore_DropsTheContent(t *testing.T) {
	t.Parallel()
	a, b := busy(t, vfs.NewMem()), newNode(t)
	b.restoreFrom(a)
	equal(t, "files", fmt.Sprint(b.names("snapshots", b.newest().ID)), "[meta.json]")
	b.must(b.Close())
	b.reopen()
	equal(t, "hash", b.hash(), a.hash())
	// It can be sent on, as a checkpoint.
	_, content := b.stream()
	c := newNode(t)
	c.must(c.Restore(io.NopCloser(bytes.NewReader(content))))
	equal(t, "hash", c.hash(), a.hash())
}

// TestRecoverSnapshot is rule D1: raft has stored a leader's snapshot, and the
// machine stops before the store has restored it.
func TestRecoverSnapshot(t *testing.T) {
	t.Parallel()
	a := busy(t, vfs.NewMem())
	files := vfs.NewCrashableMem()
	b := newNodeOn(t, files)
	b.do(put(jobB, at(1), spec(job.OverlapSkip)))
	b.snapshot()
	b.receive(a.stream())

	crashed := &node{TB: t, cfg: b.cfg, log: a.log}
	crashed.cfg.FS = files.CrashClone(vfs.CrashCloneCfg{})
	s, err := Open(crashed.cfg)
	crashed.must(err)
	equal(t, "applied before", s.Applied(), 1)
	equal(t, "newest before", crashedNewest(t, s), a.Applied())
	crashed.must(s.RecoverSnapshot())
	crashed.Store = s
	equal(t, "applied", s.Applied(), a.Applied())
	equal(t, "hash", crashed.hash(), a.hash())
	crashed.must(s.Close())
	crashed.reopen()
	equal(t, "hash after a restart", crashed.hash(), a.hash())
	crashed.must(crashed.Close())
}

func crashedNewest(t *testing.T, s *Store) uint64 {
	t.Helper()
	return (&node{TB: t, Store: s}).newest().Index
}

func TestRecoverSnapshot_AlreadyRestored(t *testing.T) {
	t.Parallel()
	a := busy(t, vfs.NewMem())
	b := newNode(t)
	meta, content := a.stream()
	b.must(b.Restore(io.NopCloser(bytes.NewReader(content))))
	b.receive(meta, content) // as if the machine had stopped before the content was dropped
	b.must(b.RecoverSnapshot())
	equal(t, "files", fmt.Sprint(b.names("snapshots", b.newest().ID)), "[meta.json]")
	equal(t, "left", fmt.Sprint(b.names()), "[CURRENT db-2 snapshots]")
}

// TestRecoverSnapshot_AheadByNoOps: raft counts entries that it keeps to itself.
func TestRecoverSnapshot_AheadByNoOps(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	s, err := n.Store.Snapshot()
	n.must(err)
	n.must(s.Persist(n.create(n.Applied() + 2)))
	n.must(n.Close())
	n.reopen()
	_, content := n.stream()
	b := newNode(t)
	b.receive(&raft.SnapshotMeta{Index: n.Applied() + 2}, content)
	b.must(b.RecoverSnapshot())
	equal(t, "hash", b.hash(), n.hash())
	b.must(b.Close())
	b.reopen()
	equal(t, "left", fmt.Sprint(b.names()), "[CURRENT db-2 snapshots]")
}

// watchedFS calls before with every change of a file system, from whatever
// goroutine makes it.
type watchedFS struct {
	vfs.FS
	before func()
}

func (f watchedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f.before()
	return f.FS.Create(name, c)
}

func (f watchedFS) Link(from, to string) error {
	f.before()
	return f.FS.Link(from, to)
}

func (f watchedFS) Rename(from, to string) error {
	f.before()
	return f.FS.Rename(from, to)
}

func (f watchedFS) Remove(name string) error {
	f.before()
	return f.FS.Remove(name)
}

func (f watchedFS) RemoveAll(name string) error {
	f.before()
	return f.FS.RemoveAll(name)
}

func (f watchedFS) OpenDir(name string) (vfs.File, error) {
	f.before()
	return f.FS.OpenDir(name)
}

// TestRestore_CrashAnywhere takes what a loss of power would leave before each
// change that a restore makes. The next start has the old state or the new one,
// and recovers to the new one, since raft has the snapshot.
func TestRestore_CrashAnywhere(t *testing.T) {
	t.Parallel()
	a := busy(t, vfs.NewMem())
	meta, content := a.stream()
	files := vfs.NewCrashableMem()
	var mu sync.Mutex // guards what follows
	var crashes []*vfs.MemFS
	restoring := false
	random := rand.New(rand.NewPCG(1, 2))
	b := newNodeOn(t, watchedFS{files, func() {
		mu.Lock()
		defer mu.Unlock()
		if restoring {
			crashes = append(crashes, files.CrashClone(vfs.CrashCloneCfg{}),
				files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: random}))
		}
	}})
	watch := func(on bool) {
		mu.Lock()
		defer mu.Unlock()
		restoring = on
	}
	b.do(put(jobB, at(1), spec(job.OverlapSkip)))
	b.snapshot()
	old := b.hash()
	b.receive(meta, content)
	watch(true)
	b.must(b.Restore(io.NopCloser(bytes.NewReader(content))))
	watch(false)
	equal(t, "crashes are many", len(crashes) > 20, true)
	for i, crash := range crashes {
		c := &node{TB: t, cfg: b.cfg}
		c.cfg.FS = crash
		s, err := Open(c.cfg)
		c.must(err)
		c.Store = s
		if got := c.hash(); got != old && got != a.hash() {
			t.Errorf("crash %d left a state that is neither the old one nor the new one", i)
		}
		c.must(s.RecoverSnapshot())
		equal(t, fmt.Sprintf("crash %d: hash", i), c.hash(), a.hash())
		equal(t, fmt.Sprintf("crash %d: databases", i), len(c.names()), 3)
		c.must(c.Close())
	}
}

// TestRestore_OlderSnapshotKeepsANewerOne fails to restore one snapshot and then
// restores an older one of another leader: the newer one must not count as
// restored, for raft will take its index for applied (rule D1).
func TestRestore_OlderSnapshotKeepsANewerOne(t *testing.T) {
	t.Parallel()
	leader := withJob(t, job.OverlapAllow)
	for i := 1; i <= 5; i++ {
		leader.do(plan(i))
	}
	oldMeta, old := leader.stream()
	for i := 6; i <= 12; i++ {
		leader.do(plan(i))
	}
	newMeta, newer := leader.stream()
	f := newNode(t)
	f.receive(newMeta, newer)
	if err := f.Restore(io.NopCloser(bytes.NewReader(newer[:len(newer)/2]))); err == nil {
		t.Fatal("half a stream was restored")
	}
	f.receive(oldMeta, old)
	f.must(f.Restore(io.NopCloser(bytes.NewReader(old))))
	f.must(f.Close())
	f.reopen()
	if f.newest().Index > f.Applied() {
		t.Errorf("raft takes %d for applied, and the store has %d", f.newest().Index, f.Applied())
	}
}
