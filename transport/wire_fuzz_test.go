package transport

import (
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/transport/peerpb"
)

// FuzzWire reads the messages of peers: what is read is written to what reads the same.
func FuzzWire(f *testing.F) {
	body := "b"
	ref := job.AttemptRef{Execution: job.ExecutionID{Job: 1, Order: 2}, Attempt: 3}
	for _, m := range []proto.Message{
		batchToWire(job.Batch{Term: 1, Leader: "n1", Fenced: true, Token: 2, Lease: time.Second, Aborts: []job.AttemptRef{ref}, Assignments: []job.Assignment{{
			AttemptRef: ref, Trigger: job.TriggerManual, ScheduledAt: time.UnixMilli(5).UTC(), Timeout: time.Second, SigningKeys: []string{"k"},
			Target: job.Target{URL: "http://t.test/", Method: "POST", Headers: []job.Header{{Name: "A", Value: "\xff"}}, Body: &body},
		}}}),
		batchReplyToWire(job.BatchReply{Incarnation: 1, Token: 2, Refused: true, Clock: time.UnixMilli(0).UTC(), Open: -1}),
		outcomeToWire(job.Outcome{AttemptRef: ref, Node: job.NodeRef{ID: "n1"}, Err: &job.AttemptError{Code: job.ErrTimeout, Msg: "\xff"}}),
		greetingToWire(Greeting{ClusterID: "c", NodeID: "n", Expect: 3, Candidates: []string{"a", "b"}}),
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		readsAgain(t, b, &peerpb.Batch{}, batchFromWire, batchToWire)
		readsAgain(t, b, &peerpb.BatchReply{}, batchReplyFromWire, batchReplyToWire)
		readsAgain(t, b, &peerpb.Outcome{}, outcomeFromWire, outcomeToWire)
		readsAgain(t, b, &peerpb.Greeting{}, greetingFromWire, greetingToWire)
		var p peerpb.Error
		if err := proto.Unmarshal(b, &p); err == nil && errorFromWire(&p) == nil {
			t.Fatalf("%x is an error, and none", b)
		}
	})
}

// readsAgain reads bytes as a message; most are none of its kind.
func readsAgain[P proto.Message, T any](t *testing.T, b []byte, p P, from func(P) T, to func(T) P) {
	t.Helper()
	if err := proto.Unmarshal(b, p); err != nil {
		return
	}
	v := from(p)
	text, err := proto.Marshal(to(v))
	if err != nil {
		t.Fatalf("%+v was read and cannot be written: %v", v, err)
	}
	proto.Reset(p)
	if err := proto.Unmarshal(text, p); err != nil {
		t.Fatalf("%+v: %v", v, err)
	}
	if again := from(p); !reflect.DeepEqual(v, again) {
		t.Fatalf("read  %+v\nagain %+v", v, again)
	}
}
