package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// TestTarget_Executions has a test for each field of an execution and of its
// attempts, and for each error code that a living cluster can be brought to. CATCHUP
// and MISSED are in TestTarget_MisfirePolicy, NODE_LOST is in
// TestTarget_DeliveryGuarantee.
func TestTarget_Executions(t *testing.T) {
	t.Parallel()
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	plain, secure := httptest.NewServer(ok), httptest.NewTLSServer(ok)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	s := newTargetStage(t)
	s.startTrusting(t, secure.Certificate())
	s.act(t, slices.Concat(recordScenes(), triggerScenes(), phaseScenes(s, plain.URL, secure.URL), errorScenes(s, untrusted(t), freeAddr(t))))
}

// startTrusting starts the stage's cluster, whose nodes trust the certificate.
func (s *stage) startTrusting(t *testing.T, root *x509.Certificate) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	c, err := localcluster.Start(ctx, localcluster.Config{
		Binary: binary, Dir: dir, Nodes: 3, Flags: calm,
		Wrap: func(_ int, line []string) []string { return append([]string{"env", "SSL_CERT_FILE=" + file}, line...) },
	})
	if c != nil {
		t.Cleanup(c.Close)
	}
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	s.ctx, s.c = ctx, c
}

// untrusted is the URL of a target whose certificate nobody trusts.
func untrusted(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it is refused, and would say so
	server.StartTLS()
	t.Cleanup(server.Close)
	// The certificate is the same one as that of any httptest server, and is not
	// issued for this name.
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// hold answers after a while.
const hold = 300 * time.Millisecond

func afterHold(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(hold):
	}
}

// recordScenes are the fields of every record.
func recordScenes() []scene {
	gate := newGate()
	return []scene{
		{field: "executionId", check: func(t *testing.T, p *play) {
			a, x := p.wait(t, 1)[0], p.first(t)
			same(t, "X-Cron-Execution-Id", a.execution(), x.text("executionId"))
			same(t, "ex_ in front", strings.HasPrefix(a.execution(), "ex_"), true)
			other := p.run(t)
			same(t, "the next run has another", other != a.execution(), true)
			same(t, "X-Cron-Execution-Id", p.wait(t, 2)[1].execution(), other)
			p.outcome(t, other)
			same(t, "newest first", p.records(t)[0].text("executionId"), other)
		}},
		{field: "jobId", check: func(t *testing.T, p *play) {
			same(t, "jobId", p.first(t).text("jobId"), p.id)
			same(t, "X-Cron-Job-Id", p.got()[0].Header.Get("X-Cron-Job-Id"), p.id)
		}},
		{field: "times", schedule: `"intervalSeconds":2,"jitterSeconds":1,"maxRuns":1`, answer: afterHold, check: checkTimes},
		{field: "httpStatus", answer: status(202), check: func(t *testing.T, p *play) {
			same(t, "httpStatus", p.first(t).number("httpStatus"), 202)
			same(t, "error", p.first(t)["error"], nil)
		}},
		{field: "result_RUNNING", answer: gate.answer, check: func(t *testing.T, p *play) {
			defer gate.opened()
			id := p.wait(t, 1)[0].execution()
			x := p.detail(t, id)
			same(t, "result", x.text("result"), "RUNNING")
			same(t, "attempt", x.number("attempt"), 1)
			for _, name := range []string{"startedAt", "finishedAt", "durationMs", "latenessMs", "httpStatus", "error"} {
				if value, given := x[name]; !given || value != nil {
					t.Errorf("%s is %v (%t) while it runs, want null", name, value, given)
				}
			}
			gate.opened()
			same(t, "result", p.outcome(t, id).text("result"), "SUCCESS")
		}},
		{field: "result_RETRYING", job: `"retries":1,"retryDelaySeconds":86400`, answer: status(500), check: func(t *testing.T, p *play) {
			id := p.wait(t, 1)[0].execution()
			p.until(t, "RETRYING", func() bool { return p.detail(t, id).text("result") == "RETRYING" })
			x := p.detail(t, id)
			same(t, "finishedAt", x["finishedAt"], nil)
			same(t, "error", x.code(), "HTTP_STATUS")
		}},
		{field: "nodeId", check: func(t *testing.T, p *play) {
			x := p.first(t)
			same(t, "of this cluster", slices.Contains([]string{"n1", "n2", "n3"}, x.text("nodeId")), true)
			same(t, "of the attempt", x.list("attempts")[0].text("nodeId"), x.text("nodeId"))
		}},
		{field: "attempts", job: `"retries":1,"retryDelaySeconds":0`, answer: byAttempt(503, 200), check: checkAttempts},
	}
}

