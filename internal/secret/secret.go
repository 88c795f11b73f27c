package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Size is the length of a cluster secret, and of each key derived from it, in
// bytes.
const Size = 32

// The labels that keep the derived keys apart.
const (
	labelGossip    = "cronraft/1 gossip key"
	labelAuthority = "cronraft/1 certificate authority"
	labelSeal      = "cronraft/1 sealing key"
)

// Cluster is what a node keeps of the cluster secret: only the keys derived from
// it. It is safe for concurrent use, and formatting it shows nothing.
type Cluster struct {
	gossip    []byte
	seal      cipher.AEAD
	authority *authority
}

// Generate makes a new cluster secret: 32 random bytes in standard base64.
func Generate() (string, error) {
	b := make([]byte, Size)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// Parse reads a cluster secret as [Generate] writes it; blanks around it do not
// count. Its errors never repeat the text.
func Parse(text string) (*Cluster, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("the cluster secret is empty; make one with cronraft keygen")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("the cluster secret is not base64; make one with cronraft keygen")
	}
	if len(b) != Size {
		return nil, fmt.Errorf("the cluster secret has %d bytes instead of %d; make one with cronraft keygen", len(b), Size)
	}
	return derive(b)
}

func derive(secret []byte) (*Cluster, error) {
	var keys [3][]byte
	for i, label := range []string{labelGossip, labelAuthority, labelSeal} {
		key, err := hkdf.Key(sha256.New, secret, nil, label, Size)
		if err != nil {
			return nil, fmt.Errorf("derive the %s: %w", label, err)
		}
		keys[i] = key
	}
	authority, err := newAuthority(keys[1])
	if err != nil {
		return nil, err
	}
	seal, err := newAEAD(keys[2])
	if err != nil {
		return nil, err
	}
	return &Cluster{gossip: keys[0], seal: seal, authority: authority}, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the sealing cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make the sealing cipher: %w", err)
	}
	return aead, nil
}

// GossipKey is the 32-byte key that encrypts gossip; the caller owns the copy.
func (c *Cluster) GossipKey() []byte { return slices.Clone(c.gossip) }

// String hides the secret.
func (c *Cluster) String() string { return "cluster secret ***" }

// GoString hides the secret too.
func (c *Cluster) GoString() string { return c.String() }
