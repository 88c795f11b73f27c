package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// TestTarget_Headers has a test for each header that a target gets from the service,
// named for it. All look at one execution of three attempts, a second apart.
func TestTarget_Headers(t *testing.T) {
	t.Parallel()
	s := newStage(t, calm...)
	p := s.begin(t, 0, scene{
		field: "headers", job: `"signPayloads":true,"body":"{\"a\":1}","retries":2,"retryDelaySeconds":1`, answer: byAttempt(500, 500, 200),
	})
	x := p.first(t)
	got := p.got()
	if len(got) != 3 {
		t.Fatalf("%d requests, want 3: %v", len(got), x)
	}
	constant := func(name, want string) {
		t.Run(name, func(t *testing.T) {
			for _, a := range got {
				same(t, name, strings.Join(a.Header.Values(name), "|"), want)
			}
		})
	}
	constant("User-Agent", "cronraft/"+version)
	constant("Content-Type", "application/json")
	constant("X-Cron-Job-Id", p.id)
	constant("X-Cron-Execution-Id", x.text("executionId"))
	constant("X-Cron-Scheduled-At", x.text("scheduledAt"))
	constant("X-Cron-Trigger", "MANUAL")
	constant("webhook-id", x.text("executionId"))
	t.Run("X-Cron-Attempt", func(t *testing.T) {
		for i, a := range got {
			same(t, "attempt", a.attempt(), strconv.Itoa(i+1))
		}
	})
	t.Run("traceparent", func(t *testing.T) { checkTraceparents(t, got) })
	t.Run("webhook-timestamp", func(t *testing.T) { checkTimestamps(t, got, x.list("attempts")) })
	t.Run("webhook-signature", func(t *testing.T) {
		for _, a := range got {
			same(t, "signatures", signatureCount(a), 1)
			verify(t, a, localcluster.RootKey)
		}
		same(t, "each attempt is signed anew", got[0].Header.Get("webhook-signature") != got[2].Header.Get("webhook-signature"), true)
	})
	t.Run("nothing_else", func(t *testing.T) { checkNothingElse(t, got[0]) })
	t.Run("own_values", func(t *testing.T) { checkOwnValues(t, s) })
}

var traceparentPattern = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-01$`)

// checkTraceparents wants one trace, and a span of its own for each attempt.
func checkTraceparents(t *testing.T, got []arrival) {
	traces, spans := map[string]bool{}, map[string]bool{}
	for _, a := range got {
		parts := traceparentPattern.FindStringSubmatch(a.Header.Get("traceparent"))
		if parts == nil {
			t.Fatalf("traceparent %q", a.Header.Get("traceparent"))
		}
		traces[parts[1]], spans[parts[2]] = true, true
	}
	same(t, "traces", len(traces), 1)
	same(t, "spans", len(spans), len(got))
}

// checkTimestamps wants the time at which each attempt was made, not the first.
func checkTimestamps(t *testing.T, got []arrival, attempts []fields) {
	for i, a := range got {
		seconds, err := strconv.ParseInt(a.Header.Get("webhook-timestamp"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if at := time.Unix(seconds, 0); at.After(a.At) || at.Before(attempts[i].at("startedAt").Truncate(time.Second)) {
			t.Errorf("attempt %d has the time stamp %v, and arrived at %v", i+1, at, a.At)
		}
	}
}

// checkNothingElse wants no header of which the contract says nothing, but for those
// of HTTP itself.
func checkNothingElse(t *testing.T, a arrival) {
	known := map[string]bool{}
	for _, name := range strings.Fields(`User-Agent Content-Type Content-Length X-Cron-Job-Id X-Cron-Execution-Id X-Cron-Scheduled-At
		X-Cron-Attempt X-Cron-Trigger Traceparent Webhook-Id Webhook-Timestamp Webhook-Signature`) {
		known[name] = true
	}
	for name := range a.Header {
		if !known[name] {
			t.Errorf("an unknown header %s", name)
		}
	}
}

// checkOwnValues lets a job set the two headers of the service that it may.
func checkOwnValues(t *testing.T, s *stage) {
	p := s.begin(t, 1, scene{field: "own", job: `"headers":{"User-Agent":"mine/1","Content-Type":"text/csv"},"body":"a,b"`})
	a := p.wait(t, 1)[0]
	same(t, "User-Agent", a.Header.Get("User-Agent"), "mine/1")
	same(t, "Content-Type", a.Header.Get("Content-Type"), "text/csv")
	same(t, "body", a.Body, "a,b")
	same(t, "signed", a.Header.Get("webhook-signature"), "")
}
