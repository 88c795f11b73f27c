package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// post is a POST with an Idempotency-Key.
type post struct {
	path, body string
	// other is another body that the endpoint takes.
	other string
	// media is the type of the body, if it is no JSON.
	media string
	// status is that of the success.
	status int
}

// send sends it with the key, again and again while nobody leads or knows.
func (p post) send(ctx context.Context, t *testing.T, c *localcluster.Cluster, node int, m member, body, key string) (a localcluster.Answer) {
	t.Helper()
	r := localcluster.Request{Method: "POST", Path: p.path, Body: body, Header: map[string]string{"Idempotency-Key": key}}
	if p.media != "" {
		r.Header["Content-Type"] = p.media
	}
	err := c.Until(ctx, func() bool {
		a = m.ask(ctx, t, c, node, r)
		return a.Status != http.StatusServiceUnavailable
	})
	if err != nil {
		t.Fatalf("POST %s on node %d: %v: %s", p.path, node, err, a.Body)
	}
	return a
}

// onceWorld is a namespace in which each POST has something to act upon.
type onceWorld struct {
	c       *localcluster.Cluster
	admin   member
	target  *localcluster.Target
	job     string // what is run and backfilled
	held    string // an execution that stays open
	webhook string
	rotated member
}

func newOnceWorld(ctx context.Context, t *testing.T, c *localcluster.Cluster) *onceWorld {
	t.Helper()
	w := &onceWorld{c: c, admin: newMember(ctx, t, c, "shop", "ADMIN"), rotated: newMember(ctx, t, c, "shop", "READER")}
	w.target = startTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			<-r.Context().Done()
		}
	})
	var j, held jobAnswer
	w.admin.want(ctx, t, c, 0, "POST", "/jobs", w.jobNamed("ran", "/ran"), http.StatusCreated, &j)
	w.admin.want(ctx, t, c, 0, "POST", "/jobs", w.jobNamed("held", "/held"), http.StatusCreated, &held)
	var run struct{ ExecutionID string }
	w.admin.want(ctx, t, c, 0, "POST", "/jobs/"+held.JobID+"/run", "", http.StatusAccepted, &run)
	var hook struct{ WebhookID string }
	w.admin.want(ctx, t, c, 0, "POST", "/webhooks", w.hook("execution.failed"), http.StatusCreated, &hook)
	w.job, w.held, w.webhook = j.JobID, run.ExecutionID, hook.WebhookID
	return w
}

func (w *onceWorld) jobNamed(name, path string) string {
	return fmt.Sprintf(`{"name":%q,"externalId":%q,"intervalSeconds":3600,"startAt":"2020-01-01T00:00:00Z","targetUrl":%q,"overlapPolicy":"ALLOW"}`, name, name, w.target.URL+path)
}

func (w *onceWorld) hook(event string) string {
	return fmt.Sprintf(`{"url":%q,"events":[%q]}`, w.target.URL+"/hook", event)
}

