package secret

import (
	"crypto/rand"
	"errors"
	"fmt"
)

// sealVersion begins everything sealed, so that the format can change.
const sealVersion = 1

// ErrOpen says that sealed bytes are damaged, belong to something else, or were
// sealed under another cluster secret: which of these cannot be known.
var ErrOpen = errors.New("secret: cannot open what was sealed: it is damaged, moved, or of another cluster secret")

// Seal encrypts plain with AES-256-GCM. The associated bytes say what it belongs
// to (a key's ID, a job's), are not stored, and must be the same to open it: a
// sealed value that is moved elsewhere does not open. The result is one byte of
// version, a random nonce of 12 bytes, the cipher text and its tag.
func (c *Cluster) Seal(plain, associated []byte) ([]byte, error) {
	header := 1 + c.seal.NonceSize()
	sealed := make([]byte, header, header+len(plain)+c.seal.Overhead())
	sealed[0] = sealVersion
	if _, err := rand.Read(sealed[1:]); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return c.seal.Seal(sealed, sealed[1:], plain, associated), nil
}

// Open is the reverse of [Cluster.Seal]. Its one error is [ErrOpen].
func (c *Cluster) Open(sealed, associated []byte) ([]byte, error) {
	header := 1 + c.seal.NonceSize()
	if len(sealed) < header || sealed[0] != sealVersion {
		return nil, ErrOpen
	}
	plain, err := c.seal.Open(nil, sealed[1:header], sealed[header:], associated)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}
