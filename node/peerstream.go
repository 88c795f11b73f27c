package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/transport"
)

// refusalInterval is how often the refusal of another cluster is told.
const refusalInterval = 10 * time.Second

// clusterName is the ID of the cluster that this node belongs to. It is asked for
// at every read of a stream, and must not wait for the store.
type clusterName struct {
	read  func() string
	known atomic.Pointer[string]
}

// get is the ID; empty before the node belongs to a cluster. Once known it never
// changes.
func (c *clusterName) get() string {
	if id := c.known.Load(); id != nil {
		return *id
	}
	id := c.read()
	if id != "" {
		c.known.Store(&id)
	}
	return id
}

// peerStream is a stream of the peer port each of whose connections begins with
// the ID of the cluster that its dialer belongs to. A node of another cluster
// refuses it: two clusters that were founded with one secret must not mix (rule
// D17). Who belongs to none yet is accepted, and accepts.
type peerStream struct {
	*transport.Stream
	cluster *clusterName
	logger  *slog.Logger
	told    *atomic.Int64 // when a refusal was told last, in Unix nanoseconds
}

func newPeerStream(s *transport.Stream, c *clusterName, logger *slog.Logger) peerStream {
	return peerStream{Stream: s, cluster: c, logger: logger, told: &atomic.Int64{}}
}

// DialContext opens a stream to the peer at addr.
func (s peerStream) DialContext(ctx context.Context, addr string) (net.Conn, error) {
	return s.named(s.Stream.DialContext(ctx, addr))
}

// named begins a connection that was just dialled.
func (s peerStream) named(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	id := s.cluster.get()
	if _, err := c.Write(append([]byte{byte(len(id))}, id...)); err != nil {
		c.Close()
		return nil, fmt.Errorf("name the cluster: %w", err)
	}
	return c, nil
}

// Accept waits for a stream. Its reads check the cluster: the first may block,
// and Accept must not.
func (s peerStream) Accept() (net.Conn, error) {
	c, err := s.Stream.Accept()
	if err != nil {
		return nil, err
	}
	return &namedConn{Conn: c, stream: s}, nil
}

// namedConn is an accepted stream whose dialer has to name its cluster first. It
// is read by one goroutine at a time.
type namedConn struct {
	net.Conn
	stream peerStream
	named  bool
	theirs string
}

// Read is the connection's, as long as both ends belong to one cluster: this node
// may have got its own since the last read.
func (c *namedConn) Read(b []byte) (int, error) {
	if err := c.checkCluster(); err != nil {
		c.Conn.Close()
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *namedConn) checkCluster() error {
	if !c.named {
		if err := c.readName(); err != nil {
			return err
		}
	}
	ours := c.stream.cluster.get()
	if ours == "" || c.theirs == "" || ours == c.theirs {
		return nil
	}
	c.stream.tellRefusal(c.RemoteAddr(), ours, c.theirs)
	return fmt.Errorf("the peer belongs to cluster %s, this node to %s", c.theirs, ours)
}

func (c *namedConn) readName() error {
	var length [1]byte
	if _, err := io.ReadFull(c.Conn, length[:]); err != nil {
		return err
	}
	name := make([]byte, length[0])
	if _, err := io.ReadFull(c.Conn, name); err != nil {
		return err
	}
	c.named, c.theirs = true, string(name)
	return nil
}

func (s peerStream) tellRefusal(addr net.Addr, ours, theirs string) {
	now, last := time.Now().UnixNano(), s.told.Load()
	if now-last < int64(refusalInterval) || !s.told.CompareAndSwap(last, now) {
		return
	}
	s.logger.Warn("refused a node of another cluster: one of the two was founded by mistake; stop it, remove its data and let it join",
		"addr", addr, "ours", ours, "theirs", theirs)
}

// raftStream gives raft a stream of the peer port.
type raftStream struct{ peerStream }

var _ raft.StreamLayer = raftStream{}

// Dial opens a raft stream to the peer at address.
func (s raftStream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return s.named(s.Stream.Dial(string(address), timeout))
}
