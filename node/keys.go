package node

import (
	"context"
	"errors"

	"github.com/cronraft/cronraft/internal/job"
)

// Keys tells who a caller is.
type Keys struct{ n *Node }

// Keys is the service for API keys.
func (n *Node) Keys() Keys { return Keys{n} }

var errUnknownKey = job.Errorf(job.CodeUnauthorized, "the API key is not known here; send a valid one in the header X-API-KEY")

// Authenticate finds the key by its hash. A key that this node does not know yet
// may have been made elsewhere a moment ago, so it is unknown only after a
// barrier; [job.ErrNotLeader] if that cannot be had.
func (s Keys) Authenticate(ctx context.Context, key string) (job.APIKey, error) {
	hash := hashKey(key)
	found, err := s.n.store.KeyByHash(hash)
	if !errors.Is(err, job.ErrNotFound) {
		return found, err
	}
	if err := s.n.Barrier(ctx); err != nil {
		return job.APIKey{}, err
	}
	if found, err = s.n.store.KeyByHash(hash); errors.Is(err, job.ErrNotFound) {
		return job.APIKey{}, errUnknownKey
	}
	return found, err
}
