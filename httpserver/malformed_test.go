package httpserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestMalformed sends what must not work: each request gets its problem, and
// nothing is written.
func TestMalformed(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	existing := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	running := "/executions/" + s.do("POST", existing+"/run", "").want(202)["executionId"].(string)
	const transfer = "/cluster/transfer-leadership"
	before := s.writes()
	ok := func(extra string) string {
		return `{"name":"n","intervalSeconds":60,"targetUrl":"http://target.test/"` + extra + `}`
	}
	deep := strings.Repeat(`{"a":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1)
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}

	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     string
		fields                   []string // all of them
	}{
		// The document.
		{"empty body", "POST", "/jobs", "", nil, 400, "malformed_json", nil},
		{"blank body", "POST", "/jobs", " \n", nil, 400, "malformed_json", nil},
		{"no JSON", "POST", "/jobs", "name=x", nil, 400, "malformed_json", nil},
		{"array", "POST", "/jobs", "[]", nil, 400, "malformed_json", nil},
		{"null", "POST", "/jobs", "null", nil, 400, "malformed_json", nil},
		{"number", "POST", "/jobs", "1", nil, 400, "malformed_json", nil},
		{"unfinished", "POST", "/jobs", `{"name":"n"`, nil, 400, "malformed_json", nil},
		{"trailing comma", "POST", "/jobs", `{"name":"n",}`, nil, 400, "malformed_json", nil},
		{"single quotes", "POST", "/jobs", `{'name':'n'}`, nil, 400, "malformed_json", nil},
		{"comment", "POST", "/jobs", ok("/* */"), nil, 400, "malformed_json", nil},
		{"NaN", "POST", "/jobs", ok(`,"retries":NaN`), nil, 400, "malformed_json", nil},
		{"leading zero", "POST", "/jobs", ok(`,"retries":01`), nil, 400, "malformed_json", nil},
		{"trailing object", "POST", "/jobs", ok("") + ok(""), nil, 400, "malformed_json", nil},
		{"trailing word", "POST", "/jobs", ok("") + " x", nil, 400, "malformed_json", nil},
		{"byte order mark", "POST", "/jobs", "\ufeff" + ok(""), nil, 400, "malformed_json", nil},
		{"invalid UTF-8 value", "POST", "/jobs", ok(",\"description\":\"\xff\""), nil, 400, "malformed_json", nil},
		{"invalid UTF-8 name", "POST", "/jobs", ok(",\"\xc3\x28\":1"), nil, 400, "malformed_json", nil},
		{"lone high surrogate", "POST", "/jobs", ok(`,"body":"\ud83d"`), nil, 400, "malformed_json", nil},
		{"lone low surrogate", "POST", "/jobs", ok(`,"body":"\\\udc00"`), nil, 400, "malformed_json", nil},
		{"two high surrogates", "POST", "/jobs", ok(`,"body":"\ud83d\ud83d"`), nil, 400, "malformed_json", nil},
		{"control character", "POST", "/jobs", ok(",\"description\":\"a\x01\""), nil, 400, "malformed_json", nil},
		{"too deep", "POST", "/jobs", deep, nil, 400, "malformed_json", nil},
		{"far too deep", "POST", "/jobs", strings.Repeat("[", 1<<19), nil, 400, "malformed_json", nil},
		{"duplicate name", "POST", "/jobs", ok(`,"name":"m"`), nil, 400, "malformed_json", []string{"name"}},
		{"escaped duplicate name", "POST", "/jobs", ok(`,"\u006eame":"m"`), nil, 400, "malformed_json", []string{"name"}},
		{"duplicate header", "POST", "/jobs", ok(`,"headers":{"A":"1","A":"2"}`), nil, 400, "malformed_json", []string{"headers.A"}},
		{"duplicate deep down", "POST", "/jobs", ok(`,"x":[{"y":{"z":1,"z":2}}]`), nil, 400, "malformed_json", []string{"x[].y.z"}},
		{"patch: no JSON", "PATCH", existing, "state=PAUSED", nil, 400, "malformed_json", nil},
		{"run: no JSON", "POST", existing + "/run", "now", nil, 400, "malformed_json", nil},
		{"run: array", "POST", existing + "/run", "[]", nil, 400, "malformed_json", nil},

		// Types and names of fields.
		{"unknown field", "POST", "/jobs", ok(`,"colour":"red"`), nil, 400, "validation_error", []string{"colour"}},
		{"wrong case", "POST", "/jobs", ok(`,"Retries":1`), nil, 400, "validation_error", []string{"Retries"}},
		{"misfire number", "POST", "/jobs", ok(`,"misfirePolicy":1`), nil, 400, "validation_error", []string{"misfirePolicy"}},
		{"misfire unknown", "POST", "/jobs", ok(`,"misfirePolicy":"fire_once"`), nil, 400, "validation_error", []string{"misfirePolicy"}},
		{"window string", "POST", "/jobs", ok(`,"catchupWindowSeconds":"60"`), nil, 400, "validation_error", []string{"catchupWindowSeconds"}},
		{"window negative", "POST", "/jobs", ok(`,"catchupWindowSeconds":-1`), nil, 400, "validation_error", []string{"catchupWindowSeconds"}},
		{"window beyond", "POST", "/jobs", ok(`,"catchupWindowSeconds":31536001`), nil, 400, "validation_error", []string{"catchupWindowSeconds"}},
		{"guarantee unknown", "PATCH", existing, `{"deliveryGuarantee":"EXACTLY_ONCE"}`, nil, 400, "validation_error", []string{"deliveryGuarantee"}},
		{"guarantee empty", "PATCH", existing, `{"deliveryGuarantee":""}`, nil, 400, "validation_error", []string{"deliveryGuarantee"}},
		{"read only jobId", "POST", "/jobs", ok(`,"jobId":"job_0000000000000001"`), nil, 400, "validation_error", []string{"jobId"}},
		{"read only counts", "PATCH", existing, `{"counts":{},"version":3,"nextRunAt":null}`, nil, 400, "validation_error", []string{"counts", "version", "nextRunAt"}},
		{"name number", "POST", "/jobs", `{"name":7,"intervalSeconds":60,"targetUrl":"http://t.test/"}`, nil, 400, "validation_error", []string{"name"}},
		{"name null", "POST", "/jobs", `{"name":null,"intervalSeconds":60,"targetUrl":"http://t.test/"}`, nil, 400, "validation_error", []string{"name"}},
		{"name of two lines", "POST", "/jobs", `{"name":"a\nb","intervalSeconds":60,"targetUrl":"http://t.test/"}`, nil, 400, "validation_error", []string{"name"}},
		{"retries string", "POST", "/jobs", ok(`,"retries":"x"`), nil, 400, "validation_error", []string{"retries"}},
		{"retries fraction", "POST", "/jobs", ok(`,"retries":1.5`), nil, 400, "validation_error", []string{"retries"}},
		{"retries exponent", "POST", "/jobs", ok(`,"retries":1e1`), nil, 400, "validation_error", []string{"retries"}},
		{"retries endless", "POST", "/jobs", ok(`,"retries":99999999999999999999999`), nil, 400, "validation_error", []string{"retries"}},
		{"timeout overflow", "POST", "/jobs", ok(`,"timeoutSeconds":9223372036854775807`), nil, 400, "validation_error", []string{"timeoutSeconds"}},
		{"flag string", "POST", "/jobs", ok(`,"followRedirects":"true"`), nil, 400, "validation_error", []string{"followRedirects"}},
		{"flag number", "POST", "/jobs", ok(`,"signPayloads":1`), nil, 400, "validation_error", []string{"signPayloads"}},
		{"headers array", "POST", "/jobs", ok(`,"headers":["A: b"]`), nil, 400, "validation_error", []string{"headers"}},
		{"header number", "POST", "/jobs", ok(`,"headers":{"A":1,"B":"b","C":{}}`), nil, 400, "validation_error", []string{"headers.A", "headers.C"}},
		{"header twice by case", "POST", "/jobs", ok(`,"headers":{"A":"1","a":"2"}`), nil, 400, "validation_error", []string{"headers.a"}},
		{"hidden header", "POST", "/jobs", ok(`,"headers":{"A":"***"}`), nil, 400, "validation_error", []string{"headers.A"}},
		{"patch: hidden unknown header", "PATCH", existing, `{"headers":{"X-New":"***"}}`, nil, 400, "validation_error", []string{"headers.X-New"}},
		{"very many headers", "POST", "/jobs", ok(`,"headers":{` + manyMembers(5000) + `}`), nil, 400, "validation_error", []string{"headers"}},
		{"body object", "POST", "/jobs", ok(`,"body":{"a":1}`), nil, 400, "validation_error", []string{"body"}},
		{"statuses string", "POST", "/jobs", ok(`,"successStatuses":"2XX"`), nil, 400, "validation_error", []string{"successStatuses"}},
		{"statuses of flags", "POST", "/jobs", ok(`,"successStatuses":[true]`), nil, 400, "validation_error", []string{"successStatuses[0]"}},
		{"statuses empty", "POST", "/jobs", ok(`,"successStatuses":[]`), nil, 400, "validation_error", []string{"successStatuses"}},
		{"statuses 2.04e2", "POST", "/jobs", ok(`,"successStatuses":[2.04e2]`), nil, 400, "validation_error", []string{"successStatuses"}},
		{"run: unknown field", "POST", existing + "/run", `{"now":true}`, nil, 400, "validation_error", []string{"now"}},
		{"run: unknown policy", "POST", existing + "/run", `{"overlapPolicy":"QUEUE"}`, nil, 400, "validation_error", []string{"overlapPolicy"}},
		{"run: empty policy", "POST", existing + "/run", `{"overlapPolicy":""}`, nil, 400, "validation_error", []string{"overlapPolicy"}},
		{"cancel: unknown field", "POST", running + "/cancel", `{"reason":"x","force":true}`, nil, 400, "validation_error", []string{"reason", "force"}},
		{"cancel: no JSON", "POST", running + "/cancel", "now", nil, 400, "malformed_json", nil},
		{"cancel: array", "POST", running + "/cancel", "[]", nil, 400, "malformed_json", nil},
		{"cancel: form", "POST", running + "/cancel", "force=true", form, 415, "unsupported_media_type", nil},
		{"cancel: parameter", "POST", running + "/cancel?force=true", "", nil, 400, "validation_error", []string{"force"}},
		{"cancel: GET", "GET", running + "/cancel", "", nil, 405, "method_not_allowed", nil},
		{"cancel: no shape", "POST", "/executions/ex_001/cancel", "", nil, 404, "not_found", nil},
		{"cancel: no such execution", "POST", "/executions/ex_00000000000000010000000000000001/cancel", "", nil, 404, "not_found", nil},
		{"cancel: key of another namespace", "POST", running + "/cancel", "", []string{"X-API-KEY", teamKey}, 404, "not_found", nil},
		{"transfer: unknown field", "POST", transfer, `{"node":"n2"}`, nil, 400, "validation_error", []string{"node"}},
		{"transfer: number", "POST", transfer, `{"nodeId":2}`, nil, 400, "validation_error", []string{"nodeId"}},
		{"transfer: empty", "POST", transfer, `{"nodeId":""}`, nil, 400, "validation_error", []string{"nodeId"}},
		{"transfer: no JSON", "POST", transfer, "n2", nil, 400, "malformed_json", nil},
		{"transfer: form", "POST", transfer, "nodeId=n2", form, 415, "unsupported_media_type", nil},
		{"transfer: parameter", "POST", transfer + "?to=n2", "", nil, 400, "validation_error", []string{"to"}},
		{"transfer: no such node", "POST", transfer, `{"nodeId":"n9"}`, nil, 404, "not_found", nil},
		{"transfer: GET", "GET", transfer, "", nil, 405, "method_not_allowed", nil},
		{"remove: parameter", "DELETE", "/cluster/nodes/n2?force=true", "", nil, 400, "validation_error", []string{"force"}},
		{"remove: no such node", "DELETE", "/cluster/nodes/n9", "", nil, 404, "not_found", nil},
		{"remove: no name", "DELETE", "/cluster/nodes/", "", nil, 404, "not_found", nil},
		{"remove: the leader", "DELETE", "/cluster/nodes/n1", "", nil, 409, "conflict", nil},
		{"remove: POST", "POST", "/cluster/nodes/n2", "{}", nil, 405, "method_not_allowed", nil},
		{"transfer: no admin", "POST", transfer, "", []string{"X-API-KEY", teamKey}, 403, "forbidden", nil},
		{"remove: no admin", "DELETE", "/cluster/nodes/n2", "", []string{"X-API-KEY", teamKey}, 403, "forbidden", nil},
		{"run: policy number", "POST", existing + "/run", `{"overlapPolicy":1}`, nil, 400, "validation_error", []string{"overlapPolicy"}},

		// Rules.
		{"no schedule", "POST", "/jobs", `{"name":"n","targetUrl":"http://t.test/"}`, nil, 400, "validation_error", []string{"cronExpression"}},
		{"two schedules", "POST", "/jobs", ok(`,"cronExpression":"* * * * *"`), nil, 400, "validation_error", []string{"intervalSeconds"}},
		{"patch: two schedules", "PATCH", existing, `{"cronExpression":"* * * * *","intervalSeconds":5}`, nil, 400, "validation_error", []string{"intervalSeconds"}},
		{"patch: no schedule left", "PATCH", existing, `{"cronExpression":null}`, nil, 400, "validation_error", []string{"cronExpression"}},
		{"empty cron expression", "POST", "/jobs", ok(`,"cronExpression":""`), nil, 400, "validation_error", []string{"cronExpression"}},
		{"interval zero", "POST", "/jobs", `{"name":"n","intervalSeconds":0,"targetUrl":"http://t.test/"}`, nil, 400, "validation_error", []string{"intervalSeconds"}},
		{"interval negative", "POST", "/jobs", `{"name":"n","intervalSeconds":-1,"targetUrl":"http://t.test/"}`, nil, 400, "validation_error", []string{"intervalSeconds"}},
		{"interval string", "POST", "/jobs", `{"name":"n","intervalSeconds":"60","targetUrl":"http://t.test/"}`, nil, 400, "validation_error", []string{"intervalSeconds"}},
		{"cron number", "POST", "/jobs", `{"name":"n","cronExpression":5,"targetUrl":"http://t.test/"}`, nil, 400, "validation_error", []string{"cronExpression"}},
		{"bad cron expression", "POST", "/jobs", `{"name":"n","cronExpression":"61 * * * *","targetUrl":"http://t.test/"}`, nil, 400, "validation_error", []string{"cronExpression"}},
		{"unknown zone", "PATCH", existing, `{"timezone":"Mars/Olympus"}`, nil, 400, "validation_error", []string{"timezone"}},
		{"state completed", "PATCH", existing, `{"state":"COMPLETED"}`, nil, 400, "validation_error", []string{"state"}},
		{"own header", "PATCH", existing, `{"headers":{"webhook-id":"x"}}`, nil, 400, "validation_error", []string{"headers.webhook-id"}},
		{"header injection", "POST", "/jobs", ok(`,"headers":{"X-A":"a\r\nX-B: b"}`), nil, 400, "validation_error", []string{"headers.X-A"}},
		{"body with GET", "POST", "/jobs", ok(`,"httpMethod":"GET","body":"x"`), nil, 400, "validation_error", []string{"body"}},
		{"patch: required removed", "PATCH", existing, `{"name":null,"targetUrl":null}`, nil, 400, "validation_error", []string{"name", "targetUrl"}},
		{
			"everything at once", "POST", "/jobs",
			`{"name":"","cronExpression":"61 * * * *","timezone":"Mars/Olympus","targetUrl":"ftp://x","retries":"x","timeoutSeconds":0,"colour":"red","jobId":"j","overlapPolicy":"skip","headers":{"A":1,"Host":"h"}}`,
			nil, 400, "validation_error",
			[]string{"colour", "jobId", "retries", "headers.A", "name", "targetUrl", "headers.Host", "timeoutSeconds", "overlapPolicy", "cronExpression", "timezone"},
		},

		// Media types and sizes.
		{"form", "POST", "/jobs", ok(""), form, 415, "unsupported_media_type", nil},
		{"text", "PATCH", existing, `{"name":"m"}`, []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type", nil},
		{"merge patch in POST", "POST", "/jobs", ok(""), []string{"Content-Type", "application/merge-patch+json"}, 415, "unsupported_media_type", nil},
		{"other charset", "POST", "/jobs", ok(""), []string{"Content-Type", "application/json; charset=latin1"}, 415, "unsupported_media_type", nil},
		{"multipart", "POST", "/jobs", "--x--", []string{"Content-Type", "multipart/form-data; boundary=x"}, 415, "unsupported_media_type", nil},
		{"compressed", "POST", "/jobs", ok(""), []string{"Content-Encoding", "gzip"}, 415, "unsupported_media_type", nil},
		{"run: form", "POST", existing + "/run", "overlapPolicy=ALLOW", form, 415, "unsupported_media_type", nil},
		{"large body", "POST", "/jobs", ok(`,"description":"` + strings.Repeat("x", maxBodyBytes) + `"`), nil, 413, "payload_too_large", nil},

		// Paths, methods, parameters and conditions.
		{"unknown path", "GET", "/nothing", "", nil, 404, "not_found", nil},
		{"base path", "GET", "", "", nil, 404, "not_found", nil},
		{"trailing slash", "GET", "/jobs/", "", nil, 404, "not_found", nil},
		{"job of no shape", "GET", "/jobs/7", "", nil, 404, "not_found", nil},
		{"job ID in capitals", "GET", strings.ToUpper(existing), "", nil, 404, "not_found", nil},
		{"no such job", "GET", "/jobs/job_0000000000000001", "", nil, 404, "not_found", nil},
		{"patch no such job", "PATCH", "/jobs/job_0000000000000001", `{"name":"m"}`, nil, 404, "not_found", nil},
		{"run no such job", "POST", "/jobs/job_0000000000000001/run", "", nil, 404, "not_found", nil},
		{"history of no such job", "GET", "/jobs/job_0000000000000001/executions", "", nil, 404, "not_found", nil},
		{"execution of no shape", "GET", "/executions/ex_001", "", nil, 404, "not_found", nil},
		{"no such execution", "GET", "/executions/ex_" + strings.TrimPrefix(existing, "/jobs/job_") + "0000000000000001", "", nil, 404, "not_found", nil},
		{"PUT /jobs", "PUT", "/jobs", ok(""), nil, 405, "method_not_allowed", nil},
		{"POST job", "POST", existing, ok(""), nil, 405, "method_not_allowed", nil},
		{"GET run", "GET", existing + "/run", "", nil, 405, "method_not_allowed", nil},
		{"unknown method", "BREW", existing, "", nil, 405, "method_not_allowed", nil},
		{"limit zero", "GET", "/jobs?limit=0", "", nil, 400, "validation_error", []string{"limit"}},
		{"limit beyond", "GET", "/jobs?limit=501", "", nil, 400, "validation_error", []string{"limit"}},
		{"limit word", "GET", existing + "/executions?limit=many", "", nil, 400, "validation_error", []string{"limit"}},
		{"limit empty", "GET", "/jobs?limit=", "", nil, 400, "validation_error", []string{"limit"}},
		{"limit twice", "GET", "/jobs?limit=1&limit=2", "", nil, 400, "validation_error", []string{"limit"}},
		{"cursor", "GET", "/jobs?cursor=%21%21", "", nil, 400, "validation_error", []string{"cursor"}},
		{"cursor of executions", "GET", "/jobs?cursor=eAAAAAAAAAABAAAAAAAAAAI", "", nil, 400, "validation_error", []string{"cursor"}},
		{"cursor of another job", "GET", existing + "/executions?cursor=eAAAAAAAAAABAAAAAAAAAAI", "", nil, 400, "validation_error", []string{"cursor"}},
		{"consistency", "GET", existing + "?consistency=strong", "", nil, 400, "validation_error", []string{"consistency"}},
		{"unknown parameters", "GET", "/jobs?color=red&limit=x&size=1", "", nil, 400, "validation_error", []string{"color", "size", "limit"}},
		{"broken parameter", "GET", "/jobs?limit=%zz", "", nil, 400, "validation_error", []string{"limit"}},
		{"parameter of a write", "POST", "/jobs?consistency=stale", ok(""), nil, 400, "validation_error", []string{"consistency"}},
		{"parameter of a deletion", "DELETE", existing + "?force=true", "", nil, 400, "validation_error", []string{"force"}},
		{"parameter of a run", "POST", existing + "/run?force=true", "", nil, 400, "validation_error", []string{"force"}},
		{"parameter of the cluster", "GET", "/cluster?limit=1", "", nil, 400, "validation_error", []string{"limit"}},
		{"weak condition", "PATCH", existing, `{"name":"m"}`, []string{"If-Match", `W/"1"`}, 400, "validation_error", []string{"If-Match"}},
		{"condition without quotes", "DELETE", existing, "", []string{"If-Match", "1"}, 400, "validation_error", []string{"If-Match"}},
		{"condition with * in a list", "DELETE", existing, "", []string{"If-Match", `"1", *`}, 400, "validation_error", []string{"If-Match"}},
		{"endless condition", "DELETE", existing, "", []string{"If-Match", strings.Repeat(`"9",`, maxIfMatch) + `"1"`}, 400, "validation_error", []string{"If-Match"}},
		{"other version", "PATCH", existing, `{"name":"m"}`, []string{"If-Match", `"2"`}, 412, "precondition_failed", nil},
		{"version zero", "DELETE", existing, "", []string{"If-Match", `"0"`}, 412, "precondition_failed", nil},
		{"no version", "DELETE", existing, "", []string{"If-Match", `"abc", "01"`}, 412, "precondition_failed", nil},

		{"repetition key empty", "POST", "/jobs", ok(""), []string{"Idempotency-Key", " "}, 400, "validation_error", []string{"Idempotency-Key"}},
		{"repetition key with a blank", "POST", "/jobs", ok(""), []string{"Idempotency-Key", "a b"}, 400, "validation_error", []string{"Idempotency-Key"}},
		{"repetition key with a tab", "POST", existing + "/run", "", []string{"Idempotency-Key", "a\tb"}, 400, "validation_error", []string{"Idempotency-Key"}},
		{"repetition key not ASCII", "POST", running + "/cancel", "", []string{"Idempotency-Key", "schlüssel"}, 400, "validation_error", []string{"Idempotency-Key"}},
		{"repetition key too long", "POST", "/jobs", ok(""), []string{"Idempotency-Key", strings.Repeat("k", maxOnceKey+1)}, 400, "validation_error", []string{"Idempotency-Key"}},

		// Keys.
		{"no key", "POST", "/jobs", ok(""), []string{"X-API-KEY", ""}, 401, "unauthorized", nil},
		{"unknown key", "DELETE", existing, "", []string{"X-API-KEY", "root-key"}, 401, "unauthorized", nil},
		{"endless key", "GET", "/jobs", "", []string{"X-API-KEY", strings.Repeat("k", 8192)}, 401, "unauthorized", nil},
		{"no key, no route", "GET", "/nothing", "", []string{"X-API-KEY", ""}, 401, "unauthorized", nil},
		{"key of another namespace", "DELETE", existing, "", []string{"X-API-KEY", teamKey}, 404, "not_found", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := s.do(tt.method, tt.path, tt.body, tt.headers...)
			p := a.problem(tt.status, tt.code)
			if got := fields(p); !slices.Equal(got, tt.fields) {
				t.Errorf("fields %q, want %q: %s", got, tt.fields, a.body)
			}
		})
	}
	if got := s.writes(); got != before {
		t.Errorf("%d of the requests wrote", got-before)
	}
	if logs := s.logs.String(); logs != "" {
		t.Errorf("a client's mistake was logged: %s", logs)
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"H%d":"v",`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func TestMalformed_BoundedAnswer(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	long := `"` + strings.Repeat("é", 5000) + `":1,`
	a := s.do("POST", "/jobs", "{"+long+manyMembers(30000)+"}")
	p := a.problem(400, "validation_error")
	if len(p.Errors) != maxFieldErrors || len(a.body) > 32<<10 {
		t.Errorf("%d errors in %d bytes", len(p.Errors), len(a.body))
	}
	if got := len(p.Errors[0].Field); got > maxShown+8 {
		t.Errorf("a name of %d bytes is repeated", got)
	}
}

func TestMalformed_Allow(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	a := s.do("PUT", "/jobs", "{}")
	if got, want := a.header.Get("Allow"), "GET, HEAD, POST"; got != want {
		t.Errorf("Allow %q, want %q", got, want)
	}
	a = s.doPath("POST", "/healthz", "")
	a.problem(405, "method_not_allowed")
	if got, want := a.header.Get("Allow"), "GET, HEAD"; got != want {
		t.Errorf("Allow %q, want %q", got, want)
	}
}

func TestMalformed_Hints(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for name, tt := range map[string]struct {
		body    string
		headers []string
		want    string
	}{
		"curl -d":    {"{}", []string{"Content-Type", "application/x-www-form-urlencoded"}, "Content-Type: application/json"},
		"no key":     {"{}", []string{"X-API-KEY", ""}, "X-API-KEY"},
		"wrong case": {`{"targetURL":"x"}`, nil, `did you mean \"targetUrl\"?`},
		"syntax":     {`{"name":"n",}`, nil, "at byte 13"},
		"number":     {`{"retries":"x"}`, nil, "must be a whole number"},
		"read only":  {`{"version":1}`, nil, "is read only"},
	} {
		if a := s.do("POST", "/jobs", tt.body, tt.headers...); !strings.Contains(a.body, tt.want) {
			t.Errorf("%s: %q is not in %s", name, tt.want, a.body)
		}
	}
	if got := s.do("GET", "/jobs", "", "X-API-KEY", "").header.Get("WWW-Authenticate"); !strings.Contains(got, "X-API-KEY") {
		t.Errorf("WWW-Authenticate %q", got)
	}
}

func TestMalformed_BelowHTTP(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for name, tt := range map[string]struct{ request, status, code string }{
		"no HTTP":         {"hello\r\n\r\n", " 400 ", "validation_error"},
		"broken chunks":   {"POST /api/cron-service/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", " 400 ", "validation_error"},
		"negative length": {"POST /api/cron-service/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", " 400 ", "validation_error"},
		"endless headers": {"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 2*maxHeaderBytes) + "\r\n\r\n", " 431 ", "payload_too_large"},
		"endless path":    {"GET /" + strings.Repeat("x", 2*maxHeaderBytes) + " HTTP/1.1\r\nHost: x\r\n\r\n", " 431 ", "payload_too_large"},
		"length beyond":   {"POST /api/cron-service/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", " 413 ", "payload_too_large"},
		"broken escape":   {"GET /api/cron-service/jobs/%zz HTTP/1.1\r\nHost: x\r\nX-API-KEY: " + rootKey + "\r\nConnection: close\r\n\r\n", " 404 ", "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.raw(tt.request)
			head, body, _ := strings.Cut(got, "\r\n\r\n")
			if !strings.Contains(head, tt.status) || !strings.Contains(body, `"code":"`+tt.code+`"`) || !strings.Contains(head, "X-Cron-Node: n1") {
				t.Errorf("got %s", got)
			}
		})
	}
	if s.writes() != 0 {
		t.Error("one of the requests wrote")
	}
}
