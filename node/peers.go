package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/scheduler"
	"github.com/cronraft/cronraft/transport"
)

var (
	_ transport.Handler = peerHandler{}
	_ scheduler.Peers   = peers{}
)

// peerHandler is what other nodes' calls reach.
type peerHandler struct{ n *Node }

// Assign takes work from the leader; [job.ErrStale] if a newer one is known.
func (h peerHandler) Assign(_ context.Context, b job.Batch) (job.BatchReply, error) {
	return h.n.accept(b)
}

// Report takes outcomes in, if this node leads; nil once they are committed.
func (h peerHandler) Report(ctx context.Context, outcomes []job.Outcome) error {
	t := h.n.consensus.terms.current.Load()
	if t == nil {
		return job.ErrNotLeader
	}
	return t.Report(ctx, outcomes)
}

// ReadIndex confirms a commit index, if this node leads.
func (h peerHandler) ReadIndex(ctx context.Context) (uint64, error) {
	if !h.n.Leads() {
		return 0, job.ErrNotLeader
	}
	index, err := h.n.consensus.reads.index(ctx)
	if err != nil {
		return 0, notLeader(err)
	}
	return index, nil
}

// Forward answers a public request that another node passed on.
func (h peerHandler) Forward(ctx context.Context, request []byte) ([]byte, error) {
	handle := h.n.forward.Load()
	if handle == nil {
		return nil, job.ErrNotLeader
	}
	return (*handle)(ctx, request)
}

// Hello tells who this node is.
func (h peerHandler) Hello(_ context.Context, g transport.Greeting) (transport.Greeting, error) {
	h.n.heed(g)
	if err := h.n.foundWith(g); err != nil {
		return transport.Greeting{}, err
	}
	return h.n.greeting(), nil
}

// accept gives a batch to this node's executor.
func (n *Node) accept(b job.Batch) (job.BatchReply, error) {
	reply, err := n.executor.Accept(b)
	if err == nil {
		n.links.assigner.Store(&b.Leader)
	}
	reply.AppliedIndex = n.store.Applied()
	reply.Draining = n.leaving.draining.Load()
	return reply, err
}

// peers is the scheduler's view of the members.
type peers struct{ n *Node }

// Members are raft's servers, learners included: each may run callbacks.
func (p peers) Members() []string {
	var ids []string
	for _, s := range p.n.servers() {
		ids = append(ids, string(s.ID))
	}
	return ids
}

// MembersChanged is poked when Members has changed.
func (p peers) MembersChanged() <-chan struct{} { return p.n.consensus.members.changed }

// Assign calls the node, or this node's executor directly.
func (p peers) Assign(ctx context.Context, node string, b job.Batch) (job.BatchReply, error) {
	if node == p.n.cfg.ID {
		return p.n.accept(b)
	}
	addr, ok := p.n.peerAddr(node)
	if !ok {
		return job.BatchReply{}, fmt.Errorf("node %s is not to be found", node)
	}
	reply, err := p.n.links.calls.Assign(ctx, addr, b)
	if errors.Is(err, transport.ErrNotDelivered) {
		err = fmt.Errorf("%w: %w", scheduler.ErrNotDelivered, err)
	}
	return reply, err
}

// peerAddr is where a member is, or one that was a member and is still there.
func (n *Node) peerAddr(id string) (string, bool) {
	for _, s := range n.servers() {
		if string(s.ID) == id {
			return string(s.Address), true
		}
	}
	o, ok := n.gossip.find(id)
	return o.PeerAddr, ok
}

// leaderReporter brings outcomes to whoever leads now.
type leaderReporter struct{ n *Node }

// Report returns nil once the leader has committed the outcomes.
func (r leaderReporter) Report(ctx context.Context, outcomes []job.Outcome) error {
	if t := r.n.consensus.terms.current.Load(); t != nil {
		return t.Report(ctx, outcomes)
	}
	addr, err := r.n.leaderAddr()
	if err != nil {
		// Raft tells a node nothing that is no member any more. Whoever assigned
		// the attempts wants to hear of them.
		assigner := r.n.links.assigner.Load()
		if assigner == nil {
			return err
		}
		var ok bool
		if addr, ok = r.n.peerAddr(*assigner); !ok {
			return err
		}
	}
	return r.n.links.calls.Report(ctx, addr, outcomes)
}

// leaderAddr is the peer address of another node that leads as far as this one
// knows.
func (n *Node) leaderAddr() (string, error) {
	addr, id := n.consensus.raft.LeaderWithID()
	if addr == "" || id == raft.ServerID(n.cfg.ID) {
		return "", job.ErrNotLeader
	}
	return string(addr), nil
}

// retryInterval is the pause between two tries to reach a leader.
const retryInterval = 50 * time.Millisecond

// untilLeader calls try until it answers anything but [job.ErrNotLeader], or an
// election has had time enough to end.
func untilLeader[T any](ctx context.Context, n *Node, try func(context.Context) (T, error)) (T, error) {
	deadline := time.NewTimer(4 * n.cfg.Timing.Election)
	defer deadline.Stop()
	for {
		answer, err := try(ctx)
		if err == nil || job.CodeOf(err) != job.CodeNoLeader {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, err
		case <-deadline.C:
			return answer, err
		case <-n.group.Done():
			return answer, err
		case <-time.After(retryInterval):
		}
	}
}

// ServeForwarded sets what answers the public requests that other nodes pass on
// to this one when it leads.
func (n *Node) ServeForwarded(handle func(ctx context.Context, request []byte) ([]byte, error)) {
	n.forward.Store(&handle)
}

// Forward passes a public request on to the leader, once: it is tried again only
// while it surely has not reached one. [job.ErrNotLeader] if none was found,
// [job.ErrOutcomeUnknown] if it was sent and no answer came.
func (n *Node) Forward(ctx context.Context, request []byte) ([]byte, error) {
	return untilLeader(ctx, n, func(ctx context.Context) ([]byte, error) {
		if n.Leads() {
			return peerHandler{n}.Forward(ctx, request)
		}
		addr, err := n.leaderAddr()
		if err != nil {
			return nil, err
		}
		return n.links.calls.Forward(ctx, addr, request)
	})
}
