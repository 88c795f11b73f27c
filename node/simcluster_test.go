//go:build !race

package node_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/internal/secret"
	"github.com/cronraft/cronraft/node"
	"github.com/cronraft/cronraft/transport/memnet"
)

// simTiming is slow on purpose: an idle simulated day is mostly heartbeats.
var simTiming = node.Timing{
	Election: 2 * time.Second, Commit: time.Second, NodeLost: 20 * time.Second, Gossip: 10 * time.Second, Rejoin: 30 * time.Second,
}

// simCluster is a cluster in one synctest bubble: real nodes over a network, disks
// and logs in memory.
type simCluster struct {
	t       *testing.T
	network *memnet.Network
	gossip  *gossipNet
	secret  *secret.Cluster
	nodes   []*simNode
	target  *simTarget
}

// simNode is one member and what survives its crashes.
type simNode struct {
	id, host string
	fs       *vfs.MemFS
	log      memoryLog
	raft     *raft.InmemTransport
	node     *node.Node // nil while it is down
}

// memoryLog is a raft log that outlives its node.
type memoryLog struct{ *raft.InmemStore }

// Close keeps everything: the next life opens it again.
func (memoryLog) Close() error { return nil }

func newSimCluster(t *testing.T, size int) *simCluster {
	t.Helper()
	key, err := secret.Parse(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 32))))
	if err != nil {
		t.Fatal(err)
	}
	network := memnet.New()
	c := &simCluster{t: t, network: network, gossip: newGossipNet(network), secret: key, target: newSimTarget(t, network)}
	for i := range size {
		c.nodes = append(c.nodes, &simNode{
			id: fmt.Sprintf("n%d", i+1), host: fmt.Sprintf("10.0.0.%d", i+1),
			fs: vfs.NewCrashableMem(), log: memoryLog{raft.NewInmemStore()},
		})
	}
	for i := range c.nodes {
		c.start(i)
	}
	return c
}

func (n *simNode) addr(port int) string { return net.JoinHostPort(n.host, strconv.Itoa(port)) }

// start begins a life of the i-th node.
func (c *simCluster) start(i int) {
	c.t.Helper()
	n := c.nodes[i]
	var join []string
	for _, o := range c.nodes {
		join = append(join, o.addr(8402))
	}
	peers, err := c.network.Listen(n.addr(8401))
	if err != nil {
		c.t.Fatal(err)
	}
	gossip, err := c.gossip.listen(n.addr(8402))
	if err != nil {
		c.t.Fatal(err)
	}
	n.raft = c.plugRaft(i)
	n.node, err = node.Start(c.t.Context(), node.Config{
		ID: n.id, DataDir: "data", Secret: c.secret, RootKey: rootKey,
		PeerAddr: n.addr(8401), GossipAddr: n.addr(8402), HTTPAddr: n.addr(8400),
		BootstrapExpect: len(c.nodes), Join: join, Version: "sim", Timing: simTiming,
		History:      node.History{PerJob: 100000},
		Compaction:   node.Compaction{Entries: 2000, Trailing: 500, Interval: 10 * time.Minute},
		CallbackDial: func(ctx context.Context, _, addr string) (net.Conn, error) { return c.network.Dial(ctx, n.host, addr) },
		Logger:       simLogger(),
	}, node.Parts{
		FS: n.fs, Log: n.log, Peers: peers, PlainPeers: true, Raft: n.raft, Gossip: gossip,
		Dial: func(ctx context.Context, addr string) (net.Conn, error) { return c.network.Dial(ctx, n.host, addr) },
	})
	if err != nil {
		c.t.Fatalf("start %s: %v", n.id, err)
	}
}

