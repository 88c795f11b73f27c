package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// TestServer_Flags gives one server flags that differ from their defaults, and looks
// for what each of them changes.
func TestServer_Flags(t *testing.T) {
	t.Parallel()
	ctx, c := startServers(t, 1,
		"--callback-deny", "127.0.0.0/8", "--callback-allow", "127.0.0.1/32", "--callback-concurrency", "1",
		"--history-per-job", "3", "--history-max-age", "1h", "--advertise-host", "localhost",
		"--log-format", "json", "--log-level", "debug",
		"--rate-limit", "1000", "--rate-burst", "1234", // the environment says 0, and a flag wins
	)
	t.Run("limits", func(t *testing.T) {
		var limits struct{ RequestsPerSecond, Burst, HistoryPerJob, HistoryMaxAgeSeconds float64 }
		answer := call(ctx, t, c, 0, "GET", "/limits", "", http.StatusOK, &limits)
		if limits.RequestsPerSecond != 1000 || limits.Burst != 1234 || limits.HistoryPerJob != 3 || limits.HistoryMaxAgeSeconds != 3600 {
			t.Errorf("got %+v", limits)
		}
		if policy := answer.Header.Get("RateLimit-Policy"); !strings.HasPrefix(policy, `"default";q=1234;`) {
			t.Errorf("RateLimit-Policy %s", policy)
		}
	})
	t.Run("advertised host", func(t *testing.T) {
		var status struct {
			Nodes []struct{ NodeID, HTTPAddr, PeerAddr string }
		}
		call(ctx, t, c, 0, "GET", "/cluster", "", http.StatusOK, &status)
		_, port, _ := net.SplitHostPort(c.Node(0).HTTP)
		if n := status.Nodes; len(n) != 1 || n[0].NodeID != "n1" || n[0].HTTPAddr != "localhost:"+port || !strings.HasPrefix(n[0].PeerAddr, "localhost:") {
			t.Errorf("got %+v", status)
		}
	})
	t.Run("log", func(t *testing.T) { checkLogIsJSON(t, c.Node(0).LogPath) })
	t.Run("denied target", func(t *testing.T) {
		j := createJob(ctx, t, c, 0, `{"name":"denied","intervalSeconds":3600,"targetUrl":"http://127.0.0.2:9/"}`)
		call(ctx, t, c, 0, "POST", "/jobs/"+j.JobID+"/run", "", http.StatusAccepted, nil)
		until(ctx, t, c, 10*time.Second, "the callback is refused", func() bool {
			h := history(ctx, t, c, 0, j.JobID)
			return len(h) == 1 && h[0].Result == "FAILED" && h[0].Error.Code == "BLOCKED_TARGET"
		})
	})
	t.Run("concurrency and history", func(t *testing.T) { checkOneAtATime(ctx, t, c) })
}

func checkLogIsJSON(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	levels := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var entry struct{ Level string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		levels[entry.Level]++
	}
	if levels["DEBUG"] == 0 || levels["INFO"] == 0 {
		t.Errorf("logged %v", levels)
	}
}

// checkOneAtATime runs a job several times at once, of which the node may call one at a
// time and keeps three records.
func checkOneAtATime(ctx context.Context, t *testing.T, c *localcluster.Cluster) {
	h := &holder{hold: 200 * time.Millisecond}
	target := startTarget(t, h.answer)
	j := createJob(ctx, t, c, 0, `{"name":"held","intervalSeconds":31536000,"targetUrl":"`+target.URL+`","overlapPolicy":"ALLOW"}`)
	const runs = 6
	var ids []string
	for i := range runs {
		if i == runs-1 { // a record that is added makes room for itself
			untilSuccesses(ctx, t, c, j.JobID, i)
		}
		var run struct{ ExecutionID string }
		call(ctx, t, c, 0, "POST", "/jobs/"+j.JobID+"/run", "", http.StatusAccepted, &run)
		ids = append(ids, run.ExecutionID)
	}
	untilSuccesses(ctx, t, c, j.JobID, runs)
	if most, abandoned := h.counts(); most != 1 || abandoned != 0 {
		t.Errorf("%d requests were open at once, %d were abandoned", most, abandoned)
	}
	if records := history(ctx, t, c, 0, j.JobID); len(records) != 3 {
		t.Errorf("%d records are kept: %+v", len(records), records)
	}
	call(ctx, t, c, 0, "GET", "/executions/"+ids[0], "", http.StatusNotFound, nil)
	call(ctx, t, c, 0, "GET", "/executions/"+ids[runs-1], "", http.StatusOK, nil)
}

