package executor

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// exchange is one attempt as net/http sees it: it notes how far the request has
// come. It travels in the request's context, which is also how a dial, which
// net/http detaches from the request, finds its deadline.
type exchange struct {
	deadline time.Time
	refuse   context.CancelCauseFunc

	// mu guards what follows: a dial may go on after its request has ended, or has
	// found another connection.
	mu                                   sync.Mutex
	dnsStart, connectStart, ready, first time.Time
	atMostOnce                           bool // net/http would repeat the request
	wrote                                bool
	timings                              job.Timings
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// attach makes the context of x's requests.
func (x *exchange) attach(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, exchangeKey{}, x)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:             x.onDNSStart,
		DNSDone:              x.onDNSDone,
		ConnectStart:         x.onConnectStart,
		ConnectDone:          x.onConnectDone,
		GotConn:              x.onConn,
		WroteHeaders:         x.onWroteHeaders,
		GotFirstResponseByte: x.onFirstByte,
	})
}

// invitesRepeats reports whether a header makes net/http repeat the request, of
// whatever method, when its connection breaks.
func invitesRepeats(name string) bool {
	return strings.EqualFold(name, "Idempotency-Key") || strings.EqualFold(name, "X-Idempotency-Key")
}

// begin notes that a request begins, the attempt's or one that follows a
// redirect: the timings are those of the last one. Repeatable is one with a
// header that invites repeats.
func (x *exchange) begin(method string, repeatable bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.atMostOnce = method == http.MethodGet || method == http.MethodHead || repeatable
	x.dnsStart, x.connectStart, x.ready, x.first = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	x.wrote, x.timings = false, job.Timings{}
}

func (x *exchange) onDNSStart(httptrace.DNSStartInfo) { x.start(&x.dnsStart) }

func (x *exchange) onDNSDone(httptrace.DNSDoneInfo) { x.done(&x.timings.DNS, &x.dnsStart) }

func (x *exchange) onConnectStart(_, _ string) { x.start(&x.connectStart) }

func (x *exchange) onConnectDone(_, _ string, _ error) {
	x.done(&x.timings.Connect, &x.connectStart)
}

// start notes the first beginning of a phase; a host with several addresses is
// connected to several times.
func (x *exchange) start(at *time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if at.IsZero() {
		*at = time.Now()
	}
}

// done notes the last end of a phase, unless the request has a connection: then
// the phase was that of a dial that it did not need.
func (x *exchange) done(took *time.Duration, since *time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ready.IsZero() {
		*took = time.Since(*since)
	}
}

func (x *exchange) onTLSDone(start time.Time) { x.done(&x.timings.TLS, &start) }

// onConn notes that the request has a connection, and prevents that it is sent
// twice. net/http repeats a GET or HEAD by itself if a kept connection breaks
// before an answer comes; but then the target may have seen it already, and
// whether to call again is the leader's to decide, not the transport's. HTTP/2
// repeats only what the server says it has not processed.
func (x *exchange) onConn(info httptrace.GotConnInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wrote && x.atMostOnce {
		x.refuse(errBrokenConnection)
		_ = info.Conn.Close() // so that nothing more is written
		return
	}
	x.ready = time.Now()
	if info.Reused {
		x.timings = job.Timings{}
	}
	if c, ok := info.Conn.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol == "h2" {
		x.atMostOnce = false
	}
}

func (x *exchange) onWroteHeaders() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wrote = true
}

func (x *exchange) onFirstByte() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ready.IsZero() {
		x.first = time.Now()
		x.timings.FirstByte = x.first.Sub(x.ready)
	}
}

// result is how long the phases took, the first byte counted from when the
// connection was ready.
func (x *exchange) result() job.Timings {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.timings
}

// phase says what the exchange is waiting for, for error messages.
func (x *exchange) phase() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.ready.IsZero():
		return "while connecting"
	case x.first.IsZero():
		return "while waiting for the answer"
	default:
		return "while reading the answer"
	}
}
