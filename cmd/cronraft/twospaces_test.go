package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// twoSpaces are two namespaces with the same things in them, and what the root key has
// beside them.
type twoSpaces struct {
	c           *localcluster.Cluster
	target      *localcluster.Target
	left, right *space
	// whole has the root key and its webhook of the whole cluster, which are in the
	// namespace of left.
	whole *space
	// begin is the place in the stream of events before all that.
	begin string

	// mu guards bodies.
	mu sync.Mutex
	// bodies are those that the webhooks got, by the path.
	bodies map[string][]string
}

// space is what one namespace has.
type space struct {
	name    string
	members []roleMember
	job     string // of which there are executions
	// execution has ended.
	execution, webhook, keyID string
	// marks are texts that only what is in the namespace has.
	marks []string
	// runs is how often its job was run by hand.
	runs int
}

// roleMember is a member with its role.
type roleMember struct {
	member
	role string
}

func (m roleMember) may(role string) bool {
	order := []string{"", "READER", "EDITOR", "ADMIN"}
	return slices.Index(order, m.role) >= slices.Index(order, role)
}

// admin is the member that may all.
func (s *space) admin() member { return s.members[len(s.members)-1].member }

// fill names what the namespace has in the pattern of a path.
func (s *space) fill(pattern string) string {
	return strings.NewReplacer(
		"{jobId}", s.job, "{executionId}", s.execution, "{webhookId}", s.webhook, "{keyId}", s.keyID, "{externalId}", "only-"+s.name,
	).Replace(pattern)
}

func newTwoSpaces(ctx context.Context, t *testing.T, c *localcluster.Cluster) *twoSpaces {
	t.Helper()
	w := &twoSpaces{c: c, bodies: map[string][]string{}}
	w.target = startTarget(t, func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/hook"):
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			w.mu.Lock()
			w.bodies[r.URL.Path] = append(w.bodies[r.URL.Path], string(body))
			w.mu.Unlock()
		case strings.HasSuffix(r.URL.Path, "/bad"):
			rw.WriteHeader(http.StatusInternalServerError)
		}
	})
	w.begin = strings.TrimPrefix(w.events(ctx, t, 0, localcluster.RootKey, "", "id: ")[1], "id: ")
	w.newWhole(ctx, t)
	w.left, w.right = w.newSpace(ctx, t, "default", 2), w.newSpace(ctx, t, "depot", 3)
	w.right.marks = append(w.right.marks, "depot")
	root := member{namespace: "all", key: localcluster.RootKey}
	w.whole.execution = w.firstDelivery(ctx, t, root, w.whole.webhook, w.left.runs+3+w.right.runs+3)
	return w
}

// newWhole makes the webhook of the whole cluster.
func (w *twoSpaces) newWhole(ctx context.Context, t *testing.T) {
	t.Helper()
	w.whole = &space{name: "the whole cluster", webhook: w.newHook(ctx, t, member{key: localcluster.RootKey}, "whole")}
	digits := strings.TrimPrefix(w.whole.webhook, "wh_")
	w.whole.job = "job_" + digits // a webhook's ID, as if it were a job's
	var keys struct {
		APIKeys []struct {
			KeyID string
			Root  bool
		}
	}
	call(ctx, t, w.c, 0, "GET", "/api-keys", "", http.StatusOK, &keys)
	for _, k := range keys.APIKeys {
		if k.Root {
			w.whole.keyID = k.KeyID
		}
	}
	w.whole.marks = []string{digits, w.whole.keyID, "/whole/"}
}

func (w *twoSpaces) newHook(ctx context.Context, t *testing.T, m member, name string) string {
	t.Helper()
	var hook struct{ WebhookID string }
	m.want(ctx, t, w.c, 0, "POST", "/webhooks", fmt.Sprintf(`{"url":"%s/%s/hook","events":["execution.failed"]}`, w.target.URL, name), http.StatusCreated, &hook)
	return hook.WebhookID
}

