package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cronraft/cronraft/internal/job"
)

func TestCalls_CarryWords(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var heard any // what the handler got
	var reply any // what it is to answer
	hear := func(x any) any {
		mu.Lock()
		defer mu.Unlock()
		heard = x
		return reply
	}
	from, to := pair(t, fakeHandler{
		assign:    func(_ context.Context, b job.Batch) (job.BatchReply, error) { return hear(b).(job.BatchReply), nil },
		report:    func(_ context.Context, o []job.Outcome) error { hear(o); return nil },
		readIndex: func(context.Context) (uint64, error) { return hear(nil).(uint64), nil },
		forward:   func(_ context.Context, r []byte) ([]byte, error) { return hear(r).([]byte), nil },
		hello:     func(_ context.Context, g Greeting) (Greeting, error) { return hear(g).(Greeting), nil },
	})
	ctx := t.Context()
	check := func(t *rapid.T, name string, request, want any, call func() (any, error)) {
		t.Helper()
		mu.Lock()
		reply = want
		mu.Unlock()
		got, err := call()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if !reflect.DeepEqual(heard, request) {
			t.Errorf("%s: heard %#v, want %#v", name, heard, request)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, want %#v", name, got, want)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		batch, reply := batches.Draw(r, "batch"), replies.Draw(r, "reply")
		check(r, "Assign", batch, reply, func() (any, error) { return from.Assign(ctx, to.addr, batch) })
		report := some(outcomes).Draw(r, "outcomes")
		check(r, "Report", report, nil, func() (any, error) { return nil, from.Report(ctx, to.addr, report) })
		check(r, "ReadIndex", nil, rapid.Uint64().Draw(r, "index"), func() (any, error) { return from.ReadIndex(ctx, to.addr) })
		request, response := []byte(dirty.Draw(r, "request")), []byte(dirty.Draw(r, "response"))
		check(r, "Forward", append([]byte{}, request...), append([]byte(nil), response...), func() (any, error) { return from.Forward(ctx, to.addr, request) })
		greeting, answer := greetings.Draw(r, "greeting"), greetings.Draw(r, "answer")
		check(r, "Hello", greeting, answer, func() (any, error) { return from.Hello(ctx, to.addr, greeting) })
	})
}

func TestCalls_CarryErrors(t *testing.T) {
	t.Parallel()
	var err error
	from, to := pair(t, fakeHandler{
		report:  func(context.Context, []job.Outcome) error { return err },
		forward: func(context.Context, []byte) ([]byte, error) { return nil, err },
	})
	for _, err = range []error{
		job.ErrNotLeader, job.ErrOutcomeUnknown, job.ErrStale, fmt.Errorf("look up: %w", job.ErrNotFound),
		job.Invalid([]job.FieldError{{Field: "name", Msg: "is required"}, {Field: "retries", Msg: "is too large"}}),
		errors.New("the disk is on fire"),
	} {
		want := asJobError(err)
		_, forwarded := from.Forward(t.Context(), to.addr, nil)
		for name, got := range map[string]error{"Report": from.Report(t.Context(), to.addr, nil), "Forward": forwarded} {
			var e *job.Error
			if !errors.As(got, &e) || !reflect.DeepEqual(e, want) || !errors.Is(got, want) {
				t.Errorf("%s: got %#v, want %#v", name, got, want)
			}
			if !strings.Contains(fmt.Sprint(got), to.addr) {
				t.Errorf("%s: %q does not name the peer", name, got)
			}
		}
	}
}

