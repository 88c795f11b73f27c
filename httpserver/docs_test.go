package httpserver

import (
	"regexp"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/httpserver/api"
)

func TestContract_IsServed(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	a := s.doPath("GET", "/openapi.yaml", "", headerAPIKey, "")
	if a.status != 200 || a.header.Get("Content-Type") != "application/yaml" || a.body != string(api.OpenAPI) {
		t.Errorf("status %d, headers %v, %d bytes", a.status, a.header, len(a.body))
	}
	s.doPath("POST", "/openapi.yaml", "").problem(405, "method_not_allowed")
}

// TestDocs_NeedOnlyThisNode loads the page and all that it loads.
func TestDocs_NeedOnlyThisNode(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	page := s.doPath("GET", "/docs", "", headerAPIKey, "")
	if page.status != 200 || page.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("status %d, headers %v", page.status, page.header)
	}
	policy := page.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; ") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s", policy)
	}
	loads := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page.body, -1)
	if len(loads) < 6 {
		t.Errorf("the page loads %q", loads)
	}
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".yaml": "application/yaml"}
	for _, l := range loads {
		if l[1] == "data:," {
			continue
		}
		file := s.doPath("GET", "/"+l[1], "", headerAPIKey, "")
		extension := l[1][strings.LastIndex(l[1], "."):]
		if file.status != 200 || file.header.Get("Content-Type") != types[extension] || file.body == "" || file.header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: status %d, headers %v, %d bytes", l[1], file.status, file.header, len(file.body))
		}
	}
	if script := s.doPath("GET", "/docs/page.js", "").body; !strings.Contains(script, `url: "openapi.yaml"`) {
		t.Errorf("the script is %s", script)
	}
	for _, path := range []string{"/docs/swagger-ui/LICENSE", "/docs/swagger-ui/NOTICE", "/docs/swagger-ui/BUNDLE.txt"} {
		if a := s.doPath("GET", path, ""); a.status != 200 || a.body == "" {
			t.Errorf("%s: status %d", path, a.status)
		}
	}
	for _, path := range []string{"/docs/", "/docs/index.html", "/docs/../config.go", "/docs/swagger-ui"} {
		s.doPath("GET", path, "").problem(404, "not_found")
	}
}
