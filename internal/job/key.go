package job

import "time"

// MaxKeyName is how many characters the name of a key may have.
const MaxKeyName = 100

// APIKey is the right to use the API. The key itself exists only sealed, and in
// its owner's hands; it is found by hash.
type APIKey struct {
	ID        string // "key_" and 16 hexadecimal digits
	Namespace string
	Name      string
	Role      Role
	// Root marks the one key that sees every namespace.
	Root bool
	Secret
	CreatedAt time.Time
	// ExpiresAt is when it stops to be accepted; zero for never.
	ExpiresAt time.Time
	// RotatedAt is when its secret was last replaced; zero if it never was.
	RotatedAt time.Time
	// Previous is the secret that was replaced last. Until PreviousUntil it is
	// accepted, and signs, beside the present one.
	Previous      Secret
	PreviousUntil time.Time
}

// Secret is a key as the state has it.
type Secret struct {
	Hash   [32]byte // SHA-256 of the key
	Sealed []byte
}

// IsExpired reports whether the key is accepted no more.
func (k *APIKey) IsExpired(now time.Time) bool {
	return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
}

// Accepts reports whether the key with the hash is this one, at a time.
func (k *APIKey) Accepts(hash [32]byte, now time.Time) bool {
	return !k.IsExpired(now) && (hash == k.Hash || hash == k.Previous.Hash && now.Before(k.PreviousUntil))
}

// Role is what an API key may do.
type Role string

// The roles, each of which may do what the ones after it may.
const (
	// RoleAdmin may do everything in its namespace, API keys included, and operate
	// the cluster.
	RoleAdmin Role = "ADMIN"
	// RoleEditor may change jobs, run them and cancel what runs.
	RoleEditor Role = "EDITOR"
	// RoleReader may read.
	RoleReader Role = "READER"
)

// Allows reports whether the role includes another one.
func (r Role) Allows(other Role) bool { return r.rank() >= other.rank() && other.rank() > 0 }

func (r Role) rank() int {
	switch r {
	case RoleAdmin:
		return 3
	case RoleEditor:
		return 2
	case RoleReader:
		return 1
	default:
		return 0
	}
}
