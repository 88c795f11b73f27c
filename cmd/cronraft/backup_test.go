package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/fsm"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/internal/localcluster"
)

// openBackup begins a download from a node.
func openBackup(ctx context.Context, t *testing.T, c *localcluster.Cluster, node int, query string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+c.Node(node).HTTP+localcluster.BasePath+"/cluster/backup"+query, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-API-KEY", localcluster.RootKey)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// download is a whole backup, and the index that its headers name.
func download(ctx context.Context, t *testing.T, c *localcluster.Cluster, node int, query string) (content []byte, index uint64) {
	t.Helper()
	var res *http.Response
	until(ctx, t, c, 30*time.Second, "a backup", func() bool {
		res = openBackup(ctx, t, c, node, query)
		return res.StatusCode == http.StatusOK // nobody may lead for a moment, or two backups may just end
	})
	content, err := io.ReadAll(res.Body)
	if err != nil || int64(len(content)) != res.ContentLength {
		t.Fatalf("%d bytes of %d, %v", len(content), res.ContentLength, err)
	}
	index, err = strconv.ParseUint(res.Header.Get("X-Cron-Applied-Index"), 10, 64)
	name := res.Header.Get("Content-Disposition")
	if err != nil || !strings.HasPrefix(name, `attachment; filename="cronraft-`) || !strings.Contains(name, fmt.Sprintf("-%d-", index)) {
		t.Errorf("index %d (%v), %s", index, err, name)
	}
	if got := res.Header.Get("X-Cron-Node"); got != c.Node(node).ID {
		t.Errorf("node %q", got)
	}
	return content, index
}

// restore restores a backup to an empty store.
func restore(t *testing.T, content []byte) *fsm.Store {
	t.Helper()
	s, err := fsm.Open(fsm.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Restore(io.NopCloser(bytes.NewReader(content))); err != nil {
		t.Fatal(err)
	}
	return s
}

// createMany creates paused jobs, and returns their names by ID.
func createMany(ctx context.Context, t *testing.T, c *localcluster.Cluster, count, bodyBytes int) map[string]string {
	t.Helper()
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+/"
	body := make([]byte, bodyBytes)
	names := map[string]string{}
	for first := 0; first < count; {
		var specs []string
		for size := 0; first < count && len(specs) < 100 && size+bodyBytes < 1500<<10; first++ {
			for i := range body { // does not compress well
				body[i] = alphabet[rand.IntN(len(alphabet))]
			}
			size += bodyBytes
			specs = append(specs, fmt.Sprintf(`{"name":"job %d","state":"PAUSED","intervalSeconds":3600,"targetUrl":"http://127.0.0.1:9/","body":%q}`, first, body))
		}
		var out struct{ Results []struct{ Job jobAnswer } }
		call(ctx, t, c, first%c.Len(), "POST", "/jobs/bulk", `{"jobs":[`+strings.Join(specs, ",")+`]}`, http.StatusOK, &out)
		for _, r := range out.Results {
			names[r.Job.JobID] = r.Job.Name
		}
	}
	if len(names) != count {
		t.Fatalf("created %d jobs of %d", len(names), count)
	}
	return names
}

// checkJobs wants the store to have the jobs.
func checkJobs(t *testing.T, s *fsm.Store, names map[string]string) {
	t.Helper()
	for text, name := range names {
		id, ok := job.ParseID(text)
		if j, err := s.Job(id); !ok || err != nil || j.Name != name || j.State != job.Paused {
			t.Errorf("%s: restored %q, %v, want %q", text, j.Name, err, name)
		}
	}
}

// left are the temporary files that a node keeps of its backups.
func left(t *testing.T, c *localcluster.Cluster, node int) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(c.Node(node).Dir, "store", "checkpoint-*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestBackup takes backups of each node, while jobs fire and when all is quiet, and
// restores them.
func TestBackup(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	target := startTarget(t, nil)
	names := createMany(ctx, t, c, 300, 100)
	firing := createSecondJobs(ctx, t, c, target, 10)
	waitFires(ctx, t, c, target, 2)
	for i := range c.Len() {
		content, index := download(ctx, t, c, i, "")
		s := restore(t, content)
		checkJobs(t, s, names)
		if s.Applied() != index {
			t.Errorf("node %d: restored index %d, want %d", i, s.Applied(), index)
		}
	}
	checkRefusals(ctx, t, c)

	checkSameState(ctx, t, c, firing) // pauses them
	for i := range c.Len() {
		until(ctx, t, c, 30*time.Second, "a backup of an index with a known hash", func() bool {
			var now struct {
				AppliedIndex uint64
				Hash         string
			}
			call(ctx, t, c, i, "GET", "/cluster/state-hash", "", http.StatusOK, &now)
			content, index := download(ctx, t, c, i, "")
			if index != now.AppliedIndex {
				return false
			}
			restored, hash, err := restore(t, content).Hash()
			if err != nil || restored != index || hash != now.Hash {
				t.Errorf("node %d: restored index %d with hash %s, %v, want %+v", i, restored, hash, err, now)
			}
			return true
		})
	}
	for i := range c.Len() {
		until(ctx, t, c, 10*time.Second, "nothing is left of the backups", func() bool { return len(left(t, c, i)) == 0 })
	}
	checkMinority(ctx, t, c, names)
}

// checkRefusals asks for a backup with keys that see one namespace only.
func checkRefusals(ctx context.Context, t *testing.T, c *localcluster.Cluster) {
	t.Helper()
	for i, role := range []string{"ADMIN", "EDITOR", "READER"} {
		var made struct{ APIKey string }
		call(ctx, t, c, i, "POST", "/api-keys", fmt.Sprintf(`{"name":"x","namespace":"default","role":%q}`, role), http.StatusCreated, &made)
		for _, query := range []string{"", "?consistency=stale"} {
			answer, err := c.Do(ctx, i, localcluster.Request{Method: "GET", Path: "/cluster/backup" + query, Header: map[string]string{"X-API-KEY": made.APIKey}})
			if err != nil || answer.Status != http.StatusForbidden {
				t.Errorf("%s: status %d, %v", role, answer.Status, err)
			}
		}
	}
}

// checkMinority leaves one node of three: it still gives a backup of what it has.
func checkMinority(ctx context.Context, t *testing.T, c *localcluster.Cluster, names map[string]string) {
	t.Helper()
	for _, i := range []int{1, 2} {
		if err := c.Kill(i); err != nil {
			t.Fatal(err)
		}
	}
	until(ctx, t, c, 30*time.Second, "a default backup says that there is no leader", func() bool {
		res := openBackup(ctx, t, c, 0, "")
		text, err := io.ReadAll(res.Body)
		return err == nil && res.StatusCode == http.StatusServiceUnavailable && bytes.Contains(text, []byte(`"no_leader"`))
	})
	content, _ := download(ctx, t, c, 0, "?consistency=stale")
	checkJobs(t, restore(t, content), names)
}

// TestBackup_BrokenOff breaks downloads off in the middle, from either end: the reader
// gets an error, and the node keeps nothing.
func TestBackup_BrokenOff(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	names := createMany(ctx, t, c, 200, 250<<10)
	for name, end := range map[string]func(node int) error{"SIGKILL": c.Kill, "SIGTERM": c.Stop} {
		const node = 1
		res := openBackup(ctx, t, c, node, "")
		if _, err := io.CopyN(io.Discard, res.Body, 64<<10); err != nil {
			t.Fatalf("status %d: %v", res.StatusCode, err)
		}
		if len(left(t, c, node)) != 1 {
			t.Errorf("the node has %v while a backup is under way", left(t, c, node))
		}
		if err := end(node); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		if n += 64 << 10; err == nil || n >= res.ContentLength {
			t.Errorf("%s: %d bytes of %d until %v", name, n, res.ContentLength, err)
		}
		if name == "SIGTERM" && len(left(t, c, node)) > 0 {
			t.Errorf("the node that has stopped leaves %v", left(t, c, node))
		}
		if err := c.Restart(node); err != nil {
			t.Fatal(err)
		}
		ready(ctx, t, c, node)
		if len(left(t, c, node)) > 0 {
			t.Errorf("%s: the next start has left %v", name, left(t, c, node))
		}
	}
	checkLeavers(ctx, t, c)

	content, _ := download(ctx, t, c, 0, "")
	checkJobs(t, restore(t, content), names)
	checkDamage(t, content)
}

// checkLeavers has readers leave in the middle: more of them than a node sends backups
// to at once.
func checkLeavers(ctx context.Context, t *testing.T, c *localcluster.Cluster) {
	t.Helper()
	for range 3 {
		leaving, leave := context.WithCancel(ctx)
		defer leave()
		res := openBackup(leaving, t, c, 0, "")
		if _, err := io.CopyN(io.Discard, res.Body, 64<<10); err != nil {
			t.Fatalf("status %d: %v", res.StatusCode, err)
		}
		leave()
		until(ctx, t, c, 10*time.Second, "nothing is left of the backup", func() bool { return len(left(t, c, 0)) == 0 })
	}
}

// checkDamage restores parts of a backup and one with another byte, which is refused.
func checkDamage(t *testing.T, content []byte) {
	t.Helper()
	s, err := fsm.Open(fsm.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	flipped := bytes.Clone(content)
	flipped[len(flipped)/3] ^= 1
	for name, damaged := range map[string][]byte{
		"half of it": content[:len(content)/2], "all but a byte": content[:len(content)-1], "a flipped bit": flipped, "a byte more": append(bytes.Clone(content), 0),
	} {
		if err := s.Restore(io.NopCloser(bytes.NewReader(damaged))); err == nil || s.Applied() != 0 {
			t.Errorf("%s was restored: %v", name, err)
		}
	}
	if err := s.Restore(io.NopCloser(bytes.NewReader(content))); err != nil || s.Applied() == 0 {
		t.Errorf("the whole: %v", err)
	}
	if len(content) < 40<<20 {
		t.Errorf("only %d bytes: they fit into what is between a node and its reader", len(content))
	}
}
