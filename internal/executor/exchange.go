package executor

import (
	"context"
	"crypto/tls"
	"net"
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
	permit   func() error            // why no request may be written now, if so
	refuse   context.CancelCauseFunc // ends the attempt

	// mu guards what follows: a dial may go on after its request has ended, or has
	// found another connection.
	mu                                   sync.Mutex
	dnsStart, connectStart, ready, first time.Time
	timings                              job.Timings
	asked                                bool // some request had a connection
	// replayable: net/http would repeat the request if a kept connection breaks.
	replayable bool
	wrote      bool
	isHTTP2    bool // the connection that the request has now
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
	x.replayable = method == http.MethodGet || method == http.MethodHead || repeatable
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

// onConn is called when the request has a connection, before anything is written
// to it, and may be called again, when net/http is about to repeat the request. It
// prevents what must not be written: a request that the lease, the deadline or an
// abort has overtaken, and one that the target may have got already, since whether
// to call again is the leader's to decide, not the transport's.
func (x *exchange) onConn(info httptrace.GotConnInfo) {
	err := x.permit()
	secure, _ := info.Conn.(*tls.Conn)
	isHTTP2 := secure != nil && secure.ConnectionState().NegotiatedProtocol == "h2"
	x.mu.Lock()
	defer x.mu.Unlock()
	if err == nil && x.mayHaveArrived() {
		err = errBrokenConnection
	}
	if err != nil {
		x.stop(err, info.Conn, isHTTP2)
		return
	}
	x.asked, x.isHTTP2 = true, isHTTP2
	x.ready = time.Now()
	if info.Reused {
		x.timings = job.Timings{}
	}
}

// mayHaveArrived reports whether the target may have got the request on another
// connection than the one that it has now been given. Over HTTP/1 net/http repeats
// what it has not written a byte of, and, if it calls the request replayable, also
// one whose kept connection broke before an answer came. HTTP/2 repeats only what
// the server says it has not processed, by GOAWAY or REFUSED_STREAM. The caller
// holds x.mu.
func (x *exchange) mayHaveArrived() bool { return x.wrote && !x.isHTTP2 && x.replayable }

// stop ends the attempt before it can write to the connection. An HTTP/2 one is
// others' as well, and looks at the request's context before it writes; HTTP/1
// does not.
func (x *exchange) stop(cause error, c net.Conn, isHTTP2 bool) {
	x.refuse(cause)
	if !isHTTP2 {
		_ = c.Close()
	}
}

// mayHaveAsked reports whether a request may have been written, be it in part.
func (x *exchange) mayHaveAsked() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.asked
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
