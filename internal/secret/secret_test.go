package secret

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// known is a secret that is in this file, and therefore none.
var known = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))

func parse(t *testing.T, text string) *Cluster {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return c
}

func fresh(t *testing.T) *Cluster {
	t.Helper()
	text, err := Generate()
	if err != nil {
		t.Fatalf("Generate: %v", err)
	}
	return parse(t, text)
}

func TestParse_Accepts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{known, "  " + known + "\r\n"} {
		if got, want := parse(t, text).GossipKey(), parse(t, known).GossipKey(); !bytes.Equal(got, want) {
			t.Errorf("Parse(%q): gossip key %x, want %x", text, got, want)
		}
	}
}

func TestParse_Refuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"empty":     {" \n", "empty"},
		"not coded": {"swordfish!", "not base64"},
		"two lines": {known[:20] + "\n!" + known[20:], "not base64"},
		"too short": {base64.StdEncoding.EncodeToString(make([]byte, 31)), "has 31 bytes"},
		"too long":  {base64.StdEncoding.EncodeToString(make([]byte, 33)), "has 33 bytes"},
		"hex":       {strings.Repeat("0123456789abcdef", 4), "has 48 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(tc.text)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "keygen") {
				t.Fatalf("Parse: got %v, want an error with %q", err, tc.want)
			}
			if text := strings.TrimSpace(tc.text); text != "" && strings.Contains(err.Error(), text) {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
}

func TestGenerate_Differs(t *testing.T) {
	t.Parallel()
	if bytes.Equal(fresh(t).GossipKey(), fresh(t).GossipKey()) {
		t.Error("two generated secrets give one gossip key")
	}
}

// TestDerive_Pinned keeps new versions able to talk to old ones, and to open what
// they sealed.
func TestDerive_Pinned(t *testing.T) {
	t.Parallel()
	c := parse(t, known)
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	check("gossip key", hex.EncodeToString(c.GossipKey()), "46f4433534cd47d444e96f454e846c6c2f2a11af25af4fcbc26132efea60853c")
	sum := sha256.Sum256(c.authority.cert.Raw)
	check("authority", hex.EncodeToString(sum[:]), "99c7405718474ffcf7dc884863d66617a78db5445dabc57d9d2df36706f0f2a9")

	sealed, err := hex.DecodeString("0171253619dbbb60cb4471ea746f26007a7aad4ae1c31587b8a70d1205ce7b254a12e2fbbf8f4790c7a11a6b")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := c.Open(sealed, []byte("key_1"))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	check("sealed", string(plain), "a user's secret")
}

func TestCluster_GossipKeyIsACopy(t *testing.T) {
	t.Parallel()
	c := parse(t, known)
	c.GossipKey()[0] ^= 1
	if !bytes.Equal(c.GossipKey(), parse(t, known).GossipKey()) {
		t.Error("a caller can change the gossip key")
	}
}

func TestCluster_FormattingHides(t *testing.T) {
	t.Parallel()
	c := parse(t, known)
	key := c.GossipKey()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		text := fmt.Sprintf(verb, c)
		if strings.Contains(text, hex.EncodeToString(key)) || strings.Contains(text, fmt.Sprint(key)) {
			t.Errorf("%s shows the key: %s", verb, text)
		}
	}
	if got := c.String(); !strings.Contains(got, "***") {
		t.Errorf("String: got %q", got)
	}
}
