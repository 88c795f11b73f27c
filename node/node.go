package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/fsm"
	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/internal/executor"
	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/transport"
)

// logVersion is the newest version of log entries that this node can apply.
const logVersion = fsm.Version

// Node is a running member. The services for the public API hang on it as
// [Node.Jobs], [Node.Executions], [Node.Keys], [Node.Webhooks], [Node.Events] and
// [Node.Statistics].
type Node struct {
	cfg         Config
	logger      *slog.Logger
	incarnation uint64
	// now is the wall clock.
	now     func() time.Time
	reached crashpoint.Hook

	store     *fsm.Store
	disk      *disk
	links     links
	gossip    *gossip
	consensus consensus
	executor  *executor.Executor

	// forward answers a public request that another node passed on.
	forward atomic.Pointer[func(ctx context.Context, request []byte) ([]byte, error)]
	leaving leaving

	group *group.Group
	// closers undo Start, the last first.
	closers []func() error
}

// links are the ways to and from the other nodes.
type links struct {
	cluster *clusterName
	port    *transport.Port
	server  *transport.Server
	calls   *transport.Client
	// assigner is the leader that gave this node its last batch.
	assigner atomic.Pointer[string]
}

// consensus is raft and what stands on it.
type consensus struct {
	raft     *raft.Raft
	electing *electing
	log      *submitter
	reads    *rounds
	terms    *leadership
	members  *membership
}

// leaving tells that a node is about to go.
type leaving struct {
	draining atomic.Bool
	// dismissed is closed when the cluster has removed this node.
	dismissed chan struct{}
	once      sync.Once
}

// Start builds a node from its parts and starts it. It returns at once; whether
// the node has found its cluster is told by [Node.Ready]. ctx bounds the start
// only. The caller stops what Start returned.
func Start(ctx context.Context, cfg Config, parts Parts) (*Node, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, logger: cfg.Logger.With("component", "node", "node", cfg.ID),
		now: parts.Now, reached: parts.Reached,
	}
	if n.now == nil {
		n.now = time.Now
	}
	n.incarnation = newIncarnation(n.now())
	n.leaving.dismissed = make(chan struct{})
	ctx = context.WithoutCancel(ctx)
	n.group = group.New(ctx)
	if err := n.build(ctx, parts); err != nil {
		return nil, errors.Join(err, n.Kill())
	}
	n.group.Go(func(context.Context) error {
		return n.links.server.Serve(newPeerStream(n.links.port.Calls(), n.links.cluster, n.logger))
	})
	n.group.Go(n.executor.Run)
	n.group.Go(n.consensus.terms.run)
	n.group.Go(n.followLeader)
	n.group.Go(n.bootstrap)
	n.group.Go(n.rejoin)
	n.group.Go(n.showState)
	n.group.Go(n.giveWay)
	n.group.Go(func(ctx context.Context) error { return n.consensus.succeed(ctx, cfg.Timing.Election) })
	n.group.Go(func(ctx context.Context) error { return n.consensus.electing.earn(ctx, n.Barrier) })
	return n, nil
}

// Failed is closed when the node cannot go on; [Node.Err] says why.
func (n *Node) Failed() <-chan struct{} { return n.group.Done() }

// Err is why the node failed; nil while it has not.
func (n *Node) Err() error { return n.group.Err() }

// fail ends the node because of an error that it must not go on after.
func (n *Node) fail(err error) {
	n.group.Go(func(context.Context) error { return err })
}

// giveWay stops a node whose name another one had first, if that one answers.
func (n *Node) giveWay(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case other := <-n.gossip.conflict:
			if n.lives(ctx, other) {
				return fmt.Errorf("another node at %s already uses the id %q: give this one another --node-id", other.PeerAddr, n.cfg.ID)
			}
		}
	}
}

// lives reports whether the node of the card answers.
func (n *Node) lives(ctx context.Context, c card) bool {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	hello, err := n.links.calls.Hello(ctx, c.PeerAddr, n.greeting())
	return err == nil && hello.NodeID == n.cfg.ID && hello.Incarnation == c.Incarnation
}

// Stop leaves gossip and ends the node; it returns when everything has ended.
// The node stays a raft member: it may come back at any time.
func (n *Node) Stop() error {
	n.gossip.leave()
	return n.Kill()
}

// Kill ends the node at once and tells nobody.
func (n *Node) Kill() error {
	n.group.Cancel()
	return errors.Join(n.close(), n.group.Stop())
}

func (n *Node) close() error {
	var errs []error
	for i := len(n.closers) - 1; i >= 0; i-- {
		errs = append(errs, n.closers[i]())
	}
	n.closers = nil
	return errors.Join(errs...)
}

// Leads reports whether this node's term is in office: a hint for routing, not
// for safety.
func (n *Node) Leads() bool { return n.consensus.terms.current.Load() != nil }

// Ready is nil once this node has caught up and can serve linearizable reads.
func (n *Node) Ready(ctx context.Context) error {
	if n.leaving.draining.Load() {
		return job.Errorf(job.CodeNoLeader, "this node is stopping")
	}
	return n.Barrier(ctx)
}

// instant is the wall clock's reading as decisions keep it.
func (n *Node) instant() time.Time { return job.Instant(n.now()) }

// newIncarnation makes a number that no other life of this node has: the clock's
// milliseconds, and chance for a clock that was set back.
func newIncarnation(now time.Time) uint64 { return uint64(now.UnixMilli())<<20 | randomBits(20) }
