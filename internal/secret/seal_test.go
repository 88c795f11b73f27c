package secret

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func seal(t *testing.T, c *Cluster, plain, associated string) []byte {
	t.Helper()
	sealed, err := c.Seal([]byte(plain), []byte(associated))
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	return sealed
}

func TestSeal_RoundTrip(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	rapid.Check(t, func(r *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(r, "plain")
		associated := rapid.SliceOf(rapid.Byte()).Draw(r, "associated")
		sealed, err := c.Seal(plain, associated)
		if err != nil {
			r.Fatalf("Seal: %v", err)
		}
		got, err := c.Open(sealed, associated)
		if err != nil || !bytes.Equal(got, plain) {
			r.Fatalf("Open: got %x, %v, want %x", got, err, plain)
		}
	})
}

func TestSeal_NeverTheSameTwice(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	if bytes.Equal(seal(t, c, "plain", "a"), seal(t, c, "plain", "a")) {
		t.Error("sealing twice gives the same bytes")
	}
}

func TestOpen_Refuses(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	sealed := seal(t, c, "plain", "key_1")
	refused := func(what string, c *Cluster, sealed []byte, associated string) {
		t.Helper()
		if plain, err := c.Open(sealed, []byte(associated)); !errors.Is(err, ErrOpen) || plain != nil {
			t.Errorf("%s: got %q, %v, want ErrOpen", what, plain, err)
		}
	}
	refused("other associated bytes", c, sealed, "key_2")
	refused("no associated bytes", c, sealed, "")
	refused("another secret", fresh(t), sealed, "key_1")
	refused("nothing", c, nil, "key_1")
	for i := range sealed {
		changed := slices.Clone(sealed)
		changed[i] ^= 0x10
		refused("a changed byte", c, changed, "key_1")
		refused("a cut end", c, sealed[:i], "key_1")
	}
	refused("an added byte", c, append(slices.Clone(sealed), 0), "key_1")
}
