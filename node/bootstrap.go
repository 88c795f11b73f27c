package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/transport"
)

// bootstrapInterval is how often a node without a configuration looks around.
const bootstrapInterval = 200 * time.Millisecond

// joinComplaint is how often a node says that nobody lets it in.
const joinComplaint = 5 * time.Second

// waitingInterval is how often such a node says what it waits for.
const waitingInterval = 10 * time.Second

// bootstrap founds the first configuration, or waits until a leader has made
// this node a member. Only a node without raft state ever founds one, alone or
// when exactly as many as expected, all without state, confirm that they see it
// (rule D17).
func (n *Node) bootstrap(ctx context.Context) error {
	tick := time.NewTicker(bootstrapInterval)
	defer tick.Stop()
	var told time.Time
	for !n.configured() {
		if now := time.Now(); now.Sub(told) > waitingInterval {
			told = now
			n.logger.Info("belongs to no cluster yet", "expect", n.cfg.BootstrapExpect, "candidates", names(n.candidates()))
		}
		if servers := n.founders(ctx); len(servers) > 0 {
			if err := n.consensus.electing.admit(); err != nil {
				return err
			}
			err := n.consensus.raft.BootstrapCluster(raft.Configuration{Servers: servers}).Error()
			if err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
				return fmt.Errorf("bootstrap: %w", err)
			}
			n.logger.Info("founding the cluster", "servers", len(servers))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return nil
}

// configured reports whether this node has ever been a member.
func (n *Node) configured() bool {
	future := n.consensus.raft.GetConfiguration()
	return future.Error() == nil && len(future.Configuration().Servers) > 0
}

// founders is the first configuration if it is for this node to found it now.
func (n *Node) founders(ctx context.Context) []raft.Server {
	if n.cfg.BootstrapExpect == 1 {
		if len(n.cfg.Join) > 0 {
			return nil
		}
		return []raft.Server{{ID: raft.ServerID(n.cfg.ID), Address: raft.ServerAddress(n.cfg.PeerAddr)}}
	}
	candidates := n.candidates()
	if len(candidates) != n.cfg.BootstrapExpect || candidates[0].ID != n.cfg.ID {
		return nil
	}
	var servers []raft.Server
	for _, c := range candidates {
		if c.ID != n.cfg.ID && !n.confirms(ctx, c, names(candidates)) {
			return nil
		}
		servers = append(servers, raft.Server{ID: raft.ServerID(c.ID), Address: raft.ServerAddress(c.PeerAddr)})
	}
	return servers
}

// candidates are the nodes that may found the cluster together, by name; none if
// any node already belongs to one.
func (n *Node) candidates() []neighbour {
	var out []neighbour
	for _, o := range n.gossip.neighbours() {
		switch {
		case o.HasState:
			return nil
		case o.Expect == n.cfg.BootstrapExpect:
			out = append(out, o)
		}
	}
	return out
}

func names(neighbours []neighbour) []string {
	var out []string
	for _, o := range neighbours {
		out = append(out, o.ID)
	}
	return out
}

// confirms asks a candidate itself, because gossip may be old: it must have no
// state, and see just the same candidates, so that no other node founds too.
func (n *Node) confirms(ctx context.Context, c neighbour, candidates []string) bool {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.Election)
	defer cancel()
	theirs, err := n.links.calls.Hello(ctx, c.PeerAddr, n.greeting())
	return err == nil && theirs.NodeID == c.ID && !theirs.HasState && theirs.Expect == n.cfg.BootstrapExpect &&
		slices.Equal(theirs.Candidates, candidates)
}

// foundWith lets this node vote if the greeting is that of the founder of a cluster
// that it founds with it: the question that [Node.confirms] asks. It comes before
// the founder has made anything that could be forgotten.
func (n *Node) foundWith(g transport.Greeting) error {
	if g.HasState || g.Expect != n.cfg.BootstrapExpect || len(g.Candidates) != g.Expect || n.configured() {
		return nil
	}
	if g.NodeID != g.Candidates[0] || !slices.Equal(names(n.candidates()), g.Candidates) {
		return nil
	}
	return n.consensus.electing.admit()
}

func (n *Node) greeting() transport.Greeting {
	return transport.Greeting{
		Candidates: names(n.candidates()),
		ClusterID:  n.store.ClusterID(), NodeID: n.cfg.ID, Incarnation: n.incarnation, HasState: n.configured(),
		Expect: n.cfg.BootstrapExpect, PeerAddr: n.cfg.PeerAddr, HTTPAddr: n.cfg.HTTPAddr, Version: n.cfg.Version,
		LogVersion: logVersion, Term: n.consensus.raft.CurrentTerm(),
		AppliedIndex: n.store.Applied(), OpenAttempts: n.executor.OpenCount(),
	}
}

// rejoin keeps trying the join addresses while this node sees fewer nodes than
// it should: memberlist alone never comes back from being alone (rule D20).
func (n *Node) rejoin(ctx context.Context) error {
	wait, told := bootstrapInterval, time.Now() // the others may be starting too
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if len(n.cfg.Join) > 0 && len(n.gossip.neighbours()) < n.expectedNodes() {
			if err := n.gossip.join(n.cfg.Join); err != nil && n.isAlone() && time.Since(told) > joinComplaint {
				told = time.Now()
				n.logger.Warn("no address to join let this node in: is a node running there, and has it the same cluster secret?",
					"join", n.cfg.Join, "err", err)
			}
		} else {
			wait = n.cfg.Timing.Rejoin
		}
		timer.Reset(wait)
		wait = min(2*wait, n.cfg.Timing.Rejoin)
	}
}

// isAlone reports whether no other node is seen, and this one should see some.
func (n *Node) isAlone() bool { return len(n.gossip.neighbours()) < 2 && !n.leaving.draining.Load() }

// expectedNodes is how many nodes gossip should show: the members, or those
// expected before there are any. A lone joiner expects at least one other.
func (n *Node) expectedNodes() int {
	expected := max(2, n.cfg.BootstrapExpect)
	if future := n.consensus.raft.GetConfiguration(); future.Error() == nil {
		expected = max(expected, len(future.Configuration().Servers))
	}
	return expected
}

// showState keeps this node's card true: that it has state, whose, and whether it
// has room for more.
func (n *Node) showState(ctx context.Context) error {
	tick := time.NewTicker(bootstrapInterval)
	defer tick.Stop()
	for {
		id := n.store.ClusterID()
		has := n.configured()
		n.gossip.show(func(c *card) {
			c.ClusterID, c.HasState, c.ReadOnly, c.Slow = id, has, n.disk.isLow(), n.disk.slow.Load()
		})
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
