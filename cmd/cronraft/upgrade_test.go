package main

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// buildOld builds a program that reads and writes the log of the version before.
func buildOld(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cronraft-old")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "cronraft_oldlog", "-o", path, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// TestUpgrade runs a cluster of an older program and replaces it node by node
// while jobs fire every second. What the old one cannot read is refused until the
// last node is new; no slot is lost or doubled.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	old := buildOld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	programs := []string{old, old, old}
	c, err := localcluster.Start(ctx, localcluster.Config{
		Binary: binary, Dir: t.TempDir(), Nodes: 3,
		Wrap: func(i int, line []string) []string { return append([]string{programs[i]}, line[1:]...) },
	})
	if c != nil {
		t.Cleanup(c.Close)
	}
	if err != nil {
		t.Fatal(err)
	}
	target := startTarget(t, nil)
	jobs := createSecondJobs(ctx, t, c, target, 20)
	waitFires(ctx, t, c, target, 2)

	buffering := `{"name":"new","intervalSeconds":60,"targetUrl":"` + target.URL + `/new","overlapPolicy":"BUFFER_ONE"}`
	for i := range c.Len() {
		for node := range c.Len() {
			answer := call(ctx, t, c, node, "POST", "/jobs", buffering, http.StatusConflict, nil)
			if !strings.Contains(string(answer.Body), "upgrade") {
				t.Errorf("the refusal does not say what to do: %s", answer.Body)
			}
		}
		if err := c.Stop(i); err != nil {
			t.Errorf("node %d did not stop cleanly: %v", i, err)
		}
		programs[i] = binary
		waitFires(ctx, t, c, target, 2)
		if err := c.Restart(i); err != nil {
			t.Fatal(err)
		}
		ready(ctx, t, c, i)
		checkSameState(ctx, t, c, nil)
	}
	until(ctx, t, c, 20*time.Second, "a job that only the new program knows", func() bool {
		answer, err := c.Call(ctx, 0, "POST", "/jobs", buffering)
		return err == nil && answer.Status == http.StatusCreated
	})
	waitFires(ctx, t, c, target, 3)
	for _, id := range jobs {
		checkOneRecordPerSlot(t, id, history(ctx, t, c, 0, id))
	}
	checkDuplicates(t, target.Deliveries())
	checkSameState(ctx, t, c, jobs)
	checkTooOld(ctx, t, c, programs, old)
}

// checkTooOld starts the old program on data that the new one has written: it ends
// with a reason and leaves the data alone.
func checkTooOld(ctx context.Context, t *testing.T, c *localcluster.Cluster, programs []string, old string) {
	t.Helper()
	if err := c.Stop(2); err != nil {
		t.Error(err)
	}
	programs[2] = old
	if err := c.Restart(2); err != nil {
		t.Fatal(err)
	}
	if code, err := c.WaitExit(ctx, 2); err != nil || code == 0 {
		t.Fatalf("the old program on new data: exit code %d, %v", code, err)
	}
	if !strings.Contains(c.Logs(), "upgrade this node") {
		t.Error("the old program does not say what to do")
	}
	programs[2] = binary
	if err := c.Restart(2); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, 2)
}
