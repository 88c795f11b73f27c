package main

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// TestServer_Drain stops a server with SIGTERM while a callback is open: it waits for
// it, or aborts it when the time to drain is over, and exits cleanly both times.
func TestServer_Drain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		flags    []string
		hold     time.Duration // of the first request
		requests int
		aborted  int64
	}{
		"waits":    {hold: 2 * time.Second, requests: 1},
		"gives up": {flags: []string{"--drain-timeout", "100ms"}, hold: time.Hour, requests: 2, aborted: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, c := startServers(t, 1, tt.flags...)
			var begun, aborted atomic.Int64
			target := startTarget(t, func(_ http.ResponseWriter, r *http.Request) {
				if begun.Add(1) > 1 {
					return
				}
				select {
				case <-time.After(tt.hold):
				case <-r.Context().Done():
					aborted.Add(1)
				}
			})
			j := createJob(ctx, t, c, 0, `{"name":"held","intervalSeconds":31536000,"targetUrl":"`+target.URL+`","timeoutSeconds":1800}`)
			call(ctx, t, c, 0, "POST", "/jobs/"+j.JobID+"/run", "", http.StatusAccepted, nil)
			until(ctx, t, c, 10*time.Second, "the callback is open", func() bool { return begun.Load() == 1 })
			if err := c.Stop(0); err != nil {
				t.Errorf("it did not exit cleanly: %v", err)
			}
			if err := c.Restart(0); err != nil {
				t.Fatal(err)
			}
			ready(ctx, t, c, 0)
			until(ctx, t, c, 30*time.Second, "success", func() bool {
				h := history(ctx, t, c, 0, j.JobID)
				return len(h) == 1 && h[0].Result == "SUCCESS" && h[0].Attempt >= tt.requests
			})
			if got := aborted.Load(); got != tt.aborted || begun.Load() != int64(tt.requests) {
				t.Errorf("%d requests, %d of them aborted; want %d and %d", begun.Load(), got, tt.requests, tt.aborted)
			}
		})
	}
}
