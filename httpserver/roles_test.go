package httpserver

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// access is who may use an endpoint, with a request that it takes.
type access struct {
	least job.Role
	// path has the place of its open part.
	path, body string
	// root means that only the root key may.
	root bool
	// operates means that only a key of the default namespace may, and the root key.
	operates bool
	// rootQuery is what the root key has to add.
	rootQuery string
	// status is the success, or whatever else the handler answers.
	status int
	// owned means that the path names a thing of a namespace, which another one does
	// not know of.
	owned bool
}

// accesses has every endpoint. Whoever adds one decides here who may use it.
var accesses = map[string]access{
	"POST /jobs":                        {least: job.RoleEditor, body: tutorialJob, status: 201},
	"GET /jobs":                         {least: job.RoleReader, status: 200},
	"POST /jobs/bulk":                   {least: job.RoleEditor, body: `{"jobs":[` + tutorialJob + `]}`, status: 200},
	"POST /jobs/apply":                  {least: job.RoleEditor, body: `{"jobs":[]}`, status: 200},
	"POST /jobs/import":                 {least: job.RoleEditor, body: `{"jobs":[]}`, status: 200},
	"GET /jobs/export":                  {least: job.RoleReader, status: 200},
	"GET /jobs/by-external-id/{id}":     {least: job.RoleReader, path: "ext-1", rootQuery: "?namespace=team", status: 200, owned: true},
	"PUT /jobs/by-external-id/{id}":     {least: job.RoleEditor, path: "ext-2", body: tutorialJob, status: 201},
	"GET /jobs/{id}":                    {least: job.RoleReader, path: "JOB", status: 200, owned: true},
	"PUT /jobs/{id}":                    {least: job.RoleEditor, path: "JOB", body: tutorialJob, status: 200, owned: true},
	"PATCH /jobs/{id}":                  {least: job.RoleEditor, path: "JOB", body: `{"name":"x"}`, status: 200, owned: true},
	"DELETE /jobs/{id}":                 {least: job.RoleEditor, path: "JOB", status: 200, owned: true},
	"POST /jobs/{id}/run":               {least: job.RoleEditor, path: "JOB", body: `{"overlapPolicy":"ALLOW"}`, status: 202, owned: true},
	"POST /jobs/{id}/backfill":          {least: job.RoleEditor, path: "JOB", body: `{"from":"2026-03-01T00:00:00Z","to":"2026-03-01T01:00:00Z"}`, status: 202, owned: true},
	"GET /jobs/{id}/executions":         {least: job.RoleReader, path: "JOB", status: 200, owned: true},
	"GET /jobs/{id}/next-runs":          {least: job.RoleReader, path: "JOB", status: 200, owned: true},
	"GET /jobs/{id}/audit":              {least: job.RoleReader, path: "JOB", status: 200, owned: true},
	"POST /schedules/preview":           {least: job.RoleReader, body: `{"cronExpression":"*/15 * * * *"}`, status: 200},
	"GET /executions":                   {least: job.RoleReader, status: 200},
	"GET /executions/{id}":              {least: job.RoleReader, path: "EXECUTION", status: 200, owned: true},
	"POST /executions/{id}/cancel":      {least: job.RoleEditor, path: "EXECUTION", status: 202, owned: true},
	"POST /webhooks":                    {least: job.RoleEditor, body: testHook, status: 201},
	"GET /webhooks":                     {least: job.RoleReader, status: 200},
	"GET /webhooks/{id}":                {least: job.RoleReader, path: "WEBHOOK", status: 200, owned: true},
	"PUT /webhooks/{id}":                {least: job.RoleEditor, path: "WEBHOOK", body: testHook, status: 200, owned: true},
	"PATCH /webhooks/{id}":              {least: job.RoleEditor, path: "WEBHOOK", body: `{"description":"x"}`, status: 200, owned: true},
	"DELETE /webhooks/{id}":             {least: job.RoleEditor, path: "WEBHOOK", status: 200, owned: true},
	"POST /webhooks/{id}/test":          {least: job.RoleEditor, path: "WEBHOOK", status: 202, owned: true},
	"GET /webhooks/{id}/deliveries":     {least: job.RoleReader, path: "WEBHOOK", status: 200, owned: true},
	"GET /events":                       {least: job.RoleReader, status: 200},
	"GET /stats":                        {least: job.RoleReader, status: 200},
	"POST /api-keys":                    {least: job.RoleAdmin, body: `{"name":"x","role":"READER"}`, status: 201},
	"GET /api-keys":                     {least: job.RoleAdmin, status: 200},
	"GET /api-keys/{id}":                {least: job.RoleAdmin, path: "KEY", status: 200, owned: true},
	"DELETE /api-keys/{id}":             {least: job.RoleAdmin, path: "KEY", status: 200, owned: true},
	"POST /api-keys/{id}/rotate":        {least: job.RoleAdmin, path: "KEY", status: 200, owned: true},
	"GET /limits":                       {least: job.RoleReader, status: 200},
	"GET /cluster":                      {least: job.RoleReader, status: 200},
	"GET /cluster/state-hash":           {least: job.RoleReader, status: 200},
	"GET /cluster/backup":               {least: job.RoleAdmin, root: true, status: 200},
	"POST /cluster/transfer-leadership": {least: job.RoleAdmin, operates: true, status: 200},
	"DELETE /cluster/nodes/{id}":        {least: job.RoleAdmin, operates: true, path: "n2", status: 200},
}

