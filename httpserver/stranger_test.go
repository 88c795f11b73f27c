package httpserver

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestStranger_LargeBody announces bodies and sends none: who has no key here is
// answered at once.
func TestStranger_LargeBody(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for _, key := range []string{"", headerAPIKey + ": unknown-unknown-unknown-unknown\r\n"} {
		for _, length := range []string{fmt.Sprintf("Content-Length: %d", strangerLimit+1), fmt.Sprintf("Content-Length: %d", maxBodyBytes)} {
			res := s.raw("POST " + basePath + "/jobs/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + key + length + "\r\n\r\n")
			if !strings.HasPrefix(res, "HTTP/1.1 401 ") || !strings.Contains(res, "Www-Authenticate:") || !strings.Contains(res, `"unauthorized"`) {
				t.Errorf("%q, %s: %s", key, length, res)
			}
		}
	}
	chunks := fmt.Sprintf("%x\r\n%s\r\n", strangerLimit+1, strings.Repeat(" ", strangerLimit+1))
	res := s.raw("POST " + basePath + "/jobs/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
	if !strings.HasPrefix(res, "HTTP/1.1 413 ") { // who sent it is forgotten by then
		t.Errorf("chunks: %s", res)
	}
}

// TestStranger_SmallBody: what fits is read, and the answer is the same.
func TestStranger_SmallBody(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	s.do("POST", "/jobs", strings.Repeat(" ", strangerLimit), headerAPIKey, "unknown-unknown-unknown-unknown").problem(http.StatusUnauthorized, "unauthorized")
}

// TestStranger_ToThisNode sends a large body with a key of which only others know.
func TestStranger_ToThisNode(t *testing.T) {
	t.Parallel()
	s := start(t, "n1", &backend{store: newStore(), forgets: true})
	body := strings.Replace(tutorialJob, "{", "{"+strings.Repeat(" ", strangerLimit), 1)
	s.do("POST", "/jobs", body).want(http.StatusCreated)
}
