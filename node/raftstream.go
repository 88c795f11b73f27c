package node

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/transport"
)

// raftStream gives raft the streams of the peer port. Each begins with the ID of
// the cluster that its dialer belongs to, and a node of another cluster refuses
// it: two clusters that were founded with one secret must not mix their logs
// (rule D17). Who belongs to none yet is accepted, and accepts.
type raftStream struct {
	*transport.Stream
	clusterID func() string
	logger    *slog.Logger
}

var _ raft.StreamLayer = raftStream{}

// Dial opens a raft stream to the peer at address.
func (s raftStream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	c, err := s.Stream.Dial(string(address), timeout)
	if err != nil {
		return nil, err
	}
	if err := c.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return nil, closed(c, err)
	}
	id := s.clusterID()
	if _, err := c.Write(append([]byte{byte(len(id))}, id...)); err != nil {
		return nil, closed(c, fmt.Errorf("name the cluster: %w", err))
	}
	return c, nil
}

func closed(c net.Conn, err error) error {
	c.Close()
	return err
}

// Accept waits for a stream. Its first read checks the cluster: that may block,
// and Accept must not.
func (s raftStream) Accept() (net.Conn, error) {
	c, err := s.Stream.Accept()
	if err != nil {
		return nil, err
	}
	return &namedConn{Conn: c, stream: s}, nil
}

// namedConn is an accepted stream whose dialer has to name its cluster first. It
// is read by one goroutine, as raft does.
type namedConn struct {
	net.Conn
	stream raftStream
	named  bool
}

// Read is the connection's, after the cluster's name was found to be right.
func (c *namedConn) Read(b []byte) (int, error) {
	if !c.named {
		if err := c.checkName(); err != nil {
			return 0, closed(c.Conn, err)
		}
		c.named = true
	}
	return c.Conn.Read(b)
}

func (c *namedConn) checkName() error {
	var length [1]byte
	if _, err := io.ReadFull(c.Conn, length[:]); err != nil {
		return err
	}
	name := make([]byte, length[0])
	if _, err := io.ReadFull(c.Conn, name); err != nil {
		return err
	}
	ours, theirs := c.stream.clusterID(), string(name)
	if ours == "" || theirs == "" || ours == theirs {
		return nil
	}
	c.stream.logger.Warn("refused a node of another cluster: one of the two was founded by mistake; stop it, remove its data and let it join",
		"addr", c.RemoteAddr(), "ours", ours, "theirs", theirs)
	return fmt.Errorf("the peer belongs to cluster %s, this node to %s", theirs, ours)
}
