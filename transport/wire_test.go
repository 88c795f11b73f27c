package transport

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/transport/peerpb"
)

var (
	instants  = rapid.OneOf(rapid.Just(time.Time{}), rapid.Map(rapid.Int64Range(-1e12, 1e14), func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }))
	durations = rapid.Map(rapid.Int64(), func(n int64) time.Duration { return time.Duration(n) })
	// dirty is text from outside, which may be no UTF-8.
	dirty = rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 30), func(b []byte) string { return string(b) })
)

// some is a slice that is nil rather than empty.
func some[T any](g *rapid.Generator[T]) *rapid.Generator[[]T] {
	return rapid.Map(rapid.SliceOfN(g, 0, 4), func(s []T) []T {
		if len(s) == 0 {
			return nil
		}
		return s
	})
}

var refs = rapid.Custom(func(t *rapid.T) job.AttemptRef {
	return job.AttemptRef{
		Execution: job.ExecutionID{Job: job.ID(rapid.Uint64().Draw(t, "job")), Order: rapid.Uint64().Draw(t, "order")},
		Attempt:   rapid.IntRange(0, math.MaxInt32).Draw(t, "attempt"),
	}
})

var assignments = rapid.Custom(func(t *rapid.T) job.Assignment {
	return job.Assignment{
		AttemptRef:  refs.Draw(t, "ref"),
		Incarnation: rapid.Uint64().Draw(t, "incarnation"),
		Trigger:     rapid.SampledFrom([]job.Trigger{job.TriggerScheduled, job.TriggerManual, job.TriggerCatchup}).Draw(t, "trigger"),
		ScheduledAt: instants.Draw(t, "scheduledAt"),
		Target: job.Target{
			URL:    rapid.String().Draw(t, "url"),
			Method: rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"),
			Headers: some(rapid.Custom(func(t *rapid.T) job.Header {
				return job.Header{Name: rapid.String().Draw(t, "name"), Value: dirty.Draw(t, "value")}
			})).Draw(t, "headers"),
			Body: rapid.Ptr(dirty, true).Draw(t, "body"),
		},
		Timeout:         durations.Draw(t, "timeout"),
		SuccessStatuses: some(rapid.String()).Draw(t, "statuses"),
		FollowRedirects: rapid.Bool().Draw(t, "follow"),
		Capture:         rapid.SampledFrom([]job.Capture{job.CaptureNone, job.CaptureAlways}).Draw(t, "capture"),
		SigningKeys:     some(rapid.String()).Draw(t, "keys"),
	}
})

var batches = rapid.Custom(func(t *rapid.T) job.Batch {
	return job.Batch{
		Term:        rapid.Uint64().Draw(t, "term"),
		Leader:      rapid.String().Draw(t, "leader"),
		Fenced:      rapid.Bool().Draw(t, "fenced"),
		Incarnation: rapid.Uint64().Draw(t, "incarnation"),
		Token:       rapid.Uint64().Draw(t, "token"),
		Lease:       durations.Draw(t, "lease"),
		Assignments: some(assignments).Draw(t, "assignments"),
		Aborts:      some(refs).Draw(t, "aborts"),
	}
})

var outcomes = rapid.Custom(func(t *rapid.T) job.Outcome {
	return job.Outcome{
		AttemptRef: refs.Draw(t, "ref"),
		Node:       job.NodeRef{ID: rapid.String().Draw(t, "node"), Incarnation: rapid.Uint64().Draw(t, "incarnation")},
		StartedAt:  instants.Draw(t, "startedAt"),
		Duration:   durations.Draw(t, "duration"),
		HTTPStatus: rapid.IntRange(0, 999).Draw(t, "status"),
		Err: rapid.Ptr(rapid.Custom(func(t *rapid.T) job.AttemptError {
			return job.AttemptError{Code: job.ErrTimeout, Msg: dirty.Draw(t, "msg")}
		}), true).Draw(t, "err"),
		Timings: job.Timings{
			DNS:       durations.Draw(t, "dns"),
			Connect:   durations.Draw(t, "connect"),
			TLS:       durations.Draw(t, "tls"),
			FirstByte: durations.Draw(t, "firstByte"),
		},
		Response:   some(rapid.Byte()).Draw(t, "response"),
		RetryAfter: durations.Draw(t, "retryAfter"),
	}
})

