package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
)

// crew is a cluster of real nodes on loopback whose members come and go.
type crew struct {
	t      *testing.T
	dir    string
	seed   string // gossip address of the first node
	timing node.Timing
	nodes  map[string]*node.Node
	cfgs   map[string]node.Config
}

func newCrew(ctx context.Context, t *testing.T, size int) *crew {
	t.Helper()
	c := &crew{
		t: t, dir: t.TempDir(), seed: freeAddr(t), nodes: map[string]*node.Node{}, cfgs: map[string]node.Config{},
		timing: node.Timing{Gossip: 200 * time.Millisecond, Rejoin: time.Second},
	}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.Kill()
		}
	})
	for i := range size {
		c.join(ctx, fmt.Sprintf("n%d", i+1))
	}
	c.untilVoters(ctx, size)
	return c
}

// join starts a node with an empty disk; the first one founds the cluster.
func (c *crew) join(ctx context.Context, id string) {
	c.t.Helper()
	cfg := node.Config{
		ID: id, DataDir: filepath.Join(c.dir, id), Secret: testSecret(c.t, "m"), RootKey: rootKey, Timing: c.timing,
		PeerAddr: freeAddr(c.t), GossipAddr: c.seed, HTTPAddr: freeAddr(c.t),
	}
	if len(c.cfgs) > 0 {
		cfg.GossipAddr = freeAddr(c.t)
	}
	for _, o := range c.cfgs {
		cfg.Join = append(cfg.Join, o.GossipAddr)
	}
	if err := os.Mkdir(cfg.DataDir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	c.cfgs[id] = cfg
	c.start(ctx, id)
}

// start begins another life of a node.
func (c *crew) start(ctx context.Context, id string) {
	c.t.Helper()
	c.nodes[id] = startWith(ctx, c.t, c.cfgs[id])
	untilReady(ctx, c.t, c.nodes[id])
}

func (c *crew) kill(id string) {
	c.t.Helper()
	if err := c.nodes[id].Kill(); err != nil {
		c.t.Fatal(err)
	}
	delete(c.nodes, id)
}

func (c *crew) all() []*node.Node {
	var all []*node.Node
	for _, n := range c.nodes {
		all = append(all, n)
	}
	return all
}

// leader waits until one of the nodes leads.
func (c *crew) leader(ctx context.Context) (id string, n *node.Node) {
	c.t.Helper()
	poll(ctx, c.t, "a leader", func() bool {
		for id, n = range c.nodes {
			if n.Leads() {
				return true
			}
		}
		return false
	})
	return id, n
}

// untilVoters waits until just as many voters are members.
func (c *crew) untilVoters(ctx context.Context, want int) {
	c.t.Helper()
	poll(ctx, c.t, fmt.Sprintf("%d voters", want), func() bool {
		for _, n := range c.nodes {
			s, err := n.Status(ctx)
			if err != nil || len(s.Nodes) != want {
				return false
			}
			for _, m := range s.Nodes {
				if m.Role == "LEARNER" {
					return false
				}
			}
		}
		return true
	})
}

// follower is a node that does not lead.
func (c *crew) follower(ctx context.Context) string {
	c.t.Helper()
	leader, _ := c.leader(ctx)
	for id := range c.nodes {
		if id != leader {
			return id
		}
	}
	c.t.Fatal("no follower")
	return ""
}

// remove removes a node through the leader.
func (c *crew) remove(ctx context.Context, id string) {
	c.t.Helper()
	poll(ctx, c.t, "remove "+id, func() bool {
		_, leader := c.leader(ctx)
		err := leader.RemoveNode(ctx, id)
		if err != nil && job.CodeOf(err) != job.CodeNoLeader && job.CodeOf(err) != job.CodeOutcomeUnknown {
			c.t.Fatalf("remove %s: %v", id, err)
		}
		return err == nil
	})
}

// has checks that every node has the job.
func (c *crew) has(ctx context.Context, id job.ID) {
	c.t.Helper()
	for name, n := range c.nodes {
		untilReady(ctx, c.t, n)
		if _, err := n.Jobs().Get(ctx, "", id); err != nil {
			c.t.Errorf("%s lacks an acknowledged job: %v", name, err)
		}
	}
}

// TestMembership_ThreeFiveThree grows a cluster and shrinks it to other nodes.
func TestMembership_ThreeFiveThree(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := newCrew(ctx, t, 3)
	first := createPaused(ctx, t, c.all()...)
	c.join(ctx, "n4")
	c.join(ctx, "n5")
	c.untilVoters(ctx, 5)
	for range 2 {
		id := c.follower(ctx)
		gone := c.nodes[id]
		c.remove(ctx, id)
		select {
		case <-gone.Dismissed():
		case <-ctx.Done():
			t.Fatalf("%s was removed and does not know", id)
		}
		c.kill(id)
	}
	c.untilVoters(ctx, 3)
	second := createPaused(ctx, t, c.all()...)
	c.has(ctx, first.ID)
	c.has(ctx, second.ID)
}

// TestMembership_Dismissed removes a node that goes on living: it is not let in
// again until it is started anew.
func TestMembership_Dismissed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := newCrew(ctx, t, 3)
	id := c.follower(ctx)
	gone := c.nodes[id]
	c.remove(ctx, id)
	<-gone.Dismissed()
	made := createPaused(ctx, t, c.all()...) // takes part in some rounds of the members' loop
	_, leader := c.leader(ctx)
	for range 100 {
		if role := roleOf(ctx, t, leader, id); role != "" {
			t.Fatalf("the node that was removed is a %s again", role)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	c.kill(id)
	c.start(ctx, id)
	c.untilVoters(ctx, 3)
	c.has(ctx, made.ID)
}

// TestMembership_ReplaceDead replaces a dead node by one with another name, and
// another by one with the same name and an empty disk.
func TestMembership_ReplaceDead(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := newCrew(ctx, t, 3)
	made := createPaused(ctx, t, c.all()...)
	dead := c.follower(ctx)
	c.kill(dead)
	c.remove(ctx, dead)
	c.join(ctx, "spare")
	c.untilVoters(ctx, 3)

	wiped := c.follower(ctx)
	c.kill(wiped)
	if err := errors.Join(os.RemoveAll(c.cfgs[wiped].DataDir), os.Mkdir(c.cfgs[wiped].DataDir, 0o700)); err != nil {
		t.Fatal(err)
	}
	c.start(ctx, wiped)
	c.untilVoters(ctx, 3)
	c.has(ctx, made.ID)
}

// TestMembership_Refusals asks for removals that would do harm.
func TestMembership_Refusals(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := newCrew(ctx, t, 3)
	id, leader := c.leader(ctx)
	if err := leader.RemoveNode(ctx, id); job.CodeOf(err) != job.CodeConflict {
		t.Errorf("remove the leader: %v", err)
	}
	if err := leader.RemoveNode(ctx, "nobody"); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("remove a stranger: %v", err)
	}
	follower := c.follower(ctx)
	if err := c.nodes[follower].RemoveNode(ctx, id); !errors.Is(err, job.ErrNotLeader) {
		t.Errorf("remove through a follower: %v", err)
	}
	c.kill(follower)
	var other string
	for o := range c.nodes {
		if o != id {
			other = o
		}
	}
	poll(ctx, t, "the leader sees the dead node go", func() bool {
		err := leader.RemoveNode(ctx, other)
		if err == nil {
			t.Fatal("a removal left one living voter of two")
		}
		return job.CodeOf(err) == job.CodeConflict
	})
}

// TestTransferLeadership gives leadership to a named node, and to any.
func TestTransferLeadership(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := newCrew(ctx, t, 3)
	_, leader := c.leader(ctx)
	if _, err := leader.TransferLeadership(ctx, "nobody"); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("to a stranger: %v", err)
	}
	to := c.follower(ctx)
	if got, err := leader.TransferLeadership(ctx, to); err != nil || got != to {
		t.Fatalf("to %s: %s, %v", to, got, err)
	}
	poll(ctx, t, to+" leads", c.nodes[to].Leads)
	if got, err := c.nodes[to].TransferLeadership(ctx, ""); err != nil || got == to {
		t.Errorf("to any: %s, %v", got, err)
	}
}
