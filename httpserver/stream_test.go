package httpserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cronraft/cronraft/internal/job"
)

const testStream = "/test-stream"

// withStream adds an endpoint that answers with the stream.
func withStream(s *Server, run stream) {
	s.api = append(s.api, newRoute(testStream, map[string]endpoint{
		http.MethodGet: {stream: true, serve: func(context.Context, *call) (*response, error) {
			return &response{status: http.StatusOK, contentType: contentText, stream: run}, nil
		}},
	}))
}

// open asks for the stream, and returns the answer with its body still to be read.
func (s *testServer) open(ctx context.Context, method string) *http.Response {
	s.t.Helper()
	return s.openPath(ctx, method, testStream)
}

// openPath is open for any path below the base path.
func (s *testServer) openPath(ctx context.Context, method, path string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://cron.test"+basePath+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set(headerAPIKey, rootKey)
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// awaitEnd waits for the end of a stream.
func awaitEnd(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(testDeadline):
		t.Fatal("the stream goes on")
	}
}

func TestStream_SendsEachPieceAtOnce(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	goOn := make(chan struct{})
	withStream(s.Server, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "one\n")
		<-goOn
		_, err2 := io.WriteString(w, "two\n")
		return errors.Join(err, err2)
	})
	res := s.open(t.Context(), "GET")
	if res.StatusCode != 200 || res.Header.Get(headerNode) != "n1" || res.Header.Get("Content-Type") != contentText {
		t.Errorf("status %d, headers %v", res.StatusCode, res.Header)
	}
	body := bufio.NewReader(res.Body)
	if line, err := body.ReadString('\n'); line != "one\n" {
		t.Errorf("got %q (%v)", line, err)
	}
	close(goOn)
	if rest, err := io.ReadAll(body); string(rest) != "two\n" || err != nil {
		t.Errorf("then %q (%v), want a proper end", rest, err)
	}
}

func TestStream_EndsWithTheServer(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	began, done := make(chan struct{}), make(chan struct{})
	withStream(s.Server, func(ctx context.Context, _ io.Writer) error {
		defer close(done)
		close(began)
		<-ctx.Done()
		return nil
	})
	res := s.open(t.Context(), "GET")
	<-began
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	awaitEnd(t, done)
	if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil {
		t.Errorf("read %q (%v), want a proper end", rest, err)
	}
}

func TestStream_ShutdownDoesNotWaitForASlowReader(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	full := make(chan struct{})
	withStream(s.Server, func(ctx context.Context, w io.Writer) error {
		time.AfterFunc(50*time.Millisecond, sync.OnceFunc(func() { close(full) }))
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	})
	s.open(t.Context(), "GET") // and never read
	<-full
	ctx, cancel := context.WithTimeout(t.Context(), writeTimeout-time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestStream_EndsWithoutTheClient(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	done := make(chan struct{})
	withStream(s.Server, func(ctx context.Context, _ io.Writer) error {
		defer close(done)
		<-ctx.Done() // writes nothing that could fail
		return nil
	})
	ctx, leave := context.WithCancel(t.Context())
	s.open(ctx, "GET")
	leave()
	awaitEnd(t, done)
}

func TestStream_AfterShutdown(t *testing.T) {
	t.Parallel()
	s := startBare(t, &backend{store: newStore()})
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	fc := s.begin(t, func(context.Context, io.Writer) error { return nil })
	if _, err := io.ReadAll(fc.Response.BodyStream()); !errors.Is(err, errStopped) {
		t.Errorf("read until %v", err)
	}
}

func TestStream_AnErrorBreaksTheAnswer(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"error": func() error { return errDisk },
		"panic": func() error { panic("disk on fire at /secret/path") },
	} {
		s := startLeader(t)
		withStream(s.Server, func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, "part")
			return errors.Join(err, fail())
		})
		got, err := io.ReadAll(s.open(t.Context(), "GET").Body)
		if string(got) != "part" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: read %q until %v, want a broken answer", name, got, err)
		}
		if logs := s.logs.String(); !strings.Contains(logs, "/secret/path") {
			t.Errorf("%s: logged %s", name, logs)
		}
		s.do("GET", "/cluster", "").want(200)
	}
}

