package fsm

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// writer turns the program's words into messages. It remembers the first value
// that no message can hold.
type writer struct{ err error }

func (w *writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// reader turns messages into the program's words. It remembers the first value
// that the program has no word for.
type reader struct{ err error }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// The words by the number that an entry has for them. New ones go at the end.
var (
	states   = []job.State{"", job.Active, job.Paused, job.Completed}
	overlaps = []job.OverlapPolicy{"", job.OverlapSkip, job.OverlapAllow, job.OverlapCancelPrevious, job.OverlapBufferOne}
	backoffs = []job.Backoff{"", job.BackoffFixed, job.BackoffExponential}
	captures = []job.Capture{"", job.CaptureNone, job.CaptureOnFailure, job.CaptureAlways}
	triggers = []job.Trigger{"", job.TriggerScheduled, job.TriggerManual, job.TriggerCatchup, job.TriggerBackfill, job.TriggerEvent}
	results  = []job.Result{"", job.Running, job.Retrying, job.Success, job.Failed, job.Cancelled, job.Skipped, job.Missed}
	phases   = []job.Phase{job.PhaseClosed, job.PhasePending, job.PhaseRunning, job.PhaseWaiting, job.PhaseAborting, job.PhaseBuffered, job.PhaseQueued}
	// Zero is the default of these, so that it is not written.
	misfires   = []job.MisfirePolicy{job.MisfireFireOnce, job.MisfireFireAll, job.MisfireSkip}
	guarantees = []job.Guarantee{job.AtLeastOnce, job.AtMostOnce}
)

func number[N ~int32, W comparable](w *writer, words []W, word W) N {
	i := slices.Index(words, word)
	if i < 0 {
		w.fail("there is no %T %#v", word, word)
	}
	return N(i)
}

func word[N ~int32, W any](r *reader, words []W, n N) W {
	if n < 0 || int(n) >= len(words) {
		r.fail("this program knows no %T number %d: upgrade this node", n, n)
		n = 0
	}
	return words[n]
}

// millis writes an instant; zero is none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// instant reads what millis writes.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// shift writes when a slot is due; zero if that is the slot itself, or none.
func shift(slot, due time.Time) int64 {
	if millis(due) == millis(slot) {
		return 0
	}
	return millis(due)
}

// shifted reads what shift writes, in its one form: zero if it is the slot itself.
func shifted(slot, due int64) time.Time {
	if due == slot {
		return time.Time{}
	}
	return instant(due)
}

func (r *reader) duration(n int64, unit time.Duration) time.Duration {
	if n > math.MaxInt64/int64(unit) || n < math.MinInt64/int64(unit) {
		r.fail("a duration is out of range")
		return 0
	}
	return time.Duration(n) * unit
}

// octets keeps "no bytes" to one form.
func octets(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func (r *reader) hash(of string, b []byte) (sum [32]byte) {
	if len(b) != len(sum) {
		r.fail("the hash of %s has %d bytes", of, len(b))
	}
	copy(sum[:], b)
	return sum
}

// node is nil for no node: most records of a large store have none.
func (w *writer) node(n job.NodeRef) *logpb.Node {
	if n == (job.NodeRef{}) {
		return nil
	}
	return &logpb.Node{Id: n.ID, Incarnation: n.Incarnation}
}

func (r *reader) node(p *logpb.Node) job.NodeRef {
	return job.NodeRef{ID: p.GetId(), Incarnation: p.GetIncarnation()}
}

func (w *writer) ref(a job.AttemptRef) *logpb.AttemptRef {
	return &logpb.AttemptRef{Job: uint64(a.Execution.Job), Order: a.Execution.Order, Attempt: int64(a.Attempt)}
}

func (r *reader) ref(p *logpb.AttemptRef) job.AttemptRef {
	return job.AttemptRef{Execution: execution(p.GetJob(), p.GetOrder()), Attempt: int(p.GetAttempt())}
}

func execution(id, order uint64) job.ExecutionID {
	return job.ExecutionID{Job: job.ID(id), Order: order}
}

// attemptError makes the message valid UTF-8: it may quote what a target sent.
func (w *writer) attemptError(e *job.AttemptError) *logpb.AttemptError {
	if e == nil {
		return nil
	}
	return &logpb.AttemptError{Code: string(e.Code), Message: strings.ToValidUTF8(e.Msg, "\uFFFD")}
}

func (r *reader) attemptError(p *logpb.AttemptError) *job.AttemptError {
	if p == nil {
		return nil
	}
	return &job.AttemptError{Code: job.ErrorCode(p.GetCode()), Msg: p.GetMessage()}
}

func (w *writer) timings(t job.Timings) *logpb.Timings {
	if t == (job.Timings{}) {
		return nil
	}
	return &logpb.Timings{
		DnsUs:       t.DNS.Microseconds(),
		ConnectUs:   t.Connect.Microseconds(),
		TlsUs:       t.TLS.Microseconds(),
		FirstByteUs: t.FirstByte.Microseconds(),
	}
}

func (r *reader) timings(p *logpb.Timings) job.Timings {
	return job.Timings{
		DNS:       r.duration(p.GetDnsUs(), time.Microsecond),
		Connect:   r.duration(p.GetConnectUs(), time.Microsecond),
		TLS:       r.duration(p.GetTlsUs(), time.Microsecond),
		FirstByte: r.duration(p.GetFirstByteUs(), time.Microsecond),
	}
}
