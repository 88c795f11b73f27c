package executor

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cronraft/cronraft/internal/job"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testIncarnation = 42

var testSlot = time.Date(2026, 3, 26, 16, 15, 0, 0, time.UTC)

// reporter is a fake [Reporter]: it keeps what was reported, if report says nil.
type reporter struct {
	report func([]job.Outcome) error // nil acknowledges all
	got    chan job.Outcome
}

func newReporter() *reporter { return &reporter{got: make(chan job.Outcome, 10000)} }

func (r *reporter) Report(_ context.Context, outcomes []job.Outcome) error {
	if r.report != nil {
		if err := r.report(outcomes); err != nil {
			return err
		}
	}
	for _, o := range outcomes {
		r.got <- o
	}
	return nil
}

// outcome is the next one that was acknowledged.
func (r *reporter) outcome(t *testing.T) job.Outcome {
	t.Helper()
	select {
	case o := <-r.got:
		return o
	case <-time.After(20 * time.Second):
		t.Fatal("no outcome was reported")
		return job.Outcome{}
	}
}

// none fails if an outcome was acknowledged.
func (r *reporter) none(t *testing.T) {
	t.Helper()
	select {
	case o := <-r.got:
		t.Fatalf("reported %+v, want nothing", o)
	default:
	}
}

// start runs an executor until the test ends.
func start(t *testing.T, cfg Config) *Executor {
	t.Helper()
	cfg.NodeID, cfg.Incarnation = "n1", testIncarnation
	e := New(cfg)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return e
}

func ref(n, attempt int) job.AttemptRef {
	slot := testSlot.Add(time.Duration(n) * time.Second)
	return job.AttemptRef{Execution: job.SlotExecution(7, slot), Attempt: attempt}
}

// assignment is attempt 1 of the n-th execution, a POST to the URL.
func assignment(n int, url string) job.Assignment {
	return job.Assignment{
		AttemptRef:      ref(n, 1),
		Incarnation:     testIncarnation,
		Trigger:         job.TriggerScheduled,
		ScheduledAt:     testSlot.Add(time.Duration(n) * time.Second),
		Target:          job.Target{URL: url, Method: http.MethodPost},
		Timeout:         30 * time.Second,
		SuccessStatuses: []string{"2XX"},
		Capture:         job.CaptureOnFailure,
	}
}

func accept(t *testing.T, e *Executor, b job.Batch) job.BatchReply {
	t.Helper()
	reply, err := e.Accept(b)
	if err != nil {
		t.Fatalf("Accept = %v", err)
	}
	return reply
}

func assign(t *testing.T, e *Executor, assignments ...job.Assignment) job.BatchReply {
	t.Helper()
	return accept(t, e, job.Batch{Term: 1, Assignments: assignments})
}

func expectCode(t *testing.T, o job.Outcome, want job.ErrorCode) {
	t.Helper()
	switch {
	case want == "" && o.Err != nil:
		t.Errorf("outcome's error = %+v, want success", *o.Err)
	case want != "" && o.Err == nil:
		t.Errorf("outcome = success, want %s", want)
	case want != "" && o.Err.Code != want:
		t.Errorf("outcome's error = %+v, want %s", *o.Err, want)
	}
}

// pipeNetwork is a network within a synctest bubble: it has one server.
type pipeNetwork struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipeNetwork) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipeNetwork) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipeNetwork) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }

func (p *pipeNetwork) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// bubble is a target in memory and an executor that can reach no other.
type bubble struct {
	*Executor
	*reporter
	target *target
}

func startBubble(t *testing.T, cfg Config) *bubble {
	t.Helper()
	b := &bubble{reporter: newReporter(), target: &target{release: make(chan struct{})}}
	network := &pipeNetwork{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: b.target}
	done := make(chan error, 1)
	go func() { done <- server.Serve(network) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	cfg.Reporter, cfg.DialContext = b.reporter, network.dial
	b.Executor = start(t, cfg)
	return b
}

// target notes the requests that it gets. Those to /hold stay open until the
// caller goes away or release is closed.
type target struct {
	release chan struct{}

	mu     sync.Mutex
	began  []string // execution IDs
	closed []string // those whose caller went away
}

func (g *target) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	id := r.Header.Get(headerExecutionID)
	g.note(&g.began, id)
	if r.URL.Path != "/hold" {
		return
	}
	select {
	case <-r.Context().Done():
		g.note(&g.closed, id)
	case <-g.release:
	}
}

func (g *target) note(list *[]string, id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	*list = append(*list, id)
}

func (g *target) expect(t *testing.T, began, closed []int) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if want := ids(began); !slices.Equal(g.began, want) {
		t.Errorf("requests = %v, want %v", g.began, want)
	}
	if want := ids(closed); !slices.Equal(slices.Sorted(slices.Values(g.closed)), want) {
		t.Errorf("connections closed by the caller = %v, want %v", g.closed, want)
	}
}

func ids(executions []int) []string {
	var list []string
	for _, n := range executions {
		list = append(list, ref(n, 1).Execution.String())
	}
	return list
}

const (
	quick = "http://target.example/"
	hold  = "http://target.example/hold"
)
