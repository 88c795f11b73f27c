package httpserver

import (
	"context"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// TestAdmit_KeyThatEndsElsewhere: a node learns only at its read point that a key was
// revoked, or rotated out, at another one before the request began. A read there is
// refused, whatever it finds; a stale one is of the state that the node has.
func TestAdmit_KeyThatEndsElsewhere(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(k keyBackend, id string) error{
		"revoked": func(k keyBackend, id string) error { return k.Revoke(context.Background(), "", id, true) },
		"rotated": func(k keyBackend, id string) error {
			_, _, err := k.Rotate(context.Background(), "", id, 0, nil)
			return err
		},
	} {
		for _, c := range []struct{ method, path, body string }{
			{"GET", "/jobs", ""},
			{"GET", "/jobs/job_0000000000000001", ""},
			{"GET", "/executions", ""},
			{"GET", "/api-keys", ""},
			{"GET", "/webhooks", ""},
			{"GET", "/stats", ""},
			{"GET", "/jobs/export", ""},
			{"GET", "/events", ""},
			{"POST", "/jobs/apply?dryRun=true", bulkOf(declared("a", ""))},
			{"POST", "/jobs/job_0000000000000001/backfill", "{" + quarter + `,"dryRun":true}`},
			{"PUT", "/jobs/by-external-id/a", plainJob(``)},
		} {
			t.Run(name+" "+c.path, func(t *testing.T) {
				t.Parallel()
				b := &backend{store: newStore()}
				id, key := b.issue(job.APIKey{Namespace: "team", Role: job.RoleAdmin})
				b.barrier = func(context.Context) error { return end(keyBackend{b}, id) }
				s := start(t, "n2", b)
				if c.method == "GET" && c.path != "/events" {
					if got := s.do("GET", c.path+"?consistency=stale", "", headerAPIKey, key).status; got == 401 {
						t.Errorf("a stale read: %d", got)
					}
				}
				s.do(c.method, c.path, c.body, headerAPIKey, key).problem(401, "unauthorized")
				if n := len(s.jobs); n > 0 {
					t.Errorf("%d jobs were made", n)
				}
			})
		}
	}
}
