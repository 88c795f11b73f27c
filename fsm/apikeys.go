package fsm

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

func (w *writer) key(k job.APIKey) *logpb.APIKey {
	return &logpb.APIKey{
		Id:             k.ID,
		Namespace:      k.Namespace,
		Name:           k.Name,
		Role:           string(k.Role),
		Root:           k.Root,
		Hash:           k.Hash[:],
		Sealed:         k.Sealed,
		CreatedAt:      millis(k.CreatedAt),
		ExpiresAt:      millis(k.ExpiresAt),
		RotatedAt:      millis(k.RotatedAt),
		PreviousHash:   sum(k.Previous.Hash),
		PreviousSealed: k.Previous.Sealed,
		PreviousUntil:  millis(k.PreviousUntil),
	}
}

func (r *reader) key(p *logpb.APIKey) job.APIKey {
	k := job.APIKey{
		ID:            p.GetId(),
		Namespace:     p.GetNamespace(),
		Name:          p.GetName(),
		Role:          job.Role(p.GetRole()),
		Root:          p.GetRoot(),
		Secret:        job.Secret{Hash: r.hash("an API key", p.GetHash()), Sealed: octets(p.GetSealed())},
		CreatedAt:     instant(p.GetCreatedAt()),
		ExpiresAt:     instant(p.GetExpiresAt()),
		RotatedAt:     instant(p.GetRotatedAt()),
		PreviousUntil: instant(p.GetPreviousUntil()),
	}
	k.Previous.Sealed = octets(p.GetPreviousSealed())
	if len(p.GetPreviousHash()) > 0 {
		k.Previous.Hash = r.hash("a previous API key", p.GetPreviousHash())
	}
	return k
}

// sum is nil for no hash.
func sum(hash [32]byte) []byte {
	if hash == ([32]byte{}) {
		return nil
	}
	return hash[:]
}

// putKey creates an API key, or replaces one.
func (t *tx) putKey(d job.PutKey) job.Item {
	old, found := t.key(d.Key.ID)
	owner := t.keyOf(d.Key.Hash)
	switch {
	case owner != "" && owner != d.Key.ID:
		return refuse(job.Errorf(job.CodeConflict, "there is such a secret already: make another one"))
	case d.Create && found:
		return refuse(job.Errorf(job.CodeConflict, "there is an API key %s already", d.Key.ID))
	case d.Create:
		if refusal := t.makeRoom(d); refusal != nil {
			return refuse(refusal)
		}
	case !found || old.Namespace != d.Key.Namespace:
		return refuse(noKey(d.Key.ID))
	case !old.RotatedAt.Equal(d.RotatedAt):
		return refuse(job.ErrStale)
	default:
		t.removeKey(old)
	}
	t.writeKey(d.Key)
	return job.Item{}
}

// writeKey writes a key, which is found by both its secrets.
func (t *tx) writeKey(k job.APIKey) {
	t.put(keyByHashKey(k.Hash[:]), t.w.key(k))
	t.put(keyByIDKey(k.ID), &logpb.KeyHash{Hash: k.Hash[:]})
	t.state.keys.put(k.Namespace, k.ID)
	if old := sum(k.Previous.Hash); old != nil {
		t.put(oldKeyKey(old), &logpb.KeyRef{Id: k.ID})
	}
}

func (t *tx) removeKey(k job.APIKey) {
	t.delete(keyByHashKey(k.Hash[:]))
	t.delete(keyByIDKey(k.ID))
	t.state.keys.remove(k.Namespace, k.ID)
	if old := sum(k.Previous.Hash); old != nil {
		t.delete(oldKeyKey(old))
	}
}

// deleteKey revokes an API key with both its secrets.
func (t *tx) deleteKey(d job.DeleteKey) job.Item {
	k, found := t.key(d.ID)
	switch {
	case !found || d.Namespace != "" && (k.Root || d.Namespace != k.Namespace):
		return refuse(noKey(d.ID))
	case k.Root:
		return refuse(job.Errorf(job.CodeConflict, "the root key cannot be revoked"))
	}
	if signed, ok := t.signed(k.ID); ok && !d.Force {
		return refuse(job.Errorf(job.CodeInUse,
			"API key %s signs for %v, and perhaps for others: rotate the key instead, or delete what it signs, or revoke it with force", k.ID, signed))
	}
	t.removeKey(k)
	return job.Item{}
}

func noKey(id string) *job.Error { return job.Errorf(job.CodeNotFound, "there is no API key %s", id) }

// key reads the API key with an ID; false if there is none.
func (t *tx) key(id string) (k job.APIKey, found bool) {
	var p logpb.KeyHash
	if !t.get(keyByIDKey(id), func(value []byte) error { return proto.Unmarshal(value, &p) }) {
		return job.APIKey{}, false
	}
	found = t.get(keyByHashKey(p.GetHash()), func(value []byte) (err error) {
		k, err = readKey(value)
		return err
	})
	return k, found
}

// keyOf is the ID of the API key that has, or had, a secret; empty if none has.
func (t *tx) keyOf(hash [32]byte) (id string) {
	t.get(keyByHashKey(hash[:]), func(value []byte) error {
		k, err := readKey(value)
		id = k.ID
		return err
	})
	t.get(oldKeyKey(hash[:]), func(value []byte) (err error) {
		id, err = readKeyRef(value)
		return err
	})
	return id
}

// signWith keeps the list of those that an API key signs for. Those that were
// defined before version 3 of the log are not in it: there was only the root key
// then, which is never revoked.
func (t *tx) signWith(id job.ID, old, now *logpb.Definition) {
	if isSigned(old) && !isSigned(now) {
		t.delete(signerKey(old.GetKeyId(), id))
	}
	if isSigned(now) && t.isThird() {
		check("write the state", t.batch.Set(signerKey(now.GetKeyId(), id), nil, nil))
	}
}

func isSigned(p *logpb.Definition) bool { return p.GetSpec().GetSignPayloads() || p.GetHook() != nil }

// signed is a job or a webhook that an API key signs for; false if there is none.
func (t *tx) signed(keyID string) (id job.ID, ok bool) {
	prefix := signerKeys(keyID)
	t.scan(prefix, afterAll(prefix), func(key, _ []byte) bool {
		id, ok = jobOf(key), true
		return false
	})
	return id, ok
}

func readKey(b []byte) (job.APIKey, error) {
	var p logpb.APIKey
	if err := proto.Unmarshal(b, &p); err != nil {
		return job.APIKey{}, fmt.Errorf("decode API key: %w", err)
	}
	r := &reader{}
	k := r.key(&p)
	if r.err != nil {
		return job.APIKey{}, fmt.Errorf("decode API key: %w", r.err)
	}
	return k, nil
}

func readKeyRef(b []byte) (string, error) {
	var p logpb.KeyRef
	err := proto.Unmarshal(b, &p)
	return p.GetId(), err
}
