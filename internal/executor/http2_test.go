package executor

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/cronraft/cronraft/internal/job"
)

// h2Target is a target over HTTP/2 that answers each request with the frames that
// the test wants.
type h2Target struct {
	url      string
	tls      *tls.Config // of its callers
	conns    atomic.Int64
	requests atomic.Int64
	answer   func(request int64, fr *http2.Framer, stream uint32) error
}

func startHTTP2(t *testing.T, answer func(request int64, fr *http2.Framer, stream uint32) error) *h2Target {
	t.Helper()
	model := httptest.NewUnstartedServer(nil)
	model.EnableHTTP2 = true
	model.StartTLS()
	model.Close()
	s := &h2Target{tls: trusting(model), answer: answer}
	s.url = "https://" + listen(t, func(c net.Conn) {
		s.conns.Add(1)
		_ = s.talk(tls.Server(c, model.TLS))
	})
	return s
}

// talk speaks HTTP/2 until the caller hangs up or an answer is an error.
func (s *h2Target) talk(c net.Conn) error {
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return err
	}
	fr := http2.NewFramer(c, c)
	err := fr.WriteSettings()
	for err == nil {
		var f http2.Frame
		if f, err = fr.ReadFrame(); err != nil {
			return err
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = fr.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			err = s.answer(s.requests.Add(1), fr, f.StreamID)
		}
	}
	return err
}

// answerOK answers with 200 and no body.
func answerOK(fr *http2.Framer, stream uint32) error {
	var block bytes.Buffer
	if err := hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"}); err != nil {
		return err
	}
	return fr.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true,
	})
}

// TestHTTP2_RepeatsOnlyWhatWasNotProcessed has a target that does not answer the
// second of the requests on a kept connection. Whatever comes after that is a
// repeat of it.
func TestHTTP2_RepeatsOnlyWhatWasNotProcessed(t *testing.T) {
	t.Parallel()
	reset := func(code http2.ErrCode) func(*http2.Framer, uint32) error {
		return func(fr *http2.Framer, stream uint32) error { return fr.WriteRSTStream(stream, code) }
	}
	goAway := func(last int) func(*http2.Framer, uint32) error {
		return func(fr *http2.Framer, stream uint32) error {
			if err := fr.WriteGoAway(uint32(int(stream)+last), http2.ErrCodeNo, nil); err != nil || last < 0 {
				return err
			}
			return errors.New("hang up")
		}
	}
	tests := map[string]struct {
		second   func(*http2.Framer, uint32) error
		requests int64
		code     job.ErrorCode
	}{
		"refused":                     {reset(http2.ErrCodeRefusedStream), 3, ""},
		"GOAWAY, not processed":       {goAway(-2), 3, ""},
		"GOAWAY, processed":           {goAway(0), 2, job.ErrProtocol},
		"reset with PROTOCOL_ERROR":   {reset(http2.ErrCodeProtocol), 2, job.ErrProtocol},
		"reset with INTERNAL_ERROR":   {reset(http2.ErrCodeInternal), 2, job.ErrProtocol},
		"connection closed, no words": {func(*http2.Framer, uint32) error { return io.EOF }, 2, job.ErrProtocol},
	}
	body := "hello"
	for name, tc := range tests {
		for method, body := range map[string]*string{http.MethodGet: nil, http.MethodPost: &body, http.MethodDelete: nil} {
			t.Run(name+", "+method, func(t *testing.T) {
				t.Parallel()
				s := startHTTP2(t, func(request int64, fr *http2.Framer, stream uint32) error {
					if request == 2 {
						return tc.second(fr, stream)
					}
					return answerOK(fr, stream)
				})
				c := newClient(Config{TLS: s.tls}.withDefaults())
				defer c.close()
				first, second := assignment(1, s.url), assignment(2, s.url)
				for _, a := range []*job.Assignment{&first, &second} {
					a.Target.Method, a.Target.Body = method, body
				}
				expectCode(t, c.do(t.Context(), &first), "")
				expectCode(t, c.do(t.Context(), &second), tc.code)
				if n := s.requests.Load(); n != tc.requests {
					t.Errorf("%d requests, want %d", n, tc.requests)
				}
			})
		}
	}
}

// TestHTTP2_StoppedRequestLeavesTheConnection: others have requests on it.
func TestHTTP2_StoppedRequestLeavesTheConnection(t *testing.T) {
	t.Parallel()
	s := startHTTP2(t, func(_ int64, fr *http2.Framer, stream uint32) error { return answerOK(fr, stream) })
	c := newClient(Config{TLS: s.tls}.withDefaults())
	defer c.close()
	permit := c.permit
	for n := range 3 {
		a := assignment(n, s.url)
		if n > 0 {
			c.permit = func() error { return errLeaseEnded }
			expectCode(t, c.do(t.Context(), &a), job.ErrNodeLost)
		}
		c.permit = permit
		expectCode(t, c.do(t.Context(), &a), "")
	}
	if requests, conns := s.requests.Load(), s.conns.Load(); requests != 3 || conns != 1 {
		t.Errorf("%d requests on %d connections, want 3 on 1", requests, conns)
	}
}
