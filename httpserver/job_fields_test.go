package httpserver

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// refused stands for a value that is told as an error of its field.
const refused = "refused"

// fieldTests has values for fields, as they are sent and as they are shown then.
var fieldTests = map[string]map[string]any{
	"tags": {
		`null`: map[string]any{}, `{}`: map[string]any{}, `{"b":"2","a":""}`: map[string]any{"a": "", "b": "2"},
		`{"a":null}`: map[string]any{}, `{"` + strings.Repeat("é", 63) + `":"` + strings.Repeat("é", 256) + `"}`: map[string]any{strings.Repeat("é", 63): strings.Repeat("é", 256)},
		`[]`: refused, `"a:b"`: refused, `{"a:b":"c"}`: refused, `{"":"x"}`: refused, `{"a\nb":"c"}`: refused,
		`{` + manyMembers(33) + `}`: refused, `{` + manyMembers(65) + `}`: refused,
	},
	"externalId": {
		`null`: nil, `"billing/1 x"`: "billing/1 x", `"` + strings.Repeat("x", 255) + `"`: strings.Repeat("x", 255),
		`""`: refused, `"` + strings.Repeat("x", 256) + `"`: refused, `"ü"`: refused, `" x"`: refused, `"a\nb"`: refused, `5`: refused, `{}`: refused,
	},
	"startAt": {
		`null`: nil, `"2026-03-26T16:15:00Z"`: "2026-03-26T16:15:00Z", `"2026-03-26T16:15:00.250999+01:00"`: "2026-03-26T15:15:00.250Z",
		`"1971-01-01T00:00:00.001Z"`: "1971-01-01T00:00:00.001Z", `"9999-12-31T23:59:59.9999Z"`: "9999-12-31T23:59:59.999Z", `"2026-03-26T16:15:00-23:59"`: "2026-03-27T16:14:00Z",
		`""`: refused, `0`: refused, `1774541700`: refused, `"2026-03-26"`: refused, `"2026-03-26T16:15:00"`: refused, `"2026-03-26 16:15:00Z"`: refused,
		`"2026-02-30T00:00:00Z"`: refused, `"2026-03-26T24:00:00Z"`: refused, `"2026-03-26T16:15:00,5Z"`: refused, `"2026-03-26T6:15:00Z"`: refused, `"2026-03-26T16:15:00+24:00"`: refused, `"2026-03-26T16:15:00+01:60"`: refused, `"2026-03-26t16:15:00z"`: refused, `" 2026-03-26T16:15:00Z"`: refused,
		`"1969-12-31T23:59:59Z"`: refused, `"1970-01-01T00:00:00+00:01"`: refused, `"1970-12-31T23:59:59Z"`: refused, `"9999-12-31T23:59:59-00:01"`: refused, `"10000-01-01T00:00:00Z"`: refused, `"0000-01-01T00:00:00Z"`: refused,
	},
	"endAt":                         {`null`: nil, `"2026-03-26T16:15:00Z"`: "2026-03-26T16:15:00Z", `"tomorrow"`: refused, `"1969-12-31T23:59:59Z"`: refused},
	"maxRuns":                       {`null`: nil, `1`: 1.0, `1000000000`: 1e9, `0`: refused, `-0`: refused, `-1`: refused, `1.0`: refused, `"1"`: refused, `1000000001`: refused, `99999999999999999999`: refused},
	"jitterSeconds":                 {`null`: 0.0, `0`: 0.0, `86400`: 86400.0, `-1`: refused, `86401`: refused, `"1"`: refused, `0.5`: refused},
	"pauseAfterConsecutiveFailures": {`null`: 0.0, `0`: 0.0, `1000`: 1000.0, `-1`: refused, `1001`: refused, `true`: refused},
	"retries":                       {`null`: 0.0, `50`: 50.0, `51`: refused, `-1`: refused},
	"timeoutSeconds":                {`null`: 30.0, `1800`: 1800.0, `0`: refused, `1801`: refused},
	"description":                   {`null`: nil, `""`: nil, `"a\nb"`: "a\nb", `"` + strings.Repeat("x", 501) + `"`: refused},
	"intervalSeconds":               {`1`: 1.0, `31536000`: 31536000.0, `0`: refused, `-0`: refused, `31536001`: refused, `1e3`: refused},
}

