package localcluster

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Delivery is one callback as the target saw it.
type Delivery struct {
	Path      string
	Job       string
	Execution string
	WebhookID string
	Trigger   string
	Scheduled time.Time
	Attempt   int
	Arrived   time.Time
}

// Target is an HTTP server that notes every callback it gets.
type Target struct {
	// URL has no path; paths tell jobs apart.
	URL string

	server *http.Server
	ended  chan error

	// mu guards deliveries.
	mu         sync.Mutex
	deliveries []Delivery
}

// StartTarget starts a target on loopback. Answer is called after the callback
// was noted; nil answers 200.
func StartTarget(answer http.HandlerFunc) (*Target, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &Target{URL: "http://" + listener.Addr().String(), ended: make(chan error, 1)}
	t.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.note(r)
		if answer != nil {
			answer(w, r)
		}
	})}
	go func() { t.ended <- t.server.Serve(listener) }()
	return t, nil
}

func (t *Target) note(r *http.Request) {
	now := time.Now()
	h := r.Header
	// What cannot be read stays zero, and the checks that use it fail.
	scheduled, _ := time.Parse(time.RFC3339Nano, h.Get("X-Cron-Scheduled-At"))
	attempt, _ := strconv.Atoi(h.Get("X-Cron-Attempt"))
	d := Delivery{
		Path: r.URL.Path, Job: h.Get("X-Cron-Job-Id"), Execution: h.Get("X-Cron-Execution-Id"), WebhookID: h.Get("Webhook-Id"),
		Trigger: h.Get("X-Cron-Trigger"), Scheduled: scheduled, Attempt: attempt, Arrived: now,
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deliveries = append(t.deliveries, d)
}

// Deliveries is a copy of all callbacks so far, in the order of their arrival.
func (t *Target) Deliveries() []Delivery {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Delivery(nil), t.deliveries...)
}

// Count is how many callbacks there were so far.
func (t *Target) Count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.deliveries)
}

// Close ends the server.
func (t *Target) Close() error {
	err := t.server.Close()
	if served := <-t.ended; !errors.Is(served, http.ErrServerClosed) {
		return fmt.Errorf("target: %w", served)
	}
	return err
}
