package node

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// freshKey is where raft's stable store keeps that this node has never caught
// up.
var freshKey = []byte("cronraft-fresh")

// foundingIndex is the last entry in the log of a node that has just founded a
// cluster.
const foundingIndex = 1

// electing keeps a node out of elections that may have forgotten what it promised.
// Raft counts on a voter to remember its log and its votes; one whose data
// directory was removed remembers neither, and with its vote, or as a candidate
// itself, a node could be elected that lacks acknowledged writes. A node that began
// without state therefore neither votes nor stands for election before it has
// caught up with a leader. Those that found a cluster together have nothing to
// forget: each takes note of that before there is anything to vote about.
type electing struct {
	logs  LogStore
	fresh atomic.Bool
}

// begin takes note of whether the node begins without state.
func (e *electing) begin(logs LogStore, hasState bool) error {
	e.logs = logs
	if !hasState {
		if err := logs.SetUint64(freshKey, 1); err != nil {
			return fmt.Errorf("take note of a new data directory: %w", err)
		}
	}
	fresh, err := logs.GetUint64(freshKey)
	if err != nil && err.Error() != keyNotFound {
		return fmt.Errorf("read whether the data directory is new: %w", err)
	}
	e.fresh.Store(fresh != 0)
	return nil
}

// admit takes note, durably, that this node has nothing to forget: it founds its
// cluster, or has caught up.
func (e *electing) admit() error {
	if !e.fresh.Load() {
		return nil
	}
	if err := e.logs.SetUint64(freshKey, 0); err != nil {
		return fmt.Errorf("take note that this node may vote: %w", err)
	}
	e.fresh.Store(false)
	return nil
}

// mayStand is an error if this node must not ask for votes with a log that ends at
// the index.
func (e *electing) mayStand(lastIndex uint64) error {
	if e.fresh.Load() && lastIndex > foundingIndex {
		return errForgetful
	}
	return nil
}

var errForgetful = errors.New("this node began with an empty data directory and has not caught up: it must not be elected")

// refuses answers a request for this node's vote with no, if it must not vote.
func (e *electing) refuses(rpc raft.RPC) bool {
	if !e.fresh.Load() {
		return false
	}
	switch request := rpc.Command.(type) {
	case *raft.RequestVoteRequest:
		if request.LastLogIndex > foundingIndex {
			rpc.Respond(&raft.RequestVoteResponse{RPCHeader: request.RPCHeader, Term: request.Term}, nil)
			return true
		}
	case *raft.RequestPreVoteRequest:
		if request.LastLogIndex > foundingIndex {
			rpc.Respond(&raft.RequestPreVoteResponse{RPCHeader: request.RPCHeader, Term: request.Term}, nil)
			return true
		}
	}
	return false
}

// earn lets the node vote once caughtUp says that it has everything that was
// acknowledged before it began.
func (e *electing) earn(ctx context.Context, caughtUp func(context.Context) error) error {
	for e.fresh.Load() {
		if err := caughtUp(ctx); err == nil {
			return e.admit()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(bootstrapInterval):
		}
	}
	return nil
}
