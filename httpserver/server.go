package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"github.com/cronraft/cronraft/httpserver/dashboard"
	"github.com/cronraft/cronraft/httpserver/docsui"
	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
)

const (
	readTimeout  = 10 * time.Second
	writeTimeout = 15 * time.Second
	idleTimeout  = 90 * time.Second
	// idleWorker is how long a goroutine waits for another connection, and so how
	// long fasthttp's pool of them may outlive Shutdown.
	idleWorker = time.Second

	// readLimit is more than a body may have: one that is only a little too large is
	// read, so that its client gets to see the answer instead of a reset.
	readLimit = 4 * maxBodyBytes
	// bulkReadTimeout is for the endpoints with a limit of their own.
	bulkReadTimeout = 30 * time.Second
	// chunked is fasthttp's length of a body that comes in chunks.
	chunked = -1
	// strangerLimit is how much is read of a request whose key is not known.
	strangerLimit = 64 << 10
	// introduction is how long it may take to ask others for a key before that.
	introduction = 5 * time.Second
)

// Server serves the public API, the dashboard and the metrics of one node.
type Server struct {
	config  Config
	logger  *slog.Logger
	api     []route
	metrics fasthttp.RequestHandler
	page    dashboard.Page
	docs    map[string]docsui.File
	http    *fasthttp.Server
	open    listeners

	// rates limits each key; nil if there is no limit.
	rates   *limiter
	guesses *limiter
	slots   slots
	streams *group.Group
	// patience is how long a reader of a stream may keep one write waiting.
	patience time.Duration
	// backups has a token for each one under way.
	backups chan struct{}
	// lists has a token for each large one that is read.
	lists chan struct{}

	// ctx is the parent of every request's; Shutdown ends it when its patience does.
	ctx   context.Context
	abort context.CancelFunc
}

// New makes a server that does not listen yet. Its requests have the values of ctx
// and end with the server, not with ctx.
func New(ctx context.Context, c Config) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	s := &Server{
		config:  c,
		logger:  c.Logger.With("component", "httpserver", "node", c.NodeID),
		metrics: fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(c.Gatherer, promhttp.HandlerOpts{})),
		page:    dashboard.Load(),
		docs:    loadDocs(),
	}
	if c.Limits.Rate > 0 {
		s.rates = newLimiter(c.Limits.Rate, c.Limits.Burst)
	}
	s.guesses = newLimiter(guessRate, guessBurst)
	s.slots = slots{most: c.Limits.Streams, mostOfAll: c.Limits.NodeStreams, open: map[string]int{}}
	s.ctx, s.abort = context.WithCancel(context.WithoutCancel(ctx))
	s.streams = group.New(s.ctx)
	s.patience = writeTimeout
	s.backups = make(chan struct{}, maxBackups)
	s.lists = make(chan struct{}, 1)
	s.api = s.routes()
	s.http = &fasthttp.Server{
		Handler:                      s.handle,
		HeaderReceived:               s.expect,
		ErrorHandler:                 s.handleBroken,
		Logger:                       debugLogger{s.logger},
		Concurrency:                  c.MaxConnections,
		ReadBufferSize:               maxHeaderBytes,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxIdleWorkerDuration:        idleWorker,
		MaxRequestBodySize:           readLimit,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		SecureErrorLogMessage:        true,
		CloseOnShutdown:              true,
	}
	return s, nil
}

// Serve answers what comes in at ln, which it closes, until Shutdown. TLS is the
// listener's affair. It may be called for several listeners.
func (s *Server) Serve(ln net.Listener) error {
	ln, ok := s.open.add(ln)
	if !ok {
		return ln.Close()
	}
	err := s.http.Serve(ln)
	if s.open.isClosed() {
		return nil
	}
	return fmt.Errorf("serve HTTP on %s: %w", ln.Addr(), errors.Join(err, ln.Close()))
}

// Shutdown takes no more connections, ends the streams and waits for the requests
// under way; when ctx ends before them it cancels theirs and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.streams.Cancel()
	err := s.open.close()
	err = errors.Join(err, s.http.ShutdownWithContext(ctx))
	s.abort()
	return errors.Join(err, s.streams.Stop())
}

