package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/transport"
)

// confirmOffice returns nil once a majority of the voters has been, after the
// call, in the given term, in which this node leads: no other can have been elected
// in a later one before the call, since that takes a majority that has moved on.
// [job.ErrNotLeader] if the term is over.
//
// Raft's own VerifyLeader is no such proof. It counts any answer that arrives after
// it was asked, also to a request from before: the answers that wait in the sockets
// of a process that was stopped, while another leader was elected, are enough for
// it. It also counts the answers of learners.
func (n *Node) confirmOffice(ctx context.Context, term uint64) error {
	if !n.holds(term) {
		return job.ErrNotLeader
	}
	ctx, cancel := context.WithTimeout(ctx, 2*n.cfg.Timing.Election)
	defer cancel()
	var asked []raft.Server
	voters := 0
	for _, s := range n.servers() {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		if string(s.ID) != n.cfg.ID {
			asked = append(asked, s)
		}
	}
	if err := n.askTerms(ctx, asked, voters/2, term); err != nil {
		return err
	}
	if !n.holds(term) {
		return job.ErrNotLeader
	}
	return nil
}

// holds reports whether raft leads here, in the term.
func (n *Node) holds(term uint64) bool {
	return n.consensus.raft.State() == raft.Leader && n.consensus.raft.CurrentTerm() == term
}

// askTerms returns nil once so many of the servers have said that they are in the
// term.
func (n *Node) askTerms(ctx context.Context, servers []raft.Server, need int, term uint64) error {
	if need == 0 {
		return nil
	}
	// Who is slower than a majority is let finish: to cancel a call costs its
	// connection.
	asking := group.New(context.WithoutCancel(ctx))
	answers := make(chan termAnswer, len(servers))
	for _, s := range servers {
		asking.Go(func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 2*n.cfg.Timing.Election)
			defer cancel()
			g, err := n.askTerm(ctx, s)
			answers <- termAnswer{g, err}
			return nil
		})
	}
	var errs []error
	for range servers {
		var a termAnswer
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a = <-answers:
		}
		switch {
		case a.err != nil:
			errs = append(errs, a.err)
		case a.Term > term:
			return job.ErrNotLeader
		case a.Term == term:
			if need--; need == 0 {
				return nil
			}
		default:
			errs = append(errs, fmt.Errorf("node %s is in term %d", a.NodeID, a.Term))
		}
	}
	return fmt.Errorf("no majority confirms term %d: %w", term, errors.Join(errs...))
}

type termAnswer struct {
	transport.Greeting
	err error
}

// askTerm asks a server for its term. A node of an older program does not tell it;
// raft's word has to do then.
func (n *Node) askTerm(ctx context.Context, s raft.Server) (transport.Greeting, error) {
	g, err := n.links.calls.Hello(ctx, string(s.Address), n.greeting())
	if err == nil && g.NodeID != string(s.ID) {
		return g, fmt.Errorf("node %s answers in the place of %s", g.NodeID, s.ID)
	}
	if err != nil || g.Term != 0 {
		return g, err
	}
	term := n.consensus.raft.CurrentTerm()
	if err := await(ctx, func() error { return n.consensus.raft.VerifyLeader().Error() }); err != nil {
		return g, fmt.Errorf("confirm with node %s: %w", s.ID, err)
	}
	g.Term = term
	return g, nil
}
