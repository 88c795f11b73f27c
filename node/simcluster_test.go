//go:build !race

package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/secret"
	"github.com/cronraft/cronraft/node"
)

// simTiming is slow on purpose: an idle simulated day is mostly heartbeats.
var simTiming = node.Timing{
	Election: 1500 * time.Millisecond, Commit: time.Second, NodeLost: 20 * time.Second, Gossip: 10 * time.Second, Rejoin: 30 * time.Second,
	DiskPatience: 2 * time.Second,
}

const (
	// simReserve is the room below which a simulated disk is nearly full, and
	// simRoom what is free otherwise.
	simReserve = 1 << 20
	simRoom    = 1 << 30
)

// simCluster is a cluster in one synctest bubble: real nodes over networks, disks,
// logs and clocks that are not.
type simCluster struct {
	t          *testing.T
	links      *simLinks
	gossip     *gossipNet
	raft       *raftNet
	secret     *secret.Cluster
	compaction node.Compaction
	target     *simTarget
	extras     *simExtras
	history    *simHistory

	// mu guards the fields below.
	mu    sync.Mutex
	nodes []*simNode // the members
	most  int        // members that there ever were at a time
	made  int        // nodes that there ever were
}

// newSimCluster makes a cluster without members.
func newSimCluster(t *testing.T) *simCluster {
	t.Helper()
	links := newSimLinks()
	c := &simCluster{
		t: t, links: links, gossip: newGossipNet(links), raft: newRaftNet(links, simTiming.Election),
		secret: testSecret(t, "s"), history: newSimHistory(),
		compaction: node.Compaction{Entries: 2000, Trailing: 500, Interval: 10 * time.Minute},
	}
	c.target = newSimTarget(t, links, "target:80", c.nameAt)
	c.extras = &simExtras{c: c, target: newSimTarget(t, links, "extras:80", c.nameAt)}
	return c
}

// found starts the first members, and waits until they are a cluster.
func (c *simCluster) found(size int) {
	c.t.Helper()
	for range size {
		c.add(size)
	}
	for _, n := range c.members() {
		c.start(n)
	}
	if !c.untilWhole() {
		c.t.FailNow()
	}
}

// add makes a member with an empty disk.
func (c *simCluster) add(expect int) *simNode {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	n := &simNode{
		id: fmt.Sprintf("n%d", c.made), host: fmt.Sprintf("10.0.%d.%d", c.made/200, c.made%200+1),
		expect: expect, disk: newSimDisk(),
	}
	n.room.Store(simRoom)
	c.nodes = append(c.nodes, n)
	c.most = max(c.most, len(c.nodes))
	return n
}

// drop takes a member off the list.
func (c *simCluster) drop(n *simNode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = slices.DeleteFunc(c.nodes, func(o *simNode) bool { return o == n })
}

func (c *simCluster) members() []*simNode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.nodes)
}

// lives are the processes that run.
func (c *simCluster) lives() []*simLife {
	var out []*simLife
	for _, n := range c.members() {
		if l := n.life.Load(); l != nil && !l.isDark() {
			out = append(out, l)
		}
	}
	return out
}

func (c *simCluster) nameAt(host string) string {
	for _, n := range c.members() {
		if n.host == host {
			return n.id
		}
	}
	return ""
}

func (n *simNode) addr(port int) string { return net.JoinHostPort(n.host, strconv.Itoa(port)) }

// start begins a life of the node. One that loses its power before it has started
// is buried, and another one begins.
func (c *simCluster) start(n *simNode) {
	c.t.Helper()
	for {
		c.links.switchOn(n.host)
		l := newSimLife(n, c.links)
		var err error
		started := make(chan struct{})
		go func() {
			defer close(started)
			l.Node, err = c.launch(l)
		}()
		select {
		case <-started:
		case <-l.dark:
		}
		if !l.isDark() {
			if err != nil {
				c.t.Fatalf("start %s: %v", n.id, err)
			}
			n.life.Store(l)
			go l.watch(c.t)
			return
		}
		close(l.torn)
		<-started
		if l.Node != nil {
			l.Kill()
		}
		n.disk = l.left
	}
}