// simLogger writes to standard error if CRONRAFT_SIM_LOG names a level.
func simLogger() *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(os.Getenv("CRONRAFT_SIM_LOG"))) != nil {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// plugRaft connects a new raft transport of the i-th node with the others'.
func (c *simCluster) plugRaft(i int) *raft.InmemTransport {
	n := c.nodes[i]
	_, t := raft.NewInmemTransportWithTimeout(raft.ServerAddress(n.addr(8401)), simTiming.Election)
	for k, o := range c.nodes {
		if k != i && o.node != nil {
			t.Connect(raft.ServerAddress(o.addr(8401)), o.raft)
			o.raft.Connect(raft.ServerAddress(n.addr(8401)), t)
		}
	}
	return t
}

// crash ends the i-th node's life with power loss: what Pebble had not synced is
// gone. The raft log, synced at each entry, stays.
func (c *simCluster) crash(i int) {
	c.t.Helper()
	n := c.nodes[i]
	survives := n.fs.CrashClone(vfs.CrashCloneCfg{})
	c.end(i, n.node.Kill)
	n.fs = survives
}

// stop ends the i-th node's life gracefully.
func (c *simCluster) stop(i int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	if err := c.nodes[i].node.Drain(ctx); err != nil {
		c.t.Errorf("drain %s: %v", c.nodes[i].id, err)
	}
	c.end(i, c.nodes[i].node.Stop)
}

func (c *simCluster) end(i int, how func() error) {
	c.t.Helper()
	n := c.nodes[i]
	for k, o := range c.nodes {
		if k != i && o.node != nil {
			o.raft.Disconnect(raft.ServerAddress(n.addr(8401)))
		}
	}
	if err := how(); err != nil {
		c.t.Errorf("end %s: %v", n.id, err)
	}
	n.node = nil
}

// close ends what still lives.
func (c *simCluster) close() {
	for i, n := range c.nodes {
		if n.node != nil {
			c.end(i, n.node.Kill)
		}
	}
	c.target.close()
}

// leader is the index of the node in office; it waits for one.
func (c *simCluster) leader() int {
	c.t.Helper()
	for range 600 {
		if i := slices.IndexFunc(c.nodes, func(n *simNode) bool { return n.node != nil && n.node.Leads() }); i >= 0 {
			return i
		}
		time.Sleep(100 * time.Millisecond) // of the bubble's time
	}
	c.t.Fatal("no leader within a minute")
	return -1
}

// create makes a job through the leader.
func (c *simCluster) create(s job.Spec) job.Job {
	c.t.Helper()
	n := c.nodes[c.leader()].node
	by, err := n.Keys().Authenticate(c.t.Context(), rootKey)
	if err != nil {
		c.t.Fatal(err)
	}
	j, err := n.Jobs().Create(c.t.Context(), by, s)
	if err != nil {
		c.t.Fatal(err)
	}
	return j
}

// simTarget is what the jobs call.
type simTarget struct {
	server *http.Server
	ended  chan error

	// mu guards the deliveries, counted by execution and attempt.
	mu         sync.Mutex
	deliveries map[delivery]int
}

type delivery struct{ execution, attempt string }

func newSimTarget(t *testing.T, network *memnet.Network) *simTarget {
	t.Helper()
	listener, err := network.Listen("target:80")
	if err != nil {
		t.Fatal(err)
	}
	s := &simTarget{ended: make(chan error, 1), deliveries: map[delivery]int{}}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { s.ended <- s.server.Serve(listener) }()
	return s
}

// ServeHTTP notes a callback; ?hold= keeps it open, ?fail= answers 503 to so
// many first attempts.
func (s *simTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := r.Header
	s.mu.Lock()
	s.deliveries[delivery{h.Get("X-Cron-Execution-Id"), h.Get("X-Cron-Attempt")}]++
	s.mu.Unlock()
	if hold, err := time.ParseDuration(r.FormValue("hold")); err == nil {
		select {
		case <-time.After(hold):
		case <-r.Context().Done():
		}
	}
	fail, _ := strconv.Atoi(r.FormValue("fail"))
	if attempt, err := strconv.Atoi(h.Get("X-Cron-Attempt")); err == nil && attempt <= fail {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (s *simTarget) close() {
	s.server.Close()
	<-s.ended
}

// setRaft cuts or heals raft between two nodes, both ways.
func (c *simCluster) setRaft(a, b *simNode, cut bool) {
	aAddr, bAddr := raft.ServerAddress(a.addr(8401)), raft.ServerAddress(b.addr(8401))
	if cut {
		a.raft.Disconnect(bAddr)
		b.raft.Disconnect(aAddr)
		return
	}
	a.raft.Connect(bAddr, b.raft)
	b.raft.Connect(aAddr, a.raft)
}
