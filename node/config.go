package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/internal/secret"
)

// Config says who a node is and how it behaves. Zero durations and counts take
// the defaults of [Config.withDefaults].
type Config struct {
	// ID is the node's unique, stable name.
	ID string
	// DataDir holds everything that the node keeps.
	DataDir string
	Secret  *secret.Cluster
	// PeerAddr, GossipAddr and HTTPAddr are what other nodes and clients reach
	// this node under.
	PeerAddr, GossipAddr, HTTPAddr string
	// BootstrapExpect is how many servers must see each other before the first
	// election of a new cluster. With 1 and no Join the node founds it alone.
	BootstrapExpect int
	// Join are gossip addresses of other nodes; names may resolve to several.
	Join []string
	// RootKey founds the API key that sees everything; empty makes one and
	// writes it to DataDir.
	RootKey string
	Version string

	Timing  Timing
	History History

	CallbackConcurrency         int
	CallbackAllow, CallbackDeny []netip.Prefix
	CallbackDial                func(ctx context.Context, network, addr string) (net.Conn, error)
	// OwnPorts are this node's own addresses, which callbacks never reach.
	OwnPorts []string
	// StoreCacheBytes is what the store's database may keep in memory, with what it
	// has not written yet (see [fsm.Config]).
	StoreCacheBytes int64
	Compaction      Compaction
	// DiskReserve is the room, in bytes, below which the node takes no new entries;
	// negative is none.
	DiskReserve int64

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Timing are the durations that decide how fast a cluster reacts.
type Timing struct {
	// Election is raft's election and heartbeat time-out; its leader lease is
	// half of it.
	Election time.Duration
	// Commit is how long a follower may stay unaware of a commit.
	Commit time.Duration
	// NodeLost is the silence after which a node's attempts are LOST.
	NodeLost time.Duration
	// Gossip is memberlist's probe interval.
	Gossip time.Duration
	// Rejoin is how often a node that sees too few others tries Join again.
	Rejoin time.Duration
	// DiskPatience is how long one write may take until the node gives up leadership;
	// after ten times that it stops.
	DiskPatience time.Duration
}

// History bounds the execution records.
type History struct {
	PerJob int
	MaxAge time.Duration
}

// Compaction says when the raft log is compacted.
type Compaction struct {
	// Entries is by how many the log grows before it is compacted.
	Entries uint64
	// Trailing entries are kept for followers that were away; one that needs older
	// ones gets a checkpoint. They have to be more than a leader can have that nobody
	// else has: to a follower that was such a leader, raft 1.7.3 may send its
	// checkpoint again and again otherwise.
	Trailing uint64
	Interval time.Duration
}

// Parts are what a node is built from: real ones in a server, simulated ones in
// a test. The node owns them from Start on and closes what can be closed.
type Parts struct {
	// FS holds the store; nil is the machine's file system.
	FS vfs.FS
	// Log is raft's log and vote store; nil opens a bolt file in DataDir.
	Log LogStore
	// Peers is the peer port's listener, and Dial its way out.
	Peers net.Listener
	Dial  func(ctx context.Context, addr string) (net.Conn, error)
	// PlainPeers turns mutual TLS off, for simulations.
	PlainPeers bool
	// Raft, in simulations, replaces the raft streams over the peer port.
	Raft raftTransport
	// Gossip is memberlist's network.
	Gossip memberlist.Transport
	// Room tells how many bytes are free on the disk; nil asks the machine's file
	// system, and watches nothing if FS is another one.
	Room func() (uint64, error)
	// Now is the wall clock; nil is the machine's.
	Now func() time.Time
	// Reached is told, in simulations, which crash points the node comes to.
	Reached crashpoint.Hook
}

// LogStore is raft's log and stable store in one.
type LogStore interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

func (c Config) withDefaults() Config {
	setDefault(&c.BootstrapExpect, 1)
	setDefault(&c.Timing.Election, time.Second)
	setDefault(&c.Timing.Commit, 10*time.Millisecond)
	setDefault(&c.Timing.NodeLost, 10*time.Second)
	setDefault(&c.Timing.Gossip, time.Second)
	setDefault(&c.Timing.Rejoin, 10*time.Second)
	setDefault(&c.Timing.DiskPatience, 3*time.Second)
	setDefault(&c.DiskReserve, 64<<20)
	setDefault(&c.History.PerJob, 200)
	setDefault(&c.History.MaxAge, 720*time.Hour)
	setDefault(&c.CallbackConcurrency, 1024)
	setDefault(&c.StoreCacheBytes, 128<<20)
	setDefault(&c.Compaction.Entries, 8192)
	setDefault(&c.Compaction.Trailing, 10240)
	setDefault(&c.Compaction.Interval, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate says what is missing or contradictory.
func (c Config) Validate() error {
	switch {
	case c.ID == "" || len(c.ID) > 63:
		return fmt.Errorf("the node id must have 1 to 63 characters, has %d", len(c.ID))
	case c.DataDir == "":
		return errors.New("a data directory is required")
	case c.Secret == nil:
		return errors.New("a cluster secret is required")
	case c.BootstrapExpect < 1 || c.BootstrapExpect > 9:
		return fmt.Errorf("bootstrap-expect must be from 1 to 9, is %d", c.BootstrapExpect)
	case c.RootKey != "" && (len(c.RootKey) < 24 || len(c.RootKey) > 64):
		return fmt.Errorf("the root API key must have 24 to 64 characters, has %d", len(c.RootKey))
	case c.Timing.Election < 0 || c.Timing.NodeLost < 0:
		return errors.New("time-outs must not be negative")
	case c.Timing.NodeLost < 3*c.Timing.Election:
		return fmt.Errorf("node-lost-after (%v) must be at least three election time-outs (%v)", c.Timing.NodeLost, c.Timing.Election)
	}
	return nil
}
