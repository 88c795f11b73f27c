package fsm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// Hash is the SHA-256 of the whole replicated state, and the index at which it
// is: the same on all nodes at one index. It reads everything, beside Apply.
func (s *Store) Hash() (index uint64, sum string, err error) {
	s.life.RLock()
	defer s.life.RUnlock()
	var snapshot *pebble.Snapshot
	err = s.view(func(st *state) error {
		index, snapshot = st.applied, st.db.NewSnapshot()
		return nil
	})
	if err != nil {
		return 0, "", err
	}
	h := sha256.New()
	if err := errors.Join(hashAll(h, snapshot), snapshot.Close()); err != nil {
		return 0, "", fmt.Errorf("hash the state: %w", err)
	}
	return index, hex.EncodeToString(h.Sum(nil)), nil
}

// hashAll adds every key and value, each with its length before it.
func hashAll(h hash.Hash, from *pebble.Snapshot) error {
	it, err := from.NewIter(nil)
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		if isDerived(it.Key()) && !it.SeekGE(afterAll([]byte(indexPrefix))) {
			break
		}
		var value []byte
		value, err = it.ValueAndErr()
		hashOne(h, it.Key())
		hashOne(h, value)
	}
	return errors.Join(err, it.Close())
}

// isDerived reports whether a key is not of the replicated state: each node has
// made it of the others for itself.
func isDerived(key []byte) bool { return bytes.HasPrefix(key, []byte(indexPrefix)) }

func hashOne(h io.Writer, b []byte) {
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
	_, _ = h.Write(b)
}
