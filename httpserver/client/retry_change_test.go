package client_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/cronraft/cronraft/httpserver/client"
)

// change is a call that changes something and has no Idempotency-Key.
type change struct {
	name string
	call func(context.Context, *client.Client, ...client.Option) error
}

var changes = []change{
	{"PATCH", func(ctx context.Context, c *client.Client, o ...client.Option) error {
		_, err := c.UpdateJob(ctx, "job_1", client.JobPatch{State: client.To("PAUSED")}, o...)
		return err
	}},
	{"PUT", func(ctx context.Context, c *client.Client, o ...client.Option) error {
		_, err := c.ReplaceJob(ctx, "job_1", client.JobSpec{Name: "n"}, o...)
		return err
	}},
	{"DELETE", func(ctx context.Context, c *client.Client, o ...client.Option) error {
		return c.DeleteJob(ctx, "job_1", o...)
	}},
}

func forChanges(t *testing.T, f func(t *testing.T, ch change)) {
	for _, ch := range changes {
		t.Run(ch.name, func(t *testing.T) {
			t.Parallel()
			f(t, ch)
		})
	}
}

// What may have taken effect is not sent again without a version.
func TestRetry_ChangeIsNotRepeated(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]http.HandlerFunc{
		"outcome unknown": problem(503, "outcome_unknown", ""), "cut": cut, "half an answer": half,
		"proxy": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGatewayTimeout) },
	} {
		forChanges(t, func(t *testing.T, ch change) {
			if ch.name == http.MethodDelete {
				return // see TestRetry_Deletion
			}
			a, b := newFake(t, failure), newFake(t, data(200, someJob))
			err := ch.call(t.Context(), newClient(t, soon, a.URL, b.URL))
			if !errors.Is(err, client.ErrOutcomeUnknown) {
				t.Errorf("%s: got %v", name, err)
			}
			if na, nb := len(a.seen()), len(b.seen()); na != 1 || nb != 0 {
				t.Errorf("%s: the servers got %d and %d requests, want 1 and 0", name, na, nb)
			}
		})
	}
}

// Whatever did not happen is sent again.
func TestRetry_ChangeThatDidNotHappen(t *testing.T) {
	t.Parallel()
	forChanges(t, func(t *testing.T, ch change) {
		a := newFake(t, problem(503, "no_leader", ""), problem(429, "rate_limited", ""), data(200, someJob))
		if err := ch.call(t.Context(), newClient(t, soon, refusing(t), a.URL)); err != nil {
			t.Fatal(err)
		}
		if got := len(a.seen()); got != 3 {
			t.Errorf("the server got %d requests, want 3", got)
		}
	})
}

func TestRetry_ChangeWithVersion(t *testing.T) {
	t.Parallel()
	forChanges(t, func(t *testing.T, ch change) {
		a, b := newFake(t, cut), newFake(t, data(200, someJob))
		if err := ch.call(t.Context(), newClient(t, soon, a.URL, b.URL), client.IfMatch(7)); err != nil {
			t.Fatal(err)
		}
		for _, r := range append(a.seen(), b.seen()...) {
			if r.method != ch.name || r.header.Get("If-Match") != `"7"` {
				t.Errorf("got %s with If-Match %s", r.method, r.header.Get("If-Match"))
			}
		}
	})
}

// After a try whose answer was lost, 412 may be due to the try itself, and 404 says that
// a deletion is done.
func TestRetry_LostAnswer(t *testing.T) {
	t.Parallel()
	forChanges(t, func(t *testing.T, ch change) {
		a := newFake(t, cut, problem(412, "precondition_failed", ""))
		err := ch.call(t.Context(), newClient(t, soon, a.URL), client.IfMatch(7))
		if !errors.Is(err, client.ErrOutcomeUnknown) || !errors.Is(err, client.ErrPreconditionFailed) {
			t.Errorf("412: got %v", err)
		}
		b := newFake(t, cut, problem(404, "not_found", ""))
		err = ch.call(t.Context(), newClient(t, soon, b.URL), client.IfMatch(7))
		if isGone := ch.name == http.MethodDelete; isGone != (err == nil) || isGone == errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("404: got %v", err)
		}
		first := newFake(t, problem(412, "precondition_failed", ""))
		err = ch.call(t.Context(), newClient(t, soon, first.URL), client.IfMatch(7))
		if !errors.Is(err, client.ErrPreconditionFailed) || errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("412 at once: got %v", err)
		}
	})
}

// What has an ID is gone however often it is deleted; that it is gone at once is no
// success.
func TestRetry_Deletion(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *client.Client) error{
		"job":     func(ctx context.Context, c *client.Client) error { return c.DeleteJob(ctx, "job_1") },
		"webhook": func(ctx context.Context, c *client.Client) error { return c.DeleteWebhook(ctx, "job_1") },
		"key":     func(ctx context.Context, c *client.Client) error { return c.RevokeKey(ctx, "key_1", false) },
		"node":    func(ctx context.Context, c *client.Client) error { return c.RemoveNode(ctx, "n2") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, failure := range []http.HandlerFunc{cut, half, problem(503, "outcome_unknown", ""), problem(500, "internal", "")} {
				for _, second := range []http.HandlerFunc{data(200, someJob), problem(404, "not_found", "")} {
					a, b := newFake(t, failure), newFake(t, second)
					if err := call(t.Context(), newClient(t, soon, a.URL, b.URL)); err != nil || len(b.seen()) != 1 {
						t.Errorf("got %v, and %d further requests", err, len(b.seen()))
					}
				}
			}
			gone := newFake(t, problem(404, "not_found", ""))
			if err := call(t.Context(), newClient(t, soon, gone.URL)); !errors.Is(err, client.ErrNotFound) {
				t.Errorf("what was not there: got %v", err)
			}
		})
	}
}