func TestFields(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for field, values := range fieldTests {
		for value, want := range values {
			body := fmt.Sprintf(`{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/",%q:%s}`, field, value)
			if field == "intervalSeconds" {
				body = fmt.Sprintf(`{"name":"n","targetUrl":"http://t.test/",%q:%s}`, field, value)
			}
			s.deleteAll() // external IDs are unique
			a := s.do("POST", "/jobs", body)
			checkField(t, "POST", field, value, want, a)

			s.deleteAll()
			path := jobPath(s.do("POST", "/jobs", `{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/"}`).want(201))
			checkField(t, "PATCH", field, value, want, s.do("PATCH", path, fmt.Sprintf("{%q:%s}", field, value)))
			checkField(t, "PUT", field, value, want, s.do("PUT", path, body))
		}
	}
}

func (s *store) deleteAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.jobs)
}

func checkField(t *testing.T, method, field, value string, want any, a answer) {
	t.Helper()
	if want == refused {
		p := a.problem(400, "validation_error")
		if len(p.Errors) != 1 || p.Errors[0].Field != field && !strings.HasPrefix(p.Errors[0].Field, field+".") {
			t.Errorf("%s %s %s: fields %q", method, field, clip(value), fields(p))
		}
		return
	}
	if a.status > 201 {
		t.Errorf("%s %s %s: %d %s", method, field, clip(value), a.status, a.body)
		return
	}
	var envelope struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(a.body), &envelope); err != nil || !reflect.DeepEqual(envelope.Data[field], want) {
		t.Errorf("%s %s %s: it is shown as %v, want %v (%v)", method, field, clip(value), envelope.Data[field], want, err)
	}
}

func TestPatch_Tags(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for patch, want := range map[string][]job.Tag{
		`{"name":"m"}`:                      {{Key: "b", Value: "2"}, {Key: "d", Value: "4"}},
		`{"tags":{}}`:                       {{Key: "b", Value: "2"}, {Key: "d", Value: "4"}},
		`{"tags":{"c":"3","a":"1"}}`:        {{Key: "a", Value: "1"}, {Key: "b", Value: "2"}, {Key: "c", Value: "3"}, {Key: "d", Value: "4"}},
		`{"tags":{"b":"5"}}`:                {{Key: "b", Value: "5"}, {Key: "d", Value: "4"}},
		`{"tags":{"b":null}}`:               {{Key: "d", Value: "4"}},
		`{"tags":{"z":null,"B":null}}`:      {{Key: "b", Value: "2"}, {Key: "d", Value: "4"}},
		`{"tags":{"b":null,"e":"","d":""}}`: {{Key: "d"}, {Key: "e"}},
		`{"tags":null}`:                     nil,
	} {
		path := jobPath(s.do("POST", "/jobs", `{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/","tags":{"d":"4","b":"2"}}`).want(201))
		s.do("PATCH", path, patch).want(200)
		if got := s.jobs[s.lastID].Tags; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", patch, got, want)
		}
	}
}

func TestPatch_Schedules(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	const at, start = "2027-01-01T00:00:00Z", "2026-12-01T00:00:00Z"
	tests := map[string]struct {
		before, patch string
		want          map[string]any // nil is refused
	}{
		"run at for cron":       {`"cronExpression":"@daily"`, `{"runAt":"` + at + `"}`, map[string]any{"cronExpression": nil, "runAt": at}},
		"cron for run at":       {`"runAt":"` + at + `"`, `{"cronExpression":"@daily"}`, map[string]any{"cronExpression": "@daily", "runAt": nil}},
		"interval for run at":   {`"runAt":"` + at + `"`, `{"intervalSeconds":60,"runAt":null}`, map[string]any{"intervalSeconds": 60.0, "runAt": nil}},
		"run at drops bounds":   {`"intervalSeconds":60,"startAt":"` + start + `","endAt":"` + at + `"`, `{"runAt":"` + at + `"}`, map[string]any{"startAt": nil, "endAt": nil, "runAt": at, "intervalSeconds": nil}},
		"cron keeps bounds":     {`"intervalSeconds":60,"startAt":"` + start + `"`, `{"cronExpression":"@daily"}`, map[string]any{"startAt": start}},
		"bounds go":             {`"intervalSeconds":60,"startAt":"` + start + `"`, `{"startAt":null,"endAt":"` + start + `"}`, map[string]any{"startAt": nil, "endAt": start}},
		"run at and its bounds": {`"intervalSeconds":60`, `{"runAt":"` + at + `","startAt":"` + start + `"}`, nil},
		"end before start":      {`"intervalSeconds":60,"startAt":"` + at + `"`, `{"endAt":"` + start + `"}`, nil},
		"two kinds":             {`"intervalSeconds":60`, `{"runAt":"` + at + `","cronExpression":"@daily"}`, nil},
		"none is left":          {`"runAt":"` + at + `"`, `{"runAt":null}`, nil},
	}
	for name, tt := range tests {
		path := jobPath(s.do("POST", "/jobs", `{"name":"n","targetUrl":"http://t.test/",`+tt.before+`}`).want(201))
		a := s.do("PATCH", path, tt.patch)
		if tt.want == nil {
			a.problem(400, "validation_error")
			continue
		}
		got := a.want(200)
		for field, want := range tt.want {
			if got[field] != want {
				t.Errorf("%s: %s is %v, want %v", name, field, got[field], want)
			}
		}
	}
}

