package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxAnswerBytes bounds what the leader may answer.
	maxAnswerBytes = 24 << 20
	// applyWait bounds how long a forwarded write waits to be seen here. It is done
	// by then, so the answer goes out in any case.
	applyWait = 5 * time.Second
)

// passedOn are the headers of the leader's answer that the client gets.
var passedOn = []string{headerETag, headerLocation, headerRetryAfter, headerAllow, headerReplayed}

// forward takes a write to the leader. It is called at most once for a request.
func (s *Server) forward(ctx context.Context, r *request, route string) *response {
	raw, err := r.encode()
	if err != nil {
		return s.failure(fmt.Errorf("encode a request for the leader: %w", err), r, route)
	}
	res, index, err := s.askLeader(ctx, raw)
	if err != nil {
		return s.failure(s.forwardError(err, r, route), r, route)
	}
	if res.status < http.StatusMultipleChoices {
		s.waitApplied(ctx, index, r)
	}
	return res
}

// askLeader returns the leader's answer, and the index that the leader had applied
// by then.
func (s *Server) askLeader(ctx context.Context, raw []byte) (*response, uint64, error) {
	answer, err := s.config.Forwarder.Forward(ctx, raw)
	if err != nil {
		return nil, 0, err
	}
	return decodeAnswer(answer)
}

// forwardRead lets the leader answer a read that this node cannot confirm, at the
// leader's index. Cause is why, and the answer if the leader cannot be asked either.
func (s *Server) forwardRead(ctx context.Context, r *request, route string, cause error) *response {
	raw, err := r.encode()
	if err != nil {
		return s.failure(fmt.Errorf("encode a request for the leader: %w", err), r, route)
	}
	res, index, err := s.askLeader(ctx, raw)
	if err != nil {
		s.logger.Debug("a read could not be forwarded", "request", r.id, "route", route, "err", err)
		return s.failure(cause, r, route)
	}
	if index > 0 {
		res.with(headerAppliedIndex, strconv.FormatUint(index, 10))
	}
	return res
}

// forwardError keeps what is certain, which is only that nothing was sent; all
// else leaves the outcome open.
func (s *Server) forwardError(err error, r *request, route string) error {
	if errors.Is(err, job.ErrNotLeader) || errors.Is(err, job.ErrOutcomeUnknown) {
		return err
	}
	s.logger.Warn("a forwarded write has an unknown outcome", "request", r.id, "route", route, "err", err)
	return job.ErrOutcomeUnknown
}

// waitApplied lets the caller read its own write at this node.
func (s *Server) waitApplied(ctx context.Context, index uint64, r *request) {
	ctx, cancel := context.WithTimeout(ctx, applyWait)
	defer cancel()
	switch err := s.config.Consistency.WaitApplied(ctx, index); {
	case errors.Is(err, job.ErrNotLeader): // this node lags, and has said why
	case err != nil:
		s.logger.Warn("answering a forwarded write before it is applied here", "request", r.id, "index", index, "err", err)
	}
}

// ServeForwarded answers a request that another node could not: exactly as if the
// client had asked here, except that it is not forwarded again. Its error is for
// bytes that are no request; nothing was done then.
func (s *Server) ServeForwarded(ctx context.Context, raw []byte) ([]byte, error) {
	var in fasthttp.Request
	reader := bufio.NewReaderSize(bytes.NewReader(raw), 2*maxHeaderBytes)
	if err := in.Header.Read(reader); err != nil {
		return nil, fmt.Errorf("read a forwarded request: %w", err)
	}
	if err := in.ContinueReadBody(reader, maxListBytes+maxBodyBytes, false); err != nil {
		return nil, fmt.Errorf("read a forwarded request's body: %w", err)
	}
	if hasMore(reader) {
		return nil, errors.New("read a forwarded request: there is more than one")
	}
	r := copyRequest(&in)
	r.adopt()
	res, _ := s.answer(ctx, r)
	return res.encode()
}

// encode writes the response as the node that forwarded can read it.
func (r *response) encode() ([]byte, error) {
	var out fasthttp.Response
	r.writeTo(&out)
	var b bytes.Buffer
	if _, err := out.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("encode an answer for another node: %w", err)
	}
	return b.Bytes(), nil
}

// decodeAnswer reads what the leader's ServeForwarded wrote, and the index that the
// leader had applied by then. An answer that is not whole is an error.
func decodeAnswer(raw []byte) (*response, uint64, error) {
	var in fasthttp.Response
	reader := bufio.NewReaderSize(bytes.NewReader(raw), 2*maxHeaderBytes)
	if err := in.ReadLimitBody(reader, maxAnswerBytes); err != nil {
		return nil, 0, fmt.Errorf("read the leader's answer: %w", err)
	}
	res := &response{
		status:      in.StatusCode(),
		contentType: string(in.Header.ContentType()),
		body:        bytes.Clone(in.Body()),
	}
	if in.Header.ContentLength() != len(res.body) || hasMore(reader) || !isAnswer(res) {
		return nil, 0, fmt.Errorf("read the leader's answer: status %d with %d bytes of %q is none", res.status, len(res.body), clip(res.contentType))
	}
	for name, value := range in.Header.All() {
		if slices.ContainsFunc(passedOn, func(h string) bool { return strings.EqualFold(h, string(name)) }) {
			res.with(string(name), string(value))
		}
	}
	index, err := strconv.ParseUint(string(in.Header.Peek(headerAppliedIndex)), 10, 64)
	if err != nil && res.status < http.StatusMultipleChoices {
		return nil, 0, fmt.Errorf("read the leader's answer: its applied index: %w", err)
	}
	return res, index, nil
}

func hasMore(r *bufio.Reader) bool {
	_, err := r.Peek(1)
	return err == nil
}

// isAnswer reports whether a response could come from this package.
func isAnswer(r *response) bool {
	ok := r.status >= http.StatusOK && r.status < http.StatusMultipleChoices && r.contentType == contentJSON
	return ok || r.status >= http.StatusBadRequest && r.contentType == contentProblem
}
