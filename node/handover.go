package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/job"
)

// Drain prepares a stop without harm: it hands leadership on, asks for no new
// work, and waits for the open callbacks until ctx is done; what is left then is
// aborted, for others to take over. The node still answers.
func (n *Node) Drain(ctx context.Context) error {
	n.leaving.draining.Store(true)
	if n.consensus.raft.State() == raft.Leader {
		n.handOver(ctx)
	}
	if err := n.executor.Drain(ctx); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

// TransferLeadership makes another voter lead, any that is alive if to is empty,
// and returns its name. [job.ErrNotLeader] if this node does not lead,
// CodeNotFound for a node that is no voter, CodeConflict if it did not take over.
func (n *Node) TransferLeadership(ctx context.Context, to string) (leader string, err error) {
	if !n.Leads() {
		return "", job.ErrNotLeader
	}
	if to == n.cfg.ID {
		return to, nil
	}
	if to != "" && !n.isVoter(to) {
		return "", job.Errorf(job.CodeNotFound, "the cluster has no voter %q", to)
	}
	ctx, cancel := context.WithTimeout(ctx, 4*n.cfg.Timing.Election)
	defer cancel()
	return n.transfer(ctx, to)
}

// handOver makes another voter lead, if one will.
func (n *Node) handOver(ctx context.Context) {
	if _, err := n.transfer(ctx, ""); err != nil {
		n.logger.Info("no node took over leadership", "err", err)
	}
}

// transfer makes a voter lead that gossip believes to be alive and whose disk is
// fit: raft itself would choose by log and might choose a dead one. An empty name is
// any.
func (n *Node) transfer(ctx context.Context, to string) (string, error) {
	usable := map[raft.ServerID]bool{}
	for _, o := range n.gossip.neighbours() {
		usable[raft.ServerID(o.ID)] = o.ID != n.cfg.ID && !o.ReadOnly && (!o.Slow || to != "")
	}
	var errs []error
	for _, s := range n.servers() {
		if s.Suffrage != raft.Voter || !usable[s.ID] || to != "" && string(s.ID) != to {
			continue
		}
		err := n.transferTo(ctx, s)
		if err == nil {
			return string(s.ID), nil
		}
		errs = append(errs, fmt.Errorf("node %s: %w", s.ID, err))
	}
	if len(errs) == 0 {
		return "", job.Errorf(job.CodeConflict, "no other voter is alive, with room on its disk, to take over leadership")
	}
	return "", job.Errorf(job.CodeConflict, "leadership stays where it is: %v", errors.Join(errs...))
}

// transferTo makes the server lead if it answers. Raft refuses while an earlier
// try is not quite over, which may have been the one that worked.
func (n *Node) transferTo(ctx context.Context, s raft.Server) error {
	if _, err := n.greet(ctx, s); err != nil {
		return err
	}
	for {
		err := await(ctx, func() error { return n.consensus.raft.LeadershipTransferToServer(s.ID, s.Address).Error() })
		if !errors.Is(err, raft.ErrLeadershipTransferInProgress) || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryInterval):
		}
		if n.consensus.raft.State() != raft.Leader {
			return nil
		}
	}
}

// servers are the members as this node knows them.
func (n *Node) servers() []raft.Server { return n.consensus.servers() }

func (c *consensus) servers() []raft.Server {
	future := c.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	return future.Configuration().Servers
}

func (n *Node) isVoter(id string) bool {
	for _, s := range n.servers() {
		if string(s.ID) == id {
			return s.Suffrage == raft.Voter
		}
	}
	return false
}
