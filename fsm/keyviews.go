package fsm

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// KeyByHash is the API key whose secret has the hash, or had it before the last
// rotation: [job.APIKey.Accepts] tells whether it counts. [job.ErrNotFound] if
// there is none.
func (s *Store) KeyByHash(hash [32]byte) (k job.APIKey, err error) {
	err = s.view(func(st *state) error {
		if k, err = keyByHash(st, hash[:]); !errors.Is(err, job.ErrNotFound) {
			return err
		}
		var id string
		err := st.get(oldKeyKey(hash[:]), func(value []byte) (err error) {
			id, err = readKeyRef(value)
			return err
		})
		if err == nil {
			k, err = keyByID(st, id)
		}
		return err
	})
	return k, err
}

// Key is the API key with the ID; [job.ErrNotFound] if there is none.
func (s *Store) Key(id string) (k job.APIKey, err error) {
	err = s.view(func(st *state) error {
		k, err = keyByID(st, id)
		return err
	})
	return k, err
}

// Keys are the API keys of a namespace, all if it is empty, in the order of their
// IDs: at most limit of those with greater IDs than after.
func (s *Store) Keys(namespace, after string, limit int) (keys []job.APIKey, err error) {
	var ids []string
	err = s.readingFrom(func(st *state) { ids = st.keys.page(namespace, after, limit) }, func(r *reading) error {
		for _, id := range ids {
			k, err := keyByID(r, id)
			if err != nil {
				return fmt.Errorf("read API key %s: %w", id, err)
			}
			keys = append(keys, k)
		}
		return nil
	})
	return keys, err
}

// getter reads the value of a key: a state, or a [reading].
type getter interface {
	get(key []byte, read func(value []byte) error) error
}

func keyByID(from getter, id string) (job.APIKey, error) {
	var p logpb.KeyHash
	if err := from.get(keyByIDKey(id), func(value []byte) error { return proto.Unmarshal(value, &p) }); err != nil {
		return job.APIKey{}, err
	}
	return keyByHash(from, p.GetHash())
}

func keyByHash(from getter, hash []byte) (k job.APIKey, err error) {
	err = from.get(keyByHashKey(hash), func(value []byte) error {
		k, err = readKey(value)
		return err
	})
	return k, err
}
