package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/fsm"
	"github.com/cronraft/cronraft/internal/executor"
	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/transport"
)

// logVersion is the newest version of log entries that this node can apply.
const logVersion = fsm.Version

// Node is a running member. The services for the public API hang on it as
// [Node.Jobs], [Node.Executions] and [Node.Keys].
type Node struct {
	cfg         Config
	logger      *slog.Logger
	incarnation uint64

	store    *fsm.Store
	cluster  *clusterName
	raft     *raft.Raft
	log      *submitter
	gossip   *gossip
	port     *transport.Port
	server   *transport.Server
	calls    *transport.Client
	executor *executor.Executor
	terms    *leadership
	members  *membership
	reads    *rounds

	// forward answers a public request that another node passed on.
	forward  atomic.Pointer[func(ctx context.Context, request []byte) ([]byte, error)]
	draining atomic.Bool

	group *group.Group
	// closers undo Start, the last first.
	closers []func() error
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
		incarnation: newIncarnation(time.Now()),
	}
	ctx = context.WithoutCancel(ctx)
	n.group = group.New(ctx)
	if err := n.build(ctx, parts); err != nil {
		return nil, errors.Join(err, n.Kill())
	}
	n.group.Go(func(context.Context) error {
		return n.server.Serve(newPeerStream(n.port.Calls(), n.cluster, n.logger))
	})
	n.group.Go(n.executor.Run)
	n.group.Go(n.terms.run)
	n.group.Go(n.followLeader)
	n.group.Go(n.bootstrap)
	n.group.Go(n.rejoin)
	n.group.Go(n.showState)
	n.group.Go(n.giveWay)
	return n, nil
}

func (n *Node) build(ctx context.Context, parts Parts) error {
	if err := n.openStore(parts); err != nil {
		return err
	}
	if err := n.openPeers(ctx, parts); err != nil {
		return err
	}
	if err := n.openGossip(parts); err != nil {
		return err
	}
	n.buildExecutor()
	n.buildLeadership()
	return nil
}

func (n *Node) openStore(parts Parts) error {
	store, err := fsm.Open(fsm.Config{FS: parts.FS, Dir: filepath.Join(n.cfg.DataDir, "store"), CacheBytes: n.cfg.StoreCacheBytes, Failed: n.fail})
	if err != nil {
		return fmt.Errorf("is another process using this data directory? %w", err)
	}
	n.store, n.cluster = store, &clusterName{read: store.ClusterID}
	n.closers = append(n.closers, store.Close)
	return nil
}

// openPeers opens the peer port, and raft on it. Peers' calls are served once
// everything that they reach has been built.
func (n *Node) openPeers(ctx context.Context, parts Parts) error {
	var security *tls.Config
	if !parts.PlainPeers {
		var err error
		if security, err = n.cfg.Secret.TLS(n.cfg.ID, time.Now()); err != nil {
			return fmt.Errorf("make the peer certificate: %w", err)
		}
	}
	n.port = transport.NewPort(ctx, transport.PortConfig{
		Listener: parts.Peers, Advertise: n.cfg.PeerAddr, Dial: parts.Dial, TLS: security, Logger: n.cfg.Logger,
	})
	n.closers = append(n.closers, n.port.Close)
	if err := n.openRaft(parts); err != nil {
		return err
	}
	calls := newPeerStream(n.port.Calls(), n.cluster, n.logger)
	n.calls = transport.NewClient(ctx, transport.ClientConfig{Dial: calls.DialContext})
	n.closers = append(n.closers, n.calls.Close)
	n.server = transport.NewServer(ctx, peerHandler{n}, n.cfg.Logger)
	n.closers = append(n.closers, n.server.Close)
	return nil
}

func (n *Node) openRaft(parts Parts) (err error) {
	logs := parts.Log
	if logs == nil {
		if logs, err = openLog(n.cfg.DataDir); err != nil {
			return err
		}
	}
	n.closers = append(n.closers, logs.Close)
	if err := claim(logs, n.cfg.ID); err != nil {
		return err
	}
	logs = failingLog{logs, n.fail}
	t := newPlainTransport(n.raftTransport(parts))
	n.raft, err = startRaft(n.cfg, n.store, logs, t)
	n.closers = append(n.closers, func() error { return n.closeRaft(t) })
	return err
}

