package fsm

import (
	"slices"

	"github.com/cronraft/cronraft/internal/job"
)

// keyring has the IDs of the API keys, ascending: of each namespace, and of all, which
// has the empty name. The store's lock guards it.
type keyring struct {
	ids map[string][]string
}

func newKeyring() *keyring { return &keyring{ids: map[string][]string{}} }

func (k *keyring) put(namespace, id string) {
	for _, name := range [...]string{"", namespace} {
		if at, found := slices.BinarySearch(k.ids[name], id); !found {
			k.ids[name] = slices.Insert(k.ids[name], at, id)
		}
	}
}

func (k *keyring) remove(namespace, id string) {
	for _, name := range [...]string{"", namespace} {
		if at, found := slices.BinarySearch(k.ids[name], id); found {
			k.ids[name] = slices.Delete(k.ids[name], at, at+1)
		}
		if len(k.ids[name]) == 0 {
			delete(k.ids, name)
		}
	}
}

// page copies at most limit IDs that are greater than after.
func (k *keyring) page(namespace, after string, limit int) []string {
	ids := k.ids[namespace]
	at, found := slices.BinarySearch(ids, after)
	if found {
		at++
	}
	return slices.Clone(ids[at:min(len(ids), at+max(limit, 0))])
}

// loadKeys reads which API keys there are.
func (st *state) loadKeys() error {
	return st.scan(keyByHashPrefix, anyLength, func(_, value []byte) error {
		k, err := readKey(value)
		st.keys.put(k.Namespace, k.ID)
		return err
	})
}

// makeRoom removes the keys of a full namespace that expired long ago and sign nothing:
// it refuses if there is none.
func (t *tx) makeRoom(d job.PutKey) *job.Error {
	ids := t.state.keys.page(d.Key.Namespace, "", job.KeyLimit)
	if len(ids) < job.KeyLimit {
		return nil
	}
	refusal := job.Errorf(job.CodeConflict, "namespace %s has %d API keys, and may have no more: revoke one", d.Key.Namespace, len(ids))
	for _, id := range ids {
		k, _ := t.key(id)
		if k.Root || !k.IsExpired(d.At.Add(-job.ExpiredKeyFor)) {
			continue
		}
		if _, signs := t.signed(id); !signs {
			t.removeKey(k)
			refusal = nil
		}
	}
	return refusal
}
