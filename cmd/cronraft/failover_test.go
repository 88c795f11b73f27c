package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// TestFailover kills the leader, then a follower, while fifty jobs fire every
// second, and lets both come back: firing goes on by itself, and every job has
// one record for each slot.
func TestFailover(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	target := startTarget(t, nil)
	jobs := createSecondJobs(ctx, t, c, target, 50)
	waitFires(ctx, t, c, target, 3)

	leader := leaderOf(ctx, t, c)
	if err := c.Kill(leader); err != nil {
		t.Fatal(err)
	}
	waitFires(ctx, t, c, target, 5)
	if err := c.Restart(leader); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, leader)

	follower := (leaderOf(ctx, t, c) + 1) % c.Len()
	if err := c.Kill(follower); err != nil {
		t.Fatal(err)
	}
	waitFires(ctx, t, c, target, 5)
	if err := c.Restart(follower); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, follower)
	waitFires(ctx, t, c, target, 3)

	for _, id := range jobs {
		checkOneRecordPerSlot(t, id, history(ctx, t, c, follower, id))
	}
	checkDuplicates(t, target.Deliveries())
	checkSameState(ctx, t, c, jobs)
}

// TestRollingRestart stops each server with SIGTERM and starts it again while jobs
// fire every second: each exits cleanly, and no slot is lost or doubled.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	target := startTarget(t, nil)
	jobs := createSecondJobs(ctx, t, c, target, 20)
	waitFires(ctx, t, c, target, 2)
	for i := range c.Len() {
		if err := c.Stop(i); err != nil {
			t.Errorf("node %d did not stop cleanly: %v", i, err)
		}
		waitFires(ctx, t, c, target, 2)
		if err := c.Restart(i); err != nil {
			t.Fatal(err)
		}
		ready(ctx, t, c, i)
	}
	waitFires(ctx, t, c, target, 5)
	for _, id := range jobs {
		checkOneRecordPerSlot(t, id, history(ctx, t, c, 0, id))
	}
	checkDuplicates(t, target.Deliveries())
	checkSameState(ctx, t, c, jobs)
}

// TestServer_NameConflict starts a fourth server under the name of another: it
// stops by itself, says why, and exits with an error. The cluster does not mind.
func TestServer_NameConflict(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	args := append(c.Node(1).Flags(), "--data-dir", t.TempDir(), "--http-addr", "127.0.0.1:0", "--bootstrap-expect", "1")
	for _, flag := range []string{"--peer-addr", "--gossip-addr"} {
		args = append(args, flag, freeAddr(t))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "--node-id") {
		t.Errorf("ended with %v:\n%s", err, out)
	}
	for i := range c.Len() {
		ready(ctx, t, c, i)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := localcluster.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// TestWipedNode removes a node's data: it rejoins and gets a checkpoint
// streamed, because the log that it would need is gone.
func TestWipedNode(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t, "--raft-snapshot-entries", "32", "--raft-trailing-entries", "8", "--raft-snapshot-interval", "500ms", "--log-level", "debug")
	target := startTarget(t, nil)
	jobs := createSecondJobs(ctx, t, c, target, 20)
	waitFires(ctx, t, c, target, 10)
	victim := (leaderOf(ctx, t, c) + 1) % c.Len()
	if err := c.Kill(victim); err != nil {
		t.Fatal(err)
	}
	if err := c.Wipe(victim); err != nil {
		t.Fatal(err)
	}
	waitFires(ctx, t, c, target, 2)
	if err := c.Restart(victim); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, victim)
	until(ctx, t, c, 10*time.Second, "a streamed checkpoint in the log", func() bool {
		log, err := os.ReadFile(filepath.Join(filepath.Dir(c.Node(victim).Dir), c.Node(victim).ID+".log"))
		return err == nil && strings.Contains(string(log), "Installed remote snapshot")
	})
	checkSameState(ctx, t, c, jobs)
}

func createSecondJobs(ctx context.Context, t *testing.T, c *localcluster.Cluster, target *localcluster.Target, count int) []string {
	t.Helper()
	var ids []string
	for i := range count {
		j := createJob(ctx, t, c, i%c.Len(), fmt.Sprintf(`{"name":"second %d","intervalSeconds":1,"targetUrl":"%s/%d"}`, i, target.URL, i))
		ids = append(ids, j.JobID)
	}
	return ids
}

func leaderOf(ctx context.Context, t *testing.T, c *localcluster.Cluster) int {
	t.Helper()
	leader, err := c.Leader(ctx)
	if err != nil {
		t.Fatalf("no leader: %v", err)
	}
	return leader
}

func ready(ctx context.Context, t *testing.T, c *localcluster.Cluster, node int) {
	t.Helper()
	if err := c.WaitReady(ctx, node); err != nil {
		t.Fatalf("node %d is not ready: %v", node, err)
	}
}

// waitFires waits until callbacks for so many seconds' slots from now on have
// come.
func waitFires(ctx context.Context, t *testing.T, c *localcluster.Cluster, target *localcluster.Target, seconds int) {
	t.Helper()
	last := time.Now().Add(time.Duration(seconds) * time.Second).Truncate(time.Second)
	until(ctx, t, c, time.Duration(seconds+20)*time.Second, fmt.Sprintf("callbacks for the slot %v", last), func() bool {
		all := target.Deliveries()
		return len(all) > 0 && !all[len(all)-1].Scheduled.Before(last)
	})
}

// checkOneRecordPerSlot wants a record for each second between the oldest and the
// newest, and no second record for any.
func checkOneRecordPerSlot(t *testing.T, id string, records []executionAnswer) {
	t.Helper()
	covered := map[time.Time]int{}
	var first, last time.Time
	for _, x := range records {
		at, err := time.Parse(time.RFC3339Nano, x.ScheduledAt)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		for i := range max(1, x.MissedCount) {
			covered[at.Add(time.Duration(i)*time.Second)]++
		}
		if last.IsZero() {
			last = at
		}
		first = at
	}
	if len(records) < 10 {
		t.Errorf("%s has only %d records", id, len(records))
	}
	for s := first; !s.After(last); s = s.Add(time.Second) {
		if covered[s] != 1 {
			t.Errorf("%s: the slot %v has %d records", id, s, covered[s])
		}
	}
}

// checkDuplicates wants each attempt to have arrived once.
func checkDuplicates(t *testing.T, deliveries []localcluster.Delivery) {
	t.Helper()
	seen := map[string]int{}
	for _, d := range deliveries {
		seen[fmt.Sprintf("%s attempt %d", d.Execution, d.Attempt)]++
	}
	for attempt, n := range seen {
		if n != 1 {
			t.Errorf("%s was requested %d times", attempt, n)
		}
	}
}

// checkSameState pauses the jobs and wants the same state hash at the same index
// on every node.
func checkSameState(ctx context.Context, t *testing.T, c *localcluster.Cluster, jobs []string) {
	t.Helper()
	for _, id := range jobs {
		call(ctx, t, c, 0, "PATCH", "/jobs/"+id, `{"state":"PAUSED"}`, http.StatusOK, nil)
	}
	until(ctx, t, c, 20*time.Second, "equal state hashes", func() bool {
		type state struct {
			AppliedIndex uint64
			Hash         string
		}
		seen := map[state]bool{}
		for i := range c.Len() {
			var s struct {
				state
				NodeID string
			}
			call(ctx, t, c, i, "GET", "/cluster/state-hash", "", http.StatusOK, &s)
			seen[s.state] = true
		}
		return len(seen) == 1
	})
}
