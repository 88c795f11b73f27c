package main

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"
)

// holder is a target's answer that keeps each request open until the caller
// gives up or the hold is over.
type holder struct {
	hold time.Duration

	// mu guards the counters.
	mu                    sync.Mutex
	open, most, abandoned int
}

func (h *holder) answer(_ http.ResponseWriter, r *http.Request) {
	h.add(1, 0)
	defer h.add(-1, 0)
	select {
	case <-r.Context().Done():
		h.add(0, 1)
	case <-time.After(h.hold):
	}
}

func (h *holder) add(open, abandoned int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open += open
	h.abandoned += abandoned
	h.most = max(h.most, h.open)
}

func (h *holder) counts() (most, abandoned int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.most, h.abandoned
}

// TestOverlapPolicies lets a job that fires every second meet a target that
// holds each request for three.
func TestOverlapPolicies(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	run := func(policy string, check func(j jobAnswer, records []executionAnswer, most, abandoned int) bool) {
		h := &holder{hold: 3 * time.Second}
		target := startTarget(t, h.answer)
		j := createJob(ctx, t, c, 0, `{"name":"held","intervalSeconds":1,"targetUrl":"`+target.URL+`","overlapPolicy":"`+policy+`"}`)
		until(ctx, t, c, 20*time.Second, policy+" shows", func() bool {
			var now jobAnswer
			call(ctx, t, c, 1, "GET", "/jobs/"+j.JobID, "", http.StatusOK, &now)
			most, abandoned := h.counts()
			return check(now, history(ctx, t, c, 2, j.JobID), most, abandoned)
		})
		call(context.WithoutCancel(ctx), t, c, 0, "DELETE", "/jobs/"+j.JobID, "", http.StatusOK, nil)
		if most, _ := h.counts(); policy != "ALLOW" && most > 1 {
			t.Errorf("%s: %d requests were open at once", policy, most)
		}
	}
	run("SKIP", func(j jobAnswer, records []executionAnswer, _, abandoned int) bool {
		return j.Counts.Success >= 2 && j.Counts.Skipped >= 3 && abandoned == 0 && resultsInclude(records, "SKIPPED", "SUCCESS")
	})
	run("ALLOW", func(j jobAnswer, records []executionAnswer, most, abandoned int) bool {
		return most >= 3 && j.Counts.Success >= 2 && j.Counts.Skipped == 0 && abandoned == 0
	})
	run("CANCEL_PREVIOUS", func(j jobAnswer, records []executionAnswer, _, abandoned int) bool {
		return abandoned >= 3 && j.Counts.Cancelled >= 3 && j.Counts.Skipped == 0 && resultsInclude(records, "CANCELLED", "RUNNING")
	})
}

func resultsInclude(records []executionAnswer, results ...string) bool {
	seen := map[string]bool{}
	for _, x := range records {
		seen[x.Result] = true
	}
	for _, r := range results {
		if !seen[r] {
			return false
		}
	}
	return true
}
