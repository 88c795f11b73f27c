package dashboard

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

func TestLoad_PolicyCoversTheWholePage(t *testing.T) {
	t.Parallel()
	p := Load()
	for _, tag := range []string{"style", "script"} {
		found := regexp.MustCompile(`(?s)<`+tag+`[^>]*>(.*?)</`+tag+`>`).FindAllSubmatch(p.HTML, -1)
		if len(found) != 1 {
			t.Fatalf("the page has %d elements <%s>, want 1", len(found), tag)
		}
		sum := sha256.Sum256(found[0][1])
		if want := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(p.Policy, want) {
			t.Errorf("the policy lacks %s: %s", want, p.Policy)
		}
	}
}

func TestLoad_NothingThatThePolicyRefuses(t *testing.T) {
	t.Parallel()
	page := string(Load().HTML)
	for what, pattern := range map[string]string{
		"a style attribute":   `<[^>]*\sstyle=`,
		"an event attribute":  `<[a-z]+[^>]*\son[a-z]+=`,
		"an external address": `(?:src|action|@import|url\()\s*=?\s*["']?(?:https?:)?//`,
		"markup from text":    `innerHTML|outerHTML|insertAdjacentHTML|document\.write`,
	} {
		if found := regexp.MustCompile(pattern).FindString(page); found != "" {
			t.Errorf("the page has %s: %s", what, found)
		}
	}
}
