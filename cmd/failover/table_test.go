package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

func sample() *result {
	return &result{
		scenario: scenario{name: "x", title: "kill it"},
		numbers: numbers{
			slots: 100, called: 90, skipped: 8, missed: 2, excused: 1,
			late: checker.Quantiles{P50: 7 * time.Millisecond, P99: 2 * time.Second, Max: 12345 * time.Millisecond},
		},
		ops: opCounts{ok: 5, refused: 6, unknown: 7}, writeGap: 2100 * time.Millisecond,
		firsts: []time.Duration{time.Second, 3 * time.Second, 2 * time.Second},
	}
}

func TestCells(t *testing.T) {
	t.Parallel()
	got := strings.Join(sample().cells(), "|")
	if want := "kill it|100|90|8|2|7 ms|2.0 s|12.3 s|0|1|0|5|6|7|2.1 s|2.0 s|passed"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	out := &result{scenario: scenario{title: "cut"}, leftOut: "no network"}
	if row := out.cells(); len(row) != len(heading) || row[0] != "cut" || row[len(row)-1] != "left out: no network" {
		t.Errorf("got %q", row)
	}
}

func TestText_AlignsColumns(t *testing.T) {
	t.Parallel()
	lines := strings.Split(text([]cells{heading, sample().cells()}), "\n")
	if end := strings.Index(lines[0], "slots") + len("slots"); lines[1][end-4:end] != " 100" {
		t.Errorf("numbers are not below the end of their heading:\n%s\n%s", lines[0], lines[1])
	}
	if begin := strings.Index(lines[0], "verdict"); lines[1][begin:] != "passed" {
		t.Errorf("words are not below the begin of their heading:\n%s\n%s", lines[0], lines[1])
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	got := strings.Split(markdown([]cells{heading, sample().cells()}), "\n")
	if len(got) != 4 || got[1] != "| --- |"+strings.Repeat(" ---: |", len(heading)-2)+" --- |" || !strings.HasPrefix(got[2], "| kill it | 100 |") {
		t.Errorf("got %q", got)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	bad := sample()
	bad.history = "somewhere"
	for range shownProblems + 5 {
		bad.fail("it is broken")
	}
	left := &result{scenario: scenario{title: "cut"}, leftOut: "no network"}
	for name, c := range map[string]struct {
		results []*result
		want    string // in the error; empty: none
		shows   []string
	}{
		"passed":              {[]*result{sample(), left}, "", []string{"passed", "left out: no network", "after 1.0 s 3.0 s 2.0 s; median 2.0 s"}},
		"broken":              {[]*result{sample(), bad}, "35 violations", []string{"35 VIOLATIONS (history and logs: somewhere)", "  - it is broken", "and 5 more"}},
		"everything left out": {[]*result{left}, "nothing was tried", nil},
		"nothing was run":     {nil, "", nil},
	} {
		var out bytes.Buffer
		file := filepath.Join(t.TempDir(), "table.md")
		err := report(&out, settings{markdown: file}, c.results)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got the error %v, want %q", name, err, c.want)
		}
		for _, s := range c.shows {
			if !strings.Contains(out.String(), s) {
				t.Errorf("%s: there is no %q in\n%s", name, s, out.String())
			}
		}
		page, err := os.ReadFile(file)
		if len(c.results) > 0 && (err != nil || strings.Count(string(page), "\n") != 2+len(c.results)) {
			t.Errorf("%s: the page is %q, %v", name, page, err)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scenario scenario
		numbers  numbers
		firsts   []time.Duration
		want     string
	}{
		"good":                 {scenario{isSmooth: true}, numbers{slots: 1, called: 1}, nil, ""},
		"nothing was demanded": {scenario{}, numbers{called: 1}, nil, "nothing was measured"},
		"nothing was called":   {scenario{}, numbers{slots: 1}, nil, "nothing was measured"},
		"smooth, doubled":      {scenario{isSmooth: true}, numbers{slots: 1, called: 1, excused: 1}, nil, "requests doubled: 1"},
		"smooth, missing":      {scenario{isSmooth: true}, numbers{slots: 1, called: 1, missing: 1}, nil, "slots missing: 1"},
		"rough, doubled":       {scenario{}, numbers{slots: 1, called: 1, excused: 1}, nil, ""},
		"too late":             {scenario{latest: time.Second}, numbers{slots: 1, called: 1, late: checker.Quantiles{Max: 2 * time.Second}}, nil, "was 2s late"},
		"resumes too late":     {scenario{resumes: time.Second}, numbers{slots: 1, called: 1}, []time.Duration{1, 2 * time.Second, 3 * time.Second}, "after 2s in the median"},
	} {
		r := &result{scenario: c.scenario, numbers: c.numbers, firsts: c.firsts, ops: opCounts{ok: 1}}
		r.checkCounts()
		r.checkTimes()
		if got := strings.Join(r.problems, "\n"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
