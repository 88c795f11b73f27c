package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/fsm"
	"github.com/cronraft/cronraft/transport"
)

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
	n.disk = newDisk(n.cfg, parts, n.logger)
	store, err := fsm.Open(fsm.Config{
		FS: parts.FS, Dir: filepath.Join(n.cfg.DataDir, "store"), CacheBytes: n.cfg.StoreCacheBytes,
		Failed: n.fail, Reached: parts.Reached,
	})
	if err != nil {
		return fmt.Errorf("is another process using this data directory? %w", err)
	}
	n.store, n.links.cluster = store, &clusterName{read: store.ClusterID}
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
	n.links.port = transport.NewPort(ctx, transport.PortConfig{
		Listener: parts.Peers, Advertise: n.cfg.PeerAddr, Dial: parts.Dial, TLS: security, Logger: n.cfg.Logger,
	})
	n.closers = append(n.closers, n.links.port.Close)
	if err := n.openRaft(parts); err != nil {
		return err
	}
	calls := newPeerStream(n.links.port.Calls(), n.links.cluster, n.logger)
	n.links.calls = transport.NewClient(ctx, transport.ClientConfig{Dial: calls.DialContext})
	n.closers = append(n.closers, n.links.calls.Close)
	n.links.server = transport.NewServer(ctx, peerHandler{n}, n.cfg.Logger)
	n.closers = append(n.closers, n.links.server.Close)
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
	careful := &carefulLog{LogStore: logs, disk: n.disk, fail: n.fail}
	state := &watchedState{Store: n.store}
	t := newPlainTransport(n.raftTransport(parts))
	t.full = careful.isFull
	n.consensus.raft, err = startRaft(n.cfg, n.store, state, careful, t)
	n.closers = append(n.closers, func() error { return n.closeRaft(t) })
	if err != nil {
		return err
	}
	n.group.Go(t.admit)
	n.consensus.electing = t.electing
	dog := &watchdog{disk: n.disk, logs: careful, applying: &state.applying, silence: &t.silent, patience: n.cfg.Timing.DiskPatience, logger: n.logger}
	n.group.Go(dog.write)
	n.group.Go(dog.watch)
	n.group.Go(n.disk.run)
	return nil
}

func (n *Node) raftTransport(parts Parts) raftTransport {
	if parts.Raft != nil {
		return parts.Raft
	}
	return newRaftTransport(raftStream{newPeerStream(n.links.port.Raft(), n.links.cluster, n.logger)}, n.cfg.Logger)
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
	if n.consensus.raft != nil {
		ending = n.consensus.raft.Shutdown()
	}
	errs := []error{streams.Close(), n.links.port.Close()}
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
