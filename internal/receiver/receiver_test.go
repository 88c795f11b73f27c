package receiver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const testKey = "cron_live_0123456789abcdef0123456789abcdef"

// request makes a callback, signed with key unless that is empty.
func request(t *testing.T, target, body, key string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("X-Cron-Execution-Id", "ex_1")
	r.Header.Set("Accept", "*/*")
	if key == "" {
		return r
	}
	now := time.Now()
	wh, err := webhooks.NewWebhookRaw([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := wh.Sign("ex_1", now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("webhook-id", "ex_1")
	r.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("webhook-signature", signature)
	return r
}

// serve gives one request to a receiver; what it answers and prints.
func serve(cfg Config, r *http.Request) (*httptest.ResponseRecorder, string) {
	var out strings.Builder
	cfg.Out = &out
	w := httptest.NewRecorder()
	New(cfg).ServeHTTP(w, r)
	return w, out.String()
}

func TestReceiver_Signature(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		signedWith string
		keys       []string
		want       string
	}{
		"unsigned":         {"", []string{testKey}, "signature: unsigned\n"},
		"valid":            {testKey, []string{testKey}, "signature: valid\n"},
		"valid by another": {testKey, []string{"some-other-key", testKey}, "signature: valid\n"},
		"wrong key":        {"some-other-key", []string{testKey}, "signature: INVALID, no matching signature found\n"},
		"no key given":     {testKey, nil, "signature: not checked, no API key given\n"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, printed := serve(Config{APIKeys: tc.keys}, request(t, "/hook", `{"a":1}`, tc.signedWith))
			if w.Code != http.StatusOK {
				t.Errorf("status = %d, want 200", w.Code)
			}
			if !strings.Contains(printed, tc.want) {
				t.Errorf("printed %q, want %q in it", printed, tc.want)
			}
		})
	}
}

func TestReceiver_Lines(t *testing.T) {
	t.Parallel()
	_, printed := serve(Config{}, request(t, "/hook?x=1", "{\"a\":1}\x1b[2J", ""))
	lines := strings.Split(strings.TrimSuffix(printed, "\n"), "\n")
	want := []string{
		" POST /hook?x=1  signature: unsigned",
		"    X-Cron-Execution-Id: ex_1",
		`    body, 11 bytes: {"a":1}\x1b[2J`,
	}
	if len(lines) != len(want) {
		t.Fatalf("printed %d lines, want %d: %q", len(lines), len(want), printed)
	}
	for i := range want {
		if !strings.HasSuffix(lines[i], want[i]) {
			t.Errorf("line %d = %q, want it to end with %q", i, lines[i], want[i])
		}
	}
}

func TestReceiver_VerboseShowsEverything(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2*maxPrinted)
	_, quiet := serve(Config{}, request(t, "/", long, ""))
	if strings.Contains(quiet, long) || strings.Contains(quiet, "Accept") {
		t.Errorf("printed too much: %q", quiet)
	}
	_, verbose := serve(Config{Verbose: true}, request(t, "/", long, ""))
	if !strings.Contains(verbose, long) || !strings.Contains(verbose, "Accept: */*") {
		t.Errorf("printed too little: %q", verbose)
	}
}

func TestReceiver_NeverPrintsTheKey(t *testing.T) {
	t.Parallel()
	bodies := []string{testKey, strings.Repeat("x", maxPrinted-10) + testKey}
	for _, body := range bodies {
		for _, verbose := range []bool{false, true} {
			r := request(t, "/?key="+testKey, body, testKey)
			r.Header.Set("X-Api-Key", testKey)
			_, printed := serve(Config{APIKeys: []string{testKey}, Verbose: verbose}, r)
			if strings.Contains(printed, testKey[:10]) {
				t.Errorf("the key is in %q", printed)
			}
		}
	}
}

func TestReceiver_Answers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		query string
		want  int
		took  time.Duration
	}{
		"status":         {"?status=503", 503, 0},
		"no content":     {"?status=204", 204, 0},
		"delay":          {"?delay=10s", 200, 10 * time.Second},
		"both":           {"?status=404&delay=1s", 404, time.Second},
		"status unknown": {"?status=abc", 400, 0},
		"status low":     {"?status=100", 400, 0},
		"delay negative": {"?delay=-1s", 400, 0},
		"delay long":     {"?delay=2h", 400, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				w, _ := serve(Config{}, request(t, "/"+tc.query, "", ""))
				if w.Code != tc.want {
					t.Errorf("status = %d, want %d", w.Code, tc.want)
				}
				if took := time.Since(start); took != tc.took {
					t.Errorf("took %s, want %s", took, tc.took)
				}
			})
		})
	}
}

func TestReceiver_CallerGoesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, printed := serve(Config{}, request(t, "/?delay=10s", "", "").WithContext(ctx))
		if want := "connection closed by the caller after 3s\n"; !strings.HasSuffix(printed, want) {
			t.Errorf("printed %q, want it to end with %q", printed, want)
		}
	})
}

func TestReceiver_BodyTooLarge(t *testing.T) {
	t.Parallel()
	w, printed := serve(Config{}, request(t, "/", strings.Repeat("x", maxBody+1), ""))
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status = %d, want 413", w.Code)
	}
	if !strings.Contains(printed, "could not be read") {
		t.Errorf("printed %q", printed)
	}
}
