package node_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/event"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
)

// subscribe makes a webhook of the root key.
func subscribe(ctx context.Context, c *crew, url string, h job.Hook) (made job.Job) {
	c.t.Helper()
	spec := job.Spec{State: job.Active, Target: job.Target{URL: url}}
	key := once(99, 99, func(j job.Job) string { return j.ID.String() })
	c.do(ctx, "a webhook", func(n *node.Node) (err error) {
		var again []byte
		made, again, err = n.Webhooks().Create(ctx, root(ctx, c.t, n), spec, h, key)
		if id, ok := job.ParseID(string(again)); ok {
			made, err = n.Webhooks().Get(ctx, "", id)
		}
		return err
	})
	return made
}

// delivered is what a delivery tells.
type delivered struct {
	ID, Type string
	Data     struct{ JobID, ExecutionID, NodeID string }
}

func readDelivery(t *testing.T, c callback) (d delivered) {
	t.Helper()
	if err := json.Unmarshal(c.body, &d); err != nil {
		t.Fatalf("a delivery is %q: %v", c.body, err)
	}
	return d
}

// TestWebhooks_TooMany: a namespace has so many webhooks, and the cluster as many.
func TestWebhooks_TooMany(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := newCrew(ctx, t, 1)
	n := c.nodes["n1"]
	spec := job.Spec{State: job.Active, Target: job.Target{URL: "https://example.com/hook"}}
	by := root(ctx, t, n)
	for _, isCluster := range []bool{true, false} {
		for i := range job.HookLimit + 1 {
			_, _, err := n.Webhooks().Create(ctx, by, spec, job.Hook{Events: []job.EventType{job.EventExecutionFailed}, Cluster: isCluster}, nil)
			if i == job.HookLimit && job.CodeOf(err) != job.CodeConflict || i < job.HookLimit && err != nil {
				t.Errorf("webhook %d, of the cluster %v: %v", i+1, isCluster, err)
			}
		}
	}
}

func TestWebhooks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, called := newCrew(ctx, t, 1), newTarget(t)
	n := c.nodes["n1"]
	made := subscribe(ctx, c, called.URL, job.Hook{Events: []job.EventType{job.EventExecutionFailed}, Tag: &job.Tag{Key: "env", Value: "prod"}})
	if made.Retries != 12 || made.Backoff != job.BackoffExponential || made.RetryDelay != 5*time.Second || made.RetryMaxDelay != time.Hour ||
		made.Timeout != 15*time.Second || !made.SignPayloads || made.Overlap != job.OverlapAllow || made.Capture != job.CaptureOnFailure {
		t.Errorf("events are delivered with %+v", made.Spec)
	}
	if _, err := n.Jobs().Get(ctx, "", made.ID); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("a webhook is a job: %v", err)
	}
	if _, _, err := n.Executions().Run(ctx, "", made.ID, "", nil); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("a webhook was run: %v", err)
	}
	after, err := n.Webhooks().Update(ctx, "", made.ID, 1, func(s *job.Spec, h *job.Hook) error {
		s.Description, s.Retries, h.Cluster = "changed", 1, true
		h.Events = append(h.Events, job.EventExecutionMissed)
		return nil
	})
	if err != nil || after.Version != 2 || after.Description != "changed" || after.Retries != 12 || after.Hook.Cluster || len(after.Hook.Events) != 2 {
		t.Errorf("updated: %+v with %+v, %v", after, after.Hook, err)
	}
	if page, err := n.Jobs().List(ctx, job.JobQuery{Hooks: true, Limit: 10}); err != nil || len(page.Jobs) != 1 || page.Jobs[0].ID != made.ID {
		t.Errorf("listed: %+v, %v", page, err)
	}
	if page, err := n.Jobs().List(ctx, job.JobQuery{Limit: 10}); err != nil || len(page.Jobs) != 0 {
		t.Errorf("listed as a job: %+v, %v", page, err)
	}
	if err := n.Webhooks().Delete(ctx, "", made.ID, 1); job.CodeOf(err) != job.CodePreconditionFailed {
		t.Errorf("deleted at an old version: %v", err)
	}
	if err := n.Webhooks().Delete(ctx, "other", made.ID, 0); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("deleted from another namespace: %v", err)
	}
	if err := n.Webhooks().Delete(ctx, "", made.ID, 2); err != nil {
		t.Error(err)
	}
	if _, err := n.Webhooks().Get(ctx, "", made.ID); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("deleted, and still there: %v", err)
	}
}

// TestWebhooks_Test delivers a test event, once however often it is asked for with
// one key.
func TestWebhooks_Test(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, called := newCrew(ctx, t, 1), newTarget(t)
	n := c.nodes["n1"]
	made := subscribe(ctx, c, called.URL, job.Hook{Events: []job.EventType{job.EventExecutionFailed}})
	id := func(x job.Execution) string { return x.ID.String() }
	x, again, err := n.Webhooks().Test(ctx, "", made.ID, once(1, 1, id))
	if err != nil || again != nil || x.Trigger != job.TriggerEvent || x.Event == nil || x.Event.Type != job.EventTest {
		t.Fatalf("%+v, again %q: %v", x, again, err)
	}
	if _, again, err := n.Webhooks().Test(ctx, "", made.ID, once(1, 1, id)); err != nil || string(again) != x.ID.String() {
		t.Errorf("again: %q, %v", again, err)
	}
	poll(ctx, t, "the delivery", func() bool { return len(called.callbacks()) > 0 })
	got := called.callbacks()[0]
	d := readDelivery(t, got)
	if d.Type != "webhook.test" || d.ID != event.FormatID(x.Event.ID) || got.Get("webhook-id") != x.ID.String() ||
		got.Get("Content-Type") != "application/json" || !got.isSignedWith(t, rootKey) {
		t.Errorf("delivered as %v with %s", got.Header, got.body)
	}
	poll(ctx, t, "the record", func() bool {
		page, err := n.Executions().List(ctx, job.ExecutionQuery{Job: made.ID, Limit: 10})
		return err == nil && len(page.Executions) == 1 && page.Executions[0].Result == job.Success
	})
	if _, _, err := n.Webhooks().Test(ctx, "other", made.ID, nil); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("tested from another namespace: %v", err)
	}
}

