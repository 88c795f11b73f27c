package node

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/scheduler"
)

const (
	// membershipInterval is how often a leader compares gossip with raft's
	// configuration, besides each change in gossip.
	membershipInterval = time.Second
	// changeTimeout bounds one change of the configuration.
	changeTimeout = 10 * time.Second
	// caughtUpWithin is how many entries a learner may lack to become a voter.
	caughtUpWithin = 256
)

// membership keeps raft's configuration in step with gossip while this node
// leads. It only ever adds: a newcomer becomes a learner, and a voter once it has
// caught up. Gossip's word that a node is dead removes nobody (rule D16).
type membership struct {
	raft   *raft.Raft
	gossip *gossip
	// clusterID is this cluster's; a node of another is not taken in.
	clusterID func() string
	logger    *slog.Logger
	// changed is poked after each change of the configuration.
	changed chan struct{}
}

func (m *membership) run(ctx context.Context, t *scheduler.Term) error {
	tick := time.NewTicker(membershipInterval)
	defer tick.Stop()
	for {
		if err := m.reconcile(t); err != nil {
			m.logger.Info("change the cluster's members", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.gossip.changed:
		case <-tick.C:
		}
	}
}

func (m *membership) reconcile(t *scheduler.Term) error {
	future := m.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	servers := map[raft.ServerID]raft.Server{}
	for _, s := range future.Configuration().Servers {
		servers[s.ID] = s
	}
	applied := appliedByNode(t)
	for _, n := range m.gossip.neighbours() {
		if n.ClusterID != "" && n.ClusterID != m.clusterID() {
			continue
		}
		server, known := servers[raft.ServerID(n.ID)]
		changed, err := m.admit(n, server, known, applied[n.ID])
		if changed {
			poke(m.changed) // also after an error: the change may yet be committed
		}
		if err != nil {
			return fmt.Errorf("node %s: %w", n.ID, err)
		}
	}
	return nil
}

func appliedByNode(t *scheduler.Term) map[string]uint64 {
	applied := map[string]uint64{}
	for _, n := range t.Nodes() {
		applied[n.ID] = n.AppliedIndex
	}
	return applied
}

// admit takes one step with one node, if there is one to take.
func (m *membership) admit(n neighbour, server raft.Server, known bool, applied uint64) (changed bool, err error) {
	id, addr := raft.ServerID(n.ID), raft.ServerAddress(n.PeerAddr)
	moved := known && server.Address != addr
	switch {
	case !known:
		m.logger.Info("a node joins as a learner", "node", n.ID, "addr", n.PeerAddr)
		return true, m.raft.AddNonvoter(id, addr, 0, changeTimeout).Error()
	case moved && server.Suffrage == raft.Nonvoter:
		return true, m.raft.AddNonvoter(id, addr, 0, changeTimeout).Error()
	case moved:
		m.logger.Info("a voter has moved", "node", n.ID, "addr", n.PeerAddr)
		return true, m.raft.AddVoter(id, addr, 0, changeTimeout).Error()
	case server.Suffrage == raft.Nonvoter && applied > 0 && applied+caughtUpWithin >= m.raft.CommitIndex():
		m.logger.Info("a learner has caught up and becomes a voter", "node", n.ID)
		return true, m.raft.AddVoter(id, addr, 0, changeTimeout).Error()
	}
	return false, nil
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
