package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const foundersKey = "cron_founders_0123456789abcdef"

// TestServer_WaitsForFounders starts three servers that expect each other, and get their
// secrets from the environment: there is no leader before the third one is there. When
// that dies, the others say so.
func TestServer_WaitsForFounders(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	f := newFounders(ctx, t)
	f.start(t, 0)
	f.start(t, 1)
	// A server that waits says so every ten seconds, many election time-outs.
	f.until(t, "both wait, and see each other", func() bool {
		const waiting = `expect=3 candidates="[n1 n2]"`
		return strings.Contains(f.log(t, 0), waiting) && strings.Contains(f.log(t, 1), waiting)
	})
	for i := range 2 {
		if f.get(t, i, "/readyz") != http.StatusServiceUnavailable || f.get(t, i, "/healthz") != http.StatusOK {
			t.Errorf("server %d of three is ready before the third one is there", i+1)
		}
	}
	f.start(t, 2)
	for i := range f.servers {
		f.until(t, "it is ready", func() bool { return f.get(t, i, "/readyz") == http.StatusOK })
	}
	f.until(t, "the third one is told to live", func() bool { return f.state(t, "n3") == "ALIVE" })
	if err := f.servers[2].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	f.until(t, "it is told to be silent", func() bool { return f.state(t, "n3") == "SUSPECT" })
	f.until(t, "it is told to be dead", func() bool { return f.state(t, "n3") == "DEAD" })
}

// founders are three servers that are to found a cluster.
type founders struct {
	ctx     context.Context
	dir     string
	secret  string
	http    [3]string
	gossip  [3]string
	servers [3]*exec.Cmd
}

func newFounders(ctx context.Context, t *testing.T) *founders {
	t.Helper()
	secret, err := exec.CommandContext(ctx, binary, "keygen").Output()
	if err != nil {
		t.Fatal(err)
	}
	f := &founders{ctx: ctx, dir: t.TempDir(), secret: strings.TrimSpace(string(secret))}
	for i := range f.servers {
		f.http[i], f.gossip[i] = freeAddr(t), freeAddr(t)
	}
	return f
}

func (f *founders) start(t *testing.T, i int) {
	t.Helper()
	log, err := os.Create(f.path(i) + ".log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.CommandContext(f.ctx, binary, "server", "--node-id", fmt.Sprintf("n%d", i+1), "--data-dir", f.path(i),
		"--http-addr", f.http[i], "--peer-addr", freeAddr(t), "--gossip-addr", f.gossip[i],
		"--bootstrap-expect", "3", "--join", strings.Join(f.gossip[:], ","), "--node-lost-after", "5s")
	cmd.Stderr = log
	cmd.Env = append(os.Environ(), "CRONRAFT_CLUSTER_SECRET="+f.secret, "CRONRAFT_ROOT_API_KEY="+foundersKey)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // it was killed
	})
	f.servers[i] = cmd
}

func (f *founders) path(i int) string { return filepath.Join(f.dir, fmt.Sprint(i)) }

func (f *founders) log(t *testing.T, i int) string {
	t.Helper()
	text, err := os.ReadFile(f.path(i) + ".log")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// get is the status of a page; 0 without an answer.
func (f *founders) get(t *testing.T, i int, path string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(f.ctx, http.MethodGet, "http://"+f.http[i]+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// state is what the first server says of another one.
func (f *founders) state(t *testing.T, id string) string {
	t.Helper()
	_, body := request(t, "GET", "http://"+f.http[0]+"/api/cron-service/cluster", foundersKey, "")
	_, node, _ := strings.Cut(body, `{"nodeId":"`+id+`"`)
	_, state, _ := strings.Cut(node, `"state":"`)
	state, _, _ = strings.Cut(state, `"`)
	return state
}

// until waits for a condition, as long as the test has.
func (f *founders) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-f.ctx.Done():
			t.Fatalf("%s: not in time\n%s", what, f.log(t, 0))
		case <-tick.C:
		}
	}
}
