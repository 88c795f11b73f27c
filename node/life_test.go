package node_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
	"github.com/cronraft/cronraft/transport"
)

// within fails the test if f does not return in time.
func within(t *testing.T, limit time.Duration, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		t.Fatalf("%s: not within %v", what, limit)
		return nil
	}
}

// poll waits for a condition that nothing announces.
func poll(ctx context.Context, t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// TestKill_RightAfterJoining kills nodes while gossip still tells their cards.
func TestKill_RightAfterJoining(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	gossip, key := freeAddr(t), testSecret(t, "j")
	first := startAt(ctx, t, gossip, node.Config{ID: "first", DataDir: t.TempDir(), Secret: key, RootKey: rootKey})
	defer first.Kill()
	untilReady(ctx, t, first)
	second := realNode(ctx, t, node.Config{ID: "second", DataDir: t.TempDir(), Secret: key, Join: []string{gossip}})
	poll(ctx, t, "the second node is a member", func() bool { return roleOf(ctx, t, second, "second") != "" })
	if err := within(t, 20*time.Second, "kill", second.Kill); err != nil {
		t.Error(err)
	}
}

// TestErr_OfANameConflict starts a second node of the same name: it fails, says
// why at once, and can be stopped.
func TestErr_OfANameConflict(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	gossip, key := freeAddr(t), testSecret(t, "j")
	first := startAt(ctx, t, gossip, node.Config{ID: "same", DataDir: t.TempDir(), Secret: key, RootKey: rootKey})
	defer first.Kill()
	untilReady(ctx, t, first)
	second := realNode(ctx, t, node.Config{ID: "same", DataDir: t.TempDir(), Secret: key, Join: []string{gossip}})
	select {
	case <-second.Failed():
	case <-ctx.Done():
		t.Fatal("two nodes of one name live on")
	}
	if err := within(t, time.Second, "the reason", second.Err); err == nil {
		t.Error("a failed node has no reason")
	}
	within(t, 20*time.Second, "kill", second.Kill)
}

// slowGossip takes its time to start, and tells when it begins to.
type slowGossip struct {
	memberlist.Transport
	entered, leave chan struct{}
	once           *sync.Once // memberlist asks more than once
}

func (s slowGossip) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	s.once.Do(func() {
		close(s.entered)
		<-s.leave
	})
	return s.Transport.FinalAdvertiseAddr(ip, port)
}

// TestStart_IsCalledMeanwhile sends a peer call to a node that is being built.
func TestStart_IsCalledMeanwhile(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := node.Config{
		ID: "a", DataDir: t.TempDir(), Secret: testSecret(t, "j"), RootKey: rootKey,
		PeerAddr: freeAddr(t), GossipAddr: freeAddr(t), HTTPAddr: freeAddr(t),
	}
	parts, err := node.Listen(cfg.PeerAddr, cfg.GossipAddr, nil)
	if err != nil {
		t.Fatal(err)
	}
	slow := slowGossip{parts.Gossip, make(chan struct{}), make(chan struct{}), &sync.Once{}}
	parts.Gossip = slow
	called := make(chan error, 1)
	go func() {
		<-slow.entered
		called <- callAssign(ctx, t, cfg, slow.leave)
	}()
	n, err := node.Start(ctx, cfg, parts)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Kill()
	if err := <-called; err != nil {
		t.Errorf("the call that came too early was answered with %v", err)
	}
}

// callAssign calls a node as a leader would, and lets it go on once the call is
// under way.
func callAssign(ctx context.Context, t *testing.T, cfg node.Config, goOn chan struct{}) error {
	security, err := cfg.Secret.TLS("x", time.Now())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := transport.NewPort(ctx, transport.PortConfig{Listener: listener, TLS: security})
	defer port.Close()
	client := transport.NewClient(ctx, transport.ClientConfig{Dial: func(ctx context.Context, addr string) (net.Conn, error) {
		c, err := port.Calls().DialContext(ctx, addr)
		if err == nil {
			_, err = c.Write([]byte{0}) // of no cluster
		}
		return c, err
	}})
	defer client.Close()
	time.AfterFunc(200*time.Millisecond, func() { close(goOn) })
	_, err = client.Assign(ctx, cfg.PeerAddr, job.Batch{Term: 1})
	return err
}