var greetings = rapid.Custom(func(t *rapid.T) Greeting {
	return Greeting{
		ClusterID:    rapid.String().Draw(t, "cluster"),
		NodeID:       rapid.String().Draw(t, "node"),
		Incarnation:  rapid.Uint64().Draw(t, "incarnation"),
		HasState:     rapid.Bool().Draw(t, "hasState"),
		Expect:       rapid.Int().Draw(t, "expect"),
		PeerAddr:     rapid.String().Draw(t, "peerAddr"),
		HTTPAddr:     rapid.String().Draw(t, "httpAddr"),
		Version:      rapid.String().Draw(t, "version"),
		LogVersion:   rapid.Int().Draw(t, "logVersion"),
		AppliedIndex: rapid.Uint64().Draw(t, "applied"),
		OpenAttempts: rapid.Int().Draw(t, "open"),
		Candidates:   some(rapid.String()).Draw(t, "candidates"),
		Dismissed:    rapid.Uint64().Draw(t, "dismissed"),
		Term:         rapid.Uint64().Draw(t, "term"),
	}
})

var replies = rapid.Custom(func(t *rapid.T) job.BatchReply {
	return job.BatchReply{
		Incarnation:  rapid.Uint64().Draw(t, "incarnation"),
		Token:        rapid.Uint64().Draw(t, "token"),
		Refused:      rapid.Bool().Draw(t, "refused"),
		Clock:        instants.Draw(t, "clock"),
		Open:         rapid.Int().Draw(t, "open"),
		AppliedIndex: rapid.Uint64().Draw(t, "applied"),
		Draining:     rapid.Bool().Draw(t, "draining"),
	}
})

var jobErrors = rapid.Custom(func(t *rapid.T) *job.Error {
	return &job.Error{
		Code: rapid.SampledFrom([]job.Code{job.CodeValidation, job.CodeNoLeader, job.CodeConflict}).Draw(t, "code"),
		Msg:  dirty.Draw(t, "msg"),
		Fields: some(rapid.Custom(func(t *rapid.T) job.FieldError {
			return job.FieldError{Field: dirty.Draw(t, "field"), Msg: dirty.Draw(t, "fieldMsg")}
		})).Draw(t, "fields"),
	}
})

// Parallel tests share the generators, and a generator of rapid notes its name at
// the first use that asks for it, unguarded against the others.
func init() {
	for _, g := range []fmt.Stringer{
		instants, durations, dirty, refs, assignments, batches, outcomes, greetings, replies, jobErrors,
	} {
		_ = g.String()
	}
}

// crosses checks that a word survives encoding.
func crosses[W any, M any, P interface {
	*M
	proto.Message
}](words *rapid.Generator[W], to func(W) P, from func(P) W) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			want := words.Draw(t, "word")
			b, err := proto.Marshal(to(want))
			if err != nil {
				t.Fatalf("Marshal: %v", err)
			}
			p := P(new(M))
			if err := proto.Unmarshal(b, p); err != nil {
				t.Fatalf("Unmarshal: %v", err)
			}
			if got := from(p); !reflect.DeepEqual(got, want) {
				t.Fatalf("got  %#v\nwant %#v", got, want)
			}
		})
	}
}

func TestWire_WordsCross(t *testing.T) {
	t.Parallel()
	t.Run("Batch", crosses[job.Batch, peerpb.Batch](batches, batchToWire, batchFromWire))
	t.Run("BatchReply", crosses[job.BatchReply, peerpb.BatchReply](replies, batchReplyToWire, batchReplyFromWire))
	t.Run("Outcome", crosses[job.Outcome, peerpb.Outcome](outcomes, outcomeToWire, outcomeFromWire))
	t.Run("Greeting", crosses[Greeting, peerpb.Greeting](greetings, greetingToWire, greetingFromWire))
	t.Run("Error", crosses[*job.Error, peerpb.Error](jobErrors, func(e *job.Error) *peerpb.Error { return errorToWire(e) }, errorFromWire))
}

