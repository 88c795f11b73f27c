package httpserver

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// catalogue makes some jobs, of which the list shows the names.
func catalogue(t *testing.T, s *testServer) {
	t.Helper()
	body := `{"name":%q,"intervalSeconds":60,"targetUrl":"http://t.test/","state":%q,"tags":%s,"externalId":%q}`
	s.do("POST", "/jobs", fmt.Sprintf(body, "beta", "ACTIVE", `{"team":"a","env":"prod"}`, "x-1")).want(201)
	s.do("POST", "/jobs", fmt.Sprintf(body, "alpha 2", "PAUSED", `{"team":"a"}`, "x-2")).want(201)
	s.do("POST", "/jobs", fmt.Sprintf(body, "alpha 1", "ACTIVE", `{"team":"b:c","env":"prod"}`, "x-3")).want(201)
	s.do("POST", "/jobs", fmt.Sprintf(body, "alpha ops", "ACTIVE", `{}`, "x-1"), "X-Cron-Namespace", "ops").want(201)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, j := range s.jobs {
		if j.Name == "beta" {
			j.LastResult = job.Failed
			s.jobs[id] = j
		}
	}
	s.jobs[1] = job.Job{ID: 1, Namespace: "default", Spec: job.Spec{Name: "a webhook"}, Hook: &job.Hook{}}
}

func names(page map[string]any) []string {
	list := []string{}
	for _, j := range page["jobs"].([]any) {
		list = append(list, j.(map[string]any)["name"].(string))
	}
	return list
}

func TestListJobs_Filters(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	catalogue(t, s)
	for query, want := range map[string][]string{
		"":                                   {"beta", "alpha 2", "alpha 1", "alpha ops"},
		"namespace=default":                  {"beta", "alpha 2", "alpha 1"},
		"namespace=ops":                      {"alpha ops"},
		"namespace=none":                     {},
		"state=PAUSED":                       {"alpha 2"},
		"state=COMPLETED":                    {},
		"lastResult=FAILED":                  {"beta"},
		"lastResult=SUCCESS":                 {},
		"tag=team:a":                         {"beta", "alpha 2"},
		"tag=team:a&tag=env:prod":            {"beta"},
		"tag=env:prod&tag=team:a&tag=team:a": {"beta"},
		"tag=team:b%3Ac":                     {"alpha 1"},
		"tag=team:":                          {},
		"tag=team:a&tag=team:b":              {},
		"namePrefix=alpha":                   {"alpha 1", "alpha 2", "alpha ops"},
		"namePrefix=alpha+1":                 {"alpha 1"},
		"namePrefix=alpha&state=ACTIVE":      {"alpha 1", "alpha ops"},
		"externalId=x-1":                     {"beta", "alpha ops"},
		"externalId=x-1&namespace=ops":       {"alpha ops"},
		"externalId=x-9":                     {},
	} {
		if got := names(s.do("GET", "/jobs?"+query, "").want(200)); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	if got := names(s.do("GET", "/jobs?namespace=team", "", "X-API-KEY", teamKey).want(200)); len(got) != 0 {
		t.Errorf("the team sees %q", got)
	}
	s.do("GET", "/jobs?namespace=ops", "", "X-API-KEY", teamKey).problem(403, "forbidden")
}

func TestListJobs_FilteredPages(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	catalogue(t, s)
	const filters = "&namePrefix=alpha&namespace=default"
	first := s.do("GET", "/jobs?limit=1"+filters, "").want(200)
	cursor := "&cursor=" + first["nextCursor"].(string)
	second := s.do("GET", "/jobs?limit=5"+filters+cursor, "").want(200)
	if got := append(names(first), names(second)...); !slices.Equal(got, []string{"alpha 1", "alpha 2"}) || second["nextCursor"] != nil {
		t.Errorf("got %q, cursor %v", got, second["nextCursor"])
	}
	for _, other := range []string{"/jobs?x=1" + cursor, "/jobs?namePrefix=alpha" + cursor, "/jobs?namePrefix=alpha&namespace=ops" + cursor, "/executions?limit=1" + cursor} {
		p := s.do("GET", other, "").problem(400, "validation_error")
		if !slices.Contains(fields(p), "cursor") {
			t.Errorf("%s: fields %q", other, fields(p))
		}
	}
}

func TestListJobs_Malformed(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	long := strings.Repeat("é", 320)
	for query, want := range map[string][]string{
		"state=active":                       {"state"},
		"state=":                             {"state"},
		"state=ACTIVE&state=PAUSED":          {"state"},
		"lastResult=RUNNING":                 {"lastResult"},
		"tag=team":                           {"tag"},
		"tag=":                               {"tag"},
		"tag=:x":                             {"tag"},
		"tag=" + url.QueryEscape(long) + ":": {"tag"},
		"tag=a:" + url.QueryEscape(long):     {"tag"},
		"tag=a:%0a":                          {"tag"},
		"tag=a:%ff":                          {"tag"},
		strings.Repeat("tag=a:b&", 11):       {"tag"},
		"namePrefix=":                        {"namePrefix"},
		"namePrefix=" + long:                 {"namePrefix"},
		"namePrefix=%ff":                     {"namePrefix"},
		"externalId=":                        {"externalId"},
		"externalId=%00":                     {"externalId"},
		"namespace=":                         {"namespace"},
		"namespace=A+b":                      {"namespace"},
		"cursor=x&limit=0&state=x&tag=x&lastResult=x&consistency=x&color=x": {"color", "state", "lastResult", "tag", "cursor", "limit", "consistency"},
	} {
		p := s.do("GET", "/jobs?"+query, "").problem(400, "validation_error")
		if got := fields(p); !slices.Equal(got, want) {
			t.Errorf("%s: fields %q, want %q", clip(query), got, want)
		}
	}
}
