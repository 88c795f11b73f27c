package node

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/internal/secret"
)

// TestSealedOnce keeps no key in plain text, and opens an answer only under its own
// idempotency key.
func TestSealedOnce(t *testing.T) {
	t.Parallel()
	cluster, err := secret.Parse(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 32))))
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{cfg: Config{Secret: cluster}}
	once := &job.Idempotent[job.NewKey]{Key: [32]byte{1}, Answer: func(k job.NewKey) ([]byte, error) { return []byte(k.Plain), nil }}
	kept, err := onceOf(sealedOnce(n, once), job.NewKey{Plain: "cron_live_secret"})
	if err != nil || bytes.Contains(kept.Answer, []byte("secret")) {
		t.Fatalf("kept as %q: %v", kept.Answer, err)
	}
	if plain, err := openAnswer(n, once, kept.Answer); err != nil || string(plain) != "cron_live_secret" {
		t.Errorf("opened: %q, %v", plain, err)
	}
	other := &job.Idempotent[job.NewKey]{Key: [32]byte{2}}
	if plain, err := openAnswer(n, other, kept.Answer); err == nil {
		t.Errorf("opened under another key: %q", plain)
	}
}