// TestWebhooks_OfTheCluster: the root key's webhook for all of it is in a namespace like
// any other, whose keys know nothing of it nor of its deliveries.
func TestWebhooks_OfTheCluster(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, called := newCrew(ctx, t, 1), newTarget(t)
	n := c.nodes["n1"]
	made := subscribe(ctx, c, called.URL, job.Hook{Events: []job.EventType{job.EventExecutionFailed}, Cluster: true})
	asked := func(x job.Execution) string { return x.Event.Namespace + "." }
	x, _, err := n.Webhooks().Test(ctx, "", made.ID, once(1, 1, asked))
	if err != nil || x.Event == nil || x.Event.Namespace != "" || x.Event.Job != 0 || x.Event.JobName != "" {
		t.Fatalf("the test event is %+v: %v", x.Event, err)
	}
	if _, again, err := n.Webhooks().Test(ctx, "", made.ID, once(1, 1, asked)); err != nil || string(again) != "." {
		t.Errorf("again: %q, %v", again, err)
	}
	poll(ctx, t, "the delivery", func() bool { return len(called.callbacks()) > 0 })
	for what, try := range map[string]func(namespace string) error{
		"get": func(namespace string) error { _, err := n.Webhooks().Get(ctx, namespace, made.ID); return err },
		"its deliveries": func(namespace string) error {
			_, err := n.Executions().List(ctx, job.ExecutionQuery{Namespace: namespace, Job: made.ID, Limit: 5})
			return err
		},
		"a delivery": func(namespace string) error { _, err := n.Executions().Get(ctx, namespace, x.ID); return err },
		"cancel": func(namespace string) error {
			_, _, err := n.Executions().Cancel(ctx, namespace, x.ID, nil)
			if job.CodeOf(err) == job.CodeConflict { // it has ended
				return nil
			}
			return err
		},
		"update": func(namespace string) error {
			_, err := n.Webhooks().Update(ctx, namespace, made.ID, 0, func(*job.Spec, *job.Hook) error { return nil })
			return err
		},
		"test": func(namespace string) error { _, _, err := n.Webhooks().Test(ctx, namespace, made.ID, nil); return err },
	} {
		if err := try(made.Namespace); job.CodeOf(err) != job.CodeNotFound {
			t.Errorf("%s, for a key of its namespace: %v", what, err)
		}
		if err := try(""); err != nil {
			t.Errorf("%s, for the root key: %v", what, err)
		}
	}
	if err := n.Webhooks().Delete(ctx, made.Namespace, made.ID, 0); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("delete, for a key of its namespace: %v", err)
	}
}

// TestWebhooks_AcrossALeaderCrash lets a job fail each second while the leader dies.
// Each failure on record is delivered, signed, under a webhook-id of its own.
func TestWebhooks_AcrossALeaderCrash(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, failing, hooked := newCrew(ctx, t, 3), newTarget(t), newTarget(t)
	failing.status.Store(http.StatusInternalServerError)
	subscribe(ctx, c, hooked.URL, job.Hook{Events: []job.EventType{job.EventExecutionFailed}, Cluster: true})
	var made job.Job
	c.do(ctx, "a job", func(n *node.Node) (err error) {
		made, _, err = n.Jobs().Create(ctx, root(ctx, t, n), calling(failing.URL), nil)
		return err
	})
	poll(ctx, t, "some deliveries", func() bool { return len(hooked.callbacks()) >= 3 })
	leader, _ := c.leader(ctx)
	c.kill(leader)
	crashed := len(hooked.callbacks())
	poll(ctx, t, "deliveries after the crash", func() bool { return len(hooked.callbacks()) >= crashed+3 })
	c.do(ctx, "pause", func(n *node.Node) error {
		_, err := n.Jobs().Update(ctx, "", made.ID, 0, func(s *job.Spec) error { s.State = job.Paused; return nil })
		return err
	})
	var failed []string
	poll(ctx, t, "the job's end", func() bool {
		_, n := c.leader(ctx)
		list, err := newest(ctx, n, made.ID, 500)
		failed = nil
		for _, x := range list {
			if !x.Result.Terminal() {
				return false
			}
			if x.Result == job.Failed {
				failed = append(failed, x.ID.String())
			}
		}
		return err == nil
	})
	poll(ctx, t, "a delivery of each failure", func() bool {
		var told []string
		for _, got := range hooked.callbacks() {
			told = append(told, readDelivery(t, got).Data.ExecutionID)
		}
		return !slices.ContainsFunc(failed, func(id string) bool { return !slices.Contains(told, id) })
	})
	ids := map[string]string{} // webhook-ids by event
	for _, got := range hooked.callbacks() {
		d, id := readDelivery(t, got), got.Get("webhook-id")
		if before := ids[d.ID]; before != "" && before != id {
			t.Errorf("event %s was delivered as %s and as %s", d.ID, before, id)
		}
		ids[d.ID] = id
		if d.Type != "execution.failed" || !strings.HasPrefix(id, "ex_") || !got.isSignedWith(t, rootKey) {
			t.Errorf("delivered as %v with %s", got.Header, got.body)
		}
	}
}