const testHook = `{"url":"https://hooks.example.com/x","events":["execution.failed"]}`

// TestAccess_EveryEndpoint asks each endpoint of the API with a key of each kind.
func TestAccess_EveryEndpoint(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range startBare(t, &backend{store: newStore()}).routes() {
		for method := range r.methods {
			name := method + " " + r.pattern
			if _, decided := accesses[name]; !decided {
				t.Errorf("nobody has decided who may use %s: add it to accesses", name)
				continue
			}
			seen[name] = true
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for _, who := range callers {
					checkAccess(t, method, r.pattern, who)
				}
			})
		}
	}
	for name := range accesses {
		if !seen[name] {
			t.Errorf("there is no endpoint %s any more: remove it from accesses", name)
		}
	}
}

// caller is a kind of key, and how it gets into the state.
type caller struct {
	name string
	key  job.APIKey
	// end makes the key invalid.
	end func(b *backend, id string)
	// role is what it may do; none if the key is invalid.
	role job.Role
}

var callers = []caller{
	{name: "READER", key: job.APIKey{Namespace: "team", Role: job.RoleReader}, role: job.RoleReader},
	{name: "EDITOR", key: job.APIKey{Namespace: "team", Role: job.RoleEditor}, role: job.RoleEditor},
	{name: "ADMIN", key: job.APIKey{Namespace: "team", Role: job.RoleAdmin}, role: job.RoleAdmin},
	{name: "ADMIN of the default namespace", key: job.APIKey{Namespace: job.DefaultNamespace, Role: job.RoleAdmin}, role: job.RoleAdmin},
	{name: "root", key: job.APIKey{Namespace: job.DefaultNamespace, Role: job.RoleAdmin, Root: true}, role: job.RoleAdmin},
	{name: "other namespace", key: job.APIKey{Namespace: "other", Role: job.RoleAdmin}, role: job.RoleAdmin},
	{name: "no role", key: job.APIKey{Namespace: "team"}},
	{name: "unknown role", key: job.APIKey{Namespace: "team", Role: "admin"}},
	{name: "expired", key: job.APIKey{Namespace: "team", Role: job.RoleAdmin, ExpiresAt: time.Now().Add(-time.Second)}, end: func(*backend, string) {}},
	{name: "revoked", key: job.APIKey{Namespace: "team", Role: job.RoleAdmin}, end: func(b *backend, id string) {
		b.ring.keys = slices.DeleteFunc(b.ring.keys, func(k ringKey) bool { return k.ID == id })
	}},
}

// want is the status that the caller gets at the endpoint.
func (a access) want(who caller) int {
	switch {
	case who.end != nil:
		return http.StatusUnauthorized
	case !who.role.Allows(a.least), a.root && !who.key.Root, a.operates && who.key.Namespace != job.DefaultNamespace:
		return http.StatusForbidden
	case a.owned && who.key.Namespace != "team" && !who.key.Root:
		return http.StatusNotFound
	}
	return a.status
}

func checkAccess(t *testing.T, method, pattern string, who caller) {
	t.Helper()
	a := accesses[method+" "+pattern]
	b := &backend{store: newStore()}
	s := startBare(t, b)
	things := furnish(t, s)
	id, key := b.issue(who.key)
	if who.end != nil {
		who.end(b, id)
	}
	open := a.path
	if made, ok := things[open]; ok {
		open = made
	}
	path, headers := strings.Replace(pattern, openPart, open, 1), []string{headerAPIKey, key}
	if who.key.Root {
		path += a.rootQuery
		headers = append(headers, headerNamespace, "team")
	}
	before := b.writes()
	res := s.ask(method, path, a.body, headers...)
	want := a.want(who)
	if res.status != want {
		t.Errorf("%s: status %d, want %d: %s", who.name, res.status, want, res.body)
	}
	if want >= 400 && b.writes() != before {
		t.Errorf("%s: it was refused and has written", who.name)
	}
}

// furnish makes a thing of each kind in the namespace team.
func furnish(t *testing.T, s *bareServer) map[string]string {
	t.Helper()
	id, key := s.issue(job.APIKey{Namespace: "team", Role: job.RoleAdmin})
	made := map[string]string{"KEY": id}
	post := func(path, body string) string {
		t.Helper()
		res := s.ask("POST", path, body, headerAPIKey, key)
		if res.status >= 300 {
			t.Fatalf("POST %s: status %d: %s", path, res.status, res.body)
		}
		return res.header(headerLocation)
	}
	last := func(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
	made["JOB"] = last(post("/jobs", strings.Replace(tutorialJob, "{", `{"externalId":"ext-1",`, 1)))
	made["EXECUTION"] = last(post("/jobs/"+made["JOB"]+"/run", ""))
	made["WEBHOOK"] = last(post("/webhooks", testHook))
	return made
}
