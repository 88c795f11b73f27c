package httpserver

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// issued is a key that a test has made, with the headers that send it.
func issued(b *backend, k job.APIKey) (id string, headers []string) {
	id, plain := b.issue(k)
	return id, []string{headerAPIKey, plain}
}

func admin(namespace string) job.APIKey {
	return job.APIKey{Name: "admin of " + namespace, Namespace: namespace, Role: job.RoleAdmin}
}

func TestKeys_Life(t *testing.T) {
	t.Parallel()
	leader, follower := pair(t)
	for _, s := range []*testServer{leader, follower} {
		expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
		a := s.do("POST", "/api-keys", `{"name":"Deployments","namespace":"ci-1","role":"READER","expiresAt":"`+expires+`"}`)
		made := a.want(201)
		id, key := made["keyId"].(string), made["apiKey"].(string)
		if got := a.header.Get(headerLocation); got != basePath+"/api-keys/"+id {
			t.Errorf("Location %q", got)
		}
		want := map[string]any{
			"keyId": id, "name": "Deployments", "namespace": "ci-1", "role": "READER", "root": false, "createdAt": "2026-03-26T16:12:30Z",
			"expiresAt": expires, "rotatedAt": nil, "previousValidUntil": nil,
		}
		if got := s.do("GET", "/api-keys/"+id, "").want(200); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		s.do("GET", "/jobs", "", headerAPIKey, key).want(200)

		rotated := s.do("POST", "/api-keys/"+id+"/rotate", "").want(200)
		fresh := rotated["apiKey"].(string)
		if rotated["rotatedAt"] == nil || rotated["previousValidUntil"] == nil || fresh == key {
			t.Errorf("rotated into %v", rotated)
		}
		for _, k := range []string{key, fresh} {
			s.do("GET", "/jobs", "", headerAPIKey, k).want(200)
		}
		last := s.do("POST", "/api-keys/"+id+"/rotate", `{"overlapSeconds":0}`).want(200)["apiKey"].(string)
		for _, k := range []string{key, fresh} {
			s.do("GET", "/jobs", "", headerAPIKey, k).problem(401, "unauthorized")
		}
		s.do("GET", "/jobs", "", headerAPIKey, last).want(200)

		if got := s.do("DELETE", "/api-keys/"+id, "").want(200); !reflect.DeepEqual(got, map[string]any{"keyId": id, "revoked": true}) {
			t.Errorf("got %v", got)
		}
		s.do("GET", "/jobs", "", headerAPIKey, last).problem(401, "unauthorized")
		s.do("GET", "/api-keys/"+id, "").problem(404, "not_found")
		s.do("DELETE", "/api-keys/"+id, "").problem(404, "not_found")
		for _, k := range []string{key, fresh, last} {
			if strings.Contains(s.logs.String(), k) {
				t.Errorf("%s is in the log", k)
			}
		}
	}
}

func TestKeys_Defaults(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for want, headers := range map[string][]string{"default": nil, "team": {headerNamespace, "team"}} {
		if got := s.do("POST", "/api-keys", `{"name":"x","role":"EDITOR","expiresAt":null,"namespace":null}`, headers...).want(201); got["namespace"] != want || got["expiresAt"] != nil {
			t.Errorf("got %v, want the namespace %s", got, want)
		}
	}
	got := s.do("POST", "/api-keys/key_0000000000000001/rotate", "{}").want(200)
	until, err := time.Parse(time.RFC3339, got["previousValidUntil"].(string))
	if left := time.Until(until); err != nil || left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("the old key is valid for %v (%v), want a day", left, err)
	}
}