// posts are all that take an Idempotency-Key in a namespace.
func (w *onceWorld) posts() []post {
	list := func(names ...string) string {
		var jobs []string
		for _, name := range names {
			jobs = append(jobs, w.jobNamed(name, "/"))
		}
		return `{"jobs":[` + strings.Join(jobs, ",") + `]}`
	}
	backfill := func(slots int) string {
		to := time.Now().Truncate(time.Hour).Add(-time.Hour).UTC()
		from := to.Add(-time.Duration(slots) * time.Hour)
		return fmt.Sprintf(`{"from":%q,"to":%q}`, from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	return []post{
		{path: "/jobs", body: w.jobNamed("made", "/"), other: w.jobNamed("made-2", "/"), status: 201},
		{path: "/jobs/bulk", body: strings.Replace(list("bulk-1", "bulk-2"), "]}", `,{"name":"wrong"}]}`, 1), other: list("bulk-3"), status: 200},
		{path: "/jobs/apply", body: list("applied-1", "applied-2"), other: list("applied-3"), status: 200},
		{path: "/jobs/import", body: list("imported-1", "imported-2"), other: list("imported-3"), status: 200},
		{path: "/jobs/import", body: "0 3 * * * curl http://127.0.0.1:9/nightly\n61 * * * * never\n", other: "0 4 * * * curl http://127.0.0.1:9/\n", media: "text/plain", status: 200},
		{path: "/jobs/" + w.job + "/run", body: `{"overlapPolicy":"ALLOW"}`, other: `{}`, status: 202},
		{path: "/jobs/" + w.job + "/backfill", body: backfill(5), other: backfill(7), status: 202},
		{path: "/executions/" + w.held + "/cancel", body: ``, other: `{}`, status: 202},
		{path: "/webhooks", body: w.hook("job.completed"), other: w.hook("job.auto_paused"), status: 201},
		{path: "/webhooks/" + w.webhook + "/test", body: ``, other: `{}`, status: 202},
		{path: "/api-keys", body: `{"name":"new","role":"EDITOR"}`, other: `{"name":"new","role":"READER"}`, status: 201},
		{path: "/api-keys/" + w.rotated.keyID + "/rotate", body: `{"overlapSeconds":0}`, other: `{"overlapSeconds":60}`, status: 200},
	}
}

// TestIdempotencyKey_OverFailover makes each write on one node, kills the leader, and
// repeats them on the node that is left and on the killed one: each gets the first
// answer, byte for byte, and nothing happens twice.
func TestIdempotencyKey_OverFailover(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	w := newOnceWorld(ctx, t, c)
	leader := leaderOf(ctx, t, c)
	near, far := (leader+1)%c.Len(), (leader+2)%c.Len()
	posts := w.posts()
	first := make([]localcluster.Answer, len(posts))
	for i, p := range posts {
		first[i] = p.send(ctx, t, c, near, w.admin, p.body, fmt.Sprint("key-", i))
		if first[i].Status != p.status {
			t.Fatalf("POST %s: status %d, want %d: %s", p.path, first[i].Status, p.status, first[i].Body)
		}
	}
	flights := w.createOverKill(ctx, t, leader, near, far)
	for i, p := range posts {
		w.repeat(ctx, t, p, far, fmt.Sprint("key-", i), first[i])
		w.mismatch(ctx, t, p, far, fmt.Sprint("key-", i))
	}
	if err := c.Restart(leader); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, leader)
	for i, p := range posts {
		w.repeat(ctx, t, p, leader, fmt.Sprint("key-", i), first[i])
	}
	w.checkEffects(ctx, t, leader, flights)
	w.checkKeys(ctx, t, first[len(first)-2], first[len(first)-1])
	w.checkOthers(ctx, t, leader, posts[0], first[0])
}

// repeat wants the first answer again.
func (w *onceWorld) repeat(ctx context.Context, t *testing.T, p post, node int, key string, first localcluster.Answer) {
	t.Helper()
	a := p.send(ctx, t, w.c, node, w.admin, p.body, key)
	if a.Status != first.Status || string(a.Body) != string(first.Body) {
		t.Errorf("POST %s repeated on node %d: status %d: %s\nwant %d: %s", p.path, node, a.Status, a.Body, first.Status, first.Body)
	}
	for _, name := range []string{"ETag", "Location", "Content-Type"} {
		if got, want := a.Header.Get(name), first.Header.Get(name); got != want {
			t.Errorf("POST %s repeated on node %d: %s %q, want %q", p.path, node, name, got, want)
		}
	}
	if a.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("POST %s repeated on node %d is not marked as a repetition", p.path, node)
	}
}

// mismatch sends another body with the key.
func (w *onceWorld) mismatch(ctx context.Context, t *testing.T, p post, node int, key string) {
	t.Helper()
	a := p.send(ctx, t, w.c, node, w.admin, p.other, key)
	wantRefusal(t, "POST "+p.path+" with another body", a, http.StatusUnprocessableEntity, "idempotency_mismatch")
}

// createOverKill kills the leader while many jobs are created, each repeated with its
// key until there is an answer. It returns how many they are.
func (w *onceWorld) createOverKill(ctx context.Context, t *testing.T, leader, near, far int) int {
	t.Helper()
	const creations = 60
	answers := make([]localcluster.Answer, creations)
	p := post{path: "/jobs"}
	body := func(i int) string {
		return fmt.Sprintf(`{"name":"flight %d","intervalSeconds":31536000,"targetUrl":"http://127.0.0.1:9/"}`, i)
	}
	var done sync.WaitGroup
	reached := make(chan struct{}, creations)
	for i := range creations {
		done.Go(func() {
			answers[i] = p.send(ctx, t, w.c, near, w.admin, body(i), fmt.Sprint("flight-", i))
			reached <- struct{}{}
		})
	}
	<-reached // the others are on their way
	if err := w.c.Kill(leader); err != nil {
		t.Fatal(err)
	}
	done.Wait()
	for i, a := range answers {
		if a.Status != http.StatusCreated {
			t.Fatalf("creation %d: status %d: %s", i, a.Status, a.Body)
		}
		again := p.send(ctx, t, w.c, far, w.admin, body(i), fmt.Sprint("flight-", i))
		if again.Status != a.Status || string(again.Body) != string(a.Body) {
			t.Errorf("creation %d was answered with %s, then with %s", i, a.Body, again.Body)
		}
	}
	return creations
}

