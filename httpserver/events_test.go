package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// startEvents is a server with a ring of events.
func startEvents(t *testing.T, edit ...func(*Config)) (*testServer, *eventLog) {
	t.Helper()
	l := &eventLog{}
	edit = append(edit, func(c *Config) { c.Events = l })
	return start(t, "n1", &backend{store: newStore()}, edit...), l
}

// keyIs authenticates everyone as one key.
func keyIs(k job.APIKey) func(context.Context, string) (job.APIKey, error) {
	return func(context.Context, string) (job.APIKey, error) { return k, nil }
}

// message is one block of a stream.
type message struct{ id, name, data, comment string }

// reader reads a stream of events.
type reader struct {
	t    *testing.T
	body io.ReadCloser
	in   *bufio.Reader
}

// follow opens a stream, and returns it after its first block and that block's ID.
func (s *testServer) follow(query string, headers ...string) (*reader, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", "http://cron.test"+basePath+"/events"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set(headerAPIKey, rootKey)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("X-Accel-Buffering") != "no" {
		s.t.Fatalf("status %d, headers %v", res.StatusCode, res.Header)
	}
	checkContract(s.t, req, "", answer{t: s.t, status: res.StatusCode, header: res.Header})
	r := &reader{t: s.t, body: res.Body, in: bufio.NewReader(res.Body)}
	return r, r.next().id
}

// next is the next block.
func (r *reader) next() message {
	r.t.Helper()
	m, err := readMessage(r.in)
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

func readMessage(in *bufio.Reader) (m message, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == "\n" {
			return m, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			m.id = value
		case "event":
			m.name = value
		case "data":
			m.data = value
		case "":
			m.comment = value
		case "retry":
		default:
			return m, fmt.Errorf("the line %q is none of a stream of events", line)
		}
	}
}

func failedEvent(namespace string, id job.ID) job.Event {
	return job.Event{Type: job.EventExecutionFailed, Namespace: namespace, Job: id, JobName: "pay\nments", Execution: job.SlotExecution(id, now), Result: job.Failed}
}

func TestEvents_Live(t *testing.T) {
	t.Parallel()
	s, log := startEvents(t)
	log.tell(failedEvent("team", 7)) // before the stream began
	r, first := s.follow("")
	if first != "1-0" {
		t.Errorf("the stream begins after %q", first)
	}
	log.tell(job.Event{Type: job.EventJobCreated, Namespace: "default", Job: 1, Version: 1}, failedEvent("team", 7))
	created, failed := r.next(), r.next()
	if created.id != "2-0" || created.name != "job.created" || failed.id != "2-1" || failed.name != "execution.failed" {
		t.Errorf("got %+v and %+v", created, failed)
	}
	var e api.Event
	if err := json.Unmarshal([]byte(failed.data), &e); err != nil {
		t.Fatal(err)
	}
	if e.ID != "2-1" || e.Type != "execution.failed" || *e.Namespace != "team" || e.Data.JobID != "job_0000000000000007" || e.Data.JobName != "pay\nments" || !e.Timestamp.Equal(now) {
		t.Errorf("got %+v", e)
	}
}

func TestEvents_Resume(t *testing.T) {
	t.Parallel()
	s, log := startEvents(t)
	for id := range 3 {
		log.tell(failedEvent("team", job.ID(id)))
	}
	byHeader, _ := s.follow("?after=1-0", headerLastEventID, "2-0")
	byQuery, _ := s.follow("?after=1-0")
	if got := byHeader.next().id; got != "3-0" {
		t.Errorf("after 2-0 comes %s", got)
	}
	if got := byQuery.next().id; got != "2-0" {
		t.Errorf("after 1-0 comes %s", got)
	}
}

func TestEvents_Filters(t *testing.T) {
	t.Parallel()
	s, log := startEvents(t)
	log.tell(
		failedEvent("team", 7),
		job.Event{Type: job.EventJobUpdated, Namespace: "default", Job: 8},
		job.Event{Type: job.EventNodeLost, NodeID: "n2"},
		failedEvent("default", 8),
		job.Event{Type: job.EventJobCompleted, Namespace: "team", Job: 7},
	)
	for name, tt := range map[string]struct {
		query, key string
		want       string
	}{
		"root":            {"?", rootKey, "1-0 1-1 1-2 1-3 1-4"},
		"namespace":       {"?", teamKey, "1-0 1-4"},
		"own namespace":   {"?namespace=team&", teamKey, "1-0 1-4"},
		"root's choice":   {"?namespace=default&", rootKey, "1-1 1-3"},
		"types":           {"?types=execution.failed,cluster.node_lost&", rootKey, "1-0 1-2 1-3"},
		"cluster, hidden": {"?types=execution.failed,cluster.node_lost&", defaultKey, "1-3"},
		"job":             {"?jobId=job_0000000000000007&", rootKey, "1-0 1-4"},
		"all":             {"?jobId=job_0000000000000008&types=job.updated&namespace=default&", rootKey, "1-1"},
	} {
		r, _ := s.follow(tt.query+"after=0-0", headerAPIKey, tt.key)
		for _, want := range strings.Fields(tt.want) {
			if got := r.next().id; got != want {
				t.Errorf("%s: got %s, want %s of %s", name, got, want, tt.want)
			}
		}
	}
}

