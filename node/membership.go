package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/fsm"
	"github.com/cronraft/cronraft/internal/job"
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
// caught up. Gossip's word that a node is dead removes nobody (rule D16). It also
// looks after what the leader has to know of all members: the newest log entries
// that they can read, and whether they have room.
type membership struct {
	raft   *raft.Raft
	log    *submitter
	store  *fsm.Store
	disk   *disk
	gossip *gossip
	self   string
	// dismiss tells a node that it was removed, and returns what it has open.
	dismiss func(ctx context.Context, o neighbour) (open int, err error)
	// handOver gives leadership to a node with room on its disk.
	handOver func(ctx context.Context)
	now      func() time.Time
	logger   *slog.Logger
	// changed is poked after each change of the configuration.
	changed chan struct{}
}

func (m *membership) run(ctx context.Context, t *scheduler.Term) error {
	tick := time.NewTicker(membershipInterval)
	defer tick.Stop()
	defer m.disk.majority.Store(false)
	for {
		if err := m.reconcile(ctx, t); err != nil {
			m.logger.Info("look after the cluster's members", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.gossip.changed:
		case <-tick.C:
		}
	}
}

// begin lets the first write of a term use all that the members can read.
func (m *membership) begin(ctx context.Context) error {
	future := m.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	return m.raise(ctx, future.Configuration().Servers, m.gossip.neighbours())
}

// reconcile looks once at what gossip and raft say, and takes the steps to take.
func (m *membership) reconcile(ctx context.Context, t *scheduler.Term) error {
	future := m.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	servers, neighbours := future.Configuration().Servers, m.gossip.neighbours()
	m.lookAtDisks(ctx, servers, neighbours)
	return errors.Join(
		m.raise(ctx, servers, neighbours),
		m.dismissAll(ctx, servers, neighbours),
		m.admitAll(ctx, t, servers, neighbours),
	)
}

// admitAll takes one step with each node that gossip shows, if there is one. That
// one cannot be admitted does not keep out the others.
func (m *membership) admitAll(ctx context.Context, t *scheduler.Term, servers []raft.Server, neighbours []neighbour) error {
	applied := appliedByNode(t)
	var errs []error
	for _, n := range neighbours {
		if n.ClusterID != "" && n.ClusterID != m.store.ClusterID() || n.Incarnation == m.store.Dismissed(n.ID) {
			continue
		}
		server, known := findServer(servers, n.ID)
		changed, err := m.admit(ctx, n, server, known, applied[n.ID])
		if changed {
			poke(m.changed) // also after an error: the change may yet be committed
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("node %s: %w", n.ID, err))
		}
	}
	return errors.Join(errs...)
}

func findServer(servers []raft.Server, id string) (raft.Server, bool) {
	i := slices.IndexFunc(servers, func(s raft.Server) bool { return string(s.ID) == id })
	if i < 0 {
		return raft.Server{}, false
	}
	return servers[i], true
}

func appliedByNode(t *scheduler.Term) map[string]uint64 {
	applied := map[string]uint64{}
	for _, n := range t.Nodes() {
		applied[n.ID] = n.AppliedIndex
	}
	return applied
}

// admit takes one step with one node, if there is one to take.
func (m *membership) admit(ctx context.Context, n neighbour, server raft.Server, known bool, applied uint64) (changed bool, err error) {
	id, addr := raft.ServerID(n.ID), raft.ServerAddress(n.PeerAddr)
	moved := known && server.Address != addr
	switch {
	case !known && n.LogVersion < m.store.LogVersion():
		return false, fmt.Errorf("it reads log entries up to version %d, and this cluster writes version %d: upgrade it", n.LogVersion, m.store.LogVersion())
	case !known && m.store.Dismissed(n.ID) != 0:
		// Another life of a node that was removed: its absence means nothing now.
		_, err := m.log.Submit(ctx, job.DismissNode{At: m.now(), Node: job.NodeRef{ID: n.ID}})
		return false, err
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