func (n *Node) raftTransport(parts Parts) raftTransport {
	if parts.Raft != nil {
		return parts.Raft
	}
	return newRaftTransport(raftStream{newPeerStream(n.port.Raft(), n.cluster, n.logger)}, n.cfg.Logger)
}

// nodeIDKey is where raft's stable store keeps whose it is.
var nodeIDKey = []byte("cronraft-node-id")

// keyNotFound is what a stable store says of a key it does not have; raft goes by
// the same words.
const keyNotFound = "not found"

// claim makes a log the named node's. Raft goes by the name: under another one
// this node would be a stranger to its own cluster.
func claim(logs LogStore, id string) error {
	owner, err := logs.Get(nodeIDKey)
	if err != nil && err.Error() != keyNotFound {
		return fmt.Errorf("read whose the data directory is: %w", err)
	}
	if len(owner) > 0 && string(owner) != id {
		return fmt.Errorf("the data directory belongs to node %q, not %q: start it with its own --node-id, or give this one another --data-dir", owner, id)
	}
	if err := logs.Set(nodeIDKey, []byte(id)); err != nil {
		return fmt.Errorf("claim the data directory: %w", err)
	}
	return nil
}

// closeRaft closes raft's connections before it waits for raft: a request to a
// peer that does not answer would hold it up.
func (n *Node) closeRaft(streams raft.WithClose) error {
	var ending raft.Future
	if n.raft != nil {
		ending = n.raft.Shutdown()
	}
	errs := []error{streams.Close(), n.port.Close()}
	if ending != nil {
		errs = append(errs, ending.Error())
	}
	return errors.Join(errs...)
}

func (n *Node) openGossip(parts Parts) (err error) {
	n.gossip, err = newGossip(n.cfg, parts.Gossip, card{
		PeerAddr: n.cfg.PeerAddr, HTTPAddr: n.cfg.HTTPAddr, Incarnation: n.incarnation, HasState: n.configured(),
		ClusterID: n.store.ClusterID(), Expect: n.cfg.BootstrapExpect, Version: n.cfg.Version, LogVersion: logVersion,
	})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, n.gossip.stop)
	return nil
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
	hello, err := n.calls.Hello(ctx, c.PeerAddr, n.greeting())
	return err == nil && hello.NodeID == n.cfg.ID && hello.Incarnation == c.Incarnation
}

// Drain prepares a stop without harm: it hands leadership on, asks for no new
// work, and waits for the open callbacks until ctx is done; what is left then is
// aborted, for others to take over. The node still answers.
func (n *Node) Drain(ctx context.Context) error {
	n.draining.Store(true)
	if n.raft.State() == raft.Leader {
		n.handOver(ctx)
	}
	if err := n.executor.Drain(ctx); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

// handOver makes another voter lead: one that gossip believes to be alive, since
// raft itself would choose by log and might choose a dead one.
func (n *Node) handOver(ctx context.Context) {
	servers := n.raft.GetConfiguration()
	if servers.Error() != nil {
		return
	}
	alive := map[raft.ServerID]bool{}
	for _, o := range n.gossip.neighbours() {
		alive[raft.ServerID(o.ID)] = o.ID != n.cfg.ID
	}
	for _, s := range servers.Configuration().Servers {
		if s.Suffrage != raft.Voter || !alive[s.ID] {
			continue
		}
		err := n.handOverTo(ctx, s)
		if err == nil {
			return
		}
		n.logger.Info("a node did not take over leadership", "peer", s.ID, "err", err)
	}
}

// handOverTo makes the server lead if it answers. Raft refuses while an earlier
// try is not quite over.
func (n *Node) handOverTo(ctx context.Context, s raft.Server) error {
	if _, err := n.greet(ctx, s); err != nil {
		return err
	}
	for {
		err := n.raft.LeadershipTransferToServer(s.ID, s.Address).Error()
		if !errors.Is(err, raft.ErrLeadershipTransferInProgress) || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryInterval):
		}
	}
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
func (n *Node) Leads() bool { return n.terms.current.Load() != nil }

// Ready is nil once this node has caught up and can serve linearizable reads.
func (n *Node) Ready(ctx context.Context) error {
	if n.draining.Load() {
		return job.Errorf(job.CodeNoLeader, "this node is stopping")
	}
	return n.Barrier(ctx)
}

// newIncarnation makes a number that no other life of this node has: the clock's
// milliseconds, and chance for a clock that was set back.
func newIncarnation(now time.Time) uint64 { return uint64(now.UnixMilli())<<20 | randomBits(20) }
