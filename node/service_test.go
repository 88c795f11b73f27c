package node_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
)

// single is a cluster of one node, whose clock can be set.
type single struct {
	*node.Node
	t     *testing.T
	ahead atomic.Int64 // of the machine's clock
}

func startSingle(ctx context.Context, t *testing.T) *single {
	t.Helper()
	cfg := node.Config{
		ID: "alone", DataDir: t.TempDir(), RootKey: rootKey, Secret: testSecret(t, "m"),
		PeerAddr: freeAddr(t), GossipAddr: freeAddr(t), HTTPAddr: freeAddr(t),
	}
	parts, err := node.Listen(cfg.PeerAddr, cfg.GossipAddr, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &single{t: t}
	parts.Now = s.now
	if s.Node, err = node.Start(ctx, cfg, parts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Kill() })
	untilReady(ctx, t, s.Node)
	return s
}

func (s *single) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// do makes a write as soon as the cluster knows what it asks for.
func (s *single) do(ctx context.Context, what string, write func() error) {
	s.t.Helper()
	poll(ctx, s.t, what, func() bool { return isDone(s.t, what, write()) })
}

// do makes a write at whichever node leads. If leadership is lost meanwhile, it is
// made again: it has to be one that may take effect twice, or has an idempotency key.
func (c *crew) do(ctx context.Context, what string, write func(n *node.Node) error) {
	c.t.Helper()
	poll(ctx, c.t, what, func() bool {
		_, n := c.leader(ctx)
		return isDone(c.t, what, write(n))
	})
}

// isDone is false if a write has to be made again; any other failure is the test's.
func isDone(t *testing.T, what string, err error) bool {
	t.Helper()
	var e *job.Error
	errors.As(err, &e)
	if err != nil && e != job.ErrOldMember && !isLeaderless(err) {
		t.Fatalf("%s: %v", what, err)
	}
	return err == nil
}

// isLeaderless reports whether a write failed for want of a leader: on a busy machine
// one may lose its office at any time.
func isLeaderless(err error) bool {
	return job.CodeOf(err) == job.CodeNoLeader || job.CodeOf(err) == job.CodeOutcomeUnknown
}

// root is the root key.
func root(ctx context.Context, t *testing.T, n *node.Node) job.APIKey {
	t.Helper()
	by, err := n.Keys().Authenticate(ctx, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	return by
}

// callback is a request that a target got.
type callback struct {
	http.Header
	body []byte
}

// isSignedWith reports whether a receiver that knows the API key takes the request.
func (c callback) isSignedWith(t *testing.T, key string) bool {
	t.Helper()
	hook, err := webhooks.NewWebhookRaw([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return hook.VerifyIgnoringTimestamp(c.body, c.Header) == nil
}

// target is what jobs and webhooks call. It answers with a status.
type target struct {
	*httptest.Server
	status atomic.Int64

	mu   sync.Mutex // guards seen
	seen []callback
}

func newTarget(t *testing.T) *target {
	t.Helper()
	s := &target{}
	s.status.Store(http.StatusOK)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP keeps the request.
func (s *target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // whoever asked is gone
	}
	s.mu.Lock()
	s.seen = append(s.seen, callback{r.Header.Clone(), body})
	s.mu.Unlock()
	w.WriteHeader(int(s.status.Load()))
}

// callbacks are those that came until now.
func (s *target) callbacks() []callback {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// next waits for a callback of which the condition is true, and that comes after the
// call.
func (s *target) next(ctx context.Context, t *testing.T, what string, condition func(callback) bool) (found callback) {
	t.Helper()
	begin := len(s.callbacks())
	poll(ctx, t, what, func() bool {
		i := slices.IndexFunc(s.callbacks()[begin:], condition)
		if i >= 0 {
			found = s.callbacks()[begin+i]
		}
		return i >= 0
	})
	return found
}

// calling is a job of each second that calls the target.
func calling(url string) job.Spec {
	s := secondJob()
	s.Target.URL = url
	return s
}