func TestAssign_LargeBatchGoesInParts(t *testing.T) {
	t.Parallel()
	var got job.Batch
	calls := 0
	from, to := pair(t, fakeHandler{assign: func(_ context.Context, b job.Batch) (job.BatchReply, error) {
		calls++
		b.Assignments, b.Aborts = append(got.Assignments, b.Assignments...), append(got.Aborts, b.Aborts...)
		got = b
		return job.BatchReply{Open: len(got.Assignments), Refused: calls == 1}, nil
	}})
	body := strings.Repeat("x", 256<<10)
	want := job.Batch{
		Term: 3, Leader: "n1", Fenced: true, Incarnation: 4, Token: 5, Lease: time.Second,
		Aborts: []job.AttemptRef{{Attempt: 9}},
	}
	for i := range 100 {
		want.Assignments = append(want.Assignments, job.Assignment{
			AttemptRef: job.AttemptRef{Attempt: i}, Target: job.Target{Body: &body},
		})
	}
	reply, err := from.Assign(t.Context(), to.addr, want)
	if err != nil || reply.Open != len(want.Assignments) || !reply.Refused {
		t.Fatalf("Assign: got %+v, %v, want the last reply, and Refused as one part was", reply, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("the parts are not the whole")
	}
	if calls < 2 {
		t.Errorf("calls: got %d, want several", calls)
	}
}

func TestCall_RefusesTooLargeARequest(t *testing.T) {
	t.Parallel()
	from, to := pair(t, fakeHandler{forward: func(_ context.Context, r []byte) ([]byte, error) { return r, nil }})
	if got, err := from.Forward(t.Context(), to.addr, make([]byte, MaxRequest)); err != nil || len(got) != MaxRequest {
		t.Errorf("the largest request: got %d bytes, %v", len(got), err)
	}
	_, err := from.Forward(t.Context(), to.addr, make([]byte, MaxRequest+1))
	if got := job.CodeOf(err); got != job.CodePayloadTooLarge {
		t.Errorf("a larger one: got %v, want payload_too_large", err)
	}
}

func TestCall_HandlerHasTheCallersDeadline(t *testing.T) {
	t.Parallel()
	var left time.Duration
	from, to := pair(t, fakeHandler{readIndex: func(ctx context.Context) (uint64, error) {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		return 0, nil
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	if _, err := from.ReadIndex(ctx, to.addr); err != nil {
		t.Fatal(err)
	}
	if left < 30*time.Second || left > 40*time.Second {
		t.Errorf("time left: got %v, want almost 40s", left)
	}
	if _, err := from.ReadIndex(t.Context(), to.addr); err != nil {
		t.Fatal(err)
	}
	if left > defaultTimeout {
		t.Errorf("time left by default: got %v, want at most %v", left, defaultTimeout)
	}
}

// hang is a handler function that waits for the end of its context.
func hang() (entered chan struct{}, forward func(context.Context, []byte) ([]byte, error)) {
	entered = make(chan struct{}, 10)
	return entered, func(ctx context.Context, _ []byte) ([]byte, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

func TestCall_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	entered, forward := hang()
	from, to := pair(t, fakeHandler{forward: forward, report: func(ctx context.Context, _ []job.Outcome) error {
		_, err := forward(ctx, nil)
		return err
	}})
	cancelOnceEntered := func() context.Context {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-entered
			cancel()
		}()
		return ctx
	}
	ctx := cancelOnceEntered()
	if err := from.Report(ctx, to.addr, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v, want Canceled", err)
	}
	if _, err := from.Forward(ctx, to.addr, nil); !errors.Is(err, job.ErrNotLeader) {
		t.Errorf("cancelled before: got %v, want ErrNotLeader", err)
	}
	if _, err := from.Forward(cancelOnceEntered(), to.addr, nil); !errors.Is(err, job.ErrOutcomeUnknown) {
		t.Errorf("cancelled after it was sent: got %v, want ErrOutcomeUnknown", err)
	}
}

func TestForward_NotReached(t *testing.T) {
	t.Parallel()
	from, to := pair(t, fakeHandler{})
	to.stop(t)
	_, err := from.Forward(t.Context(), to.addr, nil)
	if !errors.Is(err, job.ErrNotLeader) || errors.Is(err, job.ErrOutcomeUnknown) {
		t.Errorf("got %v, want ErrNotLeader", err)
	}
	if err := from.Report(t.Context(), to.addr, nil); err == nil || job.CodeOf(err) != job.CodeInternal {
		t.Errorf("Report: got %v, want a plain error", err)
	}
}

func TestForward_OutcomeUnknownWhenTheConnectionBreaks(t *testing.T) {
	t.Parallel()
	entered, forward := hang()
	from, to := pair(t, fakeHandler{forward: forward})
	go func() {
		<-entered
		to.port.Close() // without a word
	}()
	_, err := from.Forward(t.Context(), to.addr, nil)
	if !errors.Is(err, job.ErrOutcomeUnknown) || errors.Is(err, job.ErrNotLeader) {
		t.Errorf("got %v, want ErrOutcomeUnknown", err)
	}
	if n := len(entered); n != 0 {
		t.Errorf("the request was sent %d times more", n)
	}
}

func TestServer_CloseEndsHandlersAndLetsThemAnswer(t *testing.T) {
	t.Parallel()
	entered, forward := hang()
	from, to := pair(t, fakeHandler{forward: func(ctx context.Context, r []byte) ([]byte, error) {
		forward(ctx, r)
		return []byte("goodbye"), nil
	}})
	go func() {
		<-entered
		to.server.Close()
	}()
	if got, err := from.Forward(t.Context(), to.addr, nil); err != nil || string(got) != "goodbye" {
		t.Errorf("got %q, %v, want the answer", got, err)
	}
}

func TestClient_NoticesARestart(t *testing.T) {
	t.Parallel()
	c := newSecret(t)
	from := startNode(t, tcp(t, loopback, c), fakeHandler{})
	handler := fakeHandler{readIndex: index, forward: func(context.Context, []byte) ([]byte, error) { return []byte("done"), nil }}
	to := startNode(t, tcp(t, loopback, c), handler)
	for range 5 {
		checkCall(t, from, to)
		conns := from.openConns()
		to.stop(t)
		for _, c := range conns {
			<-c.dead // the reader has noticed
		}
		to = startNode(t, tcp(t, to.addr, c), handler)
		if _, err := from.Forward(t.Context(), to.addr, nil); err != nil {
			t.Fatalf("Forward after a restart: %v", err)
		}
	}
}

func (c *Client) openConns() []*conn {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	var open []*conn
	for c := range c.pool.open {
		open = append(open, c)
	}
	return open
}

// TestClient_RepeatsWhatMayBeRepeated has a peer that takes a request and hangs
// up, the first time.
func TestClient_RepeatsWhatMayBeRepeated(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	var to *testNode
	flaky := func() {
		if calls.Add(1)%2 == 1 {
			to.server.closeConns(true)
		}
	}
	from, to := pair(t, fakeHandler{
		readIndex: func(context.Context) (uint64, error) { flaky(); return 7, nil },
		forward:   func(context.Context, []byte) ([]byte, error) { flaky(); return nil, nil },
	})
	checkCall(t, from, to)
	if got := calls.Load(); got != 2 {
		t.Errorf("ReadIndex: got %d requests, want 2", got)
	}
	if _, err := from.Forward(t.Context(), to.addr, nil); !errors.Is(err, job.ErrOutcomeUnknown) || calls.Load() != 3 {
		t.Errorf("Forward: got %v and %d requests, want ErrOutcomeUnknown and 1", err, calls.Load()-2)
	}
}

func TestClient_CloseEndsCalls(t *testing.T) {
	t.Parallel()
	entered, forward := hang()
	from, to := pair(t, fakeHandler{forward: forward})
	go func() {
		<-entered
		from.Client.Close()
	}()
	if _, err := from.Forward(t.Context(), to.addr, nil); !errors.Is(err, job.ErrOutcomeUnknown) {
		t.Errorf("a call under way: got %v, want ErrOutcomeUnknown", err)
	}
	if _, err := from.Forward(t.Context(), to.addr, nil); !errors.Is(err, job.ErrNotLeader) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("a later call: got %v, want ErrNotLeader and ErrClosed", err)
	}
}

func TestClient_BoundsItsConnections(t *testing.T) {
	t.Parallel()
	var open, most atomic.Int32
	from, to := pair(t, fakeHandler{forward: func(_ context.Context, r []byte) ([]byte, error) {
		most.Store(max(most.Load(), open.Add(1)))
		defer open.Add(-1)
		return r, nil
	}})
	client := NewClient(t.Context(), ClientConfig{Dial: from.port.Calls().DialContext, MaxConnsPerPeer: 3})
	defer client.Close()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			request := bytes.Repeat([]byte{byte(i)}, 1000)
			if got, err := client.Forward(t.Context(), to.addr, request); err != nil || !bytes.Equal(got, request) {
				t.Errorf("Forward: %v", err)
			}
		})
	}
	wg.Wait()
	if got := most.Load(); got > 3 {
		t.Errorf("calls at a time: got %d, want at most 3", got)
	}
	if got := len(client.openConns()); got > 3 {
		t.Errorf("connections: got %d, want at most 3", got)
	}
}
