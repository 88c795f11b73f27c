package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

const (
	// patience is how long a test waits for what has to come; a machine that is
	// busy with other things takes its time.
	patience = 100 * time.Second
	// never is the schedule of a job that only runs by hand.
	never = `"runAt":"2099-01-01T00:00:00Z"`
)

// calm are the flags of a cluster whose nodes a busy machine does not make lose
// their leases, or their leader.
var calm = []string{"--election-timeout", "3s", "--node-lost-after", "30s"}

// arrival is one request as the target got it, whole.
type arrival struct {
	Method, URI, Host, Body string
	Length                  int64 // of the body, as it was announced
	Header                  http.Header
	At                      time.Time
}

func (a arrival) execution() string { return a.Header.Get("X-Cron-Execution-Id") }

func (a arrival) attempt() string { return a.Header.Get("X-Cron-Attempt") }

// slot is zero if it cannot be read.
func (a arrival) slot() time.Time {
	at, _ := time.Parse(time.RFC3339Nano, a.Header.Get("X-Cron-Scheduled-At"))
	return at
}

// stage is a cluster and a target at which each job has a path of its own.
type stage struct {
	ctx    context.Context
	c      *localcluster.Cluster
	target *localcluster.Target
	since  string // the last event before all

	// mu guards the maps, whose keys are the jobs' names.
	mu       sync.Mutex
	answers  map[string]http.HandlerFunc
	arrivals map[string][]arrival
}

func newStage(t *testing.T, flags ...string) *stage {
	t.Helper()
	s := newTargetStage(t)
	s.ctx, s.c = startCluster(t, flags...)
	return s
}

// newTargetStage is a stage that has no cluster yet.
func newTargetStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{answers: map[string]http.HandlerFunc{}, arrivals: map[string][]arrival{}}
	s.target = startTarget(t, s.receive)
	return s
}

func (s *stage) receive(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller gave up, and notes it
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.mu.Lock()
	s.arrivals[name] = append(s.arrivals[name], arrival{
		Method: r.Method, URI: r.RequestURI, Host: r.Host, Body: string(body), Length: r.ContentLength, Header: r.Header.Clone(), At: at,
	})
	answer := s.answers[name]
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

// scene is a job, and what has to be seen of it: at the target, and over the API.
type scene struct {
	// field is what of the contract it is about.
	field string
	// schedule is never, and the job is run once by hand, unless it is set.
	schedule string
	// url follows the target's and the field; one with a scheme replaces both.
	url string
	// job are further members of the job.
	job    string
	answer http.HandlerFunc // nil: 200
	check  func(t *testing.T, p *play)
}

// play is a scene whose job is there.
type play struct {
	*stage
	field   string
	id      string
	node    int // that was asked last
	created fields
}

// act creates the jobs of all scenes first, and then looks at one after the other:
// they all run meanwhile. Those that take long are created before the others, and
// looked at after them.
func (s *stage) act(t *testing.T, scenes []scene, long ...scene) {
	t.Helper()
	plays := map[string]*play{}
	for i, x := range slices.Concat(long, scenes) {
		plays[x.field] = s.begin(t, i, x)
	}
	for _, x := range slices.Concat(scenes, long) {
		t.Run(x.field, func(t *testing.T) { x.check(t, plays[x.field]) })
	}
}

func (s *stage) begin(t *testing.T, i int, x scene) *play {
	t.Helper()
	url, schedule := x.url, x.schedule
	if !strings.Contains(url, "://") {
		url = s.target.URL + "/" + x.field + x.url
	}
	if schedule == "" {
		schedule = never
	}
	s.answerWith(x.field, x.answer)
	p := &play{stage: s, field: x.field, node: i % s.c.Len()}
	body := fmt.Sprintf(`{"name":%q,"targetUrl":%q,%s`, x.field, url, schedule)
	if x.job != "" {
		body += "," + x.job
	}
	p.ask(t, "POST", "/jobs", body+"}", http.StatusCreated, &p.created)
	p.id = p.created.text("jobId")
	if x.schedule == "" {
		p.run(t)
	}
	return p
}

func (s *stage) answerWith(name string, answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[name] = answer
}

// ask sends a request to a node, each time to the next one.
func (p *play) ask(t *testing.T, method, path, body string, want int, out any) {
	t.Helper()
	call(p.ctx, t, p.c, p.next(), method, path, body, want, out)
}

// next is another node than the last time, of those that run.
func (p *play) next() int {
	p.node = (p.node + 1) % p.c.Len()
	for !p.c.Running(p.node) {
		p.node = (p.node + 1) % p.c.Len()
	}
	return p.node
}

// run runs the job by hand and returns the execution's id.
func (p *play) run(t *testing.T) string {
	t.Helper()
	var run fields
	p.ask(t, "POST", "/jobs/"+p.id+"/run", "", http.StatusAccepted, &run)
	return run.text("executionId")
}

func (p *play) patch(t *testing.T, body string) fields {
	t.Helper()
	var j fields
	p.ask(t, "PATCH", "/jobs/"+p.id, body, http.StatusOK, &j)
	return j
}

func (p *play) job(t *testing.T) fields {
	t.Helper()
	var j fields
	p.ask(t, "GET", "/jobs/"+p.id, "", http.StatusOK, &j)
	return j
}

// records are the job's executions, newest first.
func (p *play) records(t *testing.T) []fields {
	t.Helper()
	var page fields
	p.ask(t, "GET", "/jobs/"+p.id+"/executions?limit=500", "", http.StatusOK, &page)
	return page.list("executions")
}

// detail is all that is known of an execution.
func (p *play) detail(t *testing.T, id string) fields {
	t.Helper()
	var x fields
	p.ask(t, "GET", "/executions/"+id, "", http.StatusOK, &x)
	return x
}

func (p *play) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	until(p.ctx, t, p.c, patience, p.field+": "+what, condition)
}

// got are the requests that have come so far.
func (p *play) got() []arrival {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]arrival(nil), p.arrivals[p.field]...)
}

// wait returns when so many requests have come.
func (p *play) wait(t *testing.T, count int) []arrival {
	t.Helper()
	p.until(t, fmt.Sprintf("%d requests", count), func() bool { return len(p.got()) >= count })
	return p.got()
}

// ended waits until so many executions have ended, and returns them all, newest
// first.
func (p *play) ended(t *testing.T, count int) (records []fields) {
	t.Helper()
	p.until(t, fmt.Sprintf("%d executions have ended", count), func() bool {
		records = p.records(t)
		n := 0
		for _, x := range records {
			if isOver(x) {
				n++
			}
		}
		return n >= count
	})
	return records
}

func isOver(x fields) bool { return x.text("result") != "RUNNING" && x.text("result") != "RETRYING" }

// outcome waits until an execution has ended, and is all that is known of it.
func (p *play) outcome(t *testing.T, id string) (x fields) {
	t.Helper()
	p.until(t, "the end of "+id, func() bool {
		x = p.detail(t, id)
		return isOver(x)
	})
	return x
}

// first is the outcome of the job's first execution.
func (p *play) first(t *testing.T) fields {
	t.Helper()
	records := p.ended(t, 1)
	return p.outcome(t, records[len(records)-1].text("executionId"))
}

// pause ends the job's part in the play.
func (p *play) pause(t *testing.T) { p.patch(t, `{"state":"PAUSED"}`) }
