package main

import (
	"net/http"
	"strings"
	"testing"
)

// errorScenes are the error codes, each of a failure that really happens.
func errorScenes(s *stage, untrusted, closed string) []scene {
	own := s.c.Node(1).HTTP
	return []scene{
		{field: "error_TIMEOUT", job: `"timeoutSeconds":1`, answer: newGate().answer, check: wantEnd("FAILED", -1, "TIMEOUT")},
		{field: "error_HTTP_STATUS", answer: status(418), check: wantError("HTTP_STATUS", "418", 418)},
		// A name with an empty label is one that no resolver is asked for.
		{field: "error_DNS", url: "http://no..such.host/", check: wantError("DNS", "no..such.host", -1)},
		{field: "error_CONNECT", url: "http://" + closed + "/", check: wantError("CONNECT", "refused", -1)},
		{field: "error_TLS", url: untrusted + "/", check: wantError("TLS", "certificate", -1)},
		{field: "error_TLS_plain", url: strings.Replace(s.target.URL, "http:", "https:", 1) + "/x", check: wantError("TLS", "plain HTTP", -1)},
		{field: "error_BLOCKED_TARGET", url: "http://169.254.169.254/latest", job: `"retries":3,"retryDelaySeconds":0`, check: wantError("BLOCKED_TARGET", "link-local", -1)},
		{field: "error_BLOCKED_TARGET_own_port", url: "http://" + own + "/healthz", check: wantError("BLOCKED_TARGET", "port of this cluster", -1)},
		{field: "error_BLOCKED_TARGET_redirect", job: `"followRedirects":true`, answer: sendTo("http://[fe80::1]/"), check: wantError("BLOCKED_TARGET", "link-local", -1)},
		{field: "error_TOO_LARGE", answer: largeHeader, check: wantError("TOO_LARGE", "65536", -1)},
		{field: "error_PROTOCOL", answer: sayNothing, check: wantError("PROTOCOL", "closed the connection", -1)},
		{field: "error_PROTOCOL_garbage", answer: say("220 mail.example.com ESMTP\r\n"), check: wantError("PROTOCOL", "not valid HTTP", -1)},
		{field: "error_PROTOCOL_part", answer: say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"), check: wantError("PROTOCOL", "before the answer was complete", 200)},
		{field: "error_CANCELLED", answer: newGate().answer, check: checkCancelled},
		{field: "error_OVERLAP", schedule: everySecond, job: `"timeoutSeconds":600`, answer: newGate().answer, check: func(t *testing.T, p *play) {
			p.until(t, "a slot is skipped", func() bool { return p.results(t)["SKIPPED"] > 0 })
			p.pause(t)
			x := p.records(t)[0]
			same(t, "result", x.text("result"), "SKIPPED")
			same(t, "error", x.code(), "OVERLAP")
			same(t, "attempts", len(p.detail(t, x.text("executionId")).list("attempts")), 0)
			same(t, "startedAt", x["startedAt"], nil)
			same(t, "requests", len(p.got()), 1)
		}},
	}
}

// wantError wants one attempt that failed like that, in the record and in the
// attempt.
func wantError(code, message string, httpStatus int) func(*testing.T, *play) {
	return func(t *testing.T, p *play) {
		wantEnd("FAILED", httpStatus, code)(t, p)
		x := p.first(t)
		attempts := x.list("attempts")
		if len(attempts) != 1 {
			t.Fatalf("%d attempts, want 1: %v", len(attempts), x)
		}
		same(t, "error of the attempt", attempts[0].code(), code)
		for _, e := range []fields{x.object("error"), attempts[0].object("error")} {
			if !strings.Contains(e.text("message"), message) {
				t.Errorf("message %q, want it to say %q", e.text("message"), message)
			}
		}
	}
}

func sendTo(url string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", url)
		w.WriteHeader(http.StatusFound)
	}
}

func largeHeader(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Large", strings.Repeat("x", 80<<10))
}

func sayNothing(w http.ResponseWriter, r *http.Request) { say("")(w, r) }

// say answers with bytes that net/http would not send, and closes the connection.
func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return // the caller is gone
		}
		defer conn.Close()
		_, _ = conn.Write([]byte(text))
	}
}

// checkCancelled cancels a request that is open: the target sees it end.
func checkCancelled(t *testing.T, p *play) {
	a := p.wait(t, 1)[0]
	p.ask(t, "POST", "/executions/"+a.execution()+"/cancel", "", http.StatusAccepted, nil)
	x := p.outcome(t, a.execution())
	same(t, "result", x.text("result"), "CANCELLED")
	same(t, "error", x.code(), "CANCELLED")
	p.until(t, "the attempt is on record", func() bool {
		attempts := p.detail(t, a.execution()).list("attempts")
		return len(attempts) == 1 && attempts[0].code() == "CANCELLED"
	})
	p.until(t, "the end of the request", func() bool { return p.job(t).number("runningCount") == 0 })
	same(t, "requests", len(p.got()), 1)
}
