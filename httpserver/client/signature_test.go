package client_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/cronraft/cronraft/httpserver/client"
)

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	body := `{"a":1}`
	signed := func(key string, at time.Time) http.Header {
		hook, err := standardwebhooks.NewWebhookRaw([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		signature, err := hook.Sign("ex_1", at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Webhook-Id": {"ex_1"}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {signature}}
	}
	now := time.Now()
	good := signed(testKey, now)
	if err := client.VerifySignature(testKey, good, []byte(body)); err != nil {
		t.Errorf("a good one: %v", err)
	}
	both := signed("old", now)
	both.Set("Webhook-Signature", both.Get("Webhook-Signature")+" "+good.Get("Webhook-Signature"))
	for _, key := range []string{"old", testKey} {
		if err := client.VerifySignature(key, both, []byte(body)); err != nil {
			t.Errorf("two signatures, the key %s: %v", key, err)
		}
	}
	for name, test := range map[string]struct {
		header http.Header
		body   string
	}{
		"another key":  {signed("another", now), body},
		"another body": {good, body + " "},
		"old":          {signed(testKey, now.Add(-6*time.Minute)), body},
		"no signature": {http.Header{}, body},
	} {
		if err := client.VerifySignature(testKey, test.header, []byte(test.body)); !errors.Is(err, client.ErrSignature) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := client.VerifySignature("", signed("", now), []byte(body)); err == nil {
		t.Error("an empty key was taken")
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{1: 250 * time.Millisecond, 2: 500 * time.Millisecond, 5: 4 * time.Second, 6: 8 * time.Second, 1000: 8 * time.Second} {
		seen := map[time.Duration]bool{}
		for range 100 {
			d := client.Pause(failures)
			if d < want/2 || d > want*3/2 {
				t.Errorf("after %d failures: %v, want about %v", failures, d, want)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("after %d failures there are only %d pauses", failures, len(seen))
		}
	}
}