func (c *simCluster) launch(l *simLife) (*node.Node, error) {
	n := l.owner
	peers, err := c.links.streams.Listen(n.addr(8401))
	if err != nil {
		return nil, err
	}
	gossip, err := c.gossip.listen(n.addr(8402))
	if err != nil {
		return nil, err
	}
	var join []string
	for _, o := range c.members() {
		join = append(join, o.addr(8402))
	}
	dial := func(ctx context.Context, addr string) (net.Conn, error) { return c.links.dial(ctx, n.host, addr) }
	return node.Start(c.t.Context(), node.Config{
		ID: n.id, DataDir: "data", Secret: c.secret, RootKey: rootKey,
		PeerAddr: n.addr(8401), GossipAddr: n.addr(8402), HTTPAddr: n.addr(8400),
		BootstrapExpect: n.expect, Join: join, Version: "sim", Timing: simTiming,
		History:         node.History{PerJob: 1000000, MaxAge: 100 * 24 * time.Hour},
		Compaction:      c.compaction,
		StoreCacheBytes: 8 << 20, DiskReserve: simReserve,
		CallbackDial: func(ctx context.Context, _, addr string) (net.Conn, error) { return dial(ctx, addr) },
		Logger:       simLogger(),
	}, node.Parts{
		FS: tappedFiles{l.disk.files, l.reached}, Log: tappedLog{l.disk.log, l.reached}, Peers: peers, PlainPeers: true, Raft: c.raft.listen(n.addr(8401)), Gossip: gossip,
		Dial: dial, Room: func() (uint64, error) { return n.room.Load(), nil }, Now: n.now, Reached: l.reached,
	})
}

// simLogger writes to standard error if CRONRAFT_SIM_LOG names a level.
func simLogger() *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(os.Getenv("CRONRAFT_SIM_LOG"))) != nil {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// crash takes the power of a node that lives, and collects what is left of its
// process.
func (c *simCluster) crash(n *simNode) {
	l := n.life.Load()
	l.losePower()
	c.bury(l)
}

// bury collects a process without power.
func (c *simCluster) bury(l *simLife) {
	l.owner.life.Store(nil)
	l.disk.log.release()
	close(l.torn)
	l.Kill() // its errors are those of a network and a disk that are gone
	l.owner.disk = l.left
}

// stop ends the node's life gracefully.
func (c *simCluster) stop(n *simNode) {
	c.t.Helper()
	l := n.life.Load()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	if err := l.Drain(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) { // some requests last longer
		c.t.Errorf("drain %s: %v", n.id, err)
	}
	n.life.Store(nil)
	close(l.torn)
	if err := l.Stop(); err != nil {
		c.t.Errorf("stop %s: %v", n.id, err)
	}
}

// close ends what still lives.
func (c *simCluster) close() {
	for _, n := range c.members() {
		if n.life.Load() != nil {
			c.crash(n)
		}
	}
	c.target.close()
	c.extras.target.close()
	time.Sleep(time.Minute) // memberlist's goroutines end when their time-outs do
}

// leader is a node in office. It waits for one; nil if there is none within a
// minute.
func (c *simCluster) leader() *simNode {
	for range 600 {
		if lives := c.leaders(); len(lives) > 0 {
			return lives[0].owner
		}
		time.Sleep(100 * time.Millisecond) // of the bubble's time
	}
	return nil
}

// leaders are the processes that believe to lead.
func (c *simCluster) leaders() []*simLife {
	return slices.DeleteFunc(c.lives(), func(l *simLife) bool { return !l.Leads() })
}

// isLedWithout reports whether another node leads. One whose disk hangs, or that is
// cut off, may not have noticed.
func (c *simCluster) isLedWithout(n *simNode) bool {
	return slices.ContainsFunc(c.leaders(), func(l *simLife) bool { return l.owner != n })
}

// follower is a member that lives and does not lead, by chance; nil if there is
// none.
func (c *simCluster) follower(chance *rand.Rand) *simNode {
	lives := slices.DeleteFunc(c.lives(), func(l *simLife) bool { return l.Leads() })
	if len(lives) == 0 {
		return nil
	}
	return lives[chance.IntN(len(lives))].owner
}

// isolate cuts a node off from the other members, but not from the target.
func (c *simCluster) isolate(n *simNode) {
	for _, o := range c.members() {
		if o != n {
			c.links.cut(n.host, o.host)
			c.links.cut(o.host, n.host)
		}
	}
}

// fault notes something that begins now, until the function is called that it
// returns.
func (c *simCluster) fault(kind checker.FaultKind, nodes ...*simNode) (undone func()) {
	f := checker.Fault{Kind: kind}
	for _, n := range nodes {
		f.Nodes = append(f.Nodes, n.id)
	}
	return c.history.fault(f)
}
