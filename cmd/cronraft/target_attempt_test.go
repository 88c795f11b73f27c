package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// status answers with a status and nothing else.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// byAttempt answers the first attempt with the first status, and so on.
func byAttempt(codes ...int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.Header.Get("X-Cron-Attempt"))
		if err != nil || n < 1 || n > len(codes) {
			n = len(codes)
		}
		w.WriteHeader(codes[n-1])
	}
}

// attemptScenes are the options about the answer, and about further attempts.
func attemptScenes() []scene {
	return []scene{
		{field: "timeoutSeconds", job: `"timeoutSeconds":1`, answer: newGate().answer, check: checkTimeout},
		{field: "successStatuses", job: `"successStatuses":["404","3XX"]`, answer: status(404), check: wantEnd("SUCCESS", 404, "")},
		{field: "successStatuses_class", job: `"successStatuses":["404","3XX"]`, answer: status(307), check: wantEnd("SUCCESS", 307, "")},
		{field: "successStatuses_other", job: `"successStatuses":["201"]`, answer: status(200), check: wantEnd("FAILED", 200, "HTTP_STATUS")},
		{field: "successStatuses_default", answer: status(299), check: wantEnd("SUCCESS", 299, "")},
		{field: "followRedirects_false", answer: redirect(307, 0), check: wantHops("FAILED", 307, "HTTP_STATUS", 1)},
		{field: "followRedirects_false_success", job: `"successStatuses":["307"]`, answer: redirect(307, 0), check: wantHops("SUCCESS", 307, "", 1)},
		{field: "followRedirects", job: `"followRedirects":true,"body":"kept","httpMethod":"PUT"`, answer: redirect(307, 5), check: checkFollowed},
		{field: "followRedirects_sixth", job: `"followRedirects":true`, answer: redirect(307, 6), check: wantHops("FAILED", 307, "PROTOCOL", 6)},
		{field: "retries", job: `"retries":3,"retryDelaySeconds":0`, answer: byAttempt(500, 503, 204), check: checkRetries},
		{field: "retries_used_up", job: `"retries":2,"retryDelaySeconds":0`, answer: status(500), check: func(t *testing.T, p *play) {
			wantEnd("FAILED", 500, "HTTP_STATUS")(t, p)
			same(t, "requests", len(p.got()), 3)
		}},
		{field: "retries_default", answer: status(500), check: func(t *testing.T, p *play) {
			wantEnd("FAILED", 500, "HTTP_STATUS")(t, p)
			same(t, "requests", len(p.got()), 1)
		}},
		{field: "retryDelaySeconds", job: `"retries":2,"retryDelaySeconds":2`, answer: byAttempt(500, 500, 200), check: wantPauses(2, 2)},
		{field: "retryDelaySeconds_Retry-After", job: `"retries":2,"retryDelaySeconds":1`, answer: retryAfter(3, 0), check: wantPauses(3, 1)},
		{field: "retryDelaySeconds_Retry-After_date", job: `"retries":1,"retryDelaySeconds":0`, answer: retryAtDate, check: wantPauses(2)},
		{field: "retryBackoff", job: `"retries":3,"retryDelaySeconds":1,"retryBackoff":"EXPONENTIAL"`, answer: byAttempt(500, 500, 500, 200), check: wantPauses(0.8, 1.6, 3.2)},
		// Without the limit, the second attempt would come after an hour.
		{field: "retryMaxDelaySeconds", job: `"retries":1,"retryDelaySeconds":3600,"retryBackoff":"EXPONENTIAL","retryMaxDelaySeconds":1`, answer: byAttempt(500, 200), check: wantPauses(0.8)},
		{field: "captureResponse", answer: respond(500, 3000), check: wantResponse(1024)},
		{field: "captureResponse_success", answer: respond(200, 3000), check: wantResponse(-1)},
		{field: "captureResponse_NONE", job: `"captureResponse":"NONE"`, answer: respond(500, 3000), check: wantResponse(-1)},
		{field: "captureResponse_ALWAYS", job: `"captureResponse":"ALWAYS"`, answer: respond(200, 3000), check: wantResponse(1024)},
		{field: "captureResponse_short", job: `"captureResponse":"ALWAYS"`, answer: respond(500, 10), check: wantResponse(10)},
	}
}

