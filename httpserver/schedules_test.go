package httpserver

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// nextTimes are the times of an answer with slots.
func nextTimes(data map[string]any) []string {
	list := []string{}
	for _, u := range data["nextRuns"].([]any) {
		list = append(list, u.(map[string]any)["at"].(string))
	}
	return list
}

func TestNextRuns(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	got := s.do("GET", path+"/next-runs?count=2", "").want(200)
	want := []any{
		map[string]any{"at": "2026-03-26T16:15:00Z", "local": "2026-03-26T16:15:00Z", "note": nil},
		map[string]any{"at": "2026-03-26T16:20:00Z", "local": "2026-03-26T16:20:00Z", "note": nil},
	}
	if !reflect.DeepEqual(got["nextRuns"], want) { // the first one is the job's nextRunAt
		t.Errorf("got %v, want %v", got["nextRuns"], want)
	}
	all := s.do("GET", path+"/next-runs?count=100&consistency=stale", "").want(200)["nextRuns"].([]any)
	if note := all[9].(map[string]any)["note"]; len(all) != 100 || note != "on the hour" {
		t.Errorf("%d slots, note %v", len(all), note)
	}
	if got := nextTimes(s.do("GET", path+"/next-runs", "").want(200)); len(got) != defaultNextRuns {
		t.Errorf("%d slots without a count", len(got))
	}
}

func TestNextRuns_Ends(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for body, want := range map[string]int{
		plainJob(`,"maxRuns":3`):                    3,
		plainJob(`,"endAt":"2026-03-26T16:17:00Z"`): 3,
		plainJob(`,"state":"PAUSED"`):               0,
		plainJob(`,"maxRuns":50`):                   defaultNextRuns,
		strings.Replace(plainJob(``), `"intervalSeconds":60`, `"runAt":"2026-03-26T16:15:00Z"`, 1): 1,
	} {
		path := jobPath(s.do("POST", "/jobs", body).want(201))
		if got := nextTimes(s.do("GET", path+"/next-runs", "").want(200)); len(got) != want {
			t.Errorf("%s: got %q, want %d", body, got, want)
		}
	}
	path := jobPath(s.do("POST", "/jobs", plainJob(`,"maxRuns":3`)).want(201))
	j := s.jobs[s.lastID]
	for runs, want := range map[int]int{2: 1, 3: 0, 4: 0} {
		j.Runs = runs
		s.jobs[s.lastID] = j
		if got := nextTimes(s.do("GET", path+"/next-runs", "").want(200)); len(got) != want {
			t.Errorf("after %d runs: got %q, want %d", runs, got, want)
		}
	}
}

func TestNextRuns_Refused(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201)) + "/next-runs"
	for query, want := range map[string][]string{
		"count=0": {"count"}, "count=101": {"count"}, "count=": {"count"}, "count=-1": {"count"}, "count=1.5": {"count"}, "count=99999999999999999999": {"count"},
		"count=1&count=2": {"count"}, "from=2026-01-01T00:00:00Z&consistency=x&count=x": {"from", "count", "consistency"},
	} {
		p := s.do("GET", path+"?"+query, "").problem(400, "validation_error")
		if got := fields(p); !slices.Equal(got, want) {
			t.Errorf("%s: fields %q, want %q", query, got, want)
		}
	}
	s.do("GET", path, "", "X-API-KEY", teamKey).problem(404, "not_found")
	s.do("GET", "/jobs/7/next-runs", "").problem(404, "not_found")
	s.do("GET", "/jobs/job_0000000000000001/next-runs", "").problem(404, "not_found")
	s.do("POST", path, "{}").problem(405, "method_not_allowed")
}

