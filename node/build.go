package node

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/cronraft/cronraft/internal/executor"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/scheduler"
)

func (n *Node) buildExecutor() {
	n.executor = executor.New(executor.Config{
		NodeID: n.cfg.ID, Incarnation: n.incarnation,
		Reporter:    leaderReporter{n},
		Concurrency: n.cfg.CallbackConcurrency,
		UserAgent:   "cronraft/" + n.cfg.Version,
		DialContext: n.cfg.CallbackDial,
		Allow:       n.cfg.CallbackAllow, Deny: n.cfg.CallbackDeny, OwnPorts: n.clusterPorts,
		Now: n.now, Reached: n.reached,
		Logger: n.cfg.Logger, Metrics: executor.NewMetrics(n.cfg.Registerer),
	})
}

func (n *Node) buildLeadership() {
	m := newMetrics(n.cfg.Registerer, n.store)
	n.consensus.log = &submitter{
		raft: n.consensus.raft, version: n.store.LogVersion, disk: n.disk, confirm: n.confirmOffice, commitSeconds: m.commitSeconds.Observe,
	}
	n.consensus.reads = newRounds(n.confirmIndex)
	n.consensus.members = &membership{
		raft: n.consensus.raft, log: n.consensus.log, store: n.store, disk: n.disk, gossip: n.gossip, self: n.cfg.ID,
		dismiss: n.tellDismissed, handOver: n.handOver, now: n.instant, logger: n.logger, changed: make(chan struct{}, 1),
	}
	planning := scheduler.NewMetrics(n.cfg.Registerer)
	n.consensus.terms = &leadership{
		raft: n.consensus.raft, log: n.consensus.log, node: job.NodeRef{ID: n.cfg.ID, Incarnation: n.incarnation},
		logger: n.logger, metrics: m, found: n.foundCluster, patience: 4 * n.cfg.Timing.Election, now: n.now,
		members: n.consensus.members,
		newTerm: func(number uint64) (*scheduler.Term, func()) { return n.newTerm(number, planning) },
	}
}

// newTerm builds the scheduler of one time in office on a feed of its own.
func (n *Node) newTerm(number uint64, m *scheduler.Metrics) (*scheduler.Term, func()) {
	feed := n.store.Watch()
	t := scheduler.NewTerm(scheduler.Config{
		Term: number, NodeID: n.cfg.ID,
		Log: n.consensus.log.during(number), Agenda: n.store, Feed: feed,
		Jobs: assignments{store: n.store, secret: n.cfg.Secret, now: n.now}, Peers: peers{n},
		HistoryPerJob: n.cfg.History.PerJob, HistoryMaxAge: n.cfg.History.MaxAge,
		Receivers:     n.store.Receivers,
		NodeLostAfter: n.cfg.Timing.NodeLost,
		Now:           n.now, Reached: n.reached,
		Logger: n.cfg.Logger, Metrics: m,
	})
	return t, feed.Close
}

// clusterPorts are the ports of every node that gossip shows: no callback may
// reach them. A node's addresses that are names are known by where its gossip
// comes from.
func (n *Node) clusterPorts() []netip.AddrPort {
	texts := slices.Clone(n.cfg.OwnPorts)
	for _, o := range n.gossip.neighbours() {
		texts = append(texts, o.GossipAddr, atHost(o.GossipAddr, o.PeerAddr), atHost(o.GossipAddr, o.HTTPAddr))
	}
	var out []netip.AddrPort
	for _, text := range texts {
		if a, err := netip.ParseAddrPort(text); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// atHost is addr, with the host of known if its own is a name.
func atHost(known, addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || net.ParseIP(host) != nil {
		return addr
	}
	ip, _, err := net.SplitHostPort(known)
	if err != nil {
		return addr
	}
	return net.JoinHostPort(ip, port)
}

func randomBits(count int) uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) >> (64 - count)
}

// The associated data of sealed values: a value moved to another place does not
// open there.
func keyScope(keyID string) []byte { return []byte("api-key:" + keyID) }

func headerScope(jobID fmt.Stringer, name string) []byte {
	return []byte("job-header:" + jobID.String() + ":" + name)
}
