package httpserver

import (
	"slices"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

func TestIsNamespace(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "0", "team-7", "-", strings.Repeat("x", 63)} {
		if !isNamespace(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"", "A", "a_b", "a b", "ä", "a.b", "*", strings.Repeat("x", 64)} {
		if isNamespace(s) {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestNamespace_OfACreation(t *testing.T) {
	t.Parallel()
	root, team := theRootKey, job.APIKey{Namespace: "team", Role: job.RoleEditor}
	root.Namespace = "where-the-key-is"
	for name, tt := range map[string]struct {
		key     job.APIKey
		headers []header
		want    string
		code    job.Code
	}{
		"root":                {key: root, want: "default"},
		"root, named":         {key: root, headers: []header{{"x-cron-namespace", "other"}}, want: "other"},
		"root, misspelt":      {key: root, headers: []header{{headerNamespace, "Other"}}, code: job.CodeValidation},
		"root, empty":         {key: root, headers: []header{{headerNamespace, ""}}, code: job.CodeValidation},
		"root, named twice":   {key: root, headers: []header{{headerNamespace, "a"}, {headerNamespace, "a"}}, code: job.CodeValidation},
		"a key":               {key: team, want: "team"},
		"a key, its own":      {key: team, headers: []header{{headerNamespace, "team"}}, want: "team"},
		"a key, another":      {key: team, headers: []header{{headerNamespace, "other"}}, code: job.CodeForbidden},
		"a key, no namespace": {key: team, headers: []header{{headerNamespace, ""}}, code: job.CodeForbidden},
	} {
		c := &call{request: &request{headers: tt.headers}, key: tt.key}
		by, err := c.creator()
		if by.Namespace != tt.want || (tt.code == "") != (err == nil) || err != nil && job.CodeOf(err) != tt.code {
			t.Errorf("%s: got %q (%v), want %q %s", name, by.Namespace, err, tt.want, tt.code)
		}
		if err == nil && (by.Root != tt.key.Root || by.Role != tt.key.Role) {
			t.Errorf("%s: it is not the caller's key: %+v", name, by)
		}
	}
}

func TestNamespace_OfAList(t *testing.T) {
	t.Parallel()
	team := job.APIKey{Namespace: "team", Role: job.RoleEditor}
	for name, tt := range map[string]struct {
		key       job.APIKey
		query     string
		want      string
		forbidden bool
		wrong     []string
	}{
		"root":             {key: theRootKey, want: ""},
		"root, one":        {key: theRootKey, query: "namespace=team", want: "team"},
		"root, misspelt":   {key: theRootKey, query: "namespace=T", want: "T", wrong: []string{"namespace"}},
		"root, empty":      {key: theRootKey, query: "namespace=", wrong: []string{"namespace"}},
		"a key":            {key: team, want: "team"},
		"a key, its own":   {key: team, query: "namespace=team", want: "team"},
		"a key, another":   {key: team, query: "namespace=other", forbidden: true},
		"a key, all":       {key: team, query: "namespace=", forbidden: true},
		"a key, another 2": {key: team, query: "namespace=TEAM", forbidden: true},
	} {
		c, q := &call{request: &request{}, key: tt.key}, parseQuery(tt.query, []string{paramNamespace})
		got, err := c.listed(q)
		var wrong []string
		for _, e := range q.errs {
			wrong = append(wrong, e.Field)
		}
		if got != tt.want || (err != nil) != tt.forbidden || err != nil && job.CodeOf(err) != job.CodeForbidden || !slices.Equal(wrong, tt.wrong) {
			t.Errorf("%s: got %q (%v), wrong %q; want %q, wrong %q", name, got, err, wrong, tt.want, tt.wrong)
		}
	}
}
