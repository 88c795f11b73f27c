package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cronraft/cronraft/internal/job"
)

const fullJob = `{"name":"full","description":"two\nlines","tags":{"b":"yes","a":"1"},"externalId":"x/1","cronExpression":"*/5 * * * *","timezone":"Europe/Berlin",` +
	`"startAt":"2026-01-01T00:00:00Z","endAt":"2027-01-01T00:00:00.250Z","maxRuns":7,"jitterSeconds":3,"state":"PAUSED","pauseReason":"null","targetUrl":"https://t.test/?a=1&b=<2>",` +
	`"httpMethod":"PUT","headers":{"X-A":"secret"},"body":"{\"a\": 1}\n","timeoutSeconds":5,"successStatuses":["204","3XX"],"followRedirects":true,"retries":2,"retryDelaySeconds":0,` +
	`"retryBackoff":"EXPONENTIAL","retryMaxDelaySeconds":60,"overlapPolicy":"ALLOW","misfirePolicy":"SKIP","catchupWindowSeconds":1,"deliveryGuarantee":"AT_MOST_ONCE",` +
	`"pauseAfterConsecutiveFailures":4,"signPayloads":true,"captureResponse":"ALWAYS"}`

// hidden is what an export shows of fullJob.
var hidden = strings.Replace(strings.Replace(fullJob, `"secret"`, `"***"`, 1), `{"b":"yes","a":"1"}`, `{"a":"1","b":"yes"}`, 1)

func TestExport_JSON(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	a := s.do("GET", "/jobs/export", "")
	if a.body != "{\"status\":\"OK\",\"data\":{\"jobs\":[\n]}}\n" || a.header.Get("Content-Type") != contentJSON {
		t.Errorf("without jobs: %q, %v", a.body, a.header)
	}
	s.do("POST", "/jobs", plainJob(`,"retries":0,"headers":{},"timezone":"UTC","body":""`)).want(201)
	s.do("POST", "/jobs", fullJob).want(201)
	a = s.do("GET", "/jobs/export?format=json", "")
	want := `{"status":"OK","data":{"jobs":[` + "\n" + `{"name":"n","externalId":"job_8e4f2a1b00000001","intervalSeconds":60,"targetUrl":"http://t.test/","body":""},` + "\n" + hidden + "\n]}}\n"
	if a.body != want {
		t.Errorf("got\n%s\nwant\n%s", a.body, want)
	}
	s.do("POST", "/jobs/import", a.body).wantApplied(0, 1, 1, 0, 0) // one had no external ID
	if a := s.do("HEAD", "/jobs/export", ""); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
}

