package node

import (
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

// plainTransport is a raft transport without two of raft's short cuts, and with
// patience for followers that are away.
type plainTransport struct {
	raftTransport
	// wants reports whether the leader of the term still has entries for the
	// server. It is set once raft runs.
	wants  atomic.Pointer[func(id raft.ServerID, target raft.ServerAddress, term uint64) bool]
	ending chan struct{}
	once   sync.Once
}

func newPlainTransport(t raftTransport) *plainTransport {
	return &plainTransport{raftTransport: t, ending: make(chan struct{})}
}

// serve tells the transport whose it is.
func (t *plainTransport) serve(r *raft.Raft) {
	wants := func(id raft.ServerID, target raft.ServerAddress, term uint64) bool {
		return r.State() == raft.Leader && r.CurrentTerm() == term && isMember(r, id, target)
	}
	t.wants.Store(&wants)
}

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

func (t *plainTransport) isWanted(id raft.ServerID, target raft.ServerAddress, term uint64) bool {
	wants := t.wants.Load()
	return wants != nil && (*wants)(id, target, term)
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
