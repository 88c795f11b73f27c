package fsm

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/job"
)

// raftNode is a store under a real raft.
type raftNode struct {
	*node
	raft      *raft.Raft
	log       *raft.InmemStore
	transport *raft.InmemTransport
	id        raft.ServerID
}

func startRaft(t *testing.T, id raft.ServerID, files vfs.FS, log *raft.InmemStore) *raftNode {
	t.Helper()
	n := &raftNode{node: &node{TB: t, cfg: Config{FS: files, Dir: "store"}}, log: log, id: id}
	n.reopen()
	_, n.transport = raft.NewInmemTransport(raft.ServerAddress(id))
	config := raft.DefaultConfig()
	config.LocalID = id
	config.NoSnapshotRestoreOnStart = true
	config.TrailingLogs = 0
	config.BatchApplyCh = true
	config.Logger = hclog.New(&hclog.LoggerOptions{Output: io.Discard})
	r, err := raft.NewRaft(config, n.Store, log, log, n.Snapshots(), n.transport)
	n.must(err)
	n.raft = r
	return n
}

func (n *raftNode) stop() {
	n.must(n.raft.Shutdown().Error())
	n.must(n.transport.Close())
	n.must(n.Close())
}

func (n *raftNode) commit(d job.Decision) {
	n.Helper()
	b, err := Encode(d, 0)
	n.must(err)
	n.must(n.raft.Apply(b, time.Minute).Error())
}

func connect(nodes ...*raftNode) {
	for _, a := range nodes {
		for _, b := range nodes {
			a.transport.Connect(b.transport.LocalAddr(), b.transport)
		}
	}
}

// TestRaft has a leader that compacts its log away, so that a new member can
// only be brought up by a snapshot, and restarts of both.
func TestRaft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		filesA, filesB := vfs.NewMem(), vfs.NewMem()
		logA, logB := raft.NewInmemStore(), raft.NewInmemStore()
		a := startRaft(t, "a", filesA, logA)
		connect(a)
		a.must(a.raft.BootstrapCluster(raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}}}).Error())
		<-a.raft.LeaderCh()
		a.commit(put(jobA, at(1), spec(job.OverlapAllow)))
		for i := 1; i <= 50; i++ {
			a.commit(plan(i))
		}
		a.must(a.raft.Snapshot().Error())
		a.commit(plan(51))
		first, err := logA.FirstIndex()
		a.must(err)
		equal(t, "the log begins late", first > 50, true)

		b := startRaft(t, "b", filesB, logB)
		connect(a, b)
		a.must(a.raft.AddVoter("b", "b", 0, 0).Error())
		a.commit(plan(52))
		b.must(b.WaitApplied(t.Context(), a.Applied()))
		equal(t, "hash", b.hash(), a.hash())
		equal(t, "memory", b.memory(), a.memory())
		equal(t, "the first state was replaced", b.names()[1], "db-2")

		b.must(b.raft.Snapshot().Error())
		a.must(a.raft.RemoveServer("b", 0, 0).Error())
		b.stop()
		a.stop()
		a = startRaft(t, "a", filesA, logA)
		defer a.stop()
		connect(a)
		<-a.raft.LeaderCh()
		a.commit(plan(53))
		b = startRaft(t, "b", filesB, logB)
		defer b.stop()
		connect(a, b)
		a.must(a.raft.AddVoter("b", "b", 0, 0).Error())
		a.commit(plan(54))
		b.must(b.WaitApplied(t.Context(), a.Applied()))
		equal(t, "hash after restarts", b.hash(), a.hash())
		equal(t, "memory after restarts", b.memory(), a.memory())
	})
}