func TestPreview(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for body, want := range map[string][]string{
		`{"cronExpression":"*/5 * * * *","from":"2026-03-26T16:15:00Z","count":2}`:                                      {"2026-03-26T16:20:00Z", "2026-03-26T16:25:00Z"}, // strictly later
		`{"intervalSeconds":3600,"timezone":"Europe/Berlin","from":"2026-03-26T16:14:59.999Z","count":1}`:               {"2026-03-26T17:00:00Z"},
		`{"intervalSeconds":7,"startAt":"2026-03-26T16:00:01Z","from":"2026-03-26T17:00:00+01:00","count":2}`:           {"2026-03-26T16:00:01Z", "2026-03-26T16:00:08Z"},
		`{"intervalSeconds":60,"endAt":"2026-03-26T16:02:00Z","from":"2026-03-26T16:00:00Z"}`:                           {"2026-03-26T16:01:00Z", "2026-03-26T16:02:00Z"},
		`{"runAt":"2026-03-26T16:00:00.250Z","from":"2026-03-26T15:00:00Z"}`:                                            {"2026-03-26T16:00:00.250Z"},
		`{"runAt":"2026-03-26T16:00:00Z","from":"2026-03-26T16:00:00Z","cronExpression":null,"startAt":null}`:           {},
		`{"runAt":"2026-03-26T16:00:00Z","intervalSeconds":null,"timezone":null,"from":null,"count":null,"endAt":null}`: {}, // from now on
	} {
		if got := nextTimes(s.do("POST", "/schedules/preview", body).want(200)); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
	got := nextTimes(s.do("POST", "/schedules/preview", `{"intervalSeconds":60}`, "X-API-KEY", readerKey).want(200))
	first, err := time.Parse(time.RFC3339, got[0])
	if err != nil || len(got) != defaultNextRuns || time.Until(first) > time.Minute || time.Until(first) < -time.Minute {
		t.Errorf("from now on: %q", got)
	}
	if s.writes() != 0 {
		t.Error("a preview wrote")
	}
}

func TestPreview_Malformed(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for body, want := range map[string][]string{
		`{}`:                      {"cronExpression"},
		`{"cronExpression":null}`: {"cronExpression"},
		`{"cronExpression":""}`:   {"cronExpression"},
		`{"cronExpression":5}`:    {"cronExpression"},
		`{"cronExpression":"61 * * * *","timezone":"Mars/Olympus"}`:                             {"cronExpression", "timezone"},
		`{"cronExpression":"* * * * *","intervalSeconds":5}`:                                    {"intervalSeconds"},
		`{"runAt":"2026-01-01T00:00:00Z","intervalSeconds":5}`:                                  {"runAt"},
		`{"runAt":"2026-01-01T00:00:00Z","startAt":"2026-01-01T00:00:00Z"}`:                     {"startAt"},
		`{"intervalSeconds":5,"startAt":"2026-01-02T00:00:00Z","endAt":"2026-01-01T00:00:00Z"}`: {"endAt"},
		`{"intervalSeconds":0}`:                                              {"intervalSeconds"},
		`{"intervalSeconds":"x","timezone":5}`:                               {"intervalSeconds", "timezone"},
		`{"intervalSeconds":5,"count":0}`:                                    {"count"},
		`{"intervalSeconds":5,"count":101}`:                                  {"count"},
		`{"intervalSeconds":5,"count":"5"}`:                                  {"count"},
		`{"intervalSeconds":5,"count":1.0}`:                                  {"count"},
		`{"intervalSeconds":5,"count":99999999999999999999}`:                 {"count"},
		`{"intervalSeconds":5,"from":"now"}`:                                 {"from"},
		`{"intervalSeconds":5,"from":"10000-01-01T00:00:00Z"}`:               {"from"},
		`{"intervalSeconds":5,"name":"n","maxRuns":5}`:                       {"name", "maxRuns"},
		`{"from":1,"count":[],"runAt":"x","timezone":"Mars/Olympus","x":{}}`: {"from", "count", "runAt", "x", "timezone"},
		`{"cronExpression":"` + strings.Repeat("*", 300) + `"}`:              {"cronExpression"},
	} {
		p := s.do("POST", "/schedules/preview", body).problem(400, "validation_error")
		if got := fields(p); !slices.Equal(got, want) {
			t.Errorf("%s: fields %q, want %q", clip(body), got, want)
		}
	}
	for _, body := range []string{"", "[]", `{"count":1,"count":2}`, "{\"timezone\":\"\xff\"}"} {
		s.do("POST", "/schedules/preview", body).problem(400, "malformed_json")
	}
	s.do("POST", "/schedules/preview?count=5", `{"intervalSeconds":5}`).problem(400, "validation_error")
	s.do("POST", "/schedules/preview", `{"intervalSeconds":5}`, "Content-Type", "text/plain").problem(415, "unsupported_media_type")
	s.do("GET", "/schedules/preview", "").problem(405, "method_not_allowed")
}

func TestComingSlots_NotDue(t *testing.T) {
	t.Parallel()
	s := &Server{config: Config{Schedules: schedules{}}}
	j := &job.Job{Spec: job.Spec{State: job.Active, Schedule: job.Schedule{Interval: time.Minute}}}
	if got, err := s.comingSlots(j, 5); err != nil || len(got) != 0 {
		t.Errorf("a job without a next run has %v, %v", got, err)
	}
}
