package main

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// visit is how an endpoint is asked by somebody of another namespace.
type visit struct {
	// role is the least one that gets so far.
	role string
	// body is what the endpoint takes; THEIRS in it and in the query becomes the name of
	// the other namespace.
	query, body string
	// status is the answer. It is the same, 404, for everything that a path names.
	status int
	// isList means that the answer shows what the caller has, and that ?namespace= of
	// another one is refused.
	isList bool
	// skip says why nobody asks.
	skip string
}

// Bodies that would make or change something.
const (
	strangeJob  = `{"name":"strange","intervalSeconds":31536000,"targetUrl":"http://127.0.0.1:9/strange"}`
	strangeHook = `{"url":"http://127.0.0.1:9/strange","events":["execution.failed"]}`
	slotsOfADay = `{"from":"2026-03-01T00:00:00Z","to":"2026-03-02T00:00:00Z"}`
)

// visits has every endpoint of openapi.yaml below the base path. Whoever adds one says
// here what it shows to another namespace.
var visits = map[string]visit{
	"POST /jobs":                            {role: "EDITOR", body: strangeJob, status: 403},
	"GET /jobs":                             {status: 200, isList: true},
	"GET /jobs/{jobId}":                     {status: 404},
	"PUT /jobs/{jobId}":                     {role: "EDITOR", body: strangeJob, status: 404},
	"PATCH /jobs/{jobId}":                   {role: "EDITOR", body: `{"name":"strange"}`, status: 404},
	"DELETE /jobs/{jobId}":                  {role: "EDITOR", status: 404},
	"GET /jobs/by-external-id/{externalId}": {status: 404},
	"PUT /jobs/by-external-id/{externalId}": {role: "EDITOR", body: strangeJob, status: 403},
	"POST /jobs/bulk":                       {role: "EDITOR", body: `{"jobs":[` + strangeJob + `]}`, status: 403},
	"POST /jobs/apply":                      {role: "EDITOR", query: "?prune=true", body: `{"jobs":[]}`, status: 403},
	"POST /jobs/import":                     {role: "EDITOR", body: `{"jobs":[` + strangeJob + `]}`, status: 403},
	"GET /jobs/export":                      {status: 200, isList: true},
	"POST /jobs/{jobId}/run":                {role: "EDITOR", status: 404},
	"POST /jobs/{jobId}/backfill":           {role: "EDITOR", body: slotsOfADay, status: 404},
	"GET /jobs/{jobId}/executions":          {status: 404},
	"GET /jobs/{jobId}/next-runs":           {status: 404},
	"GET /jobs/{jobId}/audit":               {status: 404},
	"GET /executions":                       {status: 200, isList: true},
	"GET /executions/{executionId}":         {status: 404},
	"POST /executions/{executionId}/cancel": {role: "EDITOR", status: 404},
	"POST /schedules/preview":               {body: `{"cronExpression":"*/15 * * * *"}`, status: 200},
	"POST /webhooks":                        {role: "EDITOR", body: strangeHook, status: 403},
	"GET /webhooks":                         {status: 200, isList: true},
	"GET /webhooks/{webhookId}":             {status: 404},
	"PUT /webhooks/{webhookId}":             {role: "EDITOR", body: strangeHook, status: 404},
	"PATCH /webhooks/{webhookId}":           {role: "EDITOR", body: `{"description":"strange"}`, status: 404},
	"DELETE /webhooks/{webhookId}":          {role: "EDITOR", status: 404},
	"POST /webhooks/{webhookId}/test":       {role: "EDITOR", status: 404},
	"GET /webhooks/{webhookId}/deliveries":  {status: 404},
	"GET /events":                           {skip: "a stream does not end: see checkEvents"},
	"GET /stats":                            {status: 200, isList: true},
	"POST /api-keys":                        {role: "ADMIN", body: `{"name":"strange","role":"ADMIN","namespace":"THEIRS"}`, status: 403},
	"GET /api-keys":                         {role: "ADMIN", status: 200, isList: true},
	"GET /api-keys/{keyId}":                 {role: "ADMIN", status: 404},
	"DELETE /api-keys/{keyId}":              {role: "ADMIN", query: "?force=true", status: 404},
	"POST /api-keys/{keyId}/rotate":         {role: "ADMIN", status: 404},
	"GET /limits":                           {status: 200},
	"GET /cluster":                          {status: 200},
	"GET /cluster/state-hash":               {status: 200},
	"GET /cluster/backup":                   {role: "ADMIN", status: 403},
	"POST /cluster/transfer-leadership":     {skip: "it is about no namespace, and every ADMIN may"},
	"DELETE /cluster/nodes/{nodeId}":        {skip: "it is about no namespace, and every ADMIN may"},
}

