package fsm

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// apiKey is a key of a namespace whose secret is known by one byte.
func apiKey(id, namespace string, secret byte) job.APIKey {
	return job.APIKey{ID: id, Namespace: namespace, Name: id, Role: job.RoleEditor, Secret: hashed(secret), CreatedAt: epoch}
}

func hashed(secret byte) job.Secret {
	return job.Secret{Hash: [32]byte{secret}, Sealed: []byte{secret, secret}}
}

// rotated is the key with another secret, at so many seconds.
func rotated(k job.APIKey, seconds int, secret byte) job.PutKey {
	d := job.PutKey{At: at(seconds), Key: k, RotatedAt: k.RotatedAt}
	d.Key.Previous, d.Key.Secret = k.Secret, hashed(secret)
	d.Key.RotatedAt, d.Key.PreviousUntil = at(seconds), at(seconds+60)
	return d
}

// withKeys makes a node with a root key and two others.
func withKeys(t *testing.T) *node {
	t.Helper()
	n := raised(t)
	root := apiKey("root", "default", 1)
	root.Root = true
	n.do(job.Init{ClusterID: "c1", RootKey: root})
	n.do(job.PutKey{At: at(1), Create: true, Key: apiKey("key_1", "team", 2)})
	n.do(job.PutKey{At: at(1), Create: true, Key: apiKey("key_2", "default", 3)})
	return n
}

// wantKey checks which key a secret belongs to; none is empty.
func (n *node) wantKey(secret byte, want string) {
	n.Helper()
	k, err := n.KeyByHash([32]byte{secret})
	if want == "" {
		equal(n, "error for an unknown secret", job.CodeOf(err), job.CodeNotFound)
		return
	}
	n.must(err)
	equal(n, "key", k.ID, want)
}

func TestPutKey(t *testing.T) {
	t.Parallel()
	n := withKeys(t)
	first := apiKey("key_1", "team", 2)
	d := rotated(first, 5, 4)
	n.do(d)
	n.wantKey(4, "key_1")
	n.wantKey(2, "key_1")
	got, err := n.KeyByHash([32]byte{2})
	n.must(err)
	if !reflect.DeepEqual(got, d.Key) {
		t.Errorf("got %+v, want %+v", got, d.Key)
	}
	n.refused(job.ErrStale, rotated(first, 6, 5))
	n.do(rotated(d.Key, 7, 5))
	n.wantKey(5, "key_1")
	n.wantKey(4, "key_1")
	n.wantKey(2, "")

	conflict := job.Errorf(job.CodeConflict, "")
	n.refused(conflict, job.PutKey{At: at(8), Create: true, Key: apiKey("key_1", "team", 9)})
	n.refused(conflict, job.PutKey{At: at(8), Create: true, Key: apiKey("key_3", "team", 5)})
	n.refused(conflict, job.PutKey{At: at(8), Create: true, Key: apiKey("key_3", "team", 4)}) // the previous one
	n.refused(job.ErrNotFound, rotated(apiKey("key_9", "team", 8), 8, 9))
	n.refused(job.ErrNotFound, rotated(apiKey("key_1", "other", 8), 8, 9))

	k := apiKey("key_4", "team", 10)
	made := job.PutKey{At: at(9), Create: true, Key: k, Once: once(1, "sealed")}
	n.do(made)
	made.Key = apiKey("key_5", "team", 11)
	equal(t, "answer", string(n.submit(made).Answer), "sealed")
	n.wantKey(11, "")
}

func TestDeleteKey(t *testing.T) {
	t.Parallel()
	n := withKeys(t)
	n.do(rotated(apiKey("key_1", "team", 2), 5, 4))
	n.refused(job.ErrNotFound, job.DeleteKey{At: at(6), ID: "key_9"})
	n.refused(job.ErrNotFound, job.DeleteKey{At: at(6), ID: "key_1", Namespace: "default"})
	n.refused(job.Errorf(job.CodeConflict, ""), job.DeleteKey{At: at(6), ID: "root", Force: true})
	n.do(job.DeleteKey{At: at(6), ID: "key_1", Namespace: "team"})
	n.wantKey(4, "")
	n.wantKey(2, "")
	if _, err := n.Key("key_1"); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("got %v", err)
	}
	n.do(job.DeleteKey{At: at(7), ID: "key_2"})
	n.wantKey(1, "root")
}