// TestTerm_BeginsOnceItCan keeps a lone node from writing its root key, and then
// lets it: it must come into office by itself.
func TestTerm_BeginsOnceItCan(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	obstacle := filepath.Join(dir, "root-api-key")
	if err := os.Mkdir(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	n := realNode(ctx, t, node.Config{ID: "alone", DataDir: dir})
	defer n.Kill()
	short, stop := context.WithTimeout(ctx, 3*time.Second)
	defer stop()
	if err := n.Ready(short); err == nil {
		t.Fatal("ready without a root key")
	}
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	untilReady(ctx, t, n)
}

// TestWipedSeed founds a cluster with one node, lets two others join, and starts
// the first one again with an empty disk. Either the others find it before it has
// elected itself, and it is one of them again; or it founds another cluster by
// mistake, and the two never mix.
func TestWipedSeed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	key := testSecret(t, "j")
	config := func(id string, join ...string) node.Config {
		return node.Config{
			ID: id, DataDir: t.TempDir(), Secret: key, RootKey: rootKey, Join: join,
			PeerAddr: freeAddr(t), GossipAddr: freeAddr(t), HTTPAddr: freeAddr(t),
		}
	}
	a := config("a")
	b, c := config("b", a.GossipAddr), config("c", a.GossipAddr)
	nodeA := startWith(ctx, t, a)
	untilReady(ctx, t, nodeA)
	nodeB, nodeC := startWith(ctx, t, b), startWith(ctx, t, c)
	defer func() { nodeB.Kill(); nodeC.Kill() }()
	poll(ctx, t, "b and c are voters", func() bool {
		return roleOf(ctx, t, nodeA, "b") == "FOLLOWER" && roleOf(ctx, t, nodeA, "c") == "FOLLOWER"
	})
	kept := createPaused(ctx, t, nodeA, nodeB, nodeC)
	untilReady(ctx, t, nodeB)
	if err := nodeA.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(a.DataDir), os.Mkdir(a.DataDir, 0o700)); err != nil {
		t.Fatal(err)
	}
	nodeA = startWith(ctx, t, a)
	defer nodeA.Kill()
	untilReady(ctx, t, nodeA)
	var mistaken job.Job
	rejoined := false
	poll(ctx, t, "the wiped node is in one of the clusters", func() bool {
		_, err := nodeA.Jobs().Get(ctx, "", kept.ID)
		rejoined = err == nil
		if !rejoined {
			mistaken, err = tryCreatePaused(ctx, nodeA)
		}
		return err == nil
	})
	if rejoined {
		return
	}
	untilReady(ctx, t, nodeB)
	untilReady(ctx, t, nodeC)
	for name, n := range map[string]*node.Node{"b": nodeB, "c": nodeC} {
		if _, err := n.Jobs().Get(ctx, "", kept.ID); err != nil {
			t.Errorf("%s lost an acknowledged job: %v", name, err)
		}
		if _, err := n.Jobs().Get(ctx, "", mistaken.ID); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("%s took over a job of another cluster: %v", name, err)
		}
	}
	if _, err := nodeA.Jobs().Get(ctx, "", kept.ID); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("a mixed the logs of two clusters: %v", err)
	}
}

func startWith(ctx context.Context, t *testing.T, cfg node.Config) *node.Node {
	t.Helper()
	parts, err := node.Listen(cfg.PeerAddr, cfg.GossipAddr, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Start(ctx, cfg, parts)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// createPaused makes a job through whichever of the nodes leads.
func createPaused(ctx context.Context, t *testing.T, nodes ...*node.Node) job.Job {
	t.Helper()
	var made job.Job
	poll(ctx, t, "one of the nodes leads and creates a job", func() bool {
		for _, n := range nodes {
			var err error
			if made, err = tryCreatePaused(ctx, n); err == nil {
				return true
			}
			if !errors.Is(err, job.ErrNotLeader) {
				t.Fatal(err)
			}
		}
		return false
	})
	return made
}

func tryCreatePaused(ctx context.Context, n *node.Node) (job.Job, error) {
	by, err := n.Keys().Authenticate(ctx, rootKey)
	if err != nil {
		return job.Job{}, err
	}
	s := secondJob()
	s.State = job.Paused
	made, _, err := n.Jobs().Create(ctx, by, s, nil)
	return made, err
}

// TestMove_OfAVoter starts a voter again under another address, while the leader
// tries to reach it under the old one: it gets its entries there.
func TestMove_OfAVoter(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	gossip, key := freeAddr(t), testSecret(t, "j")
	// Gossip takes a name at another address once it has given up the old one.
	quick := node.Timing{Gossip: 200 * time.Millisecond, Rejoin: time.Second}
	first := startAt(ctx, t, gossip, node.Config{ID: "first", DataDir: t.TempDir(), RootKey: rootKey, Secret: key, Timing: quick})
	defer first.Kill()
	untilReady(ctx, t, first)
	second := realNode(ctx, t, node.Config{ID: "second", DataDir: t.TempDir(), Secret: key, Join: []string{gossip}, Timing: quick})
	defer second.Kill()
	moving := node.Config{ID: "third", DataDir: t.TempDir(), Secret: key, Join: []string{gossip}, Timing: quick}
	third := realNode(ctx, t, moving)
	poll(ctx, t, "three voters", func() bool {
		return roleOf(ctx, t, first, "second") == "FOLLOWER" && roleOf(ctx, t, first, "third") == "FOLLOWER"
	})
	if err := third.Kill(); err != nil {
		t.Fatal(err)
	}
	made := createPaused(ctx, t, first, second)
	third = realNode(ctx, t, moving) // at other addresses
	defer third.Kill()
	untilReady(ctx, t, third)
	if _, err := third.Jobs().Get(ctx, "", made.ID); err != nil {
		t.Errorf("the node that moved lacks a job: %v", err)
	}
}