// TestNamespaces fills two namespaces with the same names, and lets keys of each role
// of one ask every endpoint for what the other has.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	w := newTwoSpaces(ctx, t, c)
	names := endpoints(ctx, t, c)
	for _, pair := range [][2]*space{{w.left, w.right}, {w.right, w.left}, {w.left, w.whole}} {
		mine, theirs := pair[0], pair[1]
		before := w.view(ctx, t, theirs)
		for i, name := range names {
			w.visit(ctx, t, i%c.Len(), name, mine, theirs)
		}
		if after := w.view(ctx, t, theirs); after != before {
			t.Errorf("keys of %s have changed what %s has:\n%s\nit was\n%s", mine.name, theirs.name, after, before)
		}
	}
	w.checkPages(ctx, t)
	w.checkHooks(t)
	w.checkStats(ctx, t)
	w.checkEvents(ctx, t)
	w.checkPrune(ctx, t)
}

// endpoints are those of the specification that the cluster serves.
func endpoints(ctx context.Context, t *testing.T, c *localcluster.Cluster) []string {
	t.Helper()
	text := fetch(ctx, t, "http://"+c.Node(0).HTTP+"/openapi.yaml")
	var names []string
	path, inPaths := "", false
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && line[0] != ' ' {
			inPaths = line == "paths:"
		}
		if m := regexp.MustCompile(`^  (/[^:]*):$`).FindStringSubmatch(line); m != nil {
			path = m[1]
		}
		m := regexp.MustCompile(`^    (get|post|put|patch|delete):$`).FindStringSubmatch(line)
		isPage := slices.Contains([]string{"/healthz", "/readyz", "/metrics", "/openapi.yaml", "/docs", "/"}, path)
		if m != nil && inPaths && !isPage {
			names = append(names, strings.ToUpper(m[1])+" "+path)
		}
	}
	for _, name := range names {
		if _, ok := visits[name]; !ok {
			t.Errorf("nobody has said what %s shows to another namespace: add it to visits", name)
		}
	}
	for name := range visits {
		if !slices.Contains(names, name) {
			t.Errorf("there is no endpoint %s", name)
		}
	}
	return names
}

// visit asks one endpoint with each key of a namespace for what another has.
func (w *twoSpaces) visit(ctx context.Context, t *testing.T, node int, name string, mine, theirs *space) {
	t.Helper()
	v := visits[name]
	if v.skip != "" || theirs == w.whole && !strings.Contains(name, "{") {
		return // the cluster's own things are in no namespace that one could name
	}
	method, pattern, _ := strings.Cut(name, " ")
	query := v.query
	r := localcluster.Request{
		Method: method, Path: theirs.fill(pattern) + query, Body: strings.ReplaceAll(v.body, "THEIRS", theirs.name), Header: map[string]string{},
	}
	if v.status == http.StatusForbidden {
		r.Header["X-Cron-Namespace"] = theirs.name
	}
	for _, m := range mine.members {
		what := fmt.Sprintf("%s with a key of %s, %s", name, mine.name, m.role)
		want := v.status
		if !m.may(v.role) {
			want = http.StatusForbidden
		}
		a := m.ask(ctx, t, w.c, node, r)
		if strings.Contains(name, "by-external-id") && theirs == w.whole {
			continue // no webhook has an external ID
		}
		if a.Status != want {
			t.Errorf("%s: status %d, want %d: %s", what, a.Status, want, a.Body)
		}
		theirs.checkHidden(t, what, r, a)
		if v.isList && a.Status == http.StatusOK && pattern != "/stats" && !mine.isIn(a.Body) {
			t.Errorf("%s does not show what the caller has: %s", what, a.Body)
		}
		if v.isList && want == http.StatusOK {
			r := localcluster.Request{Method: method, Path: pattern + "?namespace=" + theirs.name}
			a := m.ask(ctx, t, w.c, node, r)
			wantRefusal(t, what+" and ?namespace=", a, http.StatusForbidden, "forbidden")
			theirs.checkHidden(t, what, r, a)
		}
	}
}

// checkHidden wants nothing of the namespace in an answer, but what the request named
// itself.
func (s *space) checkHidden(t *testing.T, what string, r localcluster.Request, a localcluster.Answer) {
	t.Helper()
	for _, mark := range s.marks {
		asked := strings.Contains(r.Path, mark) || strings.Contains(r.Body, mark) || r.Header["X-Cron-Namespace"] == mark
		if !asked && strings.Contains(string(a.Body), mark) || strings.Contains(fmt.Sprint(a.Header), mark) {
			t.Errorf("%s shows %q of %s: %s", what, mark, s.name, a.Body)
		}
	}
	if a.Status == http.StatusNotFound {
		wantRefusal(t, what, a, http.StatusNotFound, "not_found")
	}
}

// isIn reports whether an answer has something of the namespace.
func (s *space) isIn(body []byte) bool {
	return slices.ContainsFunc(s.marks, func(mark string) bool { return strings.Contains(string(body), mark) })
}
