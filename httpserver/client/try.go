package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
)

const (
	// defaultMaxAnswer bounds the answers that are read whole.
	defaultMaxAnswer = 64 << 20
	// maxQuoted is how much of an answer that cannot be read an error shows.
	maxQuoted = 200
)

// errTimeout ends a try that takes too long.
var errTimeout = errors.New("the server did not answer in time")

// try sends the call to a server once. It returns nil if the call has succeeded.
func (c *Client) try(ctx context.Context, s *server, q *call) *failure {
	sent := &tracker{}
	trying, end := context.WithCancelCause(httptrace.WithClientTrace(ctx, sent.trace()))
	timer := time.AfterFunc(c.timeout, func() { end(errTimeout) })
	request, err := q.request(trying, c, s.base)
	if err != nil {
		end(nil)
		return &failure{err: &Error{Code: CodeUnexpected, Detail: "the request cannot be made", Cause: err}, effect: refused}
	}
	hc := c.http
	if q.isStream {
		hc = c.streams
	}
	answer, err := hc.Do(request)
	if err == nil && q.isStream && isSuccess(answer) {
		timer.Stop()
		q.note(s, answer)
		q.stream = &stream{ReadCloser: answer.Body, end: end}
		return nil
	}
	defer end(nil)
	defer timer.Stop()
	if err != nil {
		return broken(trying, sent.nothingSent(err), err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, c.maxAnswer+1))
	switch tooLarge := int64(len(text)) > c.maxAnswer; {
	case tooLarge && isSuccess(answer):
		return q.unreadable(&Error{
			Code: CodeUnexpected, Status: answer.StatusCode,
			Detail: fmt.Sprintf("the answer to %s %s is too large: it has more than the %d bytes that this client reads at once; ask for less, or for a stream", q.method, q.path, c.maxAnswer),
		})
	case err != nil && isSuccess(answer):
		return broken(trying, false, fmt.Errorf("the answer broke off: %w", err))
	case !isSuccess(answer):
		return refusal(answer, text)
	}
	q.note(s, answer)
	return q.decode(answer, text)
}

func isSuccess(answer *http.Response) bool {
	return answer.StatusCode >= http.StatusOK && answer.StatusCode < http.StatusMultipleChoices
}

// tracker knows how far a request came. Its hooks may run after the request has failed.
type tracker struct{ asked, got atomic.Bool }

func (t *tracker) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { t.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.got.Store(true) },
	}
}

// nothingSent reports whether it is certain that the server got nothing: there was no
// connection at all. A transport that tells nothing of its connections may still say so
// in its error.
func (t *tracker) nothingSent(err error) bool {
	if t.asked.Load() {
		return !t.got.Load()
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// broken is the failure of a try that had no whole answer. Ctx is that of the try.
func broken(ctx context.Context, nothingSent bool, err error) *failure {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if nothingSent {
		return &failure{err: &Error{Code: CodeUnreachable, Detail: "no connection to the server", Cause: err}, effect: notDone}
	}
	return &failure{err: &Error{Code: CodeUnreachable, Detail: "no answer from the server", Cause: err}, effect: unknown}
}

// refusal is the failure of an answer that is none of success.
func refusal(answer *http.Response, text []byte) *failure {
	e := problemOf(answer, text)
	e.RetryAfter = retryAfter(answer)
	if e.RequestID == "" {
		e.RequestID = answer.Header.Get(headerRequestID)
	}
	switch {
	case e.Code == CodeNoLeader, e.Code == CodeDiskFull, answer.StatusCode == http.StatusTooManyRequests:
		return &failure{err: e, effect: notDone}
	case answer.StatusCode >= http.StatusInternalServerError:
		return &failure{err: e, effect: unknown} // it may have broken after the write
	}
	return &failure{err: e, effect: refused}
}

// problemOf reads the problem; what is none came from something between here and the
// server.
func problemOf(answer *http.Response, text []byte) *Error {
	media, _, _ := mime.ParseMediaType(answer.Header.Get(headerContentType))
	var p api.Problem
	if media == mediaProblem && json.Unmarshal(text, &p) == nil && p.Code != "" {
		e := fromProblem(p)
		e.Status = answer.StatusCode
		return e
	}
	detail := fmt.Sprintf("status %d, which is no answer of a cronraft server: %q", answer.StatusCode, quote(text))
	if to := answer.Header.Get("Location"); to != "" {
		detail = fmt.Sprintf("the server sends its clients on to %q; give that address if it is your cluster's", to)
	}
	return &Error{Code: CodeUnexpected, Status: answer.StatusCode, Detail: detail}
}

func quote(text []byte) string {
	if len(text) > maxQuoted {
		return string(text[:maxQuoted]) + "…"
	}
	return string(text)
}

// retryAfter reads seconds or a date.
func retryAfter(answer *http.Response) time.Duration {
	text := strings.TrimSpace(answer.Header.Get(headerRetryAfter))
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// decode reads the data of an answer that is whole.
func (q *call) decode(answer *http.Response, text []byte) *failure {
	var envelope struct {
		Status string
		Data   json.RawMessage
	}
	err := json.Unmarshal(text, &envelope)
	if err == nil && (envelope.Status != api.StatusOK || envelope.Data == nil) {
		err = errors.New("it has no data")
	}
	if err == nil && q.out != nil {
		err = json.Unmarshal(envelope.Data, q.out)
	}
	if err == nil {
		return nil
	}
	return q.unreadable(&Error{
		Code: CodeUnexpected, Status: answer.StatusCode, Cause: err,
		Detail: fmt.Sprintf("the answer to %s %s is none of a cronraft server that this client knows: %q", q.method, q.path, quote(text)),
	})
}

// unreadable is the failure of a success that tells nothing. Who has only read may
// forget it.
func (q *call) unreadable(e *Error) *failure {
	if q.reads {
		return &failure{err: e, effect: refused}
	}
	return &failure{err: e, effect: unknown}
}

// note keeps what the answer says of itself.
func (q *call) note(s *server, answer *http.Response) {
	q.from, q.media = s, answer.Header.Get(headerContentType)
	q.size, q.disposition = answer.ContentLength, answer.Header.Get("Content-Disposition")
	if q.meta == nil {
		return
	}
	index, _ := strconv.ParseUint(answer.Header.Get(headerAppliedIndex), 10, 64) // zero if it tells none
	*q.meta = Meta{
		Server: s.base, Node: answer.Header.Get(headerNode), RequestID: answer.Header.Get(headerRequestID),
		AppliedIndex: index, Replayed: answer.Header.Get(headerReplayed) == "true",
	}
}

// stream is an answer's body that ends its try when it is closed.
type stream struct {
	io.ReadCloser
	end context.CancelCauseFunc
}

func (s *stream) Close() error {
	s.end(nil)
	return s.ReadCloser.Close()
}
