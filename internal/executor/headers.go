package executor

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// The names of the headers that every callback carries. The lower-case ones are
// sent as they are written here, as their standards write them.
const (
	headerJobID       = "X-Cron-Job-Id"
	headerExecutionID = "X-Cron-Execution-Id"
	headerScheduledAt = "X-Cron-Scheduled-At"
	headerAttempt     = "X-Cron-Attempt"
	headerTrigger     = "X-Cron-Trigger"
	headerTraceparent = "traceparent"
	headerWebhookID   = "webhook-id"
	headerTimestamp   = "webhook-timestamp"
	headerSignature   = "webhook-signature"
)

// header makes the headers of an attempt that begins now: the job's own, which
// may replace the user agent and the content type, and those of the service.
func header(a *job.Assignment, userAgent string, now time.Time) http.Header {
	h := make(http.Header, 12+len(a.Target.Headers))
	h["User-Agent"] = []string{userAgent}
	if body := a.Target.Body; body != nil && *body != "" {
		h["Content-Type"] = []string{contentType(*body)}
	}
	for _, own := range a.Target.Headers {
		h.Set(own.Name, own.Value)
	}
	id := a.Execution.String()
	h[headerJobID] = []string{a.Execution.Job.String()}
	h[headerExecutionID] = []string{id}
	h[headerScheduledAt] = []string{instant(a.ScheduledAt)}
	h[headerAttempt] = []string{strconv.Itoa(a.Attempt)}
	h[headerTrigger] = []string{string(a.Trigger)}
	h[headerTraceparent] = []string{traceparent(a.AttemptRef)}
	h[headerWebhookID] = []string{id}
	h[headerTimestamp] = []string{strconv.FormatInt(now.Unix(), 10)}
	if len(a.SigningKeys) > 0 {
		var body string
		if a.Target.Body != nil {
			body = *a.Target.Body
		}
		h[headerSignature] = []string{signatures(a.SigningKeys, id, now.Unix(), body)}
	}
	return h
}

// contentType is that of a body whose job sets none.
func contentType(body string) string {
	if json.Valid([]byte(body)) {
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

// instant writes t in UTC, with milliseconds only if it has any.
func instant(t time.Time) string {
	if t.Nanosecond() < int(time.Millisecond) {
		return t.UTC().Format("2006-01-02T15:04:05Z")
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// traceparent is the W3C trace context of an attempt: the trace is the
// execution's and constant over its attempts, the span the attempt's. Both come
// from a hash, since samplers expect a trace ID without structure.
func traceparent(ref job.AttemptRef) string {
	var name [16]byte
	binary.BigEndian.PutUint64(name[:8], uint64(ref.Execution.Job))
	binary.BigEndian.PutUint64(name[8:], ref.Execution.Order)
	sum := sha256.Sum256(name[:])
	trace, span := sum[:16], sum[16:24]
	binary.BigEndian.PutUint64(span, binary.BigEndian.Uint64(span)^uint64(ref.Attempt))
	return "00-" + hex.EncodeToString(trace) + "-" + hex.EncodeToString(span) + "-01"
}
