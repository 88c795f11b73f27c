package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cronraft/cronraft/internal/job"
)

// Keys tells who a caller is, and decides about API keys while this node leads.
type Keys struct{ n *Node }

// Keys is the service for API keys.
func (n *Node) Keys() Keys { return Keys{n} }

var (
	errUnknownKey = job.Errorf(job.CodeUnauthorized, "the API key is not known here; send a valid one in the header X-API-KEY")
	errExpiredKey = job.Errorf(job.CodeUnauthorized, "the API key is no longer accepted; send a newer one in the header X-API-KEY")
)

// Authenticate finds the key by its hash. A key that this node does not know yet
// may have been made elsewhere a moment ago, so it is unknown only after a
// barrier; [job.ErrNotLeader] if that cannot be had.
func (s Keys) Authenticate(ctx context.Context, key string) (job.APIKey, error) {
	hash := hashKey(key)
	found, err := s.accepted(hash)
	if !errors.Is(err, job.ErrNotFound) {
		return found, err
	}
	if err := s.n.Barrier(ctx); err != nil {
		return job.APIKey{}, err
	}
	if found, err = s.accepted(hash); errors.Is(err, job.ErrNotFound) {
		return job.APIKey{}, errUnknownKey
	}
	return found, err
}

// Knows reports whether this node accepts the key, as far as it has heard: another
// one may know better.
func (s Keys) Knows(key string) bool {
	_, err := s.accepted(hashKey(key))
	return err == nil
}

// accepted is the key with the hash, at the time of this node's clock.
func (s Keys) accepted(hash [32]byte) (job.APIKey, error) {
	k, err := s.n.store.KeyByHash(hash)
	if err == nil && !k.Accepts(hash, s.n.now()) {
		return job.APIKey{}, errExpiredKey
	}
	return k, err
}

// Get is the key, if it is of the namespace; an empty one sees all, and the root key
// is for that one only.
func (s Keys) Get(_ context.Context, namespace, id string) (job.APIKey, error) {
	k, err := s.n.store.Key(id)
	if errors.Is(err, job.ErrNotFound) || err == nil && namespace != "" && (k.Root || k.Namespace != namespace) {
		return job.APIKey{}, job.Errorf(job.CodeNotFound, "there is no API key %s", id)
	}
	return k, err
}

// List returns at most limit keys of the namespace, all if it is empty, with greater
// IDs than after.
func (s Keys) List(_ context.Context, namespace, after string, limit int) ([]job.APIKey, error) {
	return s.n.store.Keys(namespace, after, limit)
}

// Create makes a key: Name, Namespace, Role and ExpiresAt of k count. Again is the
// first answer if once came before, with the key of then.
func (s Keys) Create(ctx context.Context, k job.APIKey, once *job.Idempotent[job.NewKey]) (made job.NewKey, again []byte, err error) {
	if !s.n.Leads() {
		return job.NewKey{}, nil, job.ErrNotLeader
	}
	now := s.n.instant()
	if err := checkKey(k, now); err != nil {
		again, err = kept(ctx, s.n, once, err)
		return s.answer(job.NewKey{}, once, again, err)
	}
	made.APIKey = job.APIKey{
		ID: newKeyID(), Namespace: homeOf(k), Name: k.Name, Role: k.Role, CreatedAt: now, ExpiresAt: job.Instant(k.ExpiresAt),
	}
	if made.Plain, made.Secret, err = s.draw(made.ID); err != nil {
		return job.NewKey{}, nil, err
	}
	again, err = s.put(ctx, job.PutKey{At: now, Create: true}, made, once)
	return s.answer(made, once, again, err)
}

// Rotate gives the key a new secret. The one before is accepted, and signs, for the
// time of the overlap. Again is as in [Keys.Create].
func (s Keys) Rotate(ctx context.Context, namespace, id string, overlap time.Duration, once *job.Idempotent[job.NewKey]) (made job.NewKey, again []byte, err error) {
	for try := 1; ; try++ {
		made, again, err = s.tryRotate(ctx, namespace, id, overlap, once)
		if !isStale(err) || try == editTries {
			return s.answer(made, once, again, err)
		}
	}
}

