// Package docsui is the page that shows the contract of the API to people: Swagger UI,
// embedded, so that it needs no network but the node that it came from.
package docsui

import "embed"

//go:embed index.html page.css page.js swagger-ui
var files embed.FS

// Policy is the Content-Security-Policy of every file: nothing but the page's own
// files, and requests to the node that they came from.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// File is one file of the page.
type File struct {
	ContentType string
	Body        []byte
}

// sources are where the files are that a browser asks for, by their paths.
var sources = map[string]struct{ file, contentType string }{
	"/docs":                       {"index.html", "text/html; charset=utf-8"},
	"/docs/page.css":              {"page.css", "text/css; charset=utf-8"},
	"/docs/page.js":               {"page.js", "text/javascript; charset=utf-8"},
	"/docs/swagger-ui.css":        {"swagger-ui/swagger-ui.css", "text/css; charset=utf-8"},
	"/docs/swagger-ui-bundle.js":  {"swagger-ui/swagger-ui-bundle.js", "text/javascript; charset=utf-8"},
	"/docs/swagger-ui/LICENSE":    {"swagger-ui/LICENSE", "text/plain; charset=utf-8"},
	"/docs/swagger-ui/NOTICE":     {"swagger-ui/NOTICE", "text/plain; charset=utf-8"},
	"/docs/swagger-ui/BUNDLE.txt": {"swagger-ui/swagger-ui-bundle.js.LICENSE.txt", "text/plain; charset=utf-8"},
}

// Load returns the files by the paths at which they are served.
func Load() map[string]File {
	served := make(map[string]File, len(sources))
	for path, s := range sources {
		body, err := files.ReadFile(s.file)
		if err != nil {
			panic("docsui: " + err.Error()) // it was there when the program was built
		}
		served[path] = File{ContentType: s.contentType, Body: body}
	}
	return served
}