// wantEnd wants the job's only execution to end like that.
func wantEnd(result string, httpStatus int, code string) func(*testing.T, *play) {
	return func(t *testing.T, p *play) {
		x := p.first(t)
		same(t, "result", x.text("result"), result)
		same(t, "httpStatus", x.number("httpStatus"), httpStatus)
		same(t, "error", x.code(), code)
	}
}

func checkTimeout(t *testing.T, p *play) {
	wantEnd("FAILED", -1, "TIMEOUT")(t, p)
	x := p.first(t)
	if ms := x.number("durationMs"); ms < 1000 {
		t.Errorf("given up after %d ms", ms)
	}
	same(t, "requests", len(p.got()), 1)
}

// redirect sends the caller on until it has been sent on so often; 0 is for ever.
func redirect(code, limit int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, hop, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		n, _ := strconv.Atoi(hop)
		if limit > 0 && n == limit {
			return
		}
		w.Header().Set("Location", fmt.Sprintf("/%s/%d", name, n+1))
		w.WriteHeader(code)
	}
}

func wantHops(result string, httpStatus int, code string, requests int) func(*testing.T, *play) {
	return func(t *testing.T, p *play) {
		wantEnd(result, httpStatus, code)(t, p)
		same(t, "requests", len(p.got()), requests)
	}
}

// checkFollowed wants five redirects followed, each with the method, the body and
// the same names of execution and attempt.
func checkFollowed(t *testing.T, p *play) {
	wantHops("SUCCESS", 200, "", 6)(t, p)
	got := p.got()
	for _, a := range got {
		same(t, "method", a.Method, "PUT")
		same(t, "body", a.Body, "kept")
		same(t, "execution", a.execution(), got[0].execution())
		same(t, "attempt", a.attempt(), "1")
	}
	same(t, "last path", got[len(got)-1].URI, "/followRedirects/5")
}

func checkRetries(t *testing.T, p *play) {
	wantEnd("SUCCESS", 204, "")(t, p)
	got, x := p.got(), p.first(t)
	attempts := x.list("attempts")
	if len(got) != 3 || len(attempts) != 3 {
		t.Fatalf("%d requests, %d attempts, want 3", len(got), len(attempts))
	}
	for i, a := range got {
		same(t, "X-Cron-Attempt", a.attempt(), strconv.Itoa(i+1))
		same(t, "webhook-id", a.Header.Get("webhook-id"), x.text("executionId"))
		same(t, "attempt", attempts[i].number("attempt"), i+1)
		same(t, "httpStatus of the attempt", attempts[i].number("httpStatus"), []int{500, 503, 204}[i])
	}
	same(t, "attempt", x.number("attempt"), 3)
}

// retryAfter fails each attempt, and asks for so many seconds after each but the
// last, which succeeds.
func retryAfter(seconds ...int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.Header.Get("X-Cron-Attempt"))
		if err != nil || n < 1 || n > len(seconds) {
			return
		}
		w.Header().Set("Retry-After", strconv.Itoa(seconds[n-1]))
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// retryAtDate fails the first attempt, and asks for another in three seconds: the
// date has no fractions of one, so it may be only two.
func retryAtDate(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Cron-Attempt") == "1" {
		w.Header().Set("Retry-After", time.Now().Add(3*time.Second).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

// wantPauses wants at least so many seconds between the attempts, the last of which
// succeeds. Times are kept in milliseconds: one may be missing.
func wantPauses(seconds ...float64) func(*testing.T, *play) {
	return func(t *testing.T, p *play) {
		same(t, "result", p.first(t).text("result"), "SUCCESS")
		got := p.got()
		same(t, "requests", len(got), len(seconds)+1)
		for i, least := range seconds {
			pause := got[i+1].At.Sub(got[i].At) + time.Millisecond
			if pause.Seconds() < least {
				t.Errorf("attempt %d came %v after the one before, want at least %v s", i+2, pause, least)
			}
		}
	}
}

func respond(code, length int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(pattern(length)))
	}
}

// pattern is a text that shows where it begins.
func pattern(length int) string { return strings.Repeat("0123456789abcdef", length/16+1)[:length] }

// wantResponse wants the beginning of the response in the record; -1 is nothing.
func wantResponse(length int) func(*testing.T, *play) {
	return func(t *testing.T, p *play) {
		body, captured := p.first(t)["responseBody"].(string)
		same(t, "captured", captured, length >= 0)
		if captured {
			same(t, "responseBody", body, pattern(length))
		}
	}
}
