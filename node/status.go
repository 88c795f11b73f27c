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
	// ReadOnly: its disk is full.
	ReadOnly bool
	// ClockSkew is how far its clock is ahead of the leader's; nil unless this node
	// leads and has heard from it.
	ClockSkew *time.Duration
}

// The roles and states of a member.
const (
	roleLeader   = "LEADER"
	roleFollower = "FOLLOWER"
	roleLearner  = "LEARNER"

	stateAlive   = "ALIVE"
	stateSuspect = "SUSPECT"
	stateDead    = "DEAD"
)

// Status asks every member; one that does not answer within a second is told
// from gossip.
func (n *Node) Status(ctx context.Context) (Status, error) {
	_, leader := n.consensus.raft.LeaderWithID()
	servers := n.servers()
	s := Status{
		NodeID: n.cfg.ID, LeaderID: string(leader), Term: n.consensus.raft.CurrentTerm(),
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
	err := asking.Wait()
	n.addSkews(s.Nodes)
	return s, err
}

// addSkews adds what the leader knows of the members' clocks.
func (n *Node) addSkews(members []MemberStatus) {
	t := n.consensus.terms.current.Load()
	if t == nil {
		return
	}
	for _, s := range t.Nodes() {
		for i := range members {
			if members[i].NodeID == s.ID && !s.LastHeard.IsZero() {
				members[i].ClockSkew = &s.Skew
			}
		}
	}
}

func (n *Node) memberStatus(ctx context.Context, server raft.Server, leader raft.ServerID, gossiped map[string]neighbour) MemberStatus {
	m := MemberStatus{NodeID: string(server.ID), PeerAddr: string(server.Address), Role: role(server, leader), State: stateDead}
	if g, ok := gossiped[m.NodeID]; ok {
		m.HTTPAddr, m.Version, m.State, m.ReadOnly = g.HTTPAddr, g.Version, stateSuspect, g.ReadOnly
	}
	if hello, err := n.greet(ctx, server); err == nil && hello.NodeID == m.NodeID {
		m.State, m.HTTPAddr, m.Version = stateAlive, hello.HTTPAddr, hello.Version
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
	return n.links.calls.Hello(ctx, string(server.Address), n.greeting())
}

func role(s raft.Server, leader raft.ServerID) string {
	switch {
	case s.ID == leader:
		return roleLeader
	case s.Suffrage == raft.Voter:
		return roleFollower
	default:
		return roleLearner
	}
}