// checkTimes compares the times of a record with each other and with the target's
// clock, which is the same one.
func checkTimes(t *testing.T, p *play) {
	x := p.first(t)
	a := p.got()[0]
	scheduled, due, started, finished := x.at("scheduledAt"), x.at("dueAt"), x.at("startedAt"), x.at("finishedAt")
	same(t, "scheduledAt is X-Cron-Scheduled-At", scheduled, a.slot())
	notBefore(t, "dueAt", due, scheduled)
	notBefore(t, "startedAt", started, due)
	notBefore(t, "the request", a.At, started)
	notBefore(t, "finishedAt", finished, a.At)
	same(t, "latenessMs", x.number("latenessMs"), int(started.Sub(due).Milliseconds()))
	same(t, "durationMs", x.number("durationMs"), int(finished.Sub(started).Milliseconds()))
	if ms := x.number("durationMs"); ms < int(hold.Milliseconds()) {
		t.Errorf("durationMs is %d, the target took longer", ms)
	}
}

// checkAttempts wants each attempt with its own outcome.
func checkAttempts(t *testing.T, p *play) {
	x := p.first(t)
	attempts, got := x.list("attempts"), p.got()
	if len(attempts) != 2 || len(got) != 2 {
		t.Fatalf("%d attempts, %d requests, want 2: %v", len(attempts), len(got), x)
	}
	for i, want := range []struct {
		status int
		code   string
	}{{503, "HTTP_STATUS"}, {200, ""}} {
		a := attempts[i]
		same(t, "attempt", a.number("attempt"), i+1)
		same(t, "httpStatus", a.number("httpStatus"), want.status)
		same(t, "error", a.code(), want.code)
		same(t, "durationMs is there", a.number("durationMs") >= 0, true)
		notBefore(t, "the request", got[i].At, a.at("startedAt"))
	}
	same(t, "startedAt is the first request's", x.at("startedAt"), attempts[0].at("startedAt"))
	same(t, "attempt", x.number("attempt"), 2)
	same(t, "error of what succeeded in the end", x["error"], nil)
}

// triggerScenes are why an execution is there.
func triggerScenes() []scene {
	return []scene{
		{field: "trigger_MANUAL", check: wantTrigger("MANUAL")},
		{field: "trigger_SCHEDULED", schedule: `"intervalSeconds":1,"maxRuns":1`, check: wantTrigger("SCHEDULED")},
		{field: "trigger_BACKFILL", schedule: `"intervalSeconds":3600`, check: func(t *testing.T, p *play) {
			p.ask(t, "POST", "/jobs/"+p.id+"/backfill", `{"from":"2026-01-05T00:00:00Z","to":"2026-01-05T02:00:00Z"}`, http.StatusAccepted, nil)
			p.ended(t, 2)
			wantTrigger("BACKFILL")(t, p)
			got := p.got()
			same(t, "first slot", got[0].slot(), time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC))
			same(t, "second slot", got[1].slot(), time.Date(2026, 1, 5, 1, 0, 0, 0, time.UTC))
		}},
	}
}

func wantTrigger(want string) func(*testing.T, *play) {
	return func(t *testing.T, p *play) {
		x, a := p.first(t), p.got()[0]
		same(t, "trigger", x.text("trigger"), want)
		same(t, "X-Cron-Trigger", a.Header.Get("X-Cron-Trigger"), want)
		same(t, "scheduledAt", a.slot(), x.at("scheduledAt"))
	}
}

// phaseScenes are the phases of a request: those that happen have a time, and the
// others have none. The connections are new ones, for only these requests go there.
func phaseScenes(s *stage, plain, secure string) []scene {
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.target.URL, "http://"))
	wantPhases := func(want ...string) func(*testing.T, *play) {
		return func(t *testing.T, p *play) {
			x := p.first(t)
			same(t, "result", x.text("result"), "SUCCESS")
			for _, name := range []string{"dnsMs", "connectMs", "tlsMs", "firstByteMs"} {
				_, took := x.list("attempts")[0][name].(float64)
				same(t, name+" has a time", took, slices.Contains(want, name))
			}
		}
	}
	return []scene{
		{field: "dnsMs", url: "http://localhost:" + port + "/dnsMs", check: wantPhases("dnsMs", "connectMs", "firstByteMs")},
		{field: "connectMs", url: plain + "/", check: wantPhases("connectMs", "firstByteMs")},
		{field: "firstByteMs", answer: afterHold, check: func(t *testing.T, p *play) {
			if ms := p.first(t).list("attempts")[0].number("firstByteMs"); ms < int(hold.Milliseconds()) {
				t.Errorf("firstByteMs is %d, the target answered later", ms)
			}
		}},
		{field: "tlsMs", url: secure + "/", check: wantPhases("connectMs", "tlsMs", "firstByteMs")},
	}
}
