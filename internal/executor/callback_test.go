package executor

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/cronraft/cronraft/internal/job"
)

// call makes one attempt over the real network.
func call(t *testing.T, cfg Config, a job.Assignment) job.Outcome {
	t.Helper()
	c := newClient(cfg.withDefaults())
	defer c.close()
	return c.do(t.Context(), &a)
}

// serve starts an HTTP target and returns its URL.
func serve(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return server.URL
}

// listen starts a target that does what it likes with its connections.
func listen(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				f(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// answering reads a request and writes text instead of an answer.
func answering(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, text)
		}
	}
}

// untilClosed holds a connection open until the caller closes it.
func untilClosed(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func refusingAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = quietLog()
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	tests := map[string]struct {
		url    string
		cfg    Config
		change func(*job.Assignment)
		code   job.ErrorCode
		status int
		msg    string // part of the message
	}{
		"success": {url: plain, status: 200},
		"status": {
			url:  serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }),
			code: job.ErrHTTPStatus, status: 503, msg: "the target answered 503 Service Unavailable",
		},
		"own success status": {
			url:    serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }),
			change: func(a *job.Assignment) { a.SuccessStatuses = []string{"404"} },
			status: 404,
		},
		"redirect not followed": {
			url: serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://%zz/")
				w.WriteHeader(302)
			}),
			code: job.ErrHTTPStatus, status: 302,
		},
		"refused": {
			url:  "http://" + refusingAddr(t),
			code: job.ErrConnect, msg: "connection refused",
		},
		"no such host": {
			url: "http://no-such-host.invalid/",
			cfg: Config{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: addr}}
			}},
			code: job.ErrDNS, msg: "cannot resolve no-such-host.invalid:80: no such host",
		},
		"certificate": {
			url:  untrusted.URL,
			code: job.ErrTLS, msg: "x509: certificate signed by unknown authority",
		},
		"plain HTTP on the HTTPS port": {
			url:  strings.Replace(plain, "http:", "https:", 1),
			code: job.ErrTLS, msg: "the target speaks plain HTTP on this port, not HTTPS",
		},
		"garbage instead of TLS": {
			url:  "https://" + listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n"); untilClosed(c) }),
			code: job.ErrTLS, msg: "the target does not speak TLS on this port",
		},
		"closed in the handshake": {
			url:  "https://" + listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1<<10)) }),
			code: job.ErrTLS,
		},
		"garbage": {
			url:  "http://" + listen(t, answering("220 mail.example ESMTP secret\r\n")),
			code: job.ErrProtocol, msg: "the answer is not valid HTTP",
		},
		"no answer": {
			url:  "http://" + listen(t, answering("")),
			code: job.ErrProtocol, msg: "the target closed the connection without an answer",
		},
		"body breaks off": {
			url:  "http://" + listen(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")),
			code: job.ErrProtocol, status: 200, msg: "closed the connection before the answer was complete",
		},
		"headers too large": {
			url:  "http://" + listen(t, answering("HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("a", maxResponseHeaderBytes)+"\r\n\r\n")),
			code: job.ErrTooLarge, msg: "65536",
		},
		"timeout before the answer": {
			url:    "http://" + listen(t, untilClosed),
			change: func(a *job.Assignment) { a.Timeout = time.Second },
			code:   job.ErrTimeout, msg: "no complete answer within 1s: timed out while waiting for the answer",
		},
		"timeout in the body": {
			url: serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, "beginning")
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}),
			change: func(a *job.Assignment) { a.Timeout = time.Second },
			code:   job.ErrTimeout, status: 200, msg: "while reading the answer",
		},
		"timeout in the TLS handshake": {
			url:    "https://" + listen(t, untilClosed),
			change: func(a *job.Assignment) { a.Timeout = 50 * time.Millisecond },
			code:   job.ErrTimeout, msg: "while connecting",
		},
		"metadata address": {
			url:  "http://169.254.169.254/latest/meta-data/",
			code: job.ErrBlockedTarget, msg: "169.254.169.254:80 is not allowed as a target: it is link-local",
		},
		"denied network": {
			url: plain, cfg: Config{Deny: prefixes("127.0.0.0/8")},
			code: job.ErrBlockedTarget, msg: "it is in a denied network",
		},
		"own port": {
			url: plain, cfg: Config{OwnPorts: func() []netip.AddrPort {
				return []netip.AddrPort{netip.MustParseAddrPort(strings.TrimPrefix(plain, "http://"))}
			}},
			code: job.ErrBlockedTarget, msg: "it is a port of this cluster",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assignment(1, tc.url)
			if tc.change != nil {
				tc.change(&a)
			}
			o := call(t, tc.cfg, a)
			expectCode(t, o, tc.code)
			if o.HTTPStatus != tc.status {
				t.Errorf("status = %d, want %d", o.HTTPStatus, tc.status)
			}
			if o.Err != nil && (!strings.Contains(o.Err.Msg, tc.msg) || strings.Contains(o.Err.Msg, "secret")) {
				t.Errorf("message = %q, want %q in it", o.Err.Msg, tc.msg)
			}
		})
	}
}

