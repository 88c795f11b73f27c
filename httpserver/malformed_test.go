package httpserver

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/badrequest"
)

// TestMalformed sends what must not work, to the leader and to a follower: each request
// gets its problem, and nothing is written. The real binary gets the same requests.
func TestMalformed(t *testing.T) {
	t.Parallel()
	cases, err := badrequest.Load("../testdata/malformed")
	if err != nil {
		t.Fatal(err)
	}
	leader, follower := pair(t)
	fixture := malformedFixture(leader)
	before := leader.writes()
	for _, c := range cases {
		if c.Program || c.HalfClose {
			continue
		}
		t.Run(c.Area+"/"+c.Name, func(t *testing.T) {
			for _, s := range []*testServer{leader, follower} {
				if err := s.refuses(t, &c, fixture); err != nil {
					t.Errorf("%s: %v", s.Server.config.NodeID, err)
				}
			}
		})
	}
	if got := leader.writes(); got != before {
		t.Errorf("%d of the requests wrote", got-before)
	}
	for _, s := range []*testServer{leader, follower} {
		if logs := s.logs.String(); logs != "" {
			t.Errorf("a client's mistake was logged: %s", logs)
		}
	}
}

// malformedFixture makes what the cases name.
func malformedFixture(s *testServer) badrequest.Fixture {
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	s.do("POST", "/jobs", `{"name":"t","externalId":"taken","intervalSeconds":60,"targetUrl":"http://t.test/"}`, headerOnce, "used").want(201)
	run := s.do("POST", path+"/run", "").want(202)
	hook := s.do("POST", "/webhooks", `{"url":"http://hook.test/","events":["execution.failed"]}`).want(201)["webhookId"].(string)
	key := s.do("POST", "/api-keys", `{"name":"k","role":"READER"}`).want(201)
	digits := strings.TrimPrefix(path, "/jobs/job_")
	return badrequest.Fixture{
		Keys: map[string]string{badrequest.Root: rootKey, "team": teamKey, "reader": readerKey},
		Names: map[string]string{
			"job": "job_" + digits, "jobdigits": digits, "execution": run["executionId"].(string),
			"webhook": hook, "hookjob": "job_" + strings.TrimPrefix(hook, "wh_"), "key": key["keyId"].(string),
			"rootkey": theRootKey.ID, "rootsecret": rootKey, "leader": "n1", "follower": "n2",
			"cursor": s.do("GET", "/jobs?limit=1", "").want(200)["nextCursor"].(string),
		},
	}
}

// refuses sends a case and checks the answer, also against openapi.yaml where the
// request is one that HTTP knows.
func (s *testServer) refuses(t *testing.T, c *badrequest.Case, f badrequest.Fixture) error {
	t.Helper()
	request, err := c.Request(f)
	if err != nil {
		return err
	}
	conn, err := s.listener.Dial()
	if err != nil {
		return err
	}
	got, err := c.Send(conn, request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(t.Context(), c.Method, "http://cron.test"+c.URL(f), nil)
	if err == nil && c.Raw == "" && len(request)+len(got.Body) < maxBodyBytes/8 {
		checkContract(t, r, c.Payload(f), answer{t: t, status: got.Status, header: got.Header, body: string(got.Body)})
	}
	return c.Check(got)
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"H%d":"v",`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func TestMalformed_BoundedAnswer(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	long := `"` + strings.Repeat("é", 5000) + `":1,`
	a := s.do("POST", "/jobs", "{"+long+manyMembers(30000)+"}")
	p := a.problem(400, "validation_error")
	if len(p.Errors) != maxFieldErrors || len(a.body) > 32<<10 {
		t.Errorf("%d errors in %d bytes", len(p.Errors), len(a.body))
	}
	if got := len(p.Errors[0].Field); got > maxShown+8 {
		t.Errorf("a name of %d bytes is repeated", got)
	}
}

func TestMalformed_Allow(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	a := s.do("PUT", "/jobs", "{}")
	if got, want := a.header.Get("Allow"), "GET, HEAD, POST"; got != want {
		t.Errorf("Allow %q, want %q", got, want)
	}
	a = s.doPath("POST", "/healthz", "")
	a.problem(405, "method_not_allowed")
	if got, want := a.header.Get("Allow"), "GET, HEAD"; got != want {
		t.Errorf("Allow %q, want %q", got, want)
	}
}

func TestMalformed_Hints(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for name, tt := range map[string]struct {
		body    string
		headers []string
		want    string
	}{
		"curl -d":    {"{}", []string{"Content-Type", "application/x-www-form-urlencoded"}, "Content-Type: application/json"},
		"no key":     {"{}", []string{"X-API-KEY", ""}, "X-API-KEY"},
		"wrong case": {`{"targetURL":"x"}`, nil, `did you mean \"targetUrl\"?`},
		"syntax":     {`{"name":"n",}`, nil, "at byte 13"},
		"number":     {`{"retries":"x"}`, nil, "must be a whole number"},
		"read only":  {`{"version":1}`, nil, "is read only"},
	} {
		if a := s.do("POST", "/jobs", tt.body, tt.headers...); !strings.Contains(a.body, tt.want) {
			t.Errorf("%s: %q is not in %s", name, tt.want, a.body)
		}
	}
	if got := s.do("GET", "/jobs", "", "X-API-KEY", "").header.Get("WWW-Authenticate"); !strings.Contains(got, "X-API-KEY") {
		t.Errorf("WWW-Authenticate %q", got)
	}
}
