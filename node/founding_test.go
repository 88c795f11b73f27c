package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
)

// TestFounding_CutShort ends all founders of a cluster as soon as one of them has
// applied an entry: started again, they elect a leader.
func TestFounding_CutShort(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	configs := foundersOf(t)
	nodes := make([]*node.Node, len(configs))
	startAll := func() {
		for i, c := range configs {
			nodes[i] = startWith(ctx, t, c)
		}
	}
	killAll := func() {
		var all sync.WaitGroup
		for _, n := range nodes {
			all.Go(func() { n.Kill() })
		}
		all.Wait()
	}
	startAll()
	for hit := false; !hit && ctx.Err() == nil; {
		for _, n := range nodes {
			hit = hit || n.Applied() > 0
		}
	}
	killAll()
	startAll()
	defer killAll()
	untilReady(ctx, t, nodes[0])
}

// TestFounding_FirstWrite writes as soon as a node of a new cluster leads, what the
// oldest programs could not read: it is not refused.
func TestFounding_FirstWrite(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var nodes []*node.Node
	for _, c := range foundersOf(t) {
		nodes = append(nodes, startWith(ctx, t, c))
	}
	defer func() {
		for _, n := range nodes {
			n.Kill()
		}
	}()
	for {
		for _, n := range nodes {
			_, _, err := n.Jobs().Create(ctx, job.APIKey{}, pausedJob(), once(1, 1, func(j job.Job) string { return j.ID.String() }))
			switch {
			case err == nil:
				return
			case !errors.Is(err, job.ErrNotLeader):
				t.Fatal(err)
			}
		}
		if ctx.Err() != nil {
			t.Fatal("nobody leads")
		}
	}
}

// foundersOf are the configurations of three nodes that found a cluster together.
func foundersOf(t *testing.T) []node.Config {
	t.Helper()
	gossip := []string{freeAddr(t), freeAddr(t), freeAddr(t)}
	dir := t.TempDir()
	var configs []node.Config
	for i, addr := range gossip {
		c := node.Config{
			ID: fmt.Sprintf("n%d", i), DataDir: filepath.Join(dir, fmt.Sprint(i)), Secret: testSecret(t, "m"), RootKey: rootKey,
			BootstrapExpect: len(gossip), Join: gossip, PeerAddr: freeAddr(t), GossipAddr: addr, HTTPAddr: freeAddr(t),
			Timing: node.Timing{Gossip: 200 * time.Millisecond, Rejoin: time.Second},
		}
		if err := os.Mkdir(c.DataDir, 0o700); err != nil {
			t.Fatal(err)
		}
		configs = append(configs, c)
	}
	return configs
}
