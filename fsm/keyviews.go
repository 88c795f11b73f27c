package fsm

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// KeyByHash is the API key whose secret has the hash, or had it before the last
// rotation: [job.APIKey.Accepts] tells whether it counts. [job.ErrNotFound] if
// there is none.
func (s *Store) KeyByHash(hash [32]byte) (k job.APIKey, err error) {
	err = s.view(func(st *state) error {
		if k, err = st.key(hash[:]); !errors.Is(err, job.ErrNotFound) {
			return err
		}
		var id string
		err := st.get(oldKeyKey(hash[:]), func(value []byte) (err error) {
			id, err = readKeyRef(value)
			return err
		})
		if err == nil {
			k, err = st.keyByID(id)
		}
		return err
	})
	return k, err
}

// Key is the API key with the ID; [job.ErrNotFound] if there is none.
func (s *Store) Key(id string) (k job.APIKey, err error) {
	err = s.view(func(st *state) error {
		k, err = st.keyByID(id)
		return err
	})
	return k, err
}

// Keys are the API keys of a namespace, all if it is empty, in the order of their
// IDs: at most limit of those with greater IDs than after.
func (s *Store) Keys(namespace, after string, limit int) (keys []job.APIKey, err error) {
	err = s.view(func(st *state) error {
		keys, err = st.keys(namespace, after, limit)
		return err
	})
	return keys, err
}

func (st *state) keyByID(id string) (job.APIKey, error) {
	var p logpb.KeyHash
	if err := st.get(keyByIDKey(id), func(value []byte) error { return proto.Unmarshal(value, &p) }); err != nil {
		return job.APIKey{}, err
	}
	return st.key(p.GetHash())
}

func (st *state) key(hash []byte) (k job.APIKey, err error) {
	err = st.get(keyByHashKey(hash), func(value []byte) error {
		k, err = readKey(value)
		return err
	})
	return k, err
}

func (st *state) keys(namespace, last string, limit int) (keys []job.APIKey, err error) {
	it, err := st.db.NewIter(&pebble.IterOptions{LowerBound: keyByIDKey(last), UpperBound: afterAll([]byte(keyByIDPrefix))})
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	for ok := it.First(); ok && err == nil && len(keys) < limit; ok = it.Next() {
		id := string(it.Key()[len(keyByIDPrefix):])
		if id == last {
			continue
		}
		var k job.APIKey
		if k, err = st.keyByID(id); err == nil && (namespace == "" || namespace == k.Namespace) {
			keys = append(keys, k)
		}
	}
	return keys, errors.Join(err, it.Close())
}
