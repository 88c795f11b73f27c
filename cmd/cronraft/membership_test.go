package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

type clusterAnswer struct {
	LeaderID string
	Nodes    []struct{ NodeID, Role, State string }
}

// TestRemoveNode removes a node over the API while jobs fire: its process ends by
// itself, cleanly, and with an empty disk it joins again.
func TestRemoveNode(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	target := startTarget(t, nil)
	jobs := createSecondJobs(ctx, t, c, target, 10)
	waitFires(ctx, t, c, target, 2)
	leader := leaderOf(ctx, t, c)
	call(ctx, t, c, leader, "DELETE", "/cluster/nodes/"+c.Node(leader).ID, "", http.StatusConflict, nil)
	call(ctx, t, c, leader, "DELETE", "/cluster/nodes/nobody", "", http.StatusNotFound, nil)

	gone, asked := (leader+1)%3, (leader+2)%3
	call(ctx, t, c, asked, "DELETE", "/cluster/nodes/"+c.Node(gone).ID, "", http.StatusOK, nil)
	if code, err := c.WaitExit(ctx, gone); err != nil || code != 0 {
		t.Errorf("the removed node ended with code %d: %v", code, err)
	}
	var status clusterAnswer
	call(ctx, t, c, asked, "GET", "/cluster", "", http.StatusOK, &status)
	if len(status.Nodes) != 2 {
		t.Errorf("after the removal: %+v", status)
	}
	waitFires(ctx, t, c, target, 3)

	if err := c.Wipe(gone); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(gone); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, gone)
	until(ctx, t, c, 20*time.Second, "three members", func() bool {
		call(ctx, t, c, asked, "GET", "/cluster", "", http.StatusOK, &status)
		return len(status.Nodes) == 3
	})
	waitFires(ctx, t, c, target, 6)
	for _, id := range jobs {
		checkOneRecordPerSlot(t, id, history(ctx, t, c, gone, id))
	}
	checkDuplicates(t, target.Deliveries())
	checkSameState(ctx, t, c, jobs)
}

// TestMinority leaves one node of three: it refuses writes and default reads with
// a code that says why, answers stale reads, and goes on when another is back.
func TestMinority(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	j := createJob(ctx, t, c, 0, `{"name":"kept","intervalSeconds":3600,"targetUrl":"http://127.0.0.1:9/"}`)
	last := leaderOf(ctx, t, c)
	others := []int{(last + 1) % 3, (last + 2) % 3}
	for _, i := range others {
		if err := c.Kill(i); err != nil {
			t.Fatal(err)
		}
	}
	for _, request := range []struct{ method, path, body string }{
		{"POST", "/jobs", `{"name":"lost","intervalSeconds":60,"targetUrl":"http://127.0.0.1:9/"}`},
		{"PATCH", "/jobs/" + j.JobID, `{"name":"lost"}`},
		{"GET", "/jobs/" + j.JobID, ""},
	} {
		until(ctx, t, c, 30*time.Second, request.method+" says that there is no leader", func() bool {
			answer, err := c.Call(ctx, last, request.method, request.path, request.body)
			if err != nil {
				t.Fatal(err)
			}
			if answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
				t.Fatalf("%s: %d %s", request.method, answer.Status, answer.Body)
			}
			return strings.Contains(string(answer.Body), `"no_leader"`)
		})
	}
	answer, err := c.Call(ctx, last, "GET", "/jobs/"+j.JobID+"?consistency=stale", "")
	if err != nil || answer.Status != http.StatusOK {
		t.Errorf("a stale read: %d %s, %v", answer.Status, answer.Body, err)
	}
	if err := c.Restart(others[0]); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, last)
	call(ctx, t, c, last, "PATCH", "/jobs/"+j.JobID, `{"name":"kept still"}`, http.StatusOK, nil)
}
