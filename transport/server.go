package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/transport/peerpb"
)

const (
	// serverIdle is longer than any client keeps a connection it does not use:
	// it is the client that hangs up, so that no request meets a closed door.
	serverIdle    = 2 * time.Minute
	serverIO      = 30 * time.Second // to read a request, or write an answer
	maxConns      = 16384
	shutdownGrace = time.Second
)

// Server answers peer calls.
//
// It serves each connection with fasthttp in a goroutine of its own, instead of
// fasthttp's worker pool, whose cleaner outlives the server by up to ten seconds.
type Server struct {
	handler Handler
	calls   map[string]call
	http    fasthttp.Server
	ctx     context.Context // of all handlers
	cancel  context.CancelFunc
	group   *group.Group

	// mu guards the fields below.
	mu      sync.Mutex
	closing bool
	busy    map[net.Conn]bool // the open connections; true within a request
}

// call answers one request. The body is fasthttp's: it must not be kept.
type call func(ctx context.Context, body []byte) ([]byte, error)

// NewServer makes a server whose handlers' contexts descend from ctx. The logger
// gets, at debug level, what went wrong with single connections. The caller must
// call Close.
func NewServer(ctx context.Context, h Handler, logger *slog.Logger) *Server {
	ctx, cancel := context.WithCancel(ctx)
	s := &Server{handler: h, ctx: ctx, cancel: cancel, group: group.New(ctx), busy: map[net.Conn]bool{}}
	s.calls = map[string]call{
		callAssign:    s.assign,
		callReport:    s.report,
		callReadIndex: s.readIndex,
		callForward:   s.forward,
		callHello:     s.hello,
	}
	s.http = fasthttp.Server{
		Handler:               s.serveRequest,
		ErrorHandler:          refuseRequest,
		ConnState:             s.note,
		Logger:                debugLogger{logger},
		Concurrency:           maxConns,
		ReadTimeout:           serverIO,
		WriteTimeout:          serverIO,
		IdleTimeout:           serverIdle,
		MaxRequestBodySize:    MaxRequest,
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		// The date comes from a goroutine that never ends.
		NoDefaultDate: true,
	}
	return s
}

// Serve answers the calls that come in through l until the server or l is closed.
func (s *Server) Serve(l net.Listener) error {
	defer context.AfterFunc(s.ctx, func() { l.Close() })()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept peer calls: %w", err)
		}
		s.serveConn(c)
	}
}

func (s *Server) serveConn(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		c.Close()
		return
	}
	s.busy[c] = false
	s.group.Go(func(context.Context) error {
		// What went wrong with one connection, fasthttp has told the logger or the
		// client; it closes the connection in any case.
		_ = s.http.ServeConn(c)
		return nil
	})
}

// note follows fasthttp through the life of a connection.
func (s *Server) note(c net.Conn, state fasthttp.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case fasthttp.StateActive:
		s.busy[c] = true
	case fasthttp.StateIdle:
		s.busy[c] = false
		if s.closing {
			c.Close()
		}
	case fasthttp.StateClosed:
		delete(s.busy, c)
	}
}

// Close ends the handlers' contexts, lets those that then answer within a second
// do so, closes every connection and returns when all handlers have returned. It
// may be called more than once.
func (s *Server) Close() error {
	s.cancel()
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.closeConns(false)
	late := time.AfterFunc(shutdownGrace, func() { s.closeConns(true) })
	defer late.Stop()
	return s.group.Stop()
}

func (s *Server) closeConns(evenBusy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, busy := range s.busy {
		if !busy || evenBusy {
			c.Close()
		}
	}
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

func (s *Server) serveRequest(r *fasthttp.RequestCtx) {
	answer, known := s.calls[string(r.Path())]
	if !known || !r.IsPost() {
		r.Error("this node does not know the call", fasthttp.StatusNotFound)
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, timeoutOf(r))
	defer cancel()
	body, err := answer(ctx, r.PostBody())
	if err != nil {
		body, err = proto.Marshal(errorToWire(err))
		r.SetStatusCode(statusRefused)
	}
	if err != nil {
		r.Error(err.Error(), fasthttp.StatusInternalServerError)
		return
	}
	r.Response.SetBodyRaw(body)
	if s.isClosing() {
		r.SetConnectionClose()
	}
}

// timeoutOf is how long the caller still waits.
func timeoutOf(r *fasthttp.RequestCtx) time.Duration {
	ms, err := strconv.ParseInt(string(r.Request.Header.Peek(headerTimeout)), 10, 64)
	if err != nil {
		return defaultTimeout
	}
	return time.Duration(min(max(ms, 0), maxTimeout.Milliseconds())) * time.Millisecond
}

// refuseRequest answers what is no request, or too large a one.
func refuseRequest(r *fasthttp.RequestCtx, err error) {
	if errors.Is(err, fasthttp.ErrBodyTooLarge) {
		r.Error("the request is too large", fasthttp.StatusRequestEntityTooLarge)
		return
	}
	r.Error("the request is malformed", fasthttp.StatusBadRequest)
}

func (s *Server) assign(ctx context.Context, body []byte) ([]byte, error) {
	var p peerpb.Batch
	if err := proto.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("decode a batch: %w", err)
	}
	reply, err := s.handler.Assign(ctx, batchFromWire(&p))
	if err != nil {
		return nil, err
	}
	return proto.Marshal(batchReplyToWire(reply))
}

func (s *Server) report(ctx context.Context, body []byte) ([]byte, error) {
	var p peerpb.Outcomes
	if err := proto.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("decode outcomes: %w", err)
	}
	return nil, s.handler.Report(ctx, convert(p.GetOutcomes(), outcomeFromWire))
}

func (s *Server) readIndex(ctx context.Context, _ []byte) ([]byte, error) {
	index, err := s.handler.ReadIndex(ctx)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&peerpb.ReadIndexReply{Index: index})
}

// forward answers that the outcome is unknown when the handler ran out of time:
// it may have submitted something before.
func (s *Server) forward(ctx context.Context, body []byte) ([]byte, error) {
	response, err := s.handler.Forward(ctx, bytes.Clone(body))
	if err != nil && ctx.Err() != nil && job.CodeOf(err) == job.CodeInternal {
		return nil, job.ErrOutcomeUnknown
	}
	return response, err
}

func (s *Server) hello(ctx context.Context, body []byte) ([]byte, error) {
	var p peerpb.Greeting
	if err := proto.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("decode a greeting: %w", err)
	}
	g, err := s.handler.Hello(ctx, greetingFromWire(&p))
	if err != nil {
		return nil, err
	}
	return proto.Marshal(greetingToWire(g))
}

// debugLogger takes fasthttp's complaints about single connections.
type debugLogger struct{ logger *slog.Logger }

func (l debugLogger) Printf(format string, args ...any) {
	l.logger.Debug("peer connection: " + fmt.Sprintf(format, args...))
}
