package httpserver

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/event"
	"github.com/cronraft/cronraft/internal/job"
)

// FuzzKeyDecode reads a new API key: an accepted one is written as what reads as the
// same key.
func FuzzKeyDecode(f *testing.F) {
	for _, seed := range []string{
		`{"name":"n","role":"ADMIN"}`, `{"name":"é","role":"READER","namespace":"a-1","expiresAt":"2030-01-01T00:00:00.5+01:00"}`, `{"name":null,"role":7}`,
		`{"name":"n","role":"EDITOR","expiresAt":"2020-01-01T00:00:00Z"}`, `{"name":"n","role":"EDITOR","namespace":""}`, "[]", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		k, err := decodeKey(body, "here", now)
		if err != nil {
			isRefusal(t, err)
			return
		}
		if k.Name == "" || len(k.Name) > 4*job.MaxKeyName || !isNamespace(k.Namespace) || !slices.Contains(roles, k.Role) || k.Root {
			t.Fatalf("%s is accepted as %+v", body, k)
		}
		text := map[string]any{"name": k.Name, "role": k.Role, "namespace": k.Namespace}
		if !k.ExpiresAt.IsZero() {
			text["expiresAt"] = api.Time{Time: k.ExpiresAt}
		}
		again, err := encodeJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decodeKey(again, "elsewhere", now); err != nil || back.Name != k.Name || back.Role != k.Role || back.Namespace != k.Namespace || !back.ExpiresAt.Equal(k.ExpiresAt) {
			t.Fatalf("%s is %+v (%v), was %+v", again, back, err, k)
		}
	})
}

// FuzzSmallBodies reads the bodies with little to say: of a run, a rotation, a transfer,
// and of requests that have none.
func FuzzSmallBodies(f *testing.F) {
	for _, seed := range []string{"", " ", "{}", `{"overlapPolicy":"ALLOW"}`, `{"overlapPolicy":null}`, `{"overlapSeconds":0}`, `{"overlapSeconds":9223372036854775807}`, `{"nodeId":"n1"}`, `{"nodeId":""}`, "[]", `{"a":1,"a":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		policy, err := decodeRun(body)
		if err == nil && policy != "" && !slices.Contains([]job.OverlapPolicy{job.OverlapSkip, job.OverlapAllow, job.OverlapCancelPrevious, job.OverlapBufferOne}, policy) {
			t.Fatalf("the policy is %q", policy)
		}
		overlap, err2 := decodeRotation(body)
		if err2 == nil && (overlap < 0 || overlap > maxKeyOverlap || overlap%time.Second != 0) {
			t.Fatalf("the overlap is %v", overlap)
		}
		node, err3 := decodeTransfer(body)
		if err3 == nil && node == "" && strings.Contains(string(body), `"nodeId":"`) {
			t.Fatalf("%s names no node", body)
		}
		err4 := decodeNothing(body)
		if err4 == nil && (err != nil || err2 != nil || err3 != nil) {
			t.Fatalf("%s says nothing, and something is wrong with it: %v %v %v", body, err, err2, err3)
		}
		for _, err := range []error{err, err2, err3, err4} {
			if err != nil {
				isRefusal(t, err)
			}
		}
	})
}

// FuzzRequestHeaders reads the headers that FuzzHeaders does not, and the parameters of
// events and statistics.
func FuzzRequestHeaders(f *testing.F) {
	f.Add("ops", "41-0", "application/json", "types=job.created,job.deleted&after=41-0&jobId=job_0000000000000001")
	f.Add("OPS", "041-0", "application/json;charset=\"UTF-8\"", "types=&after=-&jobId=job_0000000000000000")
	f.Add("", "41", "text/yaml; charset=latin1", "window=1w2d3h4m5s&step=31d&namespace=x")
	f.Add("-", "18446744073709551615-2147483647", ";", "window=31d&step=1m&step=2m")
	f.Fuzz(func(t *testing.T, namespace, eventID, media, raw string) {
		c := &call{key: theRootKey, request: &request{method: "POST", path: basePath + "/events", query: raw, body: []byte("{}")}}
		c.headers = []header{{headerNamespace, namespace}, {headerLastEventID, eventID}, {headerContentType, media}}
		if by, err := c.creator(); err != nil {
			isRefusal(t, err)
		} else if !isNamespace(by.Namespace) {
			t.Fatalf("the namespace is %q", by.Namespace)
		}
		if _, err := c.mediaType(mediaJSON, "text/yaml"); err != nil && job.CodeOf(err) != job.CodeUnsupportedMedia {
			t.Fatal(err)
		}
		q := parseQuery(raw, []string{paramAfter, paramTypes, paramJobID})
		filter := q.eventFilter()
		after, resumes := c.lastEvent(q)
		_, jobGiven := q.values[paramJobID]
		if err := q.err(); err != nil {
			isRefusal(t, err)
		} else if resumes && event.FormatID(after) != eventID && eventID != "" || jobGiven && filter.job == 0 {
			t.Fatalf("%q is %v, the filter %+v", eventID, after, filter)
		}
		stats := parseQuery(raw, []string{paramWindow, paramStep})
		if w := stats.statsWindow(now); stats.err() == nil && (!w.From.Before(w.To) || w.Step < time.Minute || w.To.Sub(w.From)/w.Step > maxSteps || !w.To.After(now)) {
			t.Fatalf("%+v", w)
		}
	})
}