// TestWire_KnowsEveryField fails when a word gets a field that the property above
// does not draw, and the conversions may not carry.
func TestWire_KnowsEveryField(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		word any
		want int
	}{
		{job.Assignment{}, 10}, {job.AttemptRef{}, 2}, {job.Target{}, 4}, {job.Header{}, 3},
		{job.Batch{}, 8}, {job.BatchReply{}, 7}, {job.Outcome{}, 9}, {job.NodeRef{}, 2},
		{job.AttemptError{}, 2}, {job.Timings{}, 4}, {job.Error{}, 3}, {job.FieldError{}, 2}, {Greeting{}, 14},
	} {
		if got := reflect.TypeOf(tc.word).NumField(); got != tc.want {
			t.Errorf("%T has %d fields, and the wire knows %d", tc.word, got, tc.want)
		}
	}
}

// TestWire_OlderProgram reads what a program from before the tokens writes.
func TestWire_OlderProgram(t *testing.T) {
	t.Parallel()
	batch, reply := new(peerpb.Batch), new(peerpb.BatchReply)
	for m, bytes := range map[proto.Message]string{
		batch: "\x08\x07\x12\x02n1\x18\x90\x4e\x2a\x14\x09\x01\x00\x00\x00\x00\x00\x00\x00\x11\x02\x00\x00\x00\x00\x00\x00\x00\x18\x03",
		reply: "\x09\x04\x00\x00\x00\x00\x00\x00\x00\x10\x05\x18\x06\x20\x01",
	} {
		if err := proto.Unmarshal([]byte(bytes), m); err != nil {
			t.Fatal(err)
		}
	}
	wantBatch := job.Batch{
		Term: 7, Leader: "n1", Lease: 10000,
		Aborts: []job.AttemptRef{{Execution: job.ExecutionID{Job: 1, Order: 2}, Attempt: 3}},
	}
	if got := batchFromWire(batch); !reflect.DeepEqual(got, wantBatch) {
		t.Errorf("batch: got %#v, want %#v: not fenced", got, wantBatch)
	}
	wantReply := job.BatchReply{Incarnation: 4, Open: 5, AppliedIndex: 6, Draining: true}
	if got := batchReplyFromWire(reply); got != wantReply {
		t.Errorf("reply: got %#v, want %#v: no token, not refused", got, wantReply)
	}
}

func TestWire_BodyNilIsNotEmpty(t *testing.T) {
	t.Parallel()
	empty := ""
	for _, body := range []*string{nil, &empty} {
		b, err := proto.Marshal(targetToWire(job.Target{Body: body}))
		if err != nil {
			t.Fatal(err)
		}
		var p peerpb.Target
		if err := proto.Unmarshal(b, &p); err != nil {
			t.Fatal(err)
		}
		if got := targetFromWire(&p).Body; (got == nil) != (body == nil) {
			t.Errorf("body: got %v, want %v", got, body)
		}
	}
}

func TestWire_InternalErrorsKeepTheirText(t *testing.T) {
	t.Parallel()
	got := errorFromWire(errorToWire(errors.New("the disk is on fire")))
	if got.Code != job.CodeInternal || got.Msg != "the disk is on fire" {
		t.Errorf("got %v", got)
	}
	wrapped := fmt.Errorf("plan: %w", job.ErrStale)
	if got := errorFromWire(errorToWire(wrapped)); !errors.Is(got, job.ErrStale) {
		t.Errorf("a wrapped error: got %v, want ErrStale", got)
	}
}

func TestSplit_KeepsPartsSmallAndOrder(t *testing.T) {
	t.Parallel()
	response := make([]byte, 100<<10)
	var items []*peerpb.Outcome
	for i := range 150 {
		items = append(items, &peerpb.Outcome{HttpStatus: int64(i), Response: response})
	}
	next := 0
	for _, part := range split(items) {
		size := 0
		for _, item := range part {
			size += proto.Size(item)
			if item.GetHttpStatus() != int64(next) {
				t.Fatalf("item %d: got %d", next, item.GetHttpStatus())
			}
			next++
		}
		if size > chunk || len(part) == 0 {
			t.Errorf("a part has %d items and %d bytes, want at most %d bytes", len(part), size, chunk)
		}
	}
	if next != len(items) {
		t.Errorf("items: got %d, want %d", next, len(items))
	}
	if got := split[*peerpb.Outcome](nil); len(got) != 1 || len(got[0]) != 0 {
		t.Errorf("nothing splits into %d parts, want an empty one", len(got))
	}
}
