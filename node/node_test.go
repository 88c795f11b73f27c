package node_test

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/internal/localcluster"
	"github.com/cronraft/cronraft/internal/secret"
	"github.com/cronraft/cronraft/node"
)

const rootKey = "cron_test_0123456789abcdef0123456789abcdef"

// realNode starts a node on loopback with real parts: files, TLS, gossip.
func realNode(ctx context.Context, t *testing.T, cfg node.Config) *node.Node {
	t.Helper()
	if cfg.Secret == nil {
		cfg.Secret = testSecret(t, "k")
	}
	return startAt(ctx, t, freeAddr(t), cfg)
}

func testSecret(t *testing.T, letter string) *secret.Cluster {
	t.Helper()
	key, err := secret.Parse(base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32))))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := localcluster.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func untilReady(ctx context.Context, t *testing.T, n *node.Node) {
	t.Helper()
	for {
		err := n.Ready(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil || n.Err() != nil {
			t.Fatalf("not ready: %v, %v", err, n.Err())
		}
	}
}

// TestStop_EndsEveryGoroutine runs a node with real parts, gives it work, and
// looks for what it leaves behind.
func TestStop_EndsEveryGoroutine(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	n := realNode(ctx, t, node.Config{ID: "alone", DataDir: dir})
	untilReady(ctx, t, n)
	key, err := os.ReadFile(filepath.Join(dir, "root-api-key"))
	if err != nil {
		t.Fatalf("the bootstrapping leader wrote no root key: %v", err)
	}
	by, err := n.Keys().Authenticate(ctx, strings.TrimSpace(string(key)))
	if err != nil || !by.Root || by.Role != job.RoleAdmin {
		t.Fatalf("the root key is %+v: %v", by, err)
	}
	if _, _, err := n.Jobs().Create(ctx, by, secondJob(), nil); err != nil {
		t.Fatal(err)
	}
	if err := n.Drain(ctx); err != nil {
		t.Errorf("drain: %v", err)
	}
	if err := n.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	goleak.VerifyNone(t, before)
}

func secondJob() job.Spec {
	s := job.DefaultSpec()
	s.Name = "second"
	s.Schedule.Interval = time.Second
	s.Target.URL = "http://127.0.0.1:9/"
	return s
}

// TestRestart_KeepsWhatWasAcknowledged starts a node twice on the same files.
func TestRestart_KeepsWhatWasAcknowledged(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := node.Config{ID: "alone", DataDir: t.TempDir(), RootKey: rootKey}
	n := realNode(ctx, t, cfg)
	untilReady(ctx, t, n)
	by, err := n.Keys().Authenticate(ctx, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	made, _, err := n.Jobs().Create(ctx, by, secondJob(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	n = realNode(ctx, t, cfg)
	defer n.Kill()
	untilReady(ctx, t, n)
	if got, err := n.Jobs().Get(ctx, "", made.ID); err != nil || got.Name != made.Name {
		t.Errorf("after the restart the job is %+v: %v", got, err)
	}
	if _, err := n.Keys().Authenticate(ctx, "another key that nobody made"); job.CodeOf(err) != job.CodeUnauthorized {
		t.Errorf("an unknown key: %v", err)
	}
}

// TestJoin_BecomesVoter starts a node alone, lets a second one join it, and sees
// the second one take over when the first one goes.
func TestJoin_BecomesVoter(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	key := testSecret(t, "j")
	gossip := freeAddr(t)
	first := startAt(ctx, t, gossip, node.Config{ID: "first", DataDir: t.TempDir(), RootKey: rootKey, Secret: key})
	defer first.Kill()
	untilReady(ctx, t, first)
	second := realNode(ctx, t, node.Config{ID: "second", DataDir: t.TempDir(), Secret: key, Join: []string{gossip}})
	defer second.Kill()
	for roleOf(ctx, t, first, "second") != "FOLLOWER" {
		if ctx.Err() != nil {
			t.Fatalf("the second node is %q", roleOf(ctx, t, first, "second"))
		}
	}
	untilReady(ctx, t, second)
	if _, err := second.Keys().Authenticate(ctx, rootKey); err != nil {
		t.Errorf("the second node does not know the root key: %v", err)
	}
	_, _, err := second.Jobs().Create(ctx, job.APIKey{Namespace: job.DefaultNamespace}, secondJob(), nil)
	if !errors.Is(err, job.ErrNotLeader) {
		t.Errorf("a follower's create: %v, want ErrNotLeader", err)
	}
	if err := first.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	for !second.Leads() {
		if ctx.Err() != nil {
			t.Fatal("the second node does not lead after the first one drained")
		}
		if _, err := second.Status(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJoin_WrongSecret lets a node with another secret knock: it never gets in.
func TestJoin_WrongSecret(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	gossip := freeAddr(t)
	first := startAt(ctx, t, gossip, node.Config{ID: "first", DataDir: t.TempDir(), RootKey: rootKey, Secret: testSecret(t, "a")})
	defer first.Kill()
	untilReady(ctx, t, first)
	stranger := realNode(ctx, t, node.Config{ID: "stranger", DataDir: t.TempDir(), Secret: testSecret(t, "b"), Join: []string{gossip}})
	defer stranger.Kill()
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if err := stranger.Ready(short); err == nil {
		t.Error("a node with another secret is ready")
	}
	if role := roleOf(ctx, t, first, "stranger"); role != "" {
		t.Errorf("a node with another secret became a %s", role)
	}
}

func startAt(ctx context.Context, t *testing.T, gossip string, cfg node.Config) *node.Node {
	t.Helper()
	cfg.PeerAddr, cfg.GossipAddr, cfg.HTTPAddr = freeAddr(t), gossip, freeAddr(t)
	return startWith(ctx, t, cfg)
}

// newest are at most limit executions of a job.
func newest(ctx context.Context, n *node.Node, id job.ID, limit int) ([]job.Execution, error) {
	page, err := n.Executions().List(ctx, job.ExecutionQuery{Job: id, Limit: limit})
	return page.Executions, err
}

// roleOf is the role of a member as n sees it; empty if it is none.
func roleOf(ctx context.Context, t *testing.T, n *node.Node, id string) string {
	t.Helper()
	s, err := n.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Nodes {
		if m.NodeID == id {
			return m.Role
		}
	}
	return ""
}