// fuzzedServer answers without a network. It leads, and keeps what it is given.
func fuzzedServer(f *testing.F) *Server {
	f.Helper()
	c := (&backend{store: newStore()}).config("n1")
	c.Gatherer = prometheus.NewRegistry()
	s, err := New(context.Background(), c)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			f.Error(err)
		}
	})
	return s
}

// FuzzServe answers whole requests: with a success or a problem, never with a 5xx.
func FuzzServe(f *testing.F) {
	f.Add("POST", "/jobs", "", tutorialJob, headerOnce, "k")
	f.Add("PUT", "/jobs/by-external-id/a%2Fb", "", fullJob, headerIfMatch, `"1"`)
	f.Add("GET", "/jobs", "limit=1&tag=a:b", "", headerEncoding, "gzip")
	f.Add("POST", "/jobs/import", "format=crontab&targetUrl=http://t.test/", "* * * * * x", headerNamespace, "ops")
	f.Add("POST", "/jobs/apply", "prune=true", "- externalId: x\n", headerContentType, "text/yaml")
	f.Add("POST", "/schedules/preview", "", `{"cronExpression":"* * * * *"}`, headerAPIKey, "x")
	f.Add("DELETE", "/api-keys/%ff", "force=true", "", "", "")
	f.Add("GET", "/jobs/job_8e4f2a1b00000001/audit", "from=2026-03-26T16:15:00Z", "", headerLastEventID, "x")
	s := fuzzedServer(f)
	f.Fuzz(func(t *testing.T, method, path, query, body, name, value string) {
		r := &request{id: newRequestID(), method: method, path: basePath + path, query: query, body: []byte(body), remote: "192.0.2.1"}
		r.headers = []header{{headerAPIKey, rootKey}, {name, value}}
		checkAnswer(t, s, r)
	})
}

func checkAnswer(t *testing.T, s *Server, r *request) {
	t.Helper()
	res, _ := s.answer(t.Context(), r)
	if res.status < 400 {
		return
	}
	var p api.Problem
	if err := json.Unmarshal(res.body, &p); err != nil || res.status >= 500 || p.Status != res.status || p.RequestID != r.id || res.contentType != contentProblem {
		t.Fatalf("%s %s?%s: status %d: %s (%v)", r.method, r.path, r.query, res.status, res.body, err)
	}
}

// FuzzForwarded reads what another node sends: a request for the leader, and the leader's
// answer.
func FuzzForwarded(f *testing.F) {
	for _, r := range []*request{
		{id: newRequestID(), method: "POST", path: basePath + "/jobs", headers: []header{{headerAPIKey, rootKey}}, body: []byte(tutorialJob)},
		{id: newRequestID(), method: "GET", path: basePath + "/jobs", query: "limit=1", headers: []header{{headerAPIKey, rootKey}}},
	} {
		raw, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nX-Cron-Applied-Index: 7\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	s := fuzzedServer(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if answer, err := s.ServeForwarded(t.Context(), raw); err == nil {
			if res, _, err := decodeAnswer(answer); err == nil && res.status >= 500 {
				t.Fatalf("%q is answered with %s", raw, answer)
			}
		}
		if res, _, err := decodeAnswer(raw); err == nil && !isAnswer(res) {
			t.Fatalf("%q is taken for an answer", raw)
		}
	})
}
