package main

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// TestTutorial sends every request of the tutorial to each of three nodes and
// compares the shapes of the answers.
func TestTutorial(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	target := startTarget(t, nil)
	for node := range c.Len() {
		body := `{
			"name": "Refresh Cache",
			"cronExpression": "*/5 * * * *",
			"timezone": "UTC",
			"targetUrl": "` + target.URL + `/internal/cache/refresh",
			"httpMethod": "POST",
			"headers": { "Authorization": "Bearer internal-token" },
			"body": "{\"scope\": \"products\"}",
			"overlapPolicy": "SKIP"
		}`
		answer := call(ctx, t, c, node, "POST", "/jobs", body, http.StatusCreated, nil)
		if !strings.HasPrefix(string(answer.Body), `{"status":"OK","data":{`) {
			t.Errorf("the envelope is %.60s", answer.Body)
		}
		var j jobAnswer
		if err := answer.Data(&j); err != nil {
			t.Fatal(err)
		}
		checkTutorialJob(t, j)

		var run struct{ ExecutionID, Trigger, StartedAt string }
		call(ctx, t, c, node, "POST", "/jobs/"+j.JobID+"/run", "", http.StatusAccepted, &run)
		if run.Trigger != "MANUAL" || !strings.HasPrefix(run.ExecutionID, "ex_") || run.StartedAt == "" {
			t.Errorf("run answered %+v", run)
		}
		until(ctx, t, c, 10*time.Second, "the manual run succeeds", func() bool {
			h := history(ctx, t, c, (node+1)%c.Len(), j.JobID)
			return len(h) == 1 && h[0].ExecutionID == run.ExecutionID && h[0].Result == "SUCCESS" && *h[0].HTTPStatus == 200 && *h[0].DurationMs >= 0
		})

		var paused jobAnswer
		call(ctx, t, c, node, "PATCH", "/jobs/"+j.JobID, `{"state":"PAUSED"}`, http.StatusOK, &paused)
		if paused.State != "PAUSED" || paused.NextRunAt != "" {
			t.Errorf("paused: %+v", paused)
		}
	}
	if got, want := target.Count(), c.Len(); got != want {
		t.Errorf("the target got %d callbacks, want %d", got, want)
	}
}

func checkTutorialJob(t *testing.T, j jobAnswer) {
	t.Helper()
	if !strings.HasPrefix(j.JobID, "job_") || j.Name != "Refresh Cache" || j.CronExpression != "*/5 * * * *" || j.State != "ACTIVE" || j.OverlapPolicy != "SKIP" {
		t.Errorf("created %+v", j)
	}
	if j.Headers["Authorization"] != "***" {
		t.Errorf("the header's value is shown: %q", j.Headers)
	}
	next, err := time.Parse(time.RFC3339, j.NextRunAt)
	if err != nil || next.Minute()%5 != 0 || next.Second() != 0 || time.Until(next) > 5*time.Minute {
		t.Errorf("nextRunAt %q", j.NextRunAt)
	}
}

// TestSignature verifies a signed callback of the real binary with the official
// library.
func TestSignature(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	hook, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString([]byte(localcluster.RootKey)))
	if err != nil {
		t.Fatal(err)
	}
	verified := make(chan error, 1)
	target := startTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = hook.Verify(body, r.Header)
		}
		verified <- err
	})
	j := createJob(ctx, t, c, 1, `{"name":"signed","intervalSeconds":31536000,"targetUrl":"`+target.URL+`","body":"{\"a\":1}","signPayloads":true}`)
	call(ctx, t, c, 2, "POST", "/jobs/"+j.JobID+"/run", "", http.StatusAccepted, nil)
	select {
	case err := <-verified:
		if err != nil {
			t.Errorf("verify: %v", err)
		}
	case <-ctx.Done():
		t.Fatal("no callback came")
	}
}
