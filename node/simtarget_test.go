//go:build !race

package node_test

import (
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

// simTarget is what the jobs call. It keeps a log of its own.
type simTarget struct {
	server *http.Server
	ended  chan error
	// nodeAt is the node that a request comes from.
	nodeAt func(host string) string

	// mu guards the fields below.
	mu         sync.Mutex
	deliveries []checker.Delivery
	last       time.Time
}

func newSimTarget(t *testing.T, links *simLinks, addr string, nodeAt func(host string) string) *simTarget {
	t.Helper()
	listener, err := links.streams.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &simTarget{ended: make(chan error, 1), nodeAt: nodeAt}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { s.ended <- s.server.Serve(listener) }()
	return s
}

// ServeHTTP notes a callback. ?hold= keeps it open, ?fail= answers 503 to so many
// first attempts, ?flaky= to so many percent of all.
func (s *simTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The server notices a client that is gone only once the body is read.
	io.Copy(io.Discard, r.Body)
	began := s.note(r)
	status := http.StatusOK
	if fails(r, began.delivery) {
		status = http.StatusServiceUnavailable
	}
	if hold, err := time.ParseDuration(r.FormValue("hold")); err == nil {
		timer := time.NewTimer(hold)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			status = 0
		}
	}
	s.mu.Lock()
	s.deliveries[began.index].Ended = s.tick()
	s.deliveries[began.index].Status = status
	s.mu.Unlock()
	if status > 0 {
		w.WriteHeader(status)
	}
}

// noted is a delivery, and where it is in the target's log.
type noted struct {
	index    int
	delivery checker.Delivery
}

func (s *simTarget) note(r *http.Request) noted {
	h := r.Header
	attempt, _ := strconv.Atoi(h.Get("X-Cron-Attempt"))
	slot, _ := time.Parse(time.RFC3339Nano, h.Get("X-Cron-Scheduled-At"))
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	d := checker.Delivery{
		Job: r.FormValue("job"), JobID: h.Get("X-Cron-Job-Id"), Execution: h.Get("X-Cron-Execution-Id"), WebhookID: h.Get("Webhook-Id"),
		Trigger: h.Get("X-Cron-Trigger"), Attempt: attempt, ScheduledAt: slot, Node: s.nodeAt(from),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Arrived = s.tick()
	s.deliveries = append(s.deliveries, d)
	return noted{len(s.deliveries) - 1, d}
}

// tick is the time, a little later than ever before: many things happen at one
// instant of the bubble's time, and which came first matters. mu is held.
func (s *simTarget) tick() time.Time {
	now := time.Now()
	if !now.After(s.last) {
		now = s.last.Add(1)
	}
	s.last = now
	return now
}

// fails decides by what is asked, not by chance: the same attempt fails whoever
// makes it.
func fails(r *http.Request, d checker.Delivery) bool {
	if first, err := strconv.Atoi(r.FormValue("fail")); err == nil && d.Attempt <= first {
		return true
	}
	percent, err := strconv.Atoi(r.FormValue("flaky"))
	if err != nil {
		return false
	}
	hash := fnv.New32a()
	io.WriteString(hash, d.Execution+strconv.Itoa(d.Attempt))
	return int(hash.Sum32()%100) < percent
}

// log is what has arrived until now.
func (s *simTarget) log() []checker.Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]checker.Delivery(nil), s.deliveries...)
}

func (s *simTarget) close() {
	s.server.Close()
	<-s.ended
}