func TestSignature_OfficialLibrary(t *testing.T) {
	t.Parallel()
	const key = "cron_live_0123456789abcdef0123456789abcdef"
	wh, err := webhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString([]byte(key)))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		keys []string
		body *string
		want error
	}{
		"one key":     {[]string{key}, new("{\"text\":\"grüße\"}\n"), nil},
		"no body":     {[]string{key}, nil, nil},
		"rotated key": {[]string{"cron_live_new", key}, new("hello"), nil},
		"other key":   {[]string{"cron_live_new"}, new("hello"), webhooks.ErrNoMatchingSignature},
		"unsigned":    {nil, new("hello"), webhooks.ErrRequiredHeaders},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verdict := make(chan error, 1)
			a := assignment(1, serve(t, func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				verdict <- errors.Join(err, wh.Verify(body, r.Header))
			}))
			a.Target.Body, a.SigningKeys = tc.body, tc.keys
			expectCode(t, call(t, Config{}, a), "")
			if err := <-verdict; !errors.Is(err, tc.want) {
				t.Errorf("Verify = %v, want %v", err, tc.want)
			}
		})
	}
}

func TestCallback_Request(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "hello" {
			t.Errorf("body = %q, %v, want hello", body, err)
		}
		got <- r
	})
	a := assignment(1, url+"/hook?x=1")
	a.Target.Method, a.Target.Body = http.MethodPatch, new("hello")
	a.Target.Headers = []job.Header{{Name: "User-Agent", Value: "own"}}
	expectCode(t, call(t, Config{UserAgent: "cronraft/1"}, a), "")
	r := <-got
	if r.Method != http.MethodPatch || r.RequestURI != "/hook?x=1" {
		t.Errorf("request = %s %s", r.Method, r.RequestURI)
	}
	if ua := r.Header.Get("User-Agent"); ua != "own" {
		t.Errorf("User-Agent = %q, want the job's", ua)
	}
	if enc := r.Header.Get("Accept-Encoding"); enc != "" {
		t.Errorf("Accept-Encoding = %q, want none", enc)
	}
	for _, name := range []string{headerTraceparent, headerWebhookID, headerTimestamp} {
		if r.Header.Get(name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestCallback_Capture(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 1000)
	tests := map[string]struct {
		capture job.Capture
		status  int
		body    string
		want    string
	}{
		"never":            {job.CaptureNone, 500, "no", ""},
		"failure only":     {job.CaptureOnFailure, 200, "fine", ""},
		"failure":          {job.CaptureOnFailure, 500, "broken", "broken"},
		"always":           {job.CaptureAlways, 200, "fine", "fine"},
		"at most a KiB":    {job.CaptureAlways, 200, long, long[:1024]},
		"exactly a KiB":    {job.CaptureAlways, 200, long[:1024], long[:1024]},
		"nothing to catch": {job.CaptureAlways, 204, "", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assignment(1, serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			a.Capture = tc.capture
			if o := call(t, Config{}, a); string(o.Response) != tc.want {
				t.Errorf("response = %q, want %q", o.Response, tc.want)
			}
		})
	}
}

func TestCallback_EndlessBodyIsCutOff(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	a := assignment(1, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(closed)
		block := make([]byte, 64<<10)
		for {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	expectCode(t, call(t, Config{}, a), "")
	<-closed
}

func TestCallback_RetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 26, 16, 15, 0, 0, time.UTC)
	tests := map[string]time.Duration{
		"":                              0,
		"120":                           2 * time.Minute,
		"0":                             0,
		"-5":                            0,
		"soon":                          0,
		"1.5":                           0,
		"99999999":                      24 * time.Hour,
		"18446744073709551615":          24 * time.Hour,
		"Thu, 26 Mar 2026 16:16:30 GMT": 90 * time.Second,
		"Thu, 26 Mar 2026 16:00:00 GMT": 0,
		"Thu, 26 Mar 2099 16:00:00 GMT": 24 * time.Hour,
	}
	for value, want := range tests {
		if got := retryAfter(value, now); got != want {
			t.Errorf("retryAfter(%q) = %s, want %s", value, got, want)
		}
	}
	for status, want := range map[int]time.Duration{503: 7 * time.Second, 200: 0} {
		o := call(t, Config{}, assignment(1, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		})))
		if o.RetryAfter != want {
			t.Errorf("status %d: RetryAfter = %s, want %s", status, o.RetryAfter, want)
		}
	}
}

