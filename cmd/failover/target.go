package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/group"
)

// The behaviours of a target: the first part of its paths.
const (
	behaveOK    = "ok"    // answers at once
	behaveSlow  = "slow"  // holds each request for up to [slowHold]
	behaveLong  = "long"  // holds each request for [longHold]
	behaveFlaky = "flaky" // fails the first attempt of an execution, or the first two
	behaveFail  = "fail"  // always fails
)

const (
	slowHold = 3 * time.Second
	longHold = 20 * time.Second
)

// target is the server that all jobs call. It notes every request: when it came,
// and when it was answered or given up by its client.
type target struct {
	url    string
	server *http.Server
	served *group.Group
	stalls stalls
	// nodeOf tells nodes by their address; empty if they share one.
	nodeOf map[string]string

	// mu guards the fields below.
	mu         sync.Mutex
	deliveries []checker.Delivery
	// released is closed while no request is held or failed.
	released chan struct{}
	isOpen   bool
}

// startTarget starts a target at the host's address. It serves until it is closed.
func startTarget(ctx context.Context, host string, nodeOf map[string]string) (*target, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	t := &target{
		url: "http://" + listener.Addr().String(), served: group.New(ctx),
		nodeOf: maps.Clone(nodeOf), released: make(chan struct{}),
	}
	t.server = &http.Server{Handler: t, ReadHeaderTimeout: 10 * time.Second, ConnContext: withConn}
	t.served.Go(func(context.Context) error {
		if err := t.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("target: %w", err)
		}
		return nil
	})
	t.served.Go(t.stalls.run)
	return t, nil
}

// close ends the server and every request.
func (t *target) close() error {
	return errors.Join(t.server.Close(), t.served.Stop())
}

// take returns what was noted so far, and forgets it. Requests that are still
// held are not ended in it.
func (t *target) take() []checker.Delivery {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.deliveries
	t.deliveries = nil
	return taken
}

// release ends all holding and failing of requests until [target.hold]: a job that
// is behind and whose every execution takes longer than its interval would never
// catch up.
func (t *target) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.isOpen {
		t.isOpen = true
		close(t.released)
	}
}

// hold lets requests be held and failed again.
func (t *target) hold() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isOpen {
		t.isOpen = false
		t.released = make(chan struct{})
	}
}

func (t *target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := t.read(r)
	index, released := t.note(d)
	if isClosed(r.Context()) {
		t.end(index, d, ending{at: d.Arrived})
		return
	}
	behaviour, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if keep(r.Context(), holdFor(behaviour, d), released) {
		t.end(index, d, ending{at: t.stalls.earliest(time.Now())})
		return
	}
	status := statusFor(behaviour, d)
	if isDone(released) {
		status = http.StatusOK
	}
	// The end is noted before the answer is written: what the answer causes comes
	// later than the end.
	t.end(index, d, ending{at: time.Now(), status: status})
	w.WriteHeader(status)
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// isClosed reports whether the client had closed the connection before its request
// was looked at: a busy machine hands over requests that were given up already.
func isClosed(ctx context.Context) bool {
	c, ok := ctx.Value(connKey{}).(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	err = raw.Control(func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = n == 0 && err == nil || errors.Is(err, syscall.ECONNRESET)
	})
	return closed || err != nil
}

// keep holds a request, and reports whether its client went away meanwhile.
func keep(ctx context.Context, d time.Duration, released <-chan struct{}) (gone bool) {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-released:
		case <-ctx.Done():
		}
	}
	return ctx.Err() != nil
}

func (t *target) read(r *http.Request) checker.Delivery {
	now := time.Now()
	_, _ = io.Copy(io.Discard, r.Body) // only after it does the server notice that a client goes away
	h := r.Header
	// What cannot be read stays zero, and the checker complains.
	scheduled, _ := time.Parse(time.RFC3339Nano, h.Get("X-Cron-Scheduled-At"))
	attempt, _ := strconv.Atoi(h.Get("X-Cron-Attempt"))
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return checker.Delivery{
		JobID: h.Get("X-Cron-Job-Id"), Job: path.Base(r.URL.Path), Execution: h.Get("X-Cron-Execution-Id"), WebhookID: h.Get("Webhook-Id"),
		Trigger: h.Get("X-Cron-Trigger"), Attempt: attempt, ScheduledAt: scheduled, Arrived: now, Node: t.nodeOf[host],
	}
}

func (t *target) note(d checker.Delivery) (index int, released <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deliveries = append(t.deliveries, d)
	return len(t.deliveries) - 1, t.released
}

// ending is how a request ended; without a status its client was gone.
type ending struct {
	at     time.Time
	status int
}

// end completes what was noted, unless it was taken meanwhile. Nothing ends before
// it began.
func (t *target) end(index int, d checker.Delivery, e ending) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if index < len(t.deliveries) && t.deliveries[index].Arrived.Equal(d.Arrived) && t.deliveries[index].WebhookID == d.WebhookID {
		t.deliveries[index].Status = e.status
		t.deliveries[index].Ended = e.at
		if e.at.Before(d.Arrived) {
			t.deliveries[index].Ended = d.Arrived
		}
	}
}

// holdFor is the same for each redelivery of an attempt.
func holdFor(behaviour string, d checker.Delivery) time.Duration {
	switch behaviour {
	case behaveSlow:
		return time.Duration(chance(d, "hold", 1000)) * slowHold / 1000
	case behaveLong:
		return longHold
	default:
		return 0
	}
}

func statusFor(behaviour string, d checker.Delivery) int {
	switch {
	case behaviour == behaveFail, behaviour == behaveFlaky && d.Attempt <= 1+chance(d, "fail", 2):
		return http.StatusServiceUnavailable
	default:
		return http.StatusOK
	}
}

// chance draws a number below n from the execution's ID: the same whenever and
// wherever it is asked.
func chance(d checker.Delivery, what string, n uint32) int {
	h := fnv.New32a()
	_, _ = fmt.Fprint(h, d.Execution, what) // a hash never fails
	return int(h.Sum32() % n)
}
