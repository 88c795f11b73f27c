package httpserver

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestTransferLeadership(t *testing.T) {
	t.Parallel()
	leader, follower := pair(t)
	for body, want := range map[string]string{"": "n3", "{}": "n3", `{"nodeId":null}`: "n3", `{"nodeId":"n2"}`: "n2"} {
		for _, s := range []*testServer{leader, follower} {
			got := s.do("POST", "/cluster/transfer-leadership", body).want(200)
			if !reflect.DeepEqual(got, map[string]any{"leaderId": want}) {
				t.Errorf("body %q: got %v, want %s", body, got, want)
			}
		}
	}
}

func TestTransferLeadership_Errors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"no voter":    {job.Errorf(job.CodeConflict, "node n2 is a learner"), 409, "conflict"},
		"no leader":   {job.ErrNotLeader, 503, "no_leader"},
		"time is up":  {context.DeadlineExceeded, 503, "outcome_unknown"},
		"no idea why": {errDisk, 500, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &backend{store: newStore(), transfer: func(context.Context, string) (string, error) { return "", tt.err }}
			start(t, "n1", b).do("POST", "/cluster/transfer-leadership", "").problem(tt.status, tt.code)
		})
	}
}

func TestRemoveNode(t *testing.T) {
	t.Parallel()
	leader, follower := pair(t)
	for id, s := range map[string]*testServer{"n2": leader, "n3": follower} {
		got := s.do("DELETE", "/cluster/nodes/"+id, "").want(200)
		if !reflect.DeepEqual(got, map[string]any{"nodeId": id, "removed": true}) {
			t.Errorf("got %v", got)
		}
	}
	s := slices.Sorted(slices.Values(leader.removed))
	if want := []string{"n2", "n3"}; !slices.Equal(s, want) {
		t.Errorf("removed %q, want %q", s, want)
	}
}

// A follower asks nobody whether a caller has the role.
func TestRoles_AreCheckedBeforeForwarding(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	s.backend.forward = func(context.Context, []byte) ([]byte, error) {
		t.Error("forwarded without the role")
		return nil, job.ErrNotLeader
	}
	for _, role := range []job.Role{"", "admin", job.RoleReader, job.RoleEditor} {
		s.authorize = func(context.Context, string) (job.APIKey, error) { return job.APIKey{Role: role, Root: true}, nil }
		for path, method := range map[string]string{"/cluster/transfer-leadership": "POST", "/cluster/nodes/n2": "DELETE"} {
			s.do(method, path, "").problem(403, "forbidden")
		}
	}
}

func TestSkew(t *testing.T) {
	t.Parallel()
	for skew, want := range map[time.Duration]int64{0: 0, 499 * time.Microsecond: 0, 500 * time.Microsecond: 1, -2 * time.Second: -2000} {
		if got := skewMs(&skew); got == nil || *got != want {
			t.Errorf("%v: got %v, want %d", skew, got, want)
		}
	}
	if got := skewMs(nil); got != nil {
		t.Errorf("unknown: got %d", *got)
	}
}