func TestCallback_Timings(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	c := newClient(Config{TLS: trusting(server)}.withDefaults())
	defer c.close()
	a := assignment(1, server.URL)
	fresh, reused := c.do(t.Context(), &a), c.do(t.Context(), &a)
	expectCode(t, fresh, "")
	expectCode(t, reused, "")
	if f := fresh.Timings; f.Connect <= 0 || f.TLS <= 0 || f.FirstByte <= 0 || f.Connect+f.TLS+f.FirstByte > fresh.Duration {
		t.Errorf("timings = %+v in %s", f, fresh.Duration)
	}
	if r := reused.Timings; r.DNS != 0 || r.Connect != 0 || r.TLS != 0 || r.FirstByte <= 0 {
		t.Errorf("timings on a reused connection = %+v", r)
	}
}

func trusting(server *httptest.Server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return &tls.Config{RootCAs: roots}
}

func TestCallback_HTTP2(t *testing.T) {
	t.Parallel()
	protocols := make(chan string, 2)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols <- r.Proto
		for n := 0; r.URL.Path == "/large" && n <= maxResponseHeaderBytes; n += 4096 {
			w.Header().Add("X-A", strings.Repeat("a", 4096))
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	a := assignment(1, server.URL)
	a.Target.Method = http.MethodGet
	expectCode(t, call(t, Config{TLS: trusting(server)}, a), "")
	a.Target.URL += "/large"
	expectCode(t, call(t, Config{TLS: trusting(server)}, a), job.ErrTooLarge)
	if p := <-protocols; p != "HTTP/2.0" {
		t.Errorf("protocol = %s, want HTTP/2.0", p)
	}
}

func TestCallback_ReusesConnections(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 100<<10))
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := newClient(Config{}.withDefaults())
	defer c.close()
	for n := range 5 {
		a := assignment(n, server.URL)
		expectCode(t, c.do(t.Context(), &a), "")
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for 5 requests, want 1", n)
	}
}

// TestCallback_NeverSentTwice breaks a kept connection after the request was
// read: net/http by itself would send a GET again.
func TestCallback_NeverSentTwice(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			url := serve(t, func(http.ResponseWriter, *http.Request) {
				if requests.Add(1) == 2 {
					panic(http.ErrAbortHandler)
				}
			})
			c := newClient(Config{}.withDefaults())
			defer c.close()
			first, second, third := assignment(1, url), assignment(2, url), assignment(3, url)
			for _, a := range []*job.Assignment{&first, &second, &third} {
				a.Target.Method = method
			}
			expectCode(t, c.do(t.Context(), &first), "")
			o := c.do(t.Context(), &second)
			expectCode(t, o, job.ErrProtocol)
			if o.Err != nil && o.Err.Msg != errBrokenConnection.Error() {
				t.Errorf("message = %q, want %q", o.Err.Msg, errBrokenConnection)
			}
			if n := requests.Load(); n != 2 {
				t.Errorf("%d requests, want 2", n)
			}
			expectCode(t, c.do(t.Context(), &third), "")
		})
	}
}

func TestCallback_AbortClosesTheConnection(t *testing.T) {
	t.Parallel()
	began, closed := make(chan struct{}), make(chan struct{})
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(closed)
	})
	r := newReporter()
	e := start(t, Config{Reporter: r})
	assign(t, e, assignment(1, url))
	<-began
	accept(t, e, job.Batch{Term: 1, Aborts: []job.AttemptRef{ref(1, 1)}})
	expectCode(t, r.outcome(t), job.ErrCancelled)
	<-closed
}

// TestCallback_DialEndsWithTheDeadline: net/http goes on dialling for a request
// that has ended; the deadline must end that too.
func TestCallback_DialEndsWithTheDeadline(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	cfg := Config{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	}}
	a := assignment(1, quick)
	a.Timeout = 20 * time.Millisecond
	expectCode(t, call(t, cfg, a), job.ErrTimeout)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the dial goes on")
	}
}

func TestCallback_ErrorMessagesAreBounded(t *testing.T) {
	t.Parallel()
	cfg := Config{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, fmt.Errorf("dial: %s", strings.Repeat("é", 1000))
	}}
	o := call(t, cfg, assignment(1, quick))
	expectCode(t, o, job.ErrConnect)
	if n := len(o.Err.Msg); n > maxMessage+len("…") {
		t.Errorf("the message has %d bytes", n)
	}
}