// expect gives the endpoints that take large bodies the room and the time for them,
// and little room to whoever has no key: a body is in memory before it is looked at.
func (s *Server) expect(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if size := h.ContentLength(); (size == chunked || size > strangerLimit) && !s.introduced(h) {
		return fasthttp.RequestConfig{MaxRequestBodySize: strangerLimit}
	}
	path, _, _ := strings.Cut(string(h.RequestURI()), "?")
	below, isAPI := (&request{path: path}).belowBase()
	if !isAPI {
		return fasthttp.RequestConfig{}
	}
	match, _ := find(s.api, below)
	if match == nil || match.methods[string(h.Method())].bodyLimit <= maxBodyBytes {
		return fasthttp.RequestConfig{}
	}
	most := match.methods[string(h.Method())].bodyLimit + maxBodyBytes
	return fasthttp.RequestConfig{ReadTimeout: bulkReadTimeout, MaxRequestBodySize: most}
}

// introduced reports whether the request's key is accepted; one that was made a
// moment ago is asked of others.
func (s *Server) introduced(h *fasthttp.RequestHeader) bool {
	key := string(h.Peek(headerAPIKey))
	if key == "" || s.knows(key) {
		return key != ""
	}
	ctx, cancel := context.WithTimeout(s.ctx, introduction)
	defer cancel()
	_, err := s.lookUp(ctx, key)
	return err == nil
}

// handle is fasthttp's way in.
func (s *Server) handle(fc *fasthttp.RequestCtx) {
	if string(fc.URI().PathOriginal()) == pathMetrics && (fc.IsGet() || fc.IsHead()) {
		s.metrics(fc)
		fc.Response.Header.Set(headerNode, s.config.NodeID)
		s.config.Metrics.count(pathMetrics, fc.Response.StatusCode())
		return
	}
	r := copyRequest(&fc.Request)
	r.remote = remoteOf(fc.RemoteAddr())
	res, route := s.answer(s.ctx, r)
	res.writeTo(&fc.Response)
	if res.stream != nil {
		s.startStream(fc, r, res)
	}
	s.config.Metrics.count(route, res.status)
}

// handleBroken answers what fasthttp could not read as a request.
func (s *Server) handleBroken(fc *fasthttp.RequestCtx, err error) {
	r := &request{id: newRequestID()}
	res := brokenProblem(err, r.id)
	if e := s.stranger(fc, err); e != nil {
		res = problem(e, r.id)
	}
	s.finish(res, r)
	fc.Response.Reset()
	res.writeTo(&fc.Response)
	s.config.Metrics.count(routeUnmatched, res.status)
}

var errFarTooLarge = job.Errorf(job.CodePayloadTooLarge, "no body may have more than %d bytes, and most have to be smaller: see %s/limits", maxListBytes, basePath)

// stranger says that a body is too large because nobody knows who sends it; nil if
// that is not why a request is not read.
func (s *Server) stranger(fc *fasthttp.RequestCtx, err error) *job.Error {
	key := string(fc.Request.Header.Peek(headerAPIKey))
	switch {
	case !errors.Is(err, fasthttp.ErrBodyTooLarge) || s.knows(key):
		return nil
	case len(fc.Request.Header.RawHeaders()) == 0: // dropped with a body in chunks, the key among them
		return job.Errorf(job.CodePayloadTooLarge, "%s; without a known API key, at most %d bytes in chunks", errFarTooLarge.Msg, strangerLimit)
	case key == "":
		return errNoKey
	}
	return errUnknownKey
}

// brokenProblem is for failures of HTTP itself; 431 and 408 have no code of their
// own in the API.
func brokenProblem(err error, id string) *response {
	var tooLong *fasthttp.ErrSmallBuffer
	var network net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return problem(errFarTooLarge, id)
	case errors.As(err, &tooLong):
		e := job.Errorf(job.CodePayloadTooLarge, "the request line and headers must have at most %d bytes", maxHeaderBytes)
		return problemWithStatus(http.StatusRequestHeaderFieldsTooLarge, e, id)
	case errors.As(err, &network) && network.Timeout():
		e := job.Errorf(job.CodeValidation, "the request did not arrive in time")
		return problemWithStatus(http.StatusRequestTimeout, e, id)
	}
	return problem(job.Errorf(job.CodeValidation, "the request is not valid HTTP/1.1"), id)
}

// debugLogger takes what fasthttp has to say about connections.
type debugLogger struct{ *slog.Logger }

// Printf is fasthttp.Logger.
func (l debugLogger) Printf(format string, args ...any) { l.Debug(fmt.Sprintf(format, args...)) }