func TestExport_YAML(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	if a := s.do("GET", "/jobs/export?format=yaml", ""); a.body != "jobs: []\n" || a.header.Get("Content-Type") != contentYAML {
		t.Errorf("without jobs: %q, %v", a.body, a.header)
	}
	s.do("POST", "/jobs", plainJob("")).want(201)
	s.do("POST", "/jobs", fullJob).want(201)
	text := s.do("GET", "/jobs/export?format=yaml", "").body
	for _, line := range []string{
		"jobs:\n- name: \"n\"\n", "\n- name: full\n", `description: "two\nlines"`, `b: "yes"`, `a: "1"`, "cronExpression: '*/5 * * * *'", `endAt: "2027-01-01T00:00:00.250Z"`,
		`pauseReason: "null"`, "X-A: '***'", `body: "{\"a\": 1}\n"`, `successStatuses: ["204", 3XX]`, "followRedirects: true",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
	s.do("POST", "/jobs/apply?format=yaml", text[strings.Index(text, "- name: full"):]).wantApplied(0, 0, 1, 0, 0)
}

func TestExport_FiltersAndPages(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	const count = 2*maxLimit + 3
	for i := range count {
		team := "a"
		if i%2 == 1 {
			team = "b"
		}
		spec := job.DefaultSpec()
		spec.Name, spec.Tags, spec.Schedule.Interval, spec.Target.URL = fmt.Sprint("j", i), []job.Tag{{Key: "team", Value: team}}, time.Minute, "http://t.test/"
		if _, _, err := (jobBackend{s.backend}).Create(t.Context(), theRootKey, spec, nil); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{"": count, "?tag=team:b": count / 2, "?namespace=team": 0, "?namePrefix=j1002": 1, "?consistency=stale&state=ACTIVE": count} {
		a := s.do("GET", "/jobs/export"+query, "")
		if got := len(a.want(200)["jobs"].([]any)); got != want {
			t.Errorf("%q: got %d jobs, want %d", query, got, want)
		}
	}
	for query, field := range map[string]string{"?limit=1": "limit", "?format=csv": "format", "?state=X": "state", "?style=x": "style"} {
		if got := fields(s.do("GET", "/jobs/export"+query, "").problem(400, "validation_error")); len(got) != 1 || got[0] != field {
			t.Errorf("%q: fields %v", query, got)
		}
	}
	if got := s.do("GET", "/jobs/export", "", "X-API-KEY", readerKey).want(200); len(got["jobs"].([]any)) > 0 {
		t.Error("a key sees another namespace")
	}
}

// brokenPages has a first page, and no second one.
type brokenPages struct{ jobBackend }

func (b brokenPages) List(ctx context.Context, q job.JobQuery) (job.JobPage, error) {
	if q.After.ID != 0 {
		return job.JobPage{}, errDisk
	}
	return job.JobPage{Jobs: []job.Job{{ID: 1, Spec: job.DefaultSpec()}}, Next: &job.JobPosition{ID: 1}}, nil
}

func TestExport_BreaksRatherThanLeavesOut(t *testing.T) {
	t.Parallel()
	b := &backend{store: newStore()}
	s := start(t, "n1", b, func(c *Config) { c.Jobs = brokenPages{jobBackend{b}} })
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://cron.test"+basePath+"/jobs/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(headerAPIKey, rootKey)
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, err := io.ReadAll(res.Body); err == nil || errors.Is(err, io.EOF) || json.Valid(text) {
		t.Errorf("got %q as a whole", text)
	}
}

func TestExport_Crontab(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for _, body := range []string{
		plainJob(`,"retries":2`),
		`{"name":"odd","intervalSeconds":7,"targetUrl":"http://t.test/"}`,
		`{"name":"once","runAt":"2027-01-01T00:00:00Z","targetUrl":"http://t.test/"}`,
		fullJob,
		`{"name":"last day","cronExpression":"0 0 L * *","targetUrl":"http://t.test/"}`,
		`{"name":"report","cronExpression":"0  3 * * *","timezone":"Asia/Tokyo","targetUrl":"http://t.test/r","headers":{"X-A":"s"},"body":"100%","overlapPolicy":"ALLOW","description":"why"}`,
		`{"name":"two lines","intervalSeconds":3600,"targetUrl":"http://t.test/","body":"a\nb"}`,
		`{"name":"date","cronExpression":"@daily","targetUrl":"http://t.test/","body":"{\"command\":\"date +%F\",\"user\":null,\"stdin\":\"x\\n\"}"}`,
	} {
		s.do("POST", "/jobs", body).want(201)
	}
	a := s.do("GET", "/jobs/export?format=crontab", "")
	_, text, _ := strings.Cut(a.body, "hidden.\n")
	want := `# n
CRON_TZ=UTC
# cronraft: job_8e4f2a1b00000001
* * * * * curl -fsS -X POST --retry 2 http://t.test/
# odd (job_8e4f2a1b00000002)
#   is not in this crontab: it runs every 7 seconds, which no five fields say
# once (job_8e4f2a1b00000003)
#   is not in this crontab: it runs once, at 2027-01-01T00:00:00Z
# full (job_8e4f2a1b00000004)
#   is not in this crontab: it is paused
# last day (job_8e4f2a1b00000005)
#   is not in this crontab: its schedule is 0 0 L * *, and the day of month "L": "L" is no number from 1 to 31
# report
#   the line below leaves out: description "why", overlapPolicy "ALLOW"
CRON_TZ=Asia/Tokyo
# cronraft: job_8e4f2a1b00000006
0 3 * * * curl -fsS -H 'X-A: ***' -H 'Content-Type: text/plain; charset=utf-8' --data-raw '100\%' http://t.test/r
# two lines (job_8e4f2a1b00000007)
#   is not in this crontab: the command has a line break
# date
CRON_TZ=UTC
# cronraft: job_8e4f2a1b00000008
@daily date +\%F%x
`
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	system := s.do("GET", "/jobs/export?format=crontab&style=system", "").body
	if !strings.Contains(system, "* * * * * nobody curl -fsS") || !strings.Contains(system, "#   is not in this crontab: it has no user") {
		t.Errorf("in the system's style:\n%s", system)
	}
}

// TestExport_CrontabVariables: a crontab cannot take a variable back, so the lines that
// have fewer of them come first, whatever order the jobs are in.
func TestExport_CrontabVariables(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for _, env := range []string{`"MAILTO":"a@x.test","SHELL":"/bin/bash"`, `"SHELL":"/bin/bash"`, ``, `"MAILTO":"b@x.test","SHELL":"/bin/bash"`} {
		body := `,"cronExpression":"@daily"`
		if env != "" {
			body += `,"body":` + strconv.Quote(`{"command":"date","user":null,"stdin":null,"env":{`+env+`}}`)
		}
		s.do("POST", "/jobs", `{"name":"date","targetUrl":"http://t.test/"`+body+`}`).want(201)
	}
	a := s.do("GET", "/jobs/export?format=crontab", "")
	_, text, _ := strings.Cut(a.body, "hidden.\n")
	want := `# date
CRON_TZ=UTC
# cronraft: job_8e4f2a1b00000003
@daily curl -fsS -X POST http://t.test/
# date
SHELL=/bin/bash
# cronraft: job_8e4f2a1b00000002
@daily date
# date
MAILTO=a@x.test
# cronraft: job_8e4f2a1b00000001
@daily date
# date
MAILTO=b@x.test
# cronraft: job_8e4f2a1b00000004
@daily date
`
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestExport_Divisors(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int]string{
		30: "", 60: "* * * * *", 300: "*/5 * * * *", 420: "", 1800: "*/30 * * * *", 3600: "0 * * * *", 5400: "", 7200: "0 */2 * * *", 18000: "", 43200: "0 */12 * * *", 86400: "0 0 * * *", 172800: "", 604800: "0 0 * * 4",
	} {
		if got, ok := divisor(time.Duration(seconds) * time.Second); got != want || ok != (want != "") {
			t.Errorf("%d: got %q, want %q", seconds, got, want)
		}
	}
}

// drawJob draws a job as a body of JSON.
func drawJob(t *rapid.T, id int) string {
	text := func(label string) string {
		s, _ := json.Marshal(rapid.StringMatching("[ -~é\u2028\u0085\u00a0\ufeff]{0,20}").Draw(t, label) + rapid.SampledFrom([]string{"", "yes", "1e3", "~", "a: b", " #", "- x", "2026-01-01", "0x1f", "null", "=", "<<"}).Draw(t, label))
		return string(s)
	}
	var b strings.Builder
	name := "n"
	fmt.Fprintf(&b, `{"externalId":"id %d","name":%q,"targetUrl":"http://t.test/","intervalSeconds":%d`, id, name, rapid.IntRange(1, 1000).Draw(t, "interval"))
	if rapid.Bool().Draw(t, "body") {
		line, _ := json.Marshal(rapid.StringMatching("([ -~é]|\n|\t|\r|\x7f|\x01|\x00){0,30}").Draw(t, "body"))
		fmt.Fprintf(&b, `,"body":%s`, line)
	}
	if rapid.Bool().Draw(t, "more") {
		fmt.Fprintf(&b, `,"description":%s,"tags":{"k":%s,"yes":"no"},"headers":{"X-A":"v"}`, text("description"), text("tag"))
	}
	if rapid.Bool().Draw(t, "paused") {
		fmt.Fprintf(&b, `,"state":"PAUSED","pauseReason":%s,"successStatuses":["204"],"retries":%d,"startAt":"2026-01-01T00:00:00.%03dZ"`, text("reason"), rapid.IntRange(0, 50).Draw(t, "retries"), rapid.IntRange(0, 999).Draw(t, "ms"))
	}
	return b.String() + "}"
}

// TestExport_FixedPoint: what an export writes, an import takes for what there is.
func TestExport_FixedPoint(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	rapid.Check(t, func(r *rapid.T) {
		var jobs []string
		for i := range rapid.IntRange(0, 3).Draw(r, "jobs") {
			jobs = append(jobs, drawJob(r, i))
		}
		first := s.do("POST", "/jobs/import", bulkOf(jobs...)).applied()
		if first.Created != len(jobs) {
			// A text may break a rule of its own; then the others are what is compared.
			if first.Created+first.Failed != len(jobs) {
				r.Fatalf("%+v", first)
			}
		}
		for _, format := range []string{"json", "yaml"} {
			text := s.do("GET", "/jobs/export?format="+format, "").body
			again := s.do("POST", "/jobs/apply?prune=true&format="+format, text).applied()
			if again.Unchanged != first.Created || again.Created+again.Updated+again.Deleted > 0 {
				r.Fatalf("after %+v the import of\n%s\ncame to %+v", first, text, again)
			}
		}
		s.mu.Lock()
		clear(s.jobs)
		s.mu.Unlock()
	})
}
