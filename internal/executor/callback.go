package executor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxResponseHeaderBytes is how large the headers of an answer may be.
	maxResponseHeaderBytes = 64 << 10
	// maxResponseBody is how much of an answer's body is read; the rest is left
	// unread and the connection closed, which is no error.
	maxResponseBody = 1 << 20
	// maxRetryAfter bounds what a target may ask for.
	maxRetryAfter = 86400 * time.Second

	// idleTimeout is how long a connection is kept for the next callback. Many
	// servers close theirs after five seconds or a round number of them; a job
	// that runs at just that interval would now and then send its request into a
	// connection that is being closed, and such a request fails: nobody knows
	// whether it was processed. A busy target's connections are reused well
	// within this time, for others a new one costs little.
	idleTimeout = 4 * time.Second
)

// client makes the HTTP requests of attempts. One is shared by all of them.
type client struct {
	transport *http.Transport
	following *http.Client // follows redirects
	userAgent string
	now       func() time.Time // the wall clock
	permit    func() error     // asked when a request is about to be written
}

func newClient(cfg Config) *client {
	d := newDialer(cfg)
	transport := &http.Transport{
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // bodies are recorded as they come
		MaxIdleConns:           cfg.Concurrency,
		MaxIdleConnsPerHost:    cfg.Concurrency,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxResponseHeaderBytes,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	// Go 1.26's own HTTP/2 repeats a request that the server has reset with
	// PROTOCOL_ERROR, as some do when the application has processed it and given a
	// faulty answer; x/net's does not. Take this out once
	// TestHTTP2_RepeatsOnlyWhatWasNotProcessed passes without it.
	//lint:ignore SA1019 the other way leads to Go's own HTTP/2
	if err := http2.ConfigureTransport(transport); err != nil {
		panic(fmt.Sprintf("executor: a new transport speaks HTTP/2 already: %v", err))
	}
	return &client{
		transport: transport,
		following: &http.Client{Transport: transport, CheckRedirect: onRedirect},
		userAgent: cfg.UserAgent,
		now:       cfg.Now,
		permit:    func() error { return nil },
	}
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// do makes the request of one attempt and returns when its answer is complete,
// its deadline has passed or ctx is done. The outcome lacks the node. It is one of
// an attempt that was never begun if the node gave it up while no request could
// have been written: such a one may run elsewhere without harm.
func (c *client) do(ctx context.Context, a *job.Assignment) job.Outcome {
	begun := time.Now()
	out := job.Outcome{AttemptRef: a.AttemptRef, StartedAt: job.Instant(c.now())}
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()

	x := &exchange{deadline: begun.Add(a.Timeout), refuse: refuse, permit: c.permitWithin(ctx)}
	x.begin(a.Target.Method, slices.ContainsFunc(a.Target.Headers, func(h job.Header) bool { return invitesRepeats(h.Name) }))
	if err := c.exchange(x.attach(ctx), a, &out); err != nil {
		out.Err = failure(ctx, err, x, a.Timeout)
		out.Response = nil
	}
	if out.Err != nil && out.Err.Code == job.ErrNodeLost && !x.mayHaveAsked() {
		return job.Outcome{AttemptRef: a.AttemptRef, Err: out.Err}
	}
	out.Duration = time.Since(begun)
	out.Timings = x.result()
	return out
}

// permitWithin is permit, but for requests of an attempt whose ctx is done.
func (c *client) permitWithin(ctx context.Context) func() error {
	return func() error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return c.permit()
	}
}

// exchange makes the request and fills in what the target answers; the error is
// that of an exchange that was not completed.
func (c *client) exchange(ctx context.Context, a *job.Assignment, out *job.Outcome) error {
	var body io.Reader
	if a.Target.Body != nil {
		body = strings.NewReader(*a.Target.Body)
	}
	req, err := http.NewRequestWithContext(ctx, a.Target.Method, a.Target.URL, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header = header(a, c.userAgent, c.now())
	resp, err := c.send(req, a.FollowRedirects)
	if resp != nil { // also with an error: that of one redirect too many
		out.HTTPStatus = resp.StatusCode
	}
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // what was read is complete
	if !job.StatusMatches(a.SuccessStatuses, resp.StatusCode) {
		out.Err = statusError(resp.StatusCode)
		out.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), c.now())
	}
	out.Response, err = readBody(resp.Body, captures(a.Capture, out.Err != nil))
	return err
}

func (c *client) send(req *http.Request, follow bool) (*http.Response, error) {
	if follow {
		return c.following.Do(req)
	}
	return c.transport.RoundTrip(req)
}

func statusError(status int) *job.AttemptError {
	msg := "the target answered " + strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		msg += " " + text
	}
	return attemptError(job.ErrHTTPStatus, msg)
}

func captures(c job.Capture, failed bool) bool {
	return c == job.CaptureAlways || c == job.CaptureOnFailure && failed
}

// readBody reads an answer to its end, or to the limit, and returns its beginning
// if that is wanted.
func readBody(body io.Reader, capture bool) ([]byte, error) {
	limited := io.LimitReader(body, maxResponseBody)
	var beginning []byte
	if capture {
		var err error
		if beginning, err = io.ReadAll(io.LimitReader(limited, job.CaptureLimit)); err != nil {
			return nil, err
		}
	}
	_, err := io.Copy(io.Discard, limited)
	return beginning, err
}

// retryAfter reads a Retry-After header, seconds or a date; zero if there is none
// that makes sense.
func retryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return 0
	}
	var pause time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		pause = time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		pause = at.Sub(now)
	}
	return min(max(pause, 0), maxRetryAfter)
}
