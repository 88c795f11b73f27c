package main

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/cronraft/cronraft/internal/secret"
)

func TestKeygen(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 2 {
		out, err := exec.CommandContext(t.Context(), binary, "keygen").Output()
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSuffix(string(out), "\n")
		if _, err := secret.Parse(text); err != nil || seen[text] {
			t.Errorf("%q is no new secret: %v", text, err)
		}
		seen[text] = true
	}
}

// TestReceive sends a signed callback to "cronraft receive": it prints what came, and
// that the signature is valid.
func TestReceive(t *testing.T) {
	t.Parallel()
	const key, id, body = "cron_live_0123456789abcdef0123456789abcdef", "ex_1", `{"a":1}`
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "receive", "--addr", "127.0.0.1:0", "--api-key", key)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	url, ok := strings.CutPrefix(lines.Text(), "receiving on ")
	if !ok {
		t.Fatalf("it begins with %q (%v)", lines.Text(), lines.Err())
	}

	hook, err := standardwebhooks.NewWebhookRaw([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := hook.Sign(id, now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"hook?status=503", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("webhook-signature", signature)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	for lines.Scan() {
		printed.WriteString(lines.Text() + "\n")
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	for _, want := range []string{"POST /hook?status=503", "signature: valid", body} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("it does not print %q: %s", want, &printed)
		}
	}
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", answer.StatusCode)
	}
}

// TestDev_Flags checks their defaults and limits, and what the terminal shows.
func TestDev_Flags(t *testing.T) {
	t.Parallel()
	flags := devCommand().Flags()
	for name, want := range map[string]string{"nodes": "3", "data-dir": "./cronraft-dev", "http-port": "8400", "log-level": "warn"} {
		if f := flags.Lookup(name); f == nil || f.DefValue != want {
			t.Errorf("--%s is %+v, want %q", name, f, want)
		}
	}
	for says, o := range map[string]devOptions{"--nodes": {nodes: 10, httpPort: 8400}, "--http-port": {nodes: 3, httpPort: 65530}} {
		if err := runDev(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	receive := receiveCommand().Flags().Lookup("addr")
	if receive.DefValue != "127.0.0.1:9999" {
		t.Errorf("receive listens on %s", receive.DefValue)
	}
	c := &devCluster{rootKey: "cron_dev_key", programs: []*program{{options: &options{nodeID: "node1", httpAddr: "127.0.0.1:8400"}}}}
	for _, want := range []string{
		"http://127.0.0.1:8400/api/cron-service\n", "dashboard  http://127.0.0.1:8400/\n", "API key    cron_dev_key\n",
		"curl -X POST http://127.0.0.1:8400/api/cron-service/jobs", "bin/cronraft receive --api-key cron_dev_key",
	} {
		if !strings.Contains(c.welcome(), want) {
			t.Errorf("the terminal does not show %q: %s", want, c.welcome())
		}
	}
}
