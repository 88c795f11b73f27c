package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// TestMetrics lets executions of one server succeed, fail, be skipped, lost and missed,
// and wants each metric to tell of it.
func TestMetrics(t *testing.T) {
	t.Parallel()
	ctx, c := startServers(t, 1)
	target := startTarget(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/fail":
			w.WriteHeader(http.StatusInternalServerError)
		case "/hold":
			<-r.Context().Done()
		}
	})
	job := func(path, more string) string {
		body := fmt.Sprintf(`{"name":"%s","targetUrl":"%s%s","timeoutSeconds":1800,%s}`, path, target.URL, path, more)
		return createJob(ctx, t, c, 0, body).JobID
	}
	job("/each-second", `"intervalSeconds":1,"misfirePolicy":"SKIP"`)
	job("/hold", `"intervalSeconds":1`)
	failing := job("/fail", `"intervalSeconds":31536000`)
	call(ctx, t, c, 0, "POST", "/jobs/"+failing+"/run", "", http.StatusAccepted, nil)

	untilMetrics(ctx, t, c, []atLeast{
		{2, `cronraft_executions_total{result="SUCCESS",trigger="SCHEDULED"}`},
		{1, `cronraft_executions_total{result="SKIPPED",trigger="SCHEDULED"}`},
		{1, `cronraft_executions_total{result="FAILED",trigger="MANUAL"}`},
		{2, `cronraft_attempts_total{outcome="SUCCESS"}`},
		{1, `cronraft_attempts_total{outcome="HTTP_STATUS"}`},
		{2, `cronraft_execution_lateness_seconds_count`},
		{1, `cronraft_execution_lateness_seconds_bucket{le="+Inf"}`},
		{1, `cronraft_open_attempts`},
		{3, `cronraft_agenda_jobs`},
		{2, `cronraft_plan_batch_size_count`},
		{5, `cronraft_raft_commit_seconds_count`},
		{1, `cronraft_leader`},
		{1, `cronraft_leader_changes_total`},
		{3, `cronraft_http_requests_total{code="201",route="/jobs"}`},
		{1, `cronraft_http_requests_total{code="202",route="/jobs/{id}/run"}`},
		{0, `cronraft_http_open_streams`},
		{0, `cronraft_missed_slots_total`},
		{0, `cronraft_lost_attempts_total`},
		{1, `go_goroutines`},
		{1, `process_open_fds`},
	})

	if err := c.Kill(0); err != nil {
		t.Fatal(err)
	}
	killed := time.Now() // what is ten seconds late is missed
	until(ctx, t, c, time.Minute, "slots go by while nobody is there", func() bool { return time.Since(killed) > 13*time.Second })
	if err := c.Restart(0); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, 0)
	untilMetrics(ctx, t, c, []atLeast{
		{1, `cronraft_missed_slots_total`},
		{1, `cronraft_executions_total{result="MISSED",trigger="CATCHUP"}`},
		{1, `cronraft_lost_attempts_total`},
		{1, `cronraft_attempts_total{outcome="NODE_LOST"}`},
	})
}

// atLeast is a line of the metrics and how far it has to come.
type atLeast struct {
	value float64
	line  string
}

// untilMetrics waits until each line is there, with its value or a larger one.
func untilMetrics(ctx context.Context, t *testing.T, c *localcluster.Cluster, wants []atLeast) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var missing []string
	err := c.Until(ctx, func() bool {
		_, text := request(t, "GET", "http://"+c.Node(0).HTTP+"/metrics", "", "")
		missing = nil
		for _, want := range wants {
			if got, ok := valueOfMetric(text, want.line); !ok || got < want.value {
				missing = append(missing, fmt.Sprintf("%s is %v (there: %v), want %v", want.line, got, ok, want.value))
			}
		}
		return len(missing) == 0
	})
	if err != nil {
		t.Fatal(strings.Join(missing, "\n"))
	}
}

func valueOfMetric(text, name string) (float64, bool) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return v, err == nil
		}
	}
	return 0, false
}