func TestStream_HeadHasNone(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	withStream(s.Server, func(context.Context, io.Writer) error {
		t.Error("the stream began")
		return nil
	})
	if res := s.open(t.Context(), "HEAD"); res.StatusCode != 200 {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestStream_OnlySoManyOfAKey(t *testing.T) {
	t.Parallel()
	s := start(t, "n1", &backend{store: newStore()}, func(c *Config) { c.Limits.Streams = 2 })
	withStream(s.Server, func(ctx context.Context, _ io.Writer) error {
		<-ctx.Done()
		return nil
	})
	ctx, leave := context.WithCancel(t.Context())
	s.open(ctx, "GET")
	s.open(t.Context(), "GET")
	a := s.do("GET", testStream, "")
	if p := a.problem(429, "rate_limited"); a.header.Get(headerRetryAfter) == "" || !strings.Contains(p.Detail, "2 streams") {
		t.Errorf("headers %v: %s", a.header, a.body)
	}
	wantMetric(t, s.registry, metricLimited, limitedStreams, 1)
	wantMetric(t, s.registry, metricStreams, "", 2)
	if s.slots.enter("key_team") != nil {
		t.Error("another key has no slot")
	}
	leave()
	await(t, "a client that left makes room", func() bool { return s.slots.enter(theRootKey.ID) == nil })
}

// A stream is this node's own: what it cannot confirm is not passed on.
func TestStream_IsNotForwarded(t *testing.T) {
	t.Parallel()
	b := &backend{store: newStore(), forward: func(context.Context, []byte) ([]byte, error) {
		t.Error("forwarded")
		return nil, job.ErrNotLeader
	}}
	b.barrier = func(context.Context) error { return job.ErrNotLeader }
	s := startBare(t, b)
	s.api = append(s.api, newRoute(testStream, map[string]endpoint{
		http.MethodGet: {stream: true, serve: func(ctx context.Context, c *call) (*response, error) {
			return nil, s.read(ctx, parseQuery(c.query, nil))
		}},
	}))
	if res := s.ask("GET", testStream, "", headerAPIKey, rootKey); res.codeOf(t) != "no_leader" {
		t.Errorf("status %d: %s", res.status, res.body)
	}
}

// deadlines is a connection that remembers what it was told.
type deadlines struct {
	net.Conn
	mu    sync.Mutex // guards the rest
	read  []time.Time
	write []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read = append(d.read, t)
	return d.Conn.SetReadDeadline(t)
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write = append(d.write, t)
	return d.Conn.SetWriteDeadline(t)
}

// isClosing reports whether something hurries.
func (d *deadlines) isClosing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.read, func(t time.Time) bool { return !t.IsZero() })
}

// SetDeadline is both.
func (d *deadlines) SetDeadline(t time.Time) error {
	return errors.Join(d.SetReadDeadline(t), d.SetWriteDeadline(t))
}

// begin starts a stream as fasthttp would have it, on a connection of its own. The
// connection is closed when the test ends.
func (s *bareServer) begin(t *testing.T, run stream, headers ...header) *fasthttp.RequestCtx {
	t.Helper()
	fc, _ := s.beginAnswer(t, &response{stream: run}, headers...)
	return fc
}

// beginAnswer is begin for a whole answer, and returns the client's end, too.
func (s *bareServer) beginAnswer(t *testing.T, res *response, headers ...header) (*fasthttp.RequestCtx, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	conn := &deadlines{Conn: near}
	fc := &fasthttp.RequestCtx{}
	fc.Init2(conn, nil, false)
	s.startStream(fc, &request{id: newRequestID(), headers: headers}, res)
	t.Cleanup(func() { _ = errors.Join(near.Close(), far.Close()) })
	return fc, far
}

// fasthttp's deadlines are for one answer of a usual length.
func TestStream_HasAsLongAsItLikes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := startBare(t, &backend{store: newStore()})
		begin := time.Now()
		fc := s.begin(t, func(_ context.Context, w io.Writer) error {
			time.Sleep(time.Hour)
			_, err := io.WriteString(w, "late")
			return err
		}, header{headerAPIKey, rootKey})
		got, err := io.ReadAll(fc.Response.BodyStream())
		if string(got) != "late" || err != nil || time.Since(begin) != time.Hour {
			t.Errorf("got %q (%v) after %v", got, err, time.Since(begin))
		}
		conn := fc.Conn().(*deadlines)
		conn.mu.Lock()
		defer conn.mu.Unlock()
		if len(conn.read) == 0 || !conn.read[0].IsZero() || len(conn.write) == 0 || !conn.write[0].Equal(begin.Add(time.Hour+writeTimeout)) {
			t.Errorf("deadlines to read %v, to write %v", conn.read, conn.write)
		}
		_ = conn.Close()
	})
}

// A stream ends soon after its key does.
func TestStream_EndsWithItsKey(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *backend, id string){
		"revoked": func(b *backend, id string) {
			if err := (keyBackend{b}).Revoke(context.Background(), "", id, false); err != nil {
				panic(err)
			}
		},
		"expired":     func(*backend, string) { time.Sleep(time.Minute) },
		"rotated out": func(b *backend, id string) { _, _, _ = keyBackend{b}.Rotate(context.Background(), "", id, 0, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &backend{store: newStore()}
				s := startBare(t, b)
				id, key := b.issue(job.APIKey{Namespace: "team", Role: job.RoleReader, ExpiresAt: time.Now().Add(time.Minute)})
				fc := s.begin(t, func(ctx context.Context, _ io.Writer) error {
					<-ctx.Done()
					return nil
				}, header{headerAPIKey, key})
				time.Sleep(30*time.Second - time.Millisecond)
				synctest.Wait()
				if len(s.logs.String()) > 0 || fc.Conn().(*deadlines).isClosing() {
					t.Fatal("ended with a valid key")
				}
				end(b, id)
				at := time.Now()
				got, err := io.ReadAll(fc.Response.BodyStream())
				if len(got) > 0 || err != nil || time.Since(at) > keyCheck {
					t.Errorf("read %q (%v) for %v", got, err, time.Since(at))
				}
				_ = fc.Conn().Close()
			})
		})
	}
}

// A node that cannot tell whether a key is valid goes on.
func TestStream_SurvivesALostLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &backend{store: newStore(), authorize: func(context.Context, string) (job.APIKey, error) { return job.APIKey{}, job.ErrNotLeader }}
		s := startBare(t, b)
		fc := s.begin(t, func(ctx context.Context, w io.Writer) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Hour):
				return nil
			}
		}, header{headerAPIKey, rootKey})
		if _, err := io.ReadAll(fc.Response.BodyStream()); err != nil {
			t.Errorf("ended with %v", err)
		}
		_ = fc.Conn().Close()
	})
}