func TestEvents_Reset(t *testing.T) {
	t.Parallel()
	s, log := startEvents(t)
	log.tell(failedEvent("team", 7))
	live, _ := s.follow("")
	log.forget()
	late, _ := s.follow("?after=1-0")
	ahead, _ := s.follow("?after=99-0")
	for name, r := range map[string]*reader{"live": live, "late": late, "ahead": ahead} {
		m := r.next()
		var e api.Event
		if err := json.Unmarshal([]byte(m.data), &e); err != nil {
			t.Fatal(err)
		}
		if m.id != "2-0" || m.name != "reset" || e.Type != "reset" || e.ID != "2-0" || e.Timestamp.IsZero() {
			t.Errorf("%s: got %+v", name, m)
		}
	}
	log.tell(failedEvent("team", 7))
	for name, r := range map[string]*reader{"live": live, "late": late, "ahead": ahead} {
		if m := r.next(); m.id != "3-0" || m.name != "execution.failed" {
			t.Errorf("%s: got %+v", name, m)
		}
	}
}

func TestEvents_Refused(t *testing.T) {
	t.Parallel()
	s, _ := startEvents(t)
	for query, want := range map[string]string{
		"?after=1-":                     "after",
		"?after=01-0":                   "after",
		"?types=":                       "types",
		"?types=execution.failed,reset": "types",
		"?jobId=7":                      "jobId",
		"?limit=7":                      "limit",
		"?consistency=maybe":            "consistency",
	} {
		if got := fields(s.do("GET", "/events"+query, "").problem(400, "validation_error")); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %v, want %s", query, got, want)
		}
	}
	s.do("GET", "/events", "", headerLastEventID, "x").problem(400, "validation_error")
	s.do("GET", "/events", "", headerAPIKey, "x").problem(401, "unauthorized")
	s.do("GET", "/events?namespace=default", "", headerAPIKey, teamKey).problem(403, "forbidden")
	if a := s.do("HEAD", "/events", ""); a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: status %d, headers %v", a.status, a.header)
	}
}

// A stream begins at a read point, so that it has all that follows a write that was
// acknowledged elsewhere; a node that cannot have one opens none, unless asked to.
func TestEvents_ReadPoint(t *testing.T) {
	t.Parallel()
	s, log := startEvents(t)
	s.barrier = func(context.Context) error { return job.ErrNotLeader }
	s.do("GET", "/events", "").problem(503, "no_leader")
	r, _ := s.follow("?consistency=stale")
	log.tell(failedEvent("team", 7))
	if got := r.next().id; got != "1-0" {
		t.Errorf("got %s", got)
	}
}

// All readers together are bounded too, whatever their keys are, and whoever goes away
// makes room.
func TestEvents_TooManyAtNode(t *testing.T) {
	t.Parallel()
	s, _ := startEvents(t, func(c *Config) { c.Limits.NodeStreams = 2 })
	s.follow("")
	first, _ := s.follow("", headerAPIKey, teamKey)
	refused := s.do("GET", "/events", "", headerAPIKey, defaultKey)
	if p := refused.problem(429, "rate_limited"); refused.header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "another node") {
		t.Errorf("headers %v: %s", refused.header, p.Detail)
	}
	_ = first.body.Close()
	await(t, "one stream is open after one was closed", func() bool { return s.streamsOpen() == 1 })
	s.follow("", headerAPIKey, defaultKey)
}

func TestEvents_EndWithServer(t *testing.T) {
	t.Parallel()
	s, _ := startEvents(t)
	r, _ := s.follow("")
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r.in); err != nil || len(rest) > 0 {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
}

// A ping moves the reader on even past events that it does not want, so that it never
// resumes from far behind.
func TestEventStream_Ping(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	log := &eventLog{}
	from, to := io.Pipe()
	e := &eventStream{events: log, filter: eventFilter{namespace: "team"}, to: to, silence: time.Millisecond}
	done := make(chan error)
	go func() { done <- e.run(ctx) }()
	r := &reader{t: t, in: bufio.NewReader(from)}
	if m := r.next(); m.id != "0-0" || m.comment != "" {
		t.Errorf("the first block is %+v", m)
	}
	log.tell(failedEvent("default", 8))
	for {
		m := r.next()
		if m.comment != "ping" || m.name != "" || m.data != "" {
			t.Fatalf("got %+v", m)
		}
		if m.id == "1-0" {
			break
		}
	}
	cancel()
	go func() { _, _ = io.Copy(io.Discard, from) }()
	if err := <-done; err != nil {
		t.Error(err)
	}
	_ = to.Close()
}

// countingWriter remembers its longest write.
type countingWriter struct {
	bytes.Buffer
	longest int
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.longest = max(w.longest, len(p))
	return w.Buffer.Write(p)
}

func TestEventStream_WritesInPieces(t *testing.T) {
	t.Parallel()
	log := &eventLog{}
	for id := range 2000 {
		log.tell(failedEvent("team", job.ID(id)))
	}
	to := &countingWriter{}
	e := &eventStream{events: log, to: to}
	if _, err := e.catchUp(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(to.String(), "\nevent: execution.failed\n"); n != 2000 || to.longest > eventChunk+1024 {
		t.Errorf("%d events, the longest write had %d bytes", n, to.longest)
	}
}

func TestEventStream_EndsWithItsReader(t *testing.T) {
	t.Parallel()
	from, to := io.Pipe()
	_ = from.CloseWithError(errDisk)
	e := &eventStream{events: &eventLog{}, to: to, silence: time.Hour}
	if err := e.run(t.Context()); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
}
