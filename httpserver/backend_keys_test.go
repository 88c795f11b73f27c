package httpserver

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// keyRing are the keys of a store that were made through the API.
type keyRing struct {
	made int
	keys []ringKey // in order of their IDs
}

// ringKey is a key with its secrets in plain text.
type ringKey struct {
	job.APIKey
	plain, previous string
	// signs means that jobs are signed with it.
	signs bool
}

// keyBackend keeps keys beside those that [backend.Authenticate] knows.
type keyBackend struct{ *backend }

func (b keyBackend) Authenticate(ctx context.Context, key string) (job.APIKey, error) {
	if b.authorize == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, k := range b.ring.keys {
			current := key == k.plain || key == k.previous && time.Now().Before(k.PreviousUntil)
			if current && !k.IsExpired(time.Now()) {
				return k.APIKey, nil
			}
		}
	}
	return b.backend.Authenticate(ctx, key)
}

// Knows takes what authorize says for the state of the node itself.
func (b keyBackend) Knows(key string) bool {
	_, err := b.Authenticate(context.Background(), key)
	return err == nil && !b.forgets
}

func (b keyBackend) Create(_ context.Context, k job.APIKey, once *job.Idempotent[NewKey]) (NewKey, []byte, error) {
	return changeOnce(b.backend, once, func() (NewKey, error) {
		if k.IsExpired(time.Now()) {
			return NewKey{}, job.Invalid([]job.FieldError{{Field: "expiresAt", Msg: "must be in the future"}})
		}
		var plain string
		k.CreatedAt = now
		k.ID, plain = b.ring.add(k)
		return NewKey{APIKey: k, Plain: plain}, nil
	})
}

// add is called with mu held, as secret is.
func (r *keyRing) add(k job.APIKey) (id, plain string) {
	k.ID, plain = fmt.Sprintf("key_%016x", len(r.keys)+1), r.secret()
	r.keys = append(r.keys, ringKey{APIKey: k, plain: plain})
	return k.ID, plain
}

func (r *keyRing) secret() string {
	r.made++
	return fmt.Sprintf("cron_live_%032x", r.made)
}

func (b keyBackend) List(_ context.Context, namespace, after string, limit int) ([]job.APIKey, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []job.APIKey{theRootKey}
	for _, k := range b.ring.keys {
		list = append(list, k.APIKey)
	}
	list = slices.DeleteFunc(list, func(k job.APIKey) bool {
		return k.ID <= after || namespace != "" && k.Namespace != namespace
	})
	slices.SortFunc(list, func(x, y job.APIKey) int { return cmp.Compare(x.ID, y.ID) })
	return list[:min(limit, len(list))], nil
}

// find is called with mu held.
func (b keyBackend) find(namespace, id string) (*ringKey, error) {
	for i := range b.ring.keys {
		if k := &b.ring.keys[i]; k.ID == id && (namespace == "" || k.Namespace == namespace) {
			return k, nil
		}
	}
	if id == theRootKey.ID && (namespace == "" || namespace == theRootKey.Namespace) {
		return &ringKey{APIKey: theRootKey}, nil
	}
	return nil, job.ErrNotFound
}

func (b keyBackend) Get(_ context.Context, namespace, id string) (job.APIKey, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, err := b.find(namespace, id)
	if err != nil {
		return job.APIKey{}, err
	}
	return k.APIKey, nil
}

func (b keyBackend) Rotate(_ context.Context, namespace, id string, overlap time.Duration, once *job.Idempotent[NewKey]) (NewKey, []byte, error) {
	return changeOnce(b.backend, once, func() (NewKey, error) {
		k, err := b.find(namespace, id)
		if err != nil {
			return NewKey{}, err
		}
		k.previous, k.plain = k.plain, b.ring.secret()
		k.RotatedAt, k.PreviousUntil = now, time.Now().Add(overlap)
		return NewKey{APIKey: k.APIKey, Plain: k.plain}, nil
	})
}

func (b keyBackend) Revoke(_ context.Context, namespace, id string, force bool) error {
	return b.change(func() error {
		k, err := b.find(namespace, id)
		switch {
		case err != nil:
			return err
		case k.Root:
			return job.Errorf(job.CodeConflict, "the root key cannot be revoked")
		case k.signs && !force:
			return job.Errorf(job.CodeInUse, "2 jobs are signed with this key")
		}
		b.ring.keys = slices.DeleteFunc(b.ring.keys, func(k ringKey) bool { return k.ID == id })
		return nil
	})
}

// issue makes a key directly in the store, as it is, and returns its secret.
func (b *backend) issue(k job.APIKey) (id, plain string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ring.add(k)
}

// theRootKey is whose key rootKey is.
var theRootKey = job.APIKey{ID: "key_root", Name: "root", Namespace: job.DefaultNamespace, Role: job.RoleAdmin, Root: true}
