package httpserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cronraft/cronraft/internal/job"
)

// stream is an answer's body that is made while it is sent. Each write to w goes out
// at once, and fails when the client is gone. ctx ends when the client goes away,
// when the server stops, and soon after the caller's key is revoked or has expired;
// a stream has to end then. Nil ends the answer properly; an error breaks the
// connection, so that the client does not take a part for the whole.
type stream func(ctx context.Context, w io.Writer) error

const (
	// keyCheck is how often a stream asks whether its key is still valid.
	keyCheck = 3 * time.Second
	// streamGrace is how long the last bytes of a stream may take.
	streamGrace = time.Second
)

// errStopped breaks an answer that the server has no time for any more.
var errStopped = errors.New("the server has stopped")

// startStream hands the response's stream to fasthttp. The connection is used for
// nothing else afterwards.
func (s *Server) startStream(fc *fasthttp.RequestCtx, r *request, res *response) {
	conn := fc.Conn()
	_ = conn.SetReadDeadline(time.Time{}) // a connection that is closed already ends the stream by itself
	body, pipe := io.Pipe()
	fc.SetConnectionClose()
	fc.Response.ImmediateHeaderFlush = true
	fc.Response.SetBodyStream(body, res.streamSize())
	o := &openStream{server: s, request: r, run: res.stream, conn: conn, pipe: pipe}
	// The group starts nothing more when the server has stopped: this ends the body then.
	o.forget = context.AfterFunc(s.ctx, func() {
		if o.begun.CompareAndSwap(false, true) {
			s.dropStream(r, res)
		}
		_ = pipe.CloseWithError(errStopped)
	})
	s.streams.Go(o.serve)
}

// streamSize is what fasthttp is told of the stream's length; -1 is not known.
func (r *response) streamSize() int {
	if size := int(r.size); size > 0 && int64(size) == r.size {
		return size
	}
	return -1
}

// dropStream takes the stream away from an answer before it has begun.
func (s *Server) dropStream(r *request, res *response) {
	if res.drop != nil {
		if err := res.drop(); err != nil {
			s.logger.Error("a stream could not be dropped", "request", r.id, "path", r.path, "err", err)
		}
	}
	res.stream, res.size, res.drop = nil, 0, nil
}

// openStream is one stream on its way to its client.
type openStream struct {
	server  *Server
	request *request
	run     stream
	conn    net.Conn
	// pipe leads to fasthttp, which writes to conn what comes out of it.
	pipe   *io.PipeWriter
	forget func() bool
	// begun is set by whoever may run the stream, or drop it.
	begun atomic.Bool
}

// serve runs the stream to its end.
func (o *openStream) serve(ctx context.Context) error {
	defer o.forget()
	if !o.begun.CompareAndSwap(false, true) {
		return nil // dropped
	}
	open := o.server.config.Metrics.streams
	open.Inc()
	defer open.Dec()
	ctx, end := context.WithCancel(ctx)
	defer end()
	relax := context.AfterFunc(ctx, o.hurry)
	o.server.streams.Go(func(context.Context) error { return o.awaitClient(end) })
	o.server.streams.Go(func(context.Context) error { return o.awaitKey(ctx, end) })
	err := o.body(ctx)
	relax() // what ends by itself may be read slowly
	return o.pipe.CloseWithError(err)
}

// body runs the stream itself.
func (o *openStream) body(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			o.server.logger.Error("panic in a stream", "request", o.request.id, "panic", p, "stack", string(debug.Stack()))
			err = errInternal
		}
	}()
	err = o.run(ctx, streamWriter{o: o, ended: ctx.Done()})
	if err != nil && ctx.Err() == nil && !errors.Is(err, io.ErrClosedPipe) {
		o.server.logger.Error("a stream broke", "request", o.request.id, "path", o.request.path, "err", err)
	}
	return err
}

// hurry bounds what is still to be read and written.
func (o *openStream) hurry() { _ = o.conn.SetDeadline(time.Now().Add(streamGrace)) }

// awaitClient ends the stream when the client goes away, which only reading tells
// at once. It returns when the connection is closed.
func (o *openStream) awaitClient(end func()) error {
	_, _ = io.Copy(io.Discard, o.conn) // however it ends, nobody listens any more
	end()
	return nil
}

// awaitKey ends the stream when the caller's key is no longer valid.
func (o *openStream) awaitKey(ctx context.Context, end func()) error {
	check := time.NewTicker(keyCheck)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-check.C:
		}
		_, err := o.server.config.Keys.Authenticate(ctx, o.request.header(headerAPIKey))
		if job.CodeOf(err) == job.CodeUnauthorized {
			end()
		}
	}
}

// streamWriter sends each write at once.
type streamWriter struct {
	o     *openStream
	ended <-chan struct{}
}

// Write gives the client as long as it has for any other answer.
func (w streamWriter) Write(p []byte) (int, error) {
	if err := w.o.conn.SetWriteDeadline(time.Now().Add(w.o.server.patience)); err != nil {
		return 0, err
	}
	select {
	case <-w.ended:
		w.o.hurry()
	default:
	}
	return w.o.pipe.Write(p)
}

// slots count the streams of each key, and of all together.
type slots struct {
	most, mostOfAll int
	// mu guards the others.
	mu   sync.Mutex
	open map[string]int
	all  int
}

// enter takes a slot; the error tells why there is none.
func (s *slots) enter(key string) *job.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.open[key] >= s.most:
		return job.Errorf(job.CodeRateLimited, "this API key has %d streams open at this node, which is all it may have: close one first", s.most)
	case s.all >= s.mostOfAll:
		return job.Errorf(job.CodeRateLimited, "%d streams are open at this node, which is all it may have: ask another node", s.mostOfAll)
	}
	s.open[key]++
	s.all++
	return nil
}

func (s *slots) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.open[key]--; s.open[key] == 0 {
		delete(s.open, key)
	}
}

// admitStream counts a stream that is about to begin, and refuses one too many.
func (s *Server) admitStream(c *call, res *response) (*response, error) {
	if c.method == http.MethodHead {
		s.dropStream(c.request, res)
		return res, nil
	}
	if cause := s.slots.enter(c.key.ID); cause != nil {
		s.dropStream(c.request, res)
		s.config.Metrics.limited.WithLabelValues(limitedStreams).Inc()
		return nil, &tooSoon{cause: cause, wait: keyCheck}
	}
	run := res.stream
	res.stream = func(ctx context.Context, w io.Writer) error {
		defer s.slots.leave(c.key.ID)
		return run(ctx, w)
	}
	return res, nil
}