func (s Keys) tryRotate(ctx context.Context, namespace, id string, overlap time.Duration, once *job.Idempotent[job.NewKey]) (made job.NewKey, again []byte, err error) {
	if !s.n.Leads() {
		return job.NewKey{}, nil, job.ErrNotLeader
	}
	if overlap < 0 {
		return job.NewKey{}, nil, job.Errorf(job.CodeValidation, "the time for which the old key is accepted must not be negative")
	}
	k, err := s.find(ctx, namespace, id)
	if err != nil {
		again, err = kept(ctx, s.n, once, err)
		return job.NewKey{}, again, err
	}
	d := job.PutKey{At: s.n.instant(), RotatedAt: k.RotatedAt}
	k.Previous, k.PreviousUntil = job.Secret{}, time.Time{}
	if overlap > 0 {
		k.Previous, k.PreviousUntil = k.Secret, job.Instant(d.At.Add(overlap))
	}
	// Rotations are told apart by their times.
	k.RotatedAt = latest(d.At, d.RotatedAt.Add(time.Millisecond))
	made.APIKey = k
	if made.Plain, made.Secret, err = s.draw(k.ID); err != nil {
		return job.NewKey{}, nil, err
	}
	again, err = s.put(ctx, d, made, once)
	return made, again, err
}

// find reads the key. That there is none is final only if this node still leads.
func (s Keys) find(ctx context.Context, namespace, id string) (job.APIKey, error) {
	k, err := s.Get(ctx, namespace, id)
	if err == nil {
		return k, nil
	}
	if err := s.n.Barrier(ctx); err != nil {
		return job.APIKey{}, err
	}
	return s.Get(ctx, namespace, id)
}

// put commits the new key.
func (s Keys) put(ctx context.Context, d job.PutKey, made job.NewKey, once *job.Idempotent[job.NewKey]) (again []byte, err error) {
	d.Key = made.APIKey
	if d.Once, err = onceOf(sealedOnce(s.n, once), made); err != nil {
		return nil, err
	}
	applied, err := s.n.consensus.log.Submit(ctx, d)
	if err != nil || applied.Answer != nil {
		return applied.Answer, err
	}
	if e := applied.Items[0].Err; e != nil {
		return nil, e
	}
	return nil, nil
}

// answer is what a caller gets: the new key, or the answer of the first time.
func (s Keys) answer(made job.NewKey, once *job.Idempotent[job.NewKey], again []byte, err error) (job.NewKey, []byte, error) {
	if err != nil || again != nil {
		made = job.NewKey{}
	}
	if err == nil {
		again, err = openAnswer(s.n, once, again)
	}
	return made, again, err
}

// Revoke removes the key. CodeInUse if it signs jobs, unless force.
func (s Keys) Revoke(ctx context.Context, namespace, id string, force bool) error {
	if !s.n.Leads() {
		return job.ErrNotLeader
	}
	applied, err := s.n.consensus.log.Submit(ctx, job.DeleteKey{At: s.n.instant(), ID: id, Namespace: namespace, Force: force})
	if err != nil {
		return err
	}
	if e := applied.Items[0].Err; e != nil {
		return e
	}
	return nil
}

// draw makes a key, as its owner gets it and as the state keeps it.
func (s Keys) draw(id string) (plain string, kept job.Secret, err error) {
	plain = "cron_live_" + randomHex(16)
	kept.Hash = hashKey(plain)
	if kept.Sealed, err = s.n.cfg.Secret.Seal([]byte(plain), keyScope(id)); err != nil {
		return "", job.Secret{}, fmt.Errorf("seal an API key: %w", err)
	}
	return plain, kept, nil
}

func newKeyID() string { return "key_" + randomHex(8) }

// checkKey is what is wrong with a key that is to be made.
func checkKey(k job.APIKey, now time.Time) error {
	var fields []job.FieldError
	wrong := func(field, msg string) { fields = append(fields, job.FieldError{Field: field, Msg: msg}) }
	switch {
	case strings.TrimSpace(k.Name) == "":
		wrong("name", "is required")
	case !utf8.ValidString(k.Name) || utf8.RuneCountInString(k.Name) > job.MaxKeyName || strings.ContainsFunc(k.Name, unicode.IsControl):
		wrong("name", fmt.Sprintf("must be a single line of at most %d characters", job.MaxKeyName))
	}
	if !job.RoleAdmin.Allows(k.Role) {
		wrong("role", "must be one of ADMIN, EDITOR, READER")
	}
	if k.IsExpired(now) {
		wrong("expiresAt", "must be in the future")
	}
	return invalid(fields)
}