// newSpace fills a namespace.
func (w *twoSpaces) newSpace(ctx context.Context, t *testing.T, name string, runs int) *space {
	t.Helper()
	s := &space{name: name, runs: runs}
	for _, role := range []string{"READER", "EDITOR", "ADMIN"} {
		m := newMember(ctx, t, w.c, name, role)
		s.members = append(s.members, roleMember{m, role})
		s.marks = append(s.marks, m.keyID)
	}
	m := s.admin()
	s.keyID = s.members[0].keyID
	s.webhook = w.newHook(ctx, t, m, name)
	s.marks = append(s.marks, strings.TrimPrefix(s.webhook, "wh_"), "/"+name+"/", "only-"+name, "secret of "+name)
	for _, path := range []string{"ok", "bad", "only"} {
		externalID := strings.Replace(path, "only", "only-"+name, 1)
		var j jobAnswer
		m.want(ctx, t, w.c, 1, "POST", "/jobs", fmt.Sprintf(
			`{"name":"job %s","externalId":%q,"tags":{"team":"a"},"intervalSeconds":86400,"startAt":"2020-01-01T00:00:00Z","endAt":"2099-01-01T00:00:00Z","targetUrl":"%s/%s/%s","body":"secret of %s","overlapPolicy":"ALLOW","captureResponse":"ALWAYS"}`,
			path, externalID, w.target.URL, name, path, name), http.StatusCreated, &j)
		s.marks = append(s.marks, strings.TrimPrefix(j.JobID, "job_"))
		if s.job == "" {
			s.job = j.JobID
		}
		w.runAll(ctx, t, s, j.JobID)
	}
	w.firstDelivery(ctx, t, m, s.webhook, runs+3)
	var once jobAnswer
	m.want(ctx, t, w.c, 1, "POST", "/jobs", fmt.Sprintf(`{"name":"once","runAt":%q,"targetUrl":"%s/%s/once"}`,
		time.Now().UTC().Add(time.Second).Format("2006-01-02T15:04:05.000Z"), w.target.URL, name), http.StatusCreated, &once)
	m.settled(ctx, t, w.c, "/jobs/"+once.JobID+"/executions", 1)
	s.marks = append(s.marks, strings.TrimPrefix(once.JobID, "job_"))
	return s
}

// runAll runs a job by hand, and for three days of the past, and waits for the end of
// all.
func (w *twoSpaces) runAll(ctx context.Context, t *testing.T, s *space, id string) {
	t.Helper()
	m := s.admin()
	for range s.runs {
		var run struct{ ExecutionID string }
		m.want(ctx, t, w.c, 2, "POST", "/jobs/"+id+"/run", "", http.StatusAccepted, &run)
		if s.execution == "" {
			s.execution = run.ExecutionID
		}
	}
	to := time.Now().UTC().Truncate(24 * time.Hour)
	m.want(ctx, t, w.c, 2, "POST", "/jobs/"+id+"/backfill", fmt.Sprintf(`{"from":%q,"to":%q}`,
		to.Add(-72*time.Hour).Format(time.RFC3339), to.Format(time.RFC3339)), http.StatusAccepted, nil)
	m.settled(ctx, t, w.c, "/jobs/"+id+"/executions", s.runs+3)
}

// firstDelivery waits until a webhook's deliveries have ended, and returns one.
func (w *twoSpaces) firstDelivery(ctx context.Context, t *testing.T, m member, webhook string, least int) string {
	t.Helper()
	path := "/webhooks/" + webhook + "/deliveries"
	m.settled(ctx, t, w.c, path, least)
	var page struct{ Deliveries []struct{ DeliveryID string } }
	m.get(ctx, t, w.c, 0, path, &page)
	return page.Deliveries[0].DeliveryID
}

// view is all that a namespace has, as the root key sees it.
func (w *twoSpaces) view(ctx context.Context, t *testing.T, s *space) string {
	t.Helper()
	paths := []string{"/jobs", "/executions", "/webhooks", "/api-keys", "/jobs/export"}
	for i := range paths {
		paths[i] += "?namespace=" + s.name
	}
	if s == w.whole {
		paths = []string{"/webhooks/" + s.webhook, "/webhooks/" + s.webhook + "/deliveries", "/api-keys/" + s.keyID}
	}
	var b strings.Builder
	for _, path := range paths {
		b.Write(call(ctx, t, w.c, 0, "GET", path, "", http.StatusOK, nil).Body)
	}
	return b.String()
}
