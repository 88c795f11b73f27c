// Package dashboard is the web page that every node serves at its root: one HTML
// file with its style and script inside, which talks to nothing but the API of the
// node that it came from.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
)

//go:embed index.html
var index []byte

// Page is the dashboard and the Content-Security-Policy that it runs under.
type Page struct {
	HTML   []byte
	Policy string
}

// Load returns the page. Its policy allows exactly the page's own style and script,
// by hash, and requests to its own origin.
func Load() Page {
	return Page{HTML: index, Policy: fmt.Sprintf(
		"default-src 'none'; style-src '%s'; script-src '%s'; connect-src 'self'; img-src data:; "+
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		hash("style"), hash("script"))}
}

// hash is the CSP source of the text between the page's one pair of such tags.
func hash(tag string) string {
	_, rest, _ := bytes.Cut(index, []byte("<"+tag+">"))
	text, _, found := bytes.Cut(rest, []byte("</"+tag+">"))
	if !found {
		panic("dashboard: index.html has no " + tag)
	}
	sum := sha256.Sum256(text)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