func TestDeleteKey_InUse(t *testing.T) {
	t.Parallel()
	revoke := job.DeleteKey{At: at(9), ID: "key_2"}
	inUse := job.Errorf(job.CodeInUse, "")
	signed := func(sign bool, version uint64) job.PutJobs {
		d := put(jobB, at(1), spec(job.OverlapSkip))
		d.Jobs[0].Job.KeyID, d.Jobs[0].Job.SignPayloads, d.Jobs[0].Job.Version = "key_2", sign, version
		return d
	}
	n := withKeys(t)
	n.do(signed(true, 0))
	n.refused(inUse, revoke)
	n.do(signed(false, 1))
	n.do(revoke)

	n = withKeys(t)
	n.do(signed(false, 0))
	n.do(signed(true, 1))
	n.refused(inUse, revoke)
	n.do(job.DeleteJob{At: at(5), ID: jobB})
	n.do(revoke)

	n = withKeys(t)
	h := hooked(hookA, job.EventJobCompleted)
	h.Jobs[0].Job.KeyID = "key_2"
	n.do(h)
	n.refused(inUse, revoke)
	forced := revoke
	forced.Force = true
	n.do(forced)
	n.wantKey(3, "")
	equal(t, "the webhook stays", n.job(hookA).KeyID, "key_2")
}

func TestKeys_Pages(t *testing.T) {
	t.Parallel()
	n := withKeys(t)
	n.do(rotated(apiKey("key_1", "team", 2), 5, 4)) // its previous secret is not in the list
	tests := []struct {
		namespace, after string
		limit            int
		want             []string
	}{
		{"", "", 9, []string{"key_1", "key_2", "root"}},
		{"", "key_1", 1, []string{"key_2"}},
		{"", "key_", 9, []string{"key_1", "key_2", "root"}},
		{"team", "", 9, []string{"key_1"}},
		{"team", "key_1", 9, nil},
		{"default", "", 1, []string{"key_2"}},
	}
	for _, tc := range tests {
		keys, err := n.Keys(tc.namespace, tc.after, tc.limit)
		n.must(err)
		var got []string
		for _, k := range keys {
			got = append(got, k.ID)
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("Keys(%q, %q, %d): got %v, want %v", tc.namespace, tc.after, tc.limit, got, tc.want)
		}
	}
}

// TestPutKey_FullNamespace: only a key that expired long ago and signs nothing makes
// room for another.
func TestPutKey_FullNamespace(t *testing.T) {
	t.Parallel()
	n := withKeys(t)
	create := func(seconds, i int, namespace string) job.PutKey {
		k := apiKey(fmt.Sprintf("key_a%04d", i), namespace, 0)
		k.Hash = [32]byte{100, byte(i >> 8), byte(i)}
		return job.PutKey{At: at(seconds), Create: true, Key: k}
	}
	for i := range job.KeyLimit - 1 { // and key_1
		d := create(1, i, "team")
		if i < 3 {
			d.Key.ExpiresAt = at(10 + i)
		}
		n.do(d)
	}
	signed := put(jobB, at(1), spec(job.OverlapSkip))
	signed.Jobs[0].Job.SignPayloads, signed.Jobs[0].Job.KeyID = true, "key_a0001"
	n.do(signed)
	n.must(n.Close())
	n.reopen()
	long := int(job.ExpiredKeyFor / time.Second)
	n.refused(job.Errorf(job.CodeConflict, ""), create(9+long, 2000, "team"))
	n.do(create(9+long, 2001, "default"))
	n.do(create(11+long, 2002, "team"))
	n.wantKey(100, "")
	if _, err := n.Key("key_a0000"); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("the one that had expired: got %v", err)
	}
	n.refused(job.Errorf(job.CodeConflict, ""), create(11+long, 2003, "team")) // key_a0001 signs
	n.do(create(12+long, 2003, "team"))
	list, err := n.Keys("team", "key_a", 2)
	n.must(err)
	equal(t, "first", list[0].ID, "key_a0001")
	equal(t, "second", list[1].ID, "key_a0003")
}
