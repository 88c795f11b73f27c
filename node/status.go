package node

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/transport"
)

// statusTimeout bounds how long a status waits for one node's answer.
const statusTimeout = time.Second

// Status is the cluster as one node sees it.
type Status struct {
	NodeID, LeaderID string
	Term             uint64
	Nodes            []MemberStatus
}

// MemberStatus is one member. What a node does not answer for itself is zero.
type MemberStatus struct {
	NodeID, HTTPAddr, PeerAddr string
	// Role is LEADER, FOLLOWER or LEARNER.
	Role string
	// State is ALIVE if the node answers, SUSPECT if only gossip still believes
	// in it, else DEAD.
	State        string
	AppliedIndex uint64
	OpenAttempts int
	Version      string
}

// Status asks every member; one that does not answer within a second is told
// from gossip.
func (n *Node) Status(ctx context.Context) (Status, error) {
	future := n.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return Status{}, err
	}
	_, leader := n.raft.LeaderWithID()
	servers := future.Configuration().Servers
	s := Status{
		NodeID: n.cfg.ID, LeaderID: string(leader), Term: n.raft.CurrentTerm(),
		Nodes: make([]MemberStatus, len(servers)),
	}
	gossiped := map[string]neighbour{}
	for _, g := range n.gossip.neighbours() {
		gossiped[g.ID] = g
	}
	asking := group.New(ctx)
	var mu sync.Mutex // guards s.Nodes
	for i, server := range servers {
		asking.Go(func(ctx context.Context) error {
			m := n.memberStatus(ctx, server, leader, gossiped)
			mu.Lock()
			defer mu.Unlock()
			s.Nodes[i] = m
			return nil
		})
	}
	return s, asking.Wait()
}

func (n *Node) memberStatus(ctx context.Context, server raft.Server, leader raft.ServerID, gossiped map[string]neighbour) MemberStatus {
	m := MemberStatus{NodeID: string(server.ID), PeerAddr: string(server.Address), Role: role(server, leader), State: "DEAD"}
	if g, ok := gossiped[m.NodeID]; ok {
		m.HTTPAddr, m.Version, m.State = g.HTTPAddr, g.Version, "SUSPECT"
	}
	if hello, err := n.greet(ctx, server); err == nil && hello.NodeID == m.NodeID {
		m.State, m.HTTPAddr, m.Version = "ALIVE", hello.HTTPAddr, hello.Version
		m.AppliedIndex, m.OpenAttempts = hello.AppliedIndex, hello.OpenAttempts
	}
	return m
}

func (n *Node) greet(ctx context.Context, server raft.Server) (transport.Greeting, error) {
	if string(server.ID) == n.cfg.ID {
		return n.greeting(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	return n.calls.Hello(ctx, string(server.Address), n.greeting())
}

func role(s raft.Server, leader raft.ServerID) string {
	switch {
	case s.ID == leader:
		return "LEADER"
	case s.Suffrage == raft.Voter:
		return "FOLLOWER"
	default:
		return "LEARNER"
	}
}
