package main

import (
	"slices"
	"strings"
	"testing"
)

func namesOf(all []scenario) []string {
	var names []string
	for _, sc := range all {
		names = append(names, sc.name)
	}
	return names
}

func TestChoose(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings settings
		has      []string
		hasNot   []string
		want     string // in the error
	}{
		"by default all":       {settings{}, []string{"none", "kill-all", "majority-ring"}, []string{"first-callback"}, ""},
		"full":                 {settings{full: true}, []string{"none", "kill-all"}, []string{"first-callback"}, ""},
		"short":                {settings{short: true}, []string{"none", "fsync-error"}, []string{"kill-all", "first-callback"}, ""},
		"named":                {settings{only: "first-callback,kill-all", short: true}, []string{"kill-all", "first-callback"}, []string{"none"}, ""},
		"named wrongly":        {settings{only: "none,kil-all"}, nil, nil, `no scenario "kil-all"`},
		"short and full":       {settings{short: true, full: true}, nil, nil, "exclude"},
		"blanks are no places": {settings{only: " "}, nil, nil, "no scenario"},
	} {
		chosen, err := c.settings.choose()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got the error %v, want %q", name, err, c.want)
		}
		got := namesOf(chosen)
		for _, n := range c.has {
			if !slices.Contains(got, n) {
				t.Errorf("%s: there is no %s in %v", name, n, got)
			}
		}
		for _, n := range c.hasNot {
			if slices.Contains(got, n) {
				t.Errorf("%s: there is %s in %v", name, n, got)
			}
		}
	}
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, sc := range scenarios {
		if sc.name == "" || sc.title == "" || sc.play == nil || seen[sc.name] || strings.ContainsAny(sc.name, ", /") {
			t.Errorf("a bad scenario: %+v", sc)
		}
		if sc.nodes > maxNodes {
			t.Errorf("%s needs more nodes than a network has", sc.name)
		}
		seen[sc.name] = true
	}
}