// checkEffects counts what is there.
func (w *onceWorld) checkEffects(ctx context.Context, t *testing.T, node, flights int) {
	t.Helper()
	var jobs struct{ Jobs []jobAnswer }
	w.admin.get(ctx, t, w.c, node, "/jobs?limit=500", &jobs)
	names := map[string]int{}
	for _, j := range jobs.Jobs {
		names[j.Name]++
	}
	for name, n := range names {
		if n != 1 {
			t.Errorf("there are %d jobs %q", n, name)
		}
	}
	if want := flights + 10; len(jobs.Jobs) != want { // 2, 1, 2 of a bulk, 2 applied, 3 imported
		t.Errorf("there are %d jobs, want %d: %v", len(jobs.Jobs), want, names)
	}
	const runs = 6 // one by hand, five of the backfill
	w.admin.settled(ctx, t, w.c, "/jobs/"+w.job+"/executions", runs)
	w.admin.settled(ctx, t, w.c, "/webhooks/"+w.webhook+"/deliveries", 1)
	var page struct {
		Executions, Webhooks, APIKeys []json.RawMessage
		Deliveries                    []struct{ Event struct{ Type string } }
	}
	w.admin.get(ctx, t, w.c, node, "/jobs/"+w.job+"/executions?trigger=MANUAL", &page)
	if len(page.Executions) != 1 {
		t.Errorf("it was run %d times", len(page.Executions))
	}
	w.admin.get(ctx, t, w.c, node, "/jobs/"+w.job+"/executions?trigger=BACKFILL", &page)
	w.admin.get(ctx, t, w.c, node, "/webhooks", &page)
	w.admin.get(ctx, t, w.c, node, "/webhooks/"+w.webhook+"/deliveries", &page)
	w.admin.get(ctx, t, w.c, node, "/api-keys", &page)
	if len(page.Executions) != 5 || len(page.Webhooks) != 2 || len(page.Deliveries) != 1 || len(page.APIKeys) != 3 {
		t.Errorf("there are %d backfilled executions, %d webhooks, %d deliveries and %d API keys; want 5, 2, 1 and 3",
			len(page.Executions), len(page.Webhooks), len(page.Deliveries), len(page.APIKeys))
	}
	if x := w.execution(ctx, t, node, w.held); x.Result != "CANCELLED" {
		t.Errorf("what was cancelled is %s", x.Result)
	}
}

func (w *onceWorld) execution(ctx context.Context, t *testing.T, node int, id string) (x executionAnswer) {
	t.Helper()
	w.admin.get(ctx, t, w.c, node, "/executions/"+id, &x)
	return x
}

// checkKeys uses the keys that were shown, on each node: the repetitions made no
// others.
func (w *onceWorld) checkKeys(ctx context.Context, t *testing.T, created, rotated localcluster.Answer) {
	t.Helper()
	for _, a := range []localcluster.Answer{created, rotated} {
		var shown struct {
			KeyID, APIKey string
			RotatedAt     *string
		}
		if err := a.Data(&shown); err != nil {
			t.Fatal(err)
		}
		for node := range w.c.Len() {
			member{namespace: "shop", key: shown.APIKey}.get(ctx, t, w.c, node, "/jobs?limit=1", nil)
		}
		now := shown
		w.admin.get(ctx, t, w.c, 0, "/api-keys/"+shown.KeyID, &now)
		if fmt.Sprint(now.RotatedAt == nil) != fmt.Sprint(shown.RotatedAt == nil) || now.RotatedAt != nil && *now.RotatedAt != *shown.RotatedAt {
			t.Errorf("the key %s was rotated again", shown.KeyID)
		}
	}
	old := w.rotated.ask(ctx, t, w.c, 0, localcluster.Request{Method: "GET", Path: "/jobs"})
	if old.Status != http.StatusUnauthorized {
		t.Errorf("the key from before the rotation is answered with %d", old.Status)
	}
}

// checkOthers sends the request with its key as other namespaces do, which know
// nothing of it.
func (w *onceWorld) checkOthers(ctx context.Context, t *testing.T, node int, p post, first localcluster.Answer) {
	t.Helper()
	var mine jobAnswer
	if err := first.Data(&mine); err != nil {
		t.Fatal(err)
	}
	root := member{namespace: "default", key: localcluster.RootKey}
	for _, m := range []member{newMember(ctx, t, w.c, "depot", "EDITOR"), root} {
		var theirs jobAnswer
		a := p.send(ctx, t, w.c, node, m, p.body, "key-0")
		if a.Status != http.StatusCreated || a.Header.Get("Idempotency-Replayed") != "" || a.Data(&theirs) != nil || theirs.JobID == mine.JobID {
			t.Errorf("the namespace %s got %d with %v: %s", m.namespace, a.Status, a.Header, a.Body)
		}
		w.repeatAs(ctx, t, p, node, m, a)
	}
}

// repeatAs makes sure that a namespace's own repetition still is one.
func (w *onceWorld) repeatAs(ctx context.Context, t *testing.T, p post, node int, m member, first localcluster.Answer) {
	t.Helper()
	if a := p.send(ctx, t, w.c, (node+1)%w.c.Len(), m, p.body, "key-0"); string(a.Body) != string(first.Body) || a.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the namespace %s got %s, then %s", m.namespace, first.Body, a.Body)
	}
}