func TestKeys_InvalidFields(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for body, want := range map[string][]string{
		`{}`: {"name", "role"},
		`{"name":"","role":"admin","namespace":"A"}`:                                      {"name", "role", "namespace"},
		`{"name":null,"role":null}`:                                                       {"name", "role"},
		`{"name":"` + strings.Repeat("ä", 101) + `","role":"READER"}`:                     {"name"},
		`{"name":"a\u0007","role":"READER"}`:                                              {"name"},
		`{"name":1,"role":true,"namespace":[],"expiresAt":7}`:                             {"name", "role", "namespace", "expiresAt"},
		`{"name":"a","role":"READER","expiresAt":"2020-01-01T00:00:00Z"}`:                 {"expiresAt"},
		`{"name":"","role":"x","expiresAt":"2020-01-01T00:00:00Z"}`:                       {"name", "role", "expiresAt"},
		`{"name":"a","role":"READER","expiresAt":"tomorrow"}`:                             {"expiresAt"},
		`{"name":"a","role":"READER","namespace":"` + strings.Repeat("n", 64) + `"}`:      {"namespace"},
		`{"name":"a","role":"READER","namespace":""}`:                                     {"namespace"},
		`{"name":"a","role":"READER","apiKey":"cron_live_0123456789abcdef0123456789abc"}`: {"apiKey"},
	} {
		got := fields(s.do("POST", "/api-keys", body).problem(400, "validation_error"))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: wrong are %q, want %q", body, got, want)
		}
	}
	s.do("POST", "/api-keys", `{"name":"`+strings.Repeat("ä", 100)+`","role":"READER","namespace":"`+strings.Repeat("n-0", 21)+`"}`).want(201)
	s.do("POST", "/api-keys", "").problem(400, "malformed_json")
	for body, want := range map[string]string{
		`{"overlapSeconds":-1}`: "overlapSeconds", `{"overlapSeconds":2592001}`: "overlapSeconds", `{"overlapSeconds":"1"}`: "overlapSeconds", `{"overlap":1}`: "overlap",
	} {
		if got := fields(s.do("POST", "/api-keys/key_0000000000000001/rotate", body).problem(400, "validation_error")); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: wrong are %q", body, got)
		}
	}
	s.do("POST", "/api-keys/key_0000000000000001/rotate", `{"overlapSeconds":2592000}`).want(200)
	if got := fields(s.do("DELETE", "/api-keys/key_0000000000000001?force=yes", "").problem(400, "validation_error")); !slices.Equal(got, []string{"force"}) {
		t.Errorf("wrong are %q", got)
	}
}

func TestKeys_InUse(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	id, _ := s.issue(admin("team"))
	s.ring.keys[0].signs = true
	s.do("DELETE", "/api-keys/"+id, "").problem(409, "in_use")
	s.do("DELETE", "/api-keys/"+id+"?force=false", "").problem(409, "in_use")
	s.do("DELETE", "/api-keys/"+id+"?force=true", "").want(200)
	s.do("DELETE", "/api-keys/"+theRootKey.ID, "").problem(409, "conflict")
}

// An ADMIN sees and makes what is in its namespace, and nothing else.
func TestKeys_Namespaces(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	teamID, team := issued(s.backend, admin("team"))
	otherID, _ := issued(s.backend, admin("other"))
	if got := s.do("POST", "/api-keys", `{"name":"x","role":"ADMIN"}`, team...).want(201); got["namespace"] != "team" {
		t.Errorf("got %v", got)
	}
	s.do("POST", "/api-keys", `{"name":"x","role":"ADMIN","namespace":"team"}`, team...).want(201)
	s.do("POST", "/api-keys", `{"name":"x","role":"ADMIN","namespace":"other"}`, team...).problem(403, "forbidden")
	s.do("POST", "/api-keys", `{"name":"x","role":"ADMIN"}`, append(team, headerNamespace, "other")...).problem(403, "forbidden")
	for id, status := range map[string]int{teamID: 200, otherID: 404, theRootKey.ID: 404, "key_x": 404, "x": 404} {
		if a := s.do("GET", "/api-keys/"+id, "", team...); a.status != status {
			t.Errorf("GET %s: status %d, want %d", id, a.status, status)
		}
	}
	for _, id := range []string{otherID, theRootKey.ID, "key_x"} {
		s.do("POST", "/api-keys/"+id+"/rotate", "", team...).problem(404, "not_found")
		s.do("DELETE", "/api-keys/"+id, "", team...).problem(404, "not_found")
	}
	if got := listedKeys(s, "/api-keys", team...); len(got) != 3 {
		t.Errorf("the team sees %q", got)
	}
}

