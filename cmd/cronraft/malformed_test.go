package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/badrequest"
	"github.com/cronraft/cronraft/internal/localcluster"
)

// TestMalformedRequests sends what a server has to refuse to each node of a real
// cluster: each request gets its problem, and none has an effect.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	cases, err := badrequest.Load("../../testdata/malformed")
	if err != nil {
		t.Fatal(err)
	}
	// On a busy machine, the leader that the cases name stays the leader.
	ctx, c := startCluster(t, "--election-timeout", "5s", "--node-lost-after", "30s")
	fixture := malformedFixture(ctx, t, c)
	before := settledState(ctx, t, c)
	send := func(byState bool) {
		for _, request := range cases {
			if byState != refusedByState(&request) {
				continue
			}
			t.Run(request.Area+"/"+request.Name, func(t *testing.T) {
				for node := range c.Len() {
					if err := refuses(ctx, c, node, &request, fixture); err != nil {
						t.Errorf("node %d: %v", node, err)
					}
				}
			})
		}
	}
	send(false)
	checkSame(t, before, settledState(ctx, t, c))
	send(true)
	t.Logf("%d requests, each to %d nodes", len(cases), c.Len())
	delete(before, stateHash) // the index of the last entry is in it
	checkSame(t, before, settledState(ctx, t, c))
	checkUnharmed(ctx, t, c)
}

// refusedByState reports whether a request may get as far as into the log, where a rule
// refuses it on every node. All others do not even make an entry.
func refusedByState(request *badrequest.Case) bool {
	return slices.Contains([]int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity}, request.Status)
}

func checkSame(t *testing.T, before, after map[string]string) {
	t.Helper()
	for what, was := range before {
		if after[what] != was {
			t.Errorf("%s was %.2000s\nand is %.2000s", what, was, after[what])
		}
	}
}

// malformedFixture makes what the cases name. The execution lasts until the test ends.
func malformedFixture(ctx context.Context, t *testing.T, c *localcluster.Cluster) badrequest.Fixture {
	t.Helper()
	held := holder{hold: 10 * time.Minute}
	target := startTarget(t, held.answer)
	first := createJob(ctx, t, c, 0, `{"name":"held","intervalSeconds":31536000,"timeoutSeconds":1800,"targetUrl":"`+target.URL+`"}`).JobID
	answer, err := c.Do(ctx, 0, localcluster.Request{
		Method: "POST", Path: "/jobs", Header: map[string]string{"Idempotency-Key": "used"},
		Body: `{"name":"taken","externalId":"taken","intervalSeconds":31536000,"targetUrl":"` + target.URL + `"}`,
	})
	if err != nil || answer.Status != http.StatusCreated {
		t.Fatalf("create a second job: %v %s", err, answer.Body)
	}
	var run struct{ ExecutionID string }
	call(ctx, t, c, 0, "POST", "/jobs/"+first+"/run", "", http.StatusAccepted, &run)
	until(ctx, t, c, 20*time.Second, "the execution runs", func() bool {
		most, _ := held.counts()
		return most == 1
	})
	var hook struct{ WebhookID string }
	call(ctx, t, c, 0, "POST", "/webhooks", `{"url":"`+target.URL+`","events":["execution.failed"]}`, http.StatusCreated, &hook)
	team, _ := createKey(ctx, t, c, "EDITOR")
	reader, keyID := createKey(ctx, t, c, "READER")
	var page struct{ NextCursor string }
	call(ctx, t, c, 0, "GET", "/jobs?limit=1", "", http.StatusOK, &page)
	leader := leaderOf(ctx, t, c)
	return badrequest.Fixture{
		Keys: map[string]string{badrequest.Root: localcluster.RootKey, "team": team, "reader": reader},
		Names: map[string]string{
			"job": first, "jobdigits": strings.TrimPrefix(first, "job_"), "execution": run.ExecutionID,
			"webhook": hook.WebhookID, "hookjob": "job_" + strings.TrimPrefix(hook.WebhookID, "wh_"), "key": keyID,
			"rootkey": rootKeyID(ctx, t, c), "rootsecret": localcluster.RootKey, "cursor": page.NextCursor,
			"leader": c.Node(leader).ID, "follower": c.Node((leader + 1) % c.Len()).ID,
		},
	}
}

// createKey makes an API key of another namespace.
func createKey(ctx context.Context, t *testing.T, c *localcluster.Cluster, role string) (secret, id string) {
	t.Helper()
	var key struct{ KeyID, APIKey string }
	call(ctx, t, c, 0, "POST", "/api-keys", `{"name":"k","namespace":"team","role":"`+role+`"}`, http.StatusCreated, &key)
	return key.APIKey, key.KeyID
}

func rootKeyID(ctx context.Context, t *testing.T, c *localcluster.Cluster) string {
	t.Helper()
	var list struct {
		APIKeys []struct {
			KeyID string
			Root  bool
		}
	}
	call(ctx, t, c, 0, "GET", "/api-keys", "", http.StatusOK, &list)
	for _, k := range list.APIKeys {
		if k.Root {
			return k.KeyID
		}
	}
	t.Fatal("there is no root key")
	return ""
}

// refuses sends a case on a connection of its own and checks the answer.
func refuses(ctx context.Context, c *localcluster.Cluster, node int, request *badrequest.Case, f badrequest.Fixture) error {
	text, err := request.Request(f)
	if err != nil {
		return err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.Node(node).HTTP)
	if err != nil {
		return err
	}
	answer, err := request.Send(conn, text)
	if err != nil {
		return err
	}
	return request.Check(answer)
}

// stateHash is where settledState has the hash.
const stateHash = "the hash"

// settledState is all that every node shows of the state, once all have the same: the
// lists, and the hash of everything with the index of the last entry in it.
func settledState(ctx context.Context, t *testing.T, c *localcluster.Cluster) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for node := range c.Len() {
		for _, path := range []string{"/jobs", "/webhooks", "/api-keys", "/executions"} {
			answer := call(ctx, t, c, node, "GET", path+"?limit=500", "", http.StatusOK, nil)
			seen[fmt.Sprintf("GET %s of node %d", path, node)] = string(answer.Body)
		}
	}
	until(ctx, t, c, 20*time.Second, "one hash at one index on every node", func() bool {
		hashes := map[string]bool{}
		for node := range c.Len() {
			var state struct {
				AppliedIndex uint64
				Hash         string
			}
			call(ctx, t, c, node, "GET", "/cluster/state-hash", "", http.StatusOK, &state)
			seen[stateHash] = fmt.Sprintf("%s at %d", state.Hash, state.AppliedIndex)
			hashes[seen[stateHash]] = true
		}
		return len(hashes) == 1
	})
	return seen
}

// checkUnharmed wants every process to live, to have no panic and no error in its log,
// and to take a good request.
func checkUnharmed(ctx context.Context, t *testing.T, c *localcluster.Cluster) {
	t.Helper()
	for node := range c.Len() {
		if !c.Running(node) {
			t.Fatalf("node %d has ended", node)
		}
		log, err := os.ReadFile(c.Node(node).LogPath)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, "panic") || strings.Contains(line, "level=ERROR") {
				t.Errorf("node %d logged %s", node, line)
			}
		}
		j := createJob(ctx, t, c, node, `{"name":"good","intervalSeconds":31536000,"targetUrl":"http://127.0.0.1:9/"}`)
		call(ctx, t, c, (node+1)%c.Len(), "GET", "/jobs/"+j.JobID, "", http.StatusOK, nil)
	}
}
