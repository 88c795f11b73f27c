package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/hashicorp/memberlist"
)

// Listen opens the real parts of a node: a TCP listener for peers, and gossip on
// TCP and UDP. The parts are the caller's until [Start] has them. A nil logger
// drops what they have to say.
func Listen(peerAddr, gossipAddr string, logger *slog.Logger) (Parts, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	host, port, err := splitHostPort(gossipAddr)
	if err != nil {
		return Parts{}, fmt.Errorf("gossip address %s: %w", gossipAddr, err)
	}
	peers, err := net.Listen("tcp", peerAddr)
	if err != nil {
		return Parts{}, fmt.Errorf("listen for peers: %w", err)
	}
	gossip, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
		BindAddrs: []string{host}, BindPort: port,
		Logger: slog.NewLogLogger(logger.With("component", "gossip").Handler(), slog.LevelDebug),
	})
	if err != nil {
		return Parts{}, errors.Join(fmt.Errorf("listen for gossip: %w", err), peers.Close())
	}
	var dialer net.Dialer
	return Parts{
		Peers:  peers,
		Dial:   func(ctx context.Context, addr string) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", addr) },
		Gossip: gossip,
	}, nil
}

// Close gives up parts that no node was started with.
func (p Parts) Close() error {
	return errors.Join(p.Peers.Close(), p.Gossip.Shutdown())
}