func TestPut_Whole(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", `{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/","retries":3,"tags":{"a":"1"},"externalId":"e","state":"PAUSED","pauseReason":"x","headers":{"Authorization":"old-1","X-B":"old-2","X-C":"old-3"},"body":"b"}`).want(201))
	a := s.do("PUT", path, `{"name":"m","runAt":"2027-01-01T00:00:00Z","targetUrl":"http://u.test/","headers":{"authorization":"***","X-C":"new","X-D":"d"},"retries":null}`)
	got := a.want(200)
	for field, want := range map[string]any{
		"name": "m", "intervalSeconds": nil, "runAt": "2027-01-01T00:00:00Z", "retries": 0.0, "externalId": nil, "state": "ACTIVE", "pauseReason": nil, "body": nil, "version": 2.0, "timezone": "UTC",
	} {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	if len(got["tags"].(map[string]any)) != 0 || a.header.Get("ETag") != `"2"` {
		t.Errorf("tags %v, ETag %s", got["tags"], a.header.Get("ETag"))
	}
	var headers []string
	for _, h := range s.jobs[s.lastID].Target.Headers {
		headers = append(headers, fmt.Sprintf("%s=%s", h.Name, h.Sealed))
	}
	if want := []string{"Authorization=1-dlo", "X-C=wen", "X-D=d"}; !slices.Equal(headers, want) {
		t.Errorf("headers %q, want %q", headers, want)
	}
}

func TestPut_Refused(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	before := s.writes()
	valid := `{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/"`
	for name, tt := range map[string]struct {
		body, ifMatch string
		status        int
		code          string
		fields        []string
	}{
		"nothing":       {`{}`, "", 400, "validation_error", []string{"name", "cronExpression", "targetUrl"}},
		"read only":     {valid + `,"version":1,"namespace":"default"}`, "", 400, "validation_error", []string{"version", "namespace"}},
		"hidden":        {valid + `,"headers":{"X-New":"***"}}`, "", 400, "validation_error", []string{"headers.X-New"}},
		"state":         {valid + `,"state":"COMPLETED"}`, "", 400, "validation_error", []string{"state"}},
		"no JSON":       {`[]`, "", 400, "malformed_json", nil},
		"other version": {valid + `}`, `"2"`, 412, "precondition_failed", nil},
		"weak version":  {valid + `}`, `W/"1"`, 400, "validation_error", []string{"If-Match"}},
	} {
		p := s.do("PUT", path, tt.body, "If-Match", tt.ifMatch).problem(tt.status, tt.code)
		if got := fields(p); !slices.Equal(got, tt.fields) {
			t.Errorf("%s: fields %q, want %q", name, got, tt.fields)
		}
	}
	s.do("PUT", path, valid+"}", "Content-Type", "application/merge-patch+json").problem(415, "unsupported_media_type")
	s.do("PUT", "/jobs/job_0000000000000001", valid+"}").problem(404, "not_found")
	s.do("PUT", path+"?force=true", valid+"}").problem(400, "validation_error")
	if got := s.writes(); got != before {
		t.Errorf("%d of the requests wrote", got-before)
	}
	s.do("PUT", path, valid+"}", "If-Match", `"1"`).want(200)
}

// To replace a job that is over does not make it ACTIVE, unless the body says so.
func TestPut_CompletedJob(t *testing.T) {
	t.Parallel()
	patch := func(body string) *jobPatch {
		p, err := decodeJobPatch([]byte(body), false)
		if err != nil {
			t.Fatal(err)
		}
		p.whole = true
		return p
	}
	for extra, want := range map[string]job.State{``: job.Completed, `,"state":null`: job.Completed, `,"state":"ACTIVE"`: job.Active, `,"state":"PAUSED"`: job.Paused} {
		spec := job.DefaultSpec()
		spec.State = job.Completed
		errs := patch(`{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/"`+extra+`}`).apply(&spec, checkSchedule)
		if len(errs) > 0 || spec.State != want {
			t.Errorf("%q: %v, %s, want %s", extra, errs, spec.State, want)
		}
	}
}

func TestJobID_Zero(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	s.do("POST", "/jobs", tutorialJob).want(201)
	for _, path := range []string{"", "/executions", "/audit", "/next-runs"} {
		s.do("GET", "/jobs/job_0000000000000000"+path, "").problem(404, "not_found")
	}
}