// The root key is in the default namespace, whose ADMINs know nothing of it: whoever
// could rotate it would be root.
func TestKeys_TheRootKeyIsRootsOwn(t *testing.T) {
	t.Parallel()
	leader, follower := pair(t)
	id, headers := issued(leader.backend, admin(job.DefaultNamespace))
	for _, s := range []*testServer{leader, follower} {
		s.do("GET", "/api-keys/key_root", "", headers...).problem(404, "not_found")
		s.do("POST", "/api-keys/key_root/rotate", "", headers...).problem(404, "not_found")
		s.do("DELETE", "/api-keys/key_root?force=true", "", headers...).problem(404, "not_found")
		if got := listedKeys(s, "/api-keys", headers...); !slices.Equal(got, []string{id}) {
			t.Errorf("the ADMIN sees %q", got)
		}
		if got := listedKeys(s, "/api-keys"); !slices.Equal(got, []string{id, "key_root"}) {
			t.Errorf("root sees %q", got)
		}
	}
	leader.do("POST", "/api-keys/key_root/rotate", "").want(200)
}

// listedKeys walks a list to its end, two keys a page.
func listedKeys(s *testServer, path string, headers ...string) []string {
	s.t.Helper()
	var ids []string
	for cursor := ""; ; {
		page := s.do("GET", withParams(path, "limit=2", cursor), "", headers...).want(200)
		for _, k := range page["apiKeys"].([]any) {
			ids = append(ids, k.(map[string]any)["keyId"].(string))
		}
		next, more := page["nextCursor"].(string)
		if !more {
			return ids
		}
		cursor = "cursor=" + next
	}
}

func withParams(path string, params ...string) string {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	return path + sep + strings.Join(slices.DeleteFunc(params, func(p string) bool { return p == "" }), "&")
}

func TestKeys_List(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	var want []string
	for i := range 7 {
		id, _ := s.issue(admin(fmt.Sprintf("n%d", i%2)))
		want = append(want, id)
	}
	if got := listedKeys(s, "/api-keys"); !slices.Equal(got, append(want, "key_root")) {
		t.Errorf("got %q", got)
	}
	if got := listedKeys(s, "/api-keys?namespace=n1"); !slices.Equal(got, []string{want[1], want[3], want[5]}) {
		t.Errorf("in n1: %q", got)
	}
	next := s.do("GET", "/api-keys?limit=1", "").want(200)["nextCursor"].(string)
	for _, path := range []string{"/api-keys?namespace=n1&cursor=" + next, "/jobs?cursor=" + next, "/api-keys?cursor=x"} {
		if got := fields(s.do("GET", path, "").problem(400, "validation_error")); !slices.Equal(got, []string{"cursor"}) {
			t.Errorf("%s: wrong are %q", path, got)
		}
	}
}

func TestKeys_Once(t *testing.T) {
	t.Parallel()
	leader, follower := pair(t)
	const body = `{"name":"x","role":"READER","namespace":"team"}`
	first := leader.do("POST", "/api-keys", body, headerOnce, "make-1")
	again := follower.do("POST", "/api-keys", body, headerOnce, "make-1")
	if first.want(201); again.status != 201 || again.body != first.body || again.header.Get(headerReplayed) != "true" {
		t.Errorf("status %d, headers %v: %s", again.status, again.header, again.body)
	}
	follower.do("POST", "/api-keys", body, headerOnce, "make-1", headerNamespace, "team").problem(422, "idempotency_mismatch")
	path := "/api-keys/" + leader.ring.keys[0].ID + "/rotate"
	one := follower.do("POST", path, "", headerOnce, "rotate-1")
	two := leader.do("POST", path, "", headerOnce, "rotate-1")
	if one.want(200); two.body != one.body || len(leader.ring.keys) != 1 || leader.ring.made != 2 {
		t.Errorf("rotated twice: %s and %s", one.body, two.body)
	}
}

// A repetition is answered as it was, also when its key is no longer what one may make.
func TestKeys_OnceOfAnExpiredKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := startBare(t, &backend{store: newStore()})
		body := `{"name":"x","role":"READER","expiresAt":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`
		ask := func() *response { return s.ask("POST", "/api-keys", body, headerAPIKey, rootKey, headerOnce, "make-1") }
		first := ask()
		time.Sleep(2 * time.Hour)
		if again := ask(); first.status != 201 || again.status != 201 || string(again.body) != string(first.body) {
			t.Errorf("status %d, then %d: %s", first.status, again.status, again.body)
		}
	})
}
