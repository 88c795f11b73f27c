//go:build !race

package node_test

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// raftNet carries raft's requests between the nodes of a simulation. Unlike raft's
// own InmemTransport it can cut one direction, be slow, and lose an answer whose
// request has arrived.
type raftNet struct {
	links *simLinks
	// patience is how long a request waits for its answer.
	patience time.Duration

	// mu guards ports, by address.
	mu    sync.Mutex
	ports map[raft.ServerAddress]*raftPort
}

func newRaftNet(links *simLinks, patience time.Duration) *raftNet {
	return &raftNet{links: links, patience: patience, ports: map[raft.ServerAddress]*raftPort{}}
}

// raftPort is one life's raft.Transport.
type raftPort struct {
	network  *raftNet
	addr     raft.ServerAddress
	requests chan raft.RPC
	closed   chan struct{}
	once     sync.Once
}

var (
	_ raft.Transport   = (*raftPort)(nil)
	_ raft.WithPreVote = (*raftPort)(nil)
	_ raft.WithClose   = (*raftPort)(nil)
)

var (
	errRaftTimeout = errors.New("no answer in time")
	errRaftClosed  = errors.New("connection closed")
)

func (n *raftNet) listen(addr string) *raftPort {
	p := &raftPort{
		network: n, addr: raft.ServerAddress(addr),
		requests: make(chan raft.RPC, 16), closed: make(chan struct{}),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports[p.addr] = p
	return p
}

func (n *raftNet) find(addr raft.ServerAddress) (*raftPort, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.ports[addr]
	if p == nil {
		return nil, fmt.Errorf("connect to %s: connection refused", addr)
	}
	return p, nil
}

// ask makes one request.
func ask[T any](p *raftPort, target raft.ServerAddress, request raft.RPC, patience time.Duration, answer *T) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	replies := make(chan raft.RPCResponse, 1)
	request.RespChan = replies
	from, to := host(string(p.addr)), host(string(target))
	if err := p.wait(from, to, deadline.C); err != nil {
		return err
	}
	there, err := p.network.find(target)
	if err != nil {
		return err
	}
	select {
	case there.requests <- request:
	case <-deadline.C:
		return errRaftTimeout
	case <-there.closed:
		return errRaftClosed
	case <-p.closed:
		return errRaftClosed
	}
	var reply raft.RPCResponse
	select {
	case reply = <-replies:
	case <-deadline.C:
		return errRaftTimeout
	case <-there.closed:
		return errRaftClosed
	case <-p.closed:
		return errRaftClosed
	}
	if err := p.wait(to, from, deadline.C); err != nil {
		return err
	}
	if reply.Error == nil {
		*answer = *reply.Response.(*T)
	}
	return reply.Error
}

// wait lets the time pass that a message is under way. One that is lost is missed
// only at the deadline.
func (p *raftPort) wait(from, to string, deadline <-chan time.Time) error {
	delay, err := p.network.links.travel(from, to)
	if err == nil && delay == 0 {
		return nil
	}
	var arrived <-chan time.Time
	if err == nil {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		arrived = timer.C
	}
	select {
	case <-arrived:
		_, err := p.network.links.travel(from, to) // cut meanwhile
		return err
	case <-deadline:
		return errRaftTimeout
	case <-p.closed:
		return errRaftClosed
	}
}

// AppendEntries sends a copy: a request that is still under way when it is given up
// must not change when raft uses the memory again.
func (p *raftPort) AppendEntries(_ raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	sent := *args
	return ask(p, target, raft.RPC{Command: &sent}, p.network.patience, resp)
}

// RequestVote asks for a vote.
func (p *raftPort) RequestVote(_ raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return ask(p, target, raft.RPC{Command: args}, p.network.patience, resp)
}

// RequestPreVote asks whether a vote would be given.
func (p *raftPort) RequestPreVote(_ raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return ask(p, target, raft.RPC{Command: args}, p.network.patience, resp)
}

// TimeoutNow asks the target to stand for election.
func (p *raftPort) TimeoutNow(_ raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return ask(p, target, raft.RPC{Command: args}, p.network.patience, resp)
}

// InstallSnapshot sends a snapshot. What it takes is read by the target while the
// call waits, and no longer.
func (p *raftPort) InstallSnapshot(_ raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	body := &raftBody{data: data, broken: func() error {
		_, err := p.network.links.travel(host(string(p.addr)), host(string(target)))
		return err
	}}
	defer body.end()
	return ask(p, target, raft.RPC{Command: args, Reader: body}, 10*p.network.patience, resp)
}

// raftBody is the content of a snapshot under way.
type raftBody struct {
	broken func() error

	// mu is held during a Read: after end there is none.
	mu    sync.Mutex
	data  io.Reader
	ended bool
}

func (b *raftBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.broken(); err != nil || b.ended {
		return 0, io.ErrUnexpectedEOF
	}
	return b.data.Read(p)
}

func (b *raftBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}

// AppendEntriesPipeline refuses: raft then sends one request at a time.
func (*raftPort) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// Consumer is where requests come out.
func (p *raftPort) Consumer() <-chan raft.RPC { return p.requests }

// LocalAddr is where the others reach this port.
func (p *raftPort) LocalAddr() raft.ServerAddress { return p.addr }

// EncodePeer writes an address.
func (*raftPort) EncodePeer(_ raft.ServerID, addr raft.ServerAddress) []byte { return []byte(addr) }

// DecodePeer reads an address.
func (*raftPort) DecodePeer(b []byte) raft.ServerAddress { return raft.ServerAddress(b) }

// SetHeartbeatHandler does nothing: heartbeats come out of Consumer.
func (*raftPort) SetHeartbeatHandler(func(raft.RPC)) {}

// Close ends every request to and from this port.
func (p *raftPort) Close() error {
	p.once.Do(func() {
		close(p.closed)
		p.network.mu.Lock()
		defer p.network.mu.Unlock()
		if p.network.ports[p.addr] == p {
			delete(p.network.ports, p.addr)
		}
	})
	return nil
}
