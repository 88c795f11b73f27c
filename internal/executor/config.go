package executor

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/internal/job"
)

// DefaultConcurrency is how many requests a node may have open unless it is told
// otherwise.
const DefaultConcurrency = 1024

// Reporter brings outcomes to whoever leads the cluster now. Nil means that they
// are committed, or settled otherwise, and need not be sent again; after any error
// they are. Report must end when ctx is done.
type Reporter interface {
	Report(ctx context.Context, outcomes []job.Outcome) error
}

// Config is what an [Executor] is made of.
type Config struct {
	// NodeID and Incarnation name this life of this node. Assignments for another
	// life are ignored.
	NodeID      string
	Incarnation uint64

	Reporter Reporter // required

	// Concurrency bounds the open requests; default [DefaultConcurrency]. What is
	// assigned beyond it waits in memory, first come, first served.
	Concurrency int
	// UserAgent is sent with every callback; default "cronraft".
	UserAgent string

	// Allow and Deny decide which addresses callbacks may reach: the longest
	// prefix wins, Deny wins a tie, and what neither names is allowed. Some
	// addresses are refused whatever they say, see [BlockedError].
	Allow, Deny []netip.Prefix
	// OwnPorts are the cluster's own listeners, always refused as targets. It is
	// asked at every dial and must not block; nil means none.
	OwnPorts func() []netip.AddrPort

	// DialContext replaces the network, for tests and simulations. With it no
	// address is checked: Allow, Deny, OwnPorts and the addresses that are always
	// refused mean nothing then.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is the base of every TLS client's settings, such as the roots to trust;
	// nil is Go's defaults. It is not changed.
	TLS *tls.Config

	// Now is the wall clock, for what others read: outcomes, replies, the timestamp
	// that is signed; default time.Now. Deadlines, pauses and the lease do not know
	// it.
	Now func() time.Time
	// Reached hears of [crashpoint.Assigned], when an attempt is about to be
	// requested, and of [crashpoint.Answered], when its outcome is about to enter
	// the outbox; nil in a server.
	Reached crashpoint.Hook

	Logger  *slog.Logger // default: discards
	Metrics *Metrics     // nil counts nothing
}

// withDefaults is c with each missing value filled in.
func (c Config) withDefaults() Config {
	if c.Concurrency <= 0 {
		c.Concurrency = DefaultConcurrency
	}
	c.UserAgent = cmp.Or(c.UserAgent, "cronraft")
	if c.OwnPorts == nil {
		c.OwnPorts = func() []netip.AddrPort { return nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.TLS == nil {
		c.TLS = &tls.Config{}
	}
	return c
}
