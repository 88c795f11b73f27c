package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
)

// newKey makes an API key.
func newKey(ctx context.Context, s *single, k job.APIKey) job.NewKey {
	s.t.Helper()
	var made job.NewKey
	s.do(ctx, "a new key", func() (err error) {
		made, _, err = s.Keys().Create(ctx, k, nil)
		return err
	})
	return made
}

func editor(name string) job.APIKey {
	return job.APIKey{Name: name, Namespace: "team-a", Role: job.RoleEditor}
}

func isUnauthorized(ctx context.Context, n *node.Node, key string) bool {
	_, err := n.Keys().Authenticate(ctx, key)
	return job.CodeOf(err) == job.CodeUnauthorized
}

func TestKeys_Create(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := startSingle(ctx, t)
	made := newKey(ctx, s, editor("ci"))
	if len(made.Plain) != len("cron_live_")+32 || !strings.HasPrefix(made.Plain, "cron_live_") || !strings.HasPrefix(made.ID, "key_") {
		t.Errorf("a new key is %q of %q", made.Plain, made.ID)
	}
	by, err := s.Keys().Authenticate(ctx, made.Plain)
	if err != nil || by.ID != made.ID || by.Namespace != "team-a" || by.Role != job.RoleEditor || by.Root || by.Name != "ci" {
		t.Errorf("the new key is %+v: %v", by, err)
	}
	if k, err := s.Keys().Get(ctx, "team-a", made.ID); err != nil || k.ID != made.ID {
		t.Errorf("get: %+v, %v", k, err)
	}
	if _, err := s.Keys().Get(ctx, "team-b", made.ID); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("get in another namespace: %v", err)
	}
	root, err := s.Keys().Authenticate(ctx, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Keys().Get(ctx, root.Namespace, root.ID); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("the root key, for others of its namespace: %v", err)
	}
	if _, _, err := s.Keys().Rotate(ctx, root.Namespace, root.ID, 0, nil); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("rotate the root key, for others of its namespace: %v", err)
	}
	if list, err := s.Keys().List(ctx, "team-a", "", 10); err != nil || len(list) != 1 || list[0].ID != made.ID {
		t.Errorf("list: %+v, %v", list, err)
	}
	if list, err := s.Keys().List(ctx, "", "", 10); err != nil || len(list) != 2 { // with the root key
		t.Errorf("list of all: %+v, %v", list, err)
	}
	for field, bad := range map[string]job.APIKey{
		"name": {Role: job.RoleEditor}, "role": {Name: "x", Role: "GOD"},
		"expiresAt": {Name: "x", Role: job.RoleReader, ExpiresAt: s.now().Add(-time.Second)},
	} {
		_, _, err := s.Keys().Create(ctx, bad, nil)
		if e, ok := err.(*job.Error); !ok || e.Code != job.CodeValidation || len(e.Fields) != 1 || e.Fields[0].Field != field {
			t.Errorf("a bad %s: %v", field, err)
		}
	}
}

func TestKeys_Expiry(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := startSingle(ctx, t)
	k := editor("short")
	k.ExpiresAt = s.now().Add(time.Hour)
	made := newKey(ctx, s, k)
	if isUnauthorized(ctx, s.Node, made.Plain) {
		t.Error("refused before it has expired")
	}
	s.ahead.Store(int64(time.Hour + time.Second))
	if !isUnauthorized(ctx, s.Node, made.Plain) {
		t.Error("accepted after it has expired")
	}
}

// TestKeys_Rotate follows a key through a rotation: the old one works, and signs
// beside the new one, until its time.
func TestKeys_Rotate(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, called := startSingle(ctx, t), newTarget(t)
	old := newKey(ctx, s, editor("rotated"))
	spec := calling(called.URL)
	spec.SignPayloads = true
	if _, _, err := s.Jobs().Create(ctx, old.APIKey, spec, nil); err != nil {
		t.Fatal(err)
	}
	first := called.next(ctx, t, "a callback", func(callback) bool { return true })
	if !first.isSignedWith(t, old.Plain) {
		t.Errorf("not signed with the key: %v", first.Header)
	}

	fresh, _, err := s.Keys().Rotate(ctx, "team-a", old.ID, time.Hour, nil)
	if err != nil || fresh.ID != old.ID || fresh.Plain == old.Plain || fresh.RotatedAt.IsZero() {
		t.Fatalf("rotated: %+v, %v", fresh, err)
	}
	for _, key := range []string{old.Plain, fresh.Plain} {
		if isUnauthorized(ctx, s.Node, key) {
			t.Errorf("%q is refused during the rotation", key)
		}
	}
	both := called.next(ctx, t, "a callback with two signatures", func(c callback) bool { return strings.Contains(c.Get("webhook-signature"), " ") })
	if !both.isSignedWith(t, old.Plain) || !both.isSignedWith(t, fresh.Plain) {
		t.Errorf("not signed with both keys: %v", both.Header)
	}

	s.ahead.Store(int64(time.Hour + time.Minute))
	if !isUnauthorized(ctx, s.Node, old.Plain) || isUnauthorized(ctx, s.Node, fresh.Plain) {
		t.Error("after its time the old key is accepted, or the new one is not")
	}
	last := called.next(ctx, t, "a callback with one signature", func(c callback) bool { return !strings.Contains(c.Get("webhook-signature"), " ") })
	if last.isSignedWith(t, old.Plain) || !last.isSignedWith(t, fresh.Plain) {
		t.Errorf("not signed with the new key alone: %v", last.Header)
	}
}

