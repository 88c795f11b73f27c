package httpserver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestStats(t *testing.T) {
	t.Parallel()
	numbers := &statistics{fill: func(step int, s *job.Stats) {
		if step == 1 {
			s.Counts = job.Counts{Success: 2, Failed: 1, Skipped: 4, Missed: 5, Cancelled: 6}
			s.Attempts = 9
			s.Lateness.Note(3 * time.Millisecond)
			s.Lateness.Note(700 * time.Millisecond)
		}
	}}
	s := start(t, "n1", &backend{store: newStore()}, func(c *Config) { c.Statistics = numbers })
	a := s.do("GET", "/stats?window=1h&step=20m", "")
	data := a.want(200)
	const filled = `"success":2,"failed":1,"skipped":4,"missed":5,"cancelled":6,"attempts":9,"successRate":0.666666,"latenessMs":{"p50":5,"p90":1000,"p99":1000,"max":1000}`
	const empty = `"success":0,"failed":0,"skipped":0,"missed":0,"cancelled":0,"attempts":0,"successRate":null,"latenessMs":{"p50":null,"p90":null,"p99":null,"max":null}`
	if series := data["series"].([]any); len(series) != 3 || strings.Count(a.body, filled) != 2 || strings.Count(a.body, empty) != 2 || data["stepSeconds"] != float64(1200) {
		t.Errorf("got %s", a.body)
	}
	asked := numbers.asked
	if asked.Namespace != "" || asked.To.Sub(asked.From) != time.Hour || time.Until(asked.To) > 20*time.Minute || !time.Now().Before(asked.To) {
		t.Errorf("asked for %+v", asked)
	}
	s.do("GET", "/stats", "", headerAPIKey, teamKey).want(200)
	if asked := numbers.asked; asked.Namespace != "team" || asked.Step != 15*time.Minute || asked.To.Sub(asked.From) != 24*time.Hour {
		t.Errorf("asked for %+v", asked)
	}
	s.do("GET", "/stats?namespace=team", "").want(200)
	s.do("GET", "/stats?namespace=default", "", headerAPIKey, teamKey).problem(403, "forbidden")
}

func TestStatsWindow(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 26, 16, 12, 30, 0, time.UTC)
	for query, want := range map[string]string{
		"":                             "03-25T16:15 to 03-26T16:15 by 15m0s",
		"window=1h":                    "03-26T15:13 to 03-26T16:13 by 1m0s",
		"window=7d":                    "03-19T17:00 to 03-26T17:00 by 1h0m0s",
		"window=31d":                   "02-23T18:00 to 03-26T18:00 by 6h0m0s",
		"window=1m":                    "03-26T16:12 to 03-26T16:13 by 1m0s",
		"window=1d1h&step=1m":          "03-25T15:13 to 03-26T16:13 by 1m0s",
		"window=90m&step=1h":           "03-26T15:00 to 03-26T17:00 by 1h0m0s",
		"window=7200s":                 "03-26T14:13 to 03-26T16:13 by 1m0s",
		"window=4w":                    "02-26T18:00 to 03-26T18:00 by 6h0m0s",
		"window=31d&step=1m":           "step: must be at least 30m: a series has at most 1500 steps",
		"window=1h&step=2h":            "step: must not be longer than the window, 1h",
		"window=32d":                   "window: must be a duration",
		"window=90s":                   "window: must be a duration",
		"window=":                      "window: must be a duration",
		"window=h":                     "window: must be a duration",
		"window=-1h":                   "window: must be a duration",
		"window=1.5h":                  "window: must be a duration",
		"window=1h1h":                  "window: must be a duration",
		"window=1m1h":                  "window: must be a duration",
		"window=1h&step=0m":            "step: must be a duration",
		"window=99999999999999999999h": "window: must be a duration",
		"window=9223372036854775807w":  "window: must be a duration",
	} {
		q := parseQuery(query, []string{paramWindow, paramStep})
		ask := q.statsWindow(at)
		got := fmt.Sprintf("%s to %s by %s", ask.From.Format("01-02T15:04"), ask.To.Format("01-02T15:04"), ask.Step)
		for _, e := range q.errs {
			got = e.Field + ": " + e.Msg
		}
		if len(q.errs) > 1 || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}