func untilSuccesses(ctx context.Context, t *testing.T, c *localcluster.Cluster, id string, count int) {
	t.Helper()
	until(ctx, t, c, 20*time.Second, "all runs succeed", func() bool {
		var now jobAnswer
		call(ctx, t, c, 0, "GET", "/jobs/"+id, "", http.StatusOK, &now)
		return now.Counts.Success == count
	})
}

// TestServer_Refuses starts servers with secrets that cannot be right: each says what is
// wrong and exits with an error.
func TestServer_Refuses(t *testing.T) {
	t.Parallel()
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("too short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		flags []string
		env   string
		says  string
	}{
		"short root key in a file":   {flags: []string{"--root-api-key-file", short}, says: "24 to 64 characters"},
		"short root key, variable":   {env: "CRONRAFT_ROOT_API_KEY=too short", says: "24 to 64 characters"},
		"long root key":              {env: "CRONRAFT_ROOT_API_KEY=" + strings.Repeat("k", 65), says: "24 to 64 characters"},
		"no such file":               {flags: []string{"--root-api-key-file", short + "er"}, says: "--root-api-key-file"},
		"secret that is no base64":   {flags: []string{"--cluster-secret-file", short}, says: "keygen"},
		"secret of a variable":       {env: "CRONRAFT_CLUSTER_SECRET=c2hvcnQ=", says: "5 bytes instead of 32"},
		"peers without a secret":     {flags: []string{"--bootstrap-expect", "3"}, says: "keygen"},
		"no network":                 {flags: []string{"--callback-deny", "10.0.0.1"}, says: "--callback-deny"},
		"certificate without a key":  {flags: []string{"--tls-cert-file", short}, says: "--tls-key-file"},
		"certificate that is none":   {flags: []string{"--tls-cert-file", short, "--tls-key-file", short}, says: "--tls-cert-file"},
		"variable that is no number": {env: "CRONRAFT_HISTORY_PER_JOB=many", says: "CRONRAFT_HISTORY_PER_JOB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			args := append([]string{"server", "--node-id", "n1", "--data-dir", t.TempDir()}, tt.flags...)
			for _, flag := range []string{"--http-addr", "--peer-addr", "--gossip-addr"} {
				args = append(args, flag, freeAddr(t))
			}
			cmd := exec.CommandContext(ctx, binary, args...)
			cmd.Env = append(os.Environ(), tt.env)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), tt.says) {
				t.Errorf("ended with %v, want a word about %q:\n%s", err, tt.says, out)
			}
		})
	}
}

// TestServer_JoinsByName starts a second server that knows the first by a name, behind
// an address where nobody is: it becomes a member.
func TestServer_JoinsByName(t *testing.T) {
	t.Parallel()
	ctx, c := startServers(t, 1)
	first := c.Node(0).Flags()
	_, port, _ := net.SplitHostPort(valueOf(first, "--gossip-addr"))
	cmd := exec.CommandContext(ctx, binary, "server", "--node-id", "n2", "--data-dir", t.TempDir(),
		"--http-addr", freeAddr(t), "--peer-addr", freeAddr(t), "--gossip-addr", freeAddr(t),
		"--cluster-secret-file", valueOf(first, "--cluster-secret-file"), "--join", fmt.Sprintf("127.0.0.1:1,localhost:%s", port))
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		if err := cmd.Wait(); err != nil && t.Failed() {
			t.Logf("%v\n%s", err, &log)
		}
	})
	until(ctx, t, c, time.Minute, "two voters", func() bool {
		var status clusterAnswer
		call(ctx, t, c, 0, "GET", "/cluster", "", http.StatusOK, &status)
		return len(status.Nodes) == 2 && status.Nodes[0].Role == "LEADER" && status.Nodes[1].Role == "FOLLOWER" && status.Nodes[1].NodeID == "n2"
	})
}

// valueOf is the argument after a flag.
func valueOf(args []string, flag string) string {
	for i, a := range args {
		if a == flag {
			return args[i+1]
		}
	}
	return ""
}
