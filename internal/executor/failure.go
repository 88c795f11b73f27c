package executor

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// Why an attempt's context may be done before its deadline.
var (
	errCancelled        = errors.New("the attempt was cancelled")
	errLeaseEnded       = errors.New("lost contact with the leader")
	errNodeStopping     = errors.New("the node stopped")
	errBrokenConnection = errors.New("the target closed the connection without an answer")
)

// dialError is a connection that did not come about.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// tlsError is a failed handshake.
type tlsError struct{ err error }

func (e *tlsError) Error() string { return e.err.Error() }
func (e *tlsError) Unwrap() error { return e.err }

// maxMessage bounds the text of an error, which goes into the record.
const maxMessage = 200

// failure says what went wrong with an attempt that got no complete answer. Its
// text is made of what this side knows: it repeats neither the URL, nor a header,
// nor anything of the answer.
func failure(ctx context.Context, err error, x *exchange, timeout time.Duration) *job.AttemptError {
	if cause := context.Cause(ctx); cause != nil {
		if errors.Is(cause, context.DeadlineExceeded) {
			return attemptError(job.ErrTimeout, fmt.Sprintf("no complete answer within %s: timed out %s", timeout, x.phase()))
		}
		return stoppedBy(cause)
	}
	var (
		blocked   *BlockedError
		dns       *net.DNSError
		handshake *tlsError
		dial      *dialError
	)
	switch {
	case errors.As(err, &blocked):
		return attemptError(job.ErrBlockedTarget, blocked.Error())
	case errors.As(err, &dns):
		return attemptError(job.ErrDNS, fmt.Sprintf("cannot resolve %s: %s", dns.Name, dns.Err))
	case errors.As(err, &handshake):
		return attemptError(job.ErrTLS, tlsMessage(handshake.err))
	case errors.As(err, &dial):
		return attemptError(job.ErrConnect, dial.Error())
	case isTooLarge(err):
		return attemptError(job.ErrTooLarge, fmt.Sprintf("the answer's headers have more than %d bytes", maxResponseHeaderBytes))
	default:
		return attemptError(job.ErrProtocol, protocolMessage(err, x))
	}
}

// stoppedBy is the error of an attempt that this side ended, or never began.
func stoppedBy(cause error) *job.AttemptError {
	switch {
	case errors.Is(cause, errCancelled):
		return attemptError(job.ErrCancelled, cause.Error())
	case errors.Is(cause, errBrokenConnection):
		return attemptError(job.ErrProtocol, cause.Error())
	case errors.Is(cause, errLeaseEnded):
		return attemptError(job.ErrNodeLost, cause.Error())
	default:
		return attemptError(job.ErrNodeLost, errNodeStopping.Error())
	}
}

func attemptError(code job.ErrorCode, msg string) *job.AttemptError {
	if len(msg) > maxMessage {
		msg = strings.ToValidUTF8(msg[:maxMessage], "") + "…"
	}
	return &job.AttemptError{Code: code, Msg: msg}
}

func tlsMessage(err error) string {
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		if bytes.HasPrefix(record.RecordHeader[:], []byte("HTTP/")) {
			return "the target speaks plain HTTP on this port, not HTTPS"
		}
		return "the target does not speak TLS on this port"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the target closed the connection during the TLS handshake"
	}
	return err.Error()
}

// isTooLarge reports whether net/http refused the answer's headers for their
// size. It has no error values for that (and none at all for HTTP/2 headers that
// are larger by far: they break the connection); a test notices if its words
// change.
func isTooLarge(err error) bool {
	msg := err.Error()
	return strings.Contains(msg, "server response headers exceeded") || // HTTP/1
		strings.Contains(msg, "response header list larger") // HTTP/2
}

// protocolMessage translates errors of net/http, which quote the target.
func protocolMessage(err error, x *exchange) string {
	reading := x.phase() == "while reading the answer"
	switch msg := err.Error(); {
	case errors.Is(err, errTooManyRedirects):
		return errTooManyRedirects.Error()
	case strings.Contains(msg, "unsupported protocol scheme"):
		return "the target redirects to a URL that is neither http nor https"
	case strings.Contains(msg, "Location header"):
		return "the target redirects to an invalid URL"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the target reset the connection"
	case strings.Contains(msg, "http2:"), strings.Contains(msg, "stream error"), strings.Contains(msg, "connection error"):
		return "the HTTP/2 exchange failed"
	case reading && errors.Is(err, io.ErrUnexpectedEOF):
		return "the target closed the connection before the answer was complete"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(msg, "server closed"):
		return errBrokenConnection.Error()
	default:
		return "the answer is not valid HTTP"
	}
}