func TestKeys_RotateAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := startSingle(ctx, t)
	old := newKey(ctx, s, editor("leaked"))
	fresh, _, err := s.Keys().Rotate(ctx, "", old.ID, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !isUnauthorized(ctx, s.Node, old.Plain) || isUnauthorized(ctx, s.Node, fresh.Plain) {
		t.Error("the old key is accepted, or the new one is not")
	}
	if _, _, err := s.Keys().Rotate(ctx, "team-b", old.ID, 0, nil); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("rotated from another namespace: %v", err)
	}
}

// TestKeys_Revoke refuses to revoke a key that signs, unless it has to be. Nobody
// signs then.
func TestKeys_Revoke(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, called := startSingle(ctx, t), newTarget(t)
	used, unused := newKey(ctx, s, editor("used")), newKey(ctx, s, editor("unused"))
	spec := calling(called.URL)
	spec.SignPayloads = true
	if _, _, err := s.Jobs().Create(ctx, used.APIKey, spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Keys().Revoke(ctx, "team-a", used.ID, false); job.CodeOf(err) != job.CodeInUse {
		t.Errorf("revoke a key in use: %v", err)
	}
	if err := s.Keys().Revoke(ctx, "team-b", unused.ID, false); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("revoke from another namespace: %v", err)
	}
	if err := s.Keys().Revoke(ctx, "", root(ctx, t, s.Node).ID, true); job.CodeOf(err) != job.CodeConflict {
		t.Errorf("revoke the root key: %v", err)
	}
	if err := s.Keys().Revoke(ctx, "team-a", unused.ID, false); err != nil {
		t.Error(err)
	}
	if err := s.Keys().Revoke(ctx, "team-a", used.ID, true); err != nil {
		t.Error(err)
	}
	if !isUnauthorized(ctx, s.Node, used.Plain) || !isUnauthorized(ctx, s.Node, unused.Plain) {
		t.Error("a revoked key is accepted")
	}
	called.next(ctx, t, "a callback without a signature", func(c callback) bool { return c.Get("webhook-signature") == "" })
}

// TestKeys_OnceOnAnotherLeader repeats the creation and the rotation of a key after
// the leader died that made them: the answers are those of the first time, with the
// same keys.
func TestKeys_OnceOnAnotherLeader(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := newCrew(ctx, t, 3)
	asOnce := func(key byte) *job.Idempotent[job.NewKey] {
		return &job.Idempotent[job.NewKey]{Key: [32]byte{key}, Answer: func(k job.NewKey) ([]byte, error) { return json.Marshal(k) }}
	}
	var made, rotated job.NewKey
	c.do(ctx, "create", func(n *node.Node) (err error) {
		made, _, err = n.Keys().Create(ctx, editor("once"), asOnce(1))
		return err
	})
	c.do(ctx, "rotate", func(n *node.Node) (err error) {
		rotated, _, err = n.Keys().Rotate(ctx, "", made.ID, time.Hour, asOnce(2))
		return err
	})
	leader, _ := c.leader(ctx)
	c.kill(leader)
	check := func(what string, again []byte, want job.NewKey) {
		if text, err := json.Marshal(want); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%s again: %s, want %s (%v)", what, again, text, err)
		}
	}
	c.do(ctx, "create again", func(n *node.Node) error {
		_, again, err := n.Keys().Create(ctx, editor("once"), asOnce(1))
		if err == nil {
			check("create", again, made)
		}
		return err
	})
	c.do(ctx, "rotate again", func(n *node.Node) error {
		_, again, err := n.Keys().Rotate(ctx, "", made.ID, time.Hour, asOnce(2))
		if err == nil {
			check("rotate", again, rotated)
		}
		return err
	})
	for id, n := range c.nodes {
		if _, err := n.Keys().Authenticate(ctx, rotated.Plain); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}
