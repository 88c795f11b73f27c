package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDev starts "cronraft dev" as a user would, creates a job with the printed
// key, stops it with SIGTERM, starts it again and finds the job.
func TestDev(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), freeDevPort(t)
	base := fmt.Sprintf("http://127.0.0.1:%d", port+portsPerNode)

	stop := startDevProcess(t, dir, port)
	key, err := os.ReadFile(filepath.Join(dir, "root-api-key"))
	if err != nil {
		t.Fatal(err)
	}
	status, body := request(t, "POST", base+"/api/cron-service/jobs", string(bytes.TrimSpace(key)),
		`{"name":"kept","cronExpression":"0 4 1 1 *","targetUrl":"http://127.0.0.1:9/"}`)
	if status != http.StatusCreated {
		t.Fatalf("create: %d %s", status, body)
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/openapi.yaml", "/docs"} {
		if status, body := request(t, "GET", base+path, "", ""); status != http.StatusOK {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
	}
	stop()

	stop = startDevProcess(t, dir, port)
	defer stop()
	status, body = request(t, "GET", base+"/api/cron-service/jobs", string(bytes.TrimSpace(key)), "")
	if status != http.StatusOK || !strings.Contains(body, `"kept"`) {
		t.Errorf("after the restart: %d %s", status, body)
	}
}

// startDevProcess returns once the cluster says that it is up; stop wants it to
// exit cleanly.
func startDevProcess(t *testing.T, dir string, port int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cmd := exec.CommandContext(ctx, binary, "dev", "--data-dir", dir, "--http-port", fmt.Sprint(port))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	buffer := make([]byte, 4096)
	for !strings.Contains(seen.String(), "Ctrl-C stops") {
		n, err := out.Read(buffer)
		seen.Write(buffer[:n])
		if err != nil {
			t.Fatalf("dev printed %q and ended: %v\n%s", seen.String(), err, stderr.String())
		}
	}
	return func() {
		defer cancel()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = out.Read(buffer)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("dev ended with %v\n%s", err, stderr.String())
		}
	}
}

// freeDevPort is the first of the ports that three nodes need, below those of
// [localcluster.FreeAddr].
func freeDevPort(t *testing.T) int {
	t.Helper()
	for port := 20000; port < 21000; port += 100 {
		if devPortsFree(port) {
			return port
		}
	}
	t.Fatal("no free range of ports")
	return 0
}

func devPortsFree(port int) bool {
	for i := range 3 {
		for offset := range 3 {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+i*portsPerNode+offset))
			if err != nil {
				return false
			}
			l.Close()
		}
	}
	return true
}

func request(t *testing.T, method, url, key, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-API-KEY", key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, text.String()
}
