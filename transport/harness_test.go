package transport

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/internal/secret"
	"github.com/cronraft/cronraft/transport/memnet"
)

// Closing is to end every goroutine, so none is left when the tests have ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var silent = slog.New(slog.DiscardHandler)

// fakeHandler answers with its functions; a call without one panics.
type fakeHandler struct {
	assign    func(context.Context, job.Batch) (job.BatchReply, error)
	report    func(context.Context, []job.Outcome) error
	readIndex func(context.Context) (uint64, error)
	forward   func(context.Context, []byte) ([]byte, error)
	hello     func(context.Context, Greeting) (Greeting, error)
}

var _ Handler = fakeHandler{}

func (h fakeHandler) Assign(ctx context.Context, b job.Batch) (job.BatchReply, error) {
	return h.assign(ctx, b)
}
func (h fakeHandler) Report(ctx context.Context, o []job.Outcome) error { return h.report(ctx, o) }
func (h fakeHandler) ReadIndex(ctx context.Context) (uint64, error)     { return h.readIndex(ctx) }
func (h fakeHandler) Forward(ctx context.Context, r []byte) ([]byte, error) {
	return h.forward(ctx, r)
}
func (h fakeHandler) Hello(ctx context.Context, g Greeting) (Greeting, error) {
	return h.hello(ctx, g)
}

// index answers ReadIndex with 7.
func index(context.Context) (uint64, error) { return 7, nil }

// testNode is a port with a server and a client.
type testNode struct {
	*Client
	port   *Port
	server *Server
	served chan error
	addr   string
}

func startNode(tb testing.TB, c PortConfig, h Handler) *testNode {
	tb.Helper()
	port := NewPort(context.Background(), c)
	n := &testNode{
		port:   port,
		server: NewServer(context.Background(), h, silent),
		Client: NewClient(context.Background(), ClientConfig{Dial: port.Calls().DialContext}),
		served: make(chan error, 1),
		addr:   port.Calls().Addr().String(),
	}
	go func() { n.served <- n.server.Serve(port.Calls()) }()
	tb.Cleanup(func() { n.stop(tb) })
	return n
}

// stop may be called twice.
func (n *testNode) stop(tb testing.TB) {
	tb.Helper()
	for name, close := range map[string]func() error{
		"client": n.Client.Close, "server": n.server.Close, "port": n.port.Close,
	} {
		if err := close(); err != nil {
			tb.Errorf("close the %s: %v", name, err)
		}
	}
	if n.served == nil {
		return
	}
	if err := <-n.served; err != nil {
		tb.Errorf("Serve: %v", err)
	}
	n.served = nil
}

// tcp is the configuration of a port on loopback; addr ends in ":0" for any port.
func tcp(tb testing.TB, addr string, c *secret.Cluster) PortConfig {
	tb.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	return PortConfig{Listener: l, TLS: nodeTLS(tb, c), HandshakeTimeout: 20 * time.Second}
}

func nodeTLS(tb testing.TB, c *secret.Cluster) *tls.Config {
	tb.Helper()
	cfg, err := c.TLS("n1", time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return cfg
}

// memory is the configuration of a port on a network in memory.
func memory(tb testing.TB, n *memnet.Network, host string) PortConfig {
	tb.Helper()
	l, err := n.Listen(host + ":1")
	if err != nil {
		tb.Fatal(err)
	}
	return PortConfig{Listener: l, Dial: func(ctx context.Context, addr string) (net.Conn, error) {
		return n.Dial(ctx, host, addr)
	}}
}

func newSecret(tb testing.TB) *secret.Cluster {
	tb.Helper()
	text, err := secret.Generate()
	if err != nil {
		tb.Fatal(err)
	}
	c, err := secret.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

const loopback = "127.0.0.1:0"

// pair is two nodes of one cluster over TCP; calls go from the first to the
// second, which has the handler.
func pair(tb testing.TB, h Handler) (from, to *testNode) {
	tb.Helper()
	c := newSecret(tb)
	return startNode(tb, tcp(tb, loopback, c), fakeHandler{}), startNode(tb, tcp(tb, loopback, c), h)
}
