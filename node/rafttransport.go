package node

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// reachPause is the pause between two tries to reach a follower that does not
// answer.
const reachPause = 200 * time.Millisecond

// patience bounds the tries of one request: raft looks after other things between
// two requests.
const patience = time.Minute

// raftTransport is what both raft's network and its in-memory transport are.
type raftTransport interface {
	raft.Transport
	raft.WithPreVote
	raft.WithClose
}

// plainTransport is a raft transport without two of raft's short cuts, with
// patience for followers that are away, and without requests for votes that this
// node must not give.
type plainTransport struct {
	raftTransport
	electing *electing
	// full reports whether this node has no room for entries; nil: it has.
	full func() bool
	// silent: this node must not be heard as a leader.
	silent atomic.Bool
	// admitted are the requests that raft gets to see.
	admitted chan raft.RPC
	// wants reports whether the leader of the term still has entries for the
	// server. It is set once raft runs.
	wants  atomic.Pointer[func(id raft.ServerID, target raft.ServerAddress, term uint64) bool]
	ending chan struct{}
	once   sync.Once
}

func newPlainTransport(t raftTransport) *plainTransport {
	return &plainTransport{
		raftTransport: t, electing: &electing{}, admitted: make(chan raft.RPC), ending: make(chan struct{}),
	}
}

// Consumer is where raft gets requests from.
func (t *plainTransport) Consumer() <-chan raft.RPC { return t.admitted }

// admit passes requests on to raft until the transport is closed.
func (t *plainTransport) admit(context.Context) error {
	requests := t.raftTransport.Consumer()
	for {
		select {
		case <-t.ending:
			return nil
		case rpc := <-requests:
			if t.electing.refuses(rpc) || t.refuses(rpc) {
				continue
			}
			select {
			case <-t.ending:
				return nil
			case t.admitted <- rpc:
			}
		}
	}
}

// refuses answers entries for which there is no room with an error: the leader then
// sends them again, until there is. From raft itself it would hear that the logs
// differ, go back one entry after the other as far as its log goes, and then send
// snapshots to the full disk without end.
func (t *plainTransport) refuses(rpc raft.RPC) bool {
	request, ok := rpc.Command.(*raft.AppendEntriesRequest)
	if !ok || len(request.Entries) == 0 || t.full == nil || !t.full() {
		return false
	}
	rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: request.RPCHeader, Term: request.Term}, errDiskFull)
	return true
}

// serve tells the transport whose it is.
func (t *plainTransport) serve(r *raft.Raft) {
	wants := func(id raft.ServerID, target raft.ServerAddress, term uint64) bool {
		return r.State() == raft.Leader && r.CurrentTerm() == term && isMember(r, id, target)
	}
	t.wants.Store(&wants)
}

// errSilent is what a leader gets that must not be heard.
var errSilent = errors.New("this node keeps silent while its disk hangs")

// isMember reports whether the server is one, and still at that address.
func isMember(r *raft.Raft, id raft.ServerID, target raft.ServerAddress) bool {
	future := r.GetConfiguration()
	if future.Error() != nil {
		return false
	}
	for _, s := range future.Configuration().Servers {
		if s.ID == id && s.Address == target {
			return true
		}
	}
	return false
}

// SetHeartbeatHandler does nothing: heartbeats go through raft's main loop, since
// the races of their fast path can make logs diverge (rule D23).
func (*plainTransport) SetHeartbeatHandler(func(raft.RPC)) {}

// AppendEntriesPipeline refuses: raft then sends one request at a time. When a
// follower rejects a pipelined request, raft 1.7.3 may wait for ever to send the
// next one, which starves that follower and makes Shutdown hang.
func (*plainTransport) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// AppendEntries sends entries until the follower answers, as long as it is to
// have them. If it failed, raft would wait up to ten seconds before it tries
// again, the longer the follower was away, and a node that is back would wait
// with it. Heartbeats are sent once.
func (t *plainTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if t.silent.Load() {
		return errSilent
	}
	err := t.raftTransport.AppendEntries(id, target, args, resp)
	for until := time.Now().Add(patience); err != nil && time.Now().Before(until) && !isHeartbeat(args) && t.isWanted(id, target, args.Term); {
		select {
		case <-t.ending:
			return err
		case <-time.After(reachPause):
		}
		err = t.raftTransport.AppendEntries(id, target, args, resp)
	}
	return err
}

// RequestVote asks for a vote, if this node may be elected.
func (t *plainTransport) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	if err := t.electing.mayStand(args.LastLogIndex); err != nil {
		return err
	}
	return t.raftTransport.RequestVote(id, target, args, resp)
}

// RequestPreVote asks whether a vote would be given, if this node may be elected.
func (t *plainTransport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if err := t.electing.mayStand(args.LastLogIndex); err != nil {
		return err
	}
	return t.raftTransport.RequestPreVote(id, target, args, resp)
}

func (t *plainTransport) isWanted(id raft.ServerID, target raft.ServerAddress, term uint64) bool {
	wants := t.wants.Load()
	return !t.silent.Load() && wants != nil && (*wants)(id, target, term)
}

// isHeartbeat tells raft's heartbeats by what they lack, as raft does.
func isHeartbeat(args *raft.AppendEntriesRequest) bool {
	return args.Term != 0 && args.PrevLogEntry == 0 && args.PrevLogTerm == 0 && len(args.Entries) == 0 && args.LeaderCommitIndex == 0
}

// Close ends the tries and the transport.
func (t *plainTransport) Close() error {
	t.once.Do(func() { close(t.ending) })
	return t.raftTransport.Close()
}
