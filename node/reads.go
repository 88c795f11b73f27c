package node

import (
	"context"
	"fmt"

	"github.com/cronraft/cronraft/internal/job"
)

// Barrier returns once this node's state contains every write that was
// acknowledged anywhere before the call: a read after it is linearizable.
// [job.ErrNotLeader] if no leader confirmed it in time.
func (n *Node) Barrier(ctx context.Context) error {
	index, err := untilLeader(ctx, n, n.consensus.reads.index)
	if err != nil {
		return err
	}
	return n.WaitApplied(ctx, index)
}

// confirmIndex is one round of the read index: the leader takes its commit index
// first and then proves that it still leads; a follower asks the leader. The
// index is that of an entry which the state machine sees: a leader in office has
// committed its [job.TakeOffice].
func (n *Node) confirmIndex(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*n.cfg.Timing.Election)
	defer cancel()
	term := n.consensus.terms.current.Load()
	if term == nil {
		addr, err := n.leaderAddr()
		if err != nil {
			return 0, err
		}
		index, err := n.links.calls.ReadIndex(ctx, addr)
		if err != nil {
			return 0, notLeader(err)
		}
		return index, nil
	}
	index := n.consensus.raft.CommitIndex()
	if err := n.confirmOffice(ctx, term.number); err != nil {
		return 0, notLeader(err)
	}
	return index, nil
}

// notLeader makes any failure to confirm the index "no leader": nothing was
// written, and trying again is right.
func notLeader(err error) error {
	return fmt.Errorf("%w (confirm the commit index: %w)", job.ErrNotLeader, err)
}

// Applied is the index of the last entry in this node's state.
func (n *Node) Applied() uint64 { return n.store.Applied() }

// WaitApplied returns once this node has applied the entry at index. One that
// cannot take entries, because its disk is full, says so at once.
func (n *Node) WaitApplied(ctx context.Context, index uint64) error {
	if n.disk.isLow() && n.store.Applied() < index && !n.Leads() {
		return fmt.Errorf("%w (this node's disk is full, and it lags behind)", job.ErrNotLeader)
	}
	if err := n.store.WaitApplied(ctx, index); err != nil {
		return fmt.Errorf("%w (this node lags behind: %w)", job.ErrNotLeader, err)
	}
	return nil
}

// StateHash is the hash of this node's whole state, and the index it is at.
func (n *Node) StateHash(context.Context) (uint64, string, error) { return n.store.Hash() }

// Compact snapshots the state and drops the log entries that it covers, as a node
// does by itself when its log has grown.
func (n *Node) Compact() error { return n.consensus.raft.Snapshot().Error() }
