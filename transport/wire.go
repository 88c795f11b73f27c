package transport

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/transport/peerpb"
)

// The conversions between the words of package job and their wire messages.
// Every field of a word crosses, but for job.Header.Sealed: an assignment carries
// the plain value. Slices without elements arrive as nil.
//
// During a rolling upgrade one end may be of a program that knows no tokens. Its
// batches arrive without Fenced, which every later leader sets, also before it has
// a token; its replies arrive with Token zero, which no later node gives, and it
// never refuses a batch.

// convert applies f to each item; nil for none.
func convert[A, B any](items []A, f func(A) B) []B {
	if len(items) == 0 {
		return nil
	}
	converted := make([]B, len(items))
	for i, item := range items {
		converted[i] = f(item)
	}
	return converted
}

func instantToWire(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

func instantFromWire(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms).UTC()
}

func refToWire(r job.AttemptRef) *peerpb.AttemptRef {
	return &peerpb.AttemptRef{Job: uint64(r.Execution.Job), Order: r.Execution.Order, Attempt: int64(r.Attempt)}
}

func refFromWire(p *peerpb.AttemptRef) job.AttemptRef {
	return job.AttemptRef{
		Execution: job.ExecutionID{Job: job.ID(p.GetJob()), Order: p.GetOrder()},
		Attempt:   int(p.GetAttempt()),
	}
}

func batchToWire(b job.Batch) *peerpb.Batch {
	return &peerpb.Batch{
		Term:        b.Term,
		Leader:      b.Leader,
		Fenced:      b.Fenced,
		Incarnation: b.Incarnation,
		Token:       b.Token,
		Lease:       int64(b.Lease),
		Assignments: convert(b.Assignments, assignmentToWire),
		Aborts:      convert(b.Aborts, refToWire),
	}
}

func batchFromWire(p *peerpb.Batch) job.Batch {
	return job.Batch{
		Term:        p.GetTerm(),
		Leader:      p.GetLeader(),
		Fenced:      p.GetFenced(),
		Incarnation: p.GetIncarnation(),
		Token:       p.GetToken(),
		Lease:       time.Duration(p.GetLease()),
		Assignments: convert(p.GetAssignments(), assignmentFromWire),
		Aborts:      convert(p.GetAborts(), refFromWire),
	}
}

func batchReplyToWire(r job.BatchReply) *peerpb.BatchReply {
	return &peerpb.BatchReply{
		Incarnation:  r.Incarnation,
		Token:        r.Token,
		Refused:      r.Refused,
		Clock:        instantToWire(r.Clock),
		Open:         int64(r.Open),
		AppliedIndex: r.AppliedIndex,
		Draining:     r.Draining,
	}
}

func batchReplyFromWire(p *peerpb.BatchReply) job.BatchReply {
	return job.BatchReply{
		Incarnation:  p.GetIncarnation(),
		Token:        p.GetToken(),
		Refused:      p.GetRefused(),
		Clock:        instantFromWire(p.Clock),
		Open:         int(p.GetOpen()),
		AppliedIndex: p.GetAppliedIndex(),
		Draining:     p.GetDraining(),
	}
}

func assignmentToWire(a job.Assignment) *peerpb.Assignment {
	return &peerpb.Assignment{
		Ref:             refToWire(a.AttemptRef),
		Incarnation:     a.Incarnation,
		Trigger:         string(a.Trigger),
		ScheduledAt:     instantToWire(a.ScheduledAt),
		Target:          targetToWire(a.Target),
		Timeout:         int64(a.Timeout),
		SuccessStatuses: a.SuccessStatuses,
		FollowRedirects: a.FollowRedirects,
		Capture:         string(a.Capture),
		SigningKeys:     a.SigningKeys,
	}
}

func assignmentFromWire(p *peerpb.Assignment) job.Assignment {
	return job.Assignment{
		AttemptRef:      refFromWire(p.GetRef()),
		Incarnation:     p.GetIncarnation(),
		Trigger:         job.Trigger(p.GetTrigger()),
		ScheduledAt:     instantFromWire(p.ScheduledAt),
		Target:          targetFromWire(p.GetTarget()),
		Timeout:         time.Duration(p.GetTimeout()),
		SuccessStatuses: p.GetSuccessStatuses(),
		FollowRedirects: p.GetFollowRedirects(),
		Capture:         job.Capture(p.GetCapture()),
		SigningKeys:     p.GetSigningKeys(),
	}
}

func targetToWire(t job.Target) *peerpb.Target {
	p := &peerpb.Target{
		Url:    t.URL,
		Method: t.Method,
		Headers: convert(t.Headers, func(h job.Header) *peerpb.Header {
			return &peerpb.Header{Name: h.Name, Value: []byte(h.Value)}
		}),
	}
	if t.Body != nil {
		p.Body = []byte(*t.Body)
	}
	return p
}

func targetFromWire(p *peerpb.Target) job.Target {
	t := job.Target{
		URL:    p.GetUrl(),
		Method: p.GetMethod(),
		Headers: convert(p.GetHeaders(), func(h *peerpb.Header) job.Header {
			return job.Header{Name: h.GetName(), Value: string(h.GetValue())}
		}),
	}
	if p.GetBody() != nil {
		body := string(p.GetBody())
		t.Body = &body
	}
	return t
}

func outcomeToWire(o job.Outcome) *peerpb.Outcome {
	p := &peerpb.Outcome{
		Ref:        refToWire(o.AttemptRef),
		Node:       &peerpb.NodeRef{Id: o.Node.ID, Incarnation: o.Node.Incarnation},
		StartedAt:  instantToWire(o.StartedAt),
		Duration:   int64(o.Duration),
		HttpStatus: int64(o.HTTPStatus),
		Timings: &peerpb.Timings{
			Dns:       int64(o.Timings.DNS),
			Connect:   int64(o.Timings.Connect),
			Tls:       int64(o.Timings.TLS),
			FirstByte: int64(o.Timings.FirstByte),
		},
		Response:   o.Response,
		RetryAfter: int64(o.RetryAfter),
	}
	if o.Err != nil {
		p.Error = &peerpb.AttemptError{Code: string(o.Err.Code), Message: []byte(o.Err.Msg)}
	}
	return p
}

func outcomeFromWire(p *peerpb.Outcome) job.Outcome {
	o := job.Outcome{
		AttemptRef: refFromWire(p.GetRef()),
		Node:       job.NodeRef{ID: p.GetNode().GetId(), Incarnation: p.GetNode().GetIncarnation()},
		StartedAt:  instantFromWire(p.StartedAt),
		Duration:   time.Duration(p.GetDuration()),
		HTTPStatus: int(p.GetHttpStatus()),
		Timings: job.Timings{
			DNS:       time.Duration(p.GetTimings().GetDns()),
			Connect:   time.Duration(p.GetTimings().GetConnect()),
			TLS:       time.Duration(p.GetTimings().GetTls()),
			FirstByte: time.Duration(p.GetTimings().GetFirstByte()),
		},
		Response:   p.GetResponse(),
		RetryAfter: time.Duration(p.GetRetryAfter()),
	}
	if e := p.GetError(); e != nil {
		o.Err = &job.AttemptError{Code: job.ErrorCode(e.GetCode()), Msg: string(e.GetMessage())}
	}
	return o
}

// errorToWire makes an error that is not meant for people an internal one; its
// text is for the other node's log.
func errorToWire(err error) *peerpb.Error {
	e := asJobError(err)
	return &peerpb.Error{
		Code:    string(e.Code),
		Message: []byte(e.Msg),
		Fields: convert(e.Fields, func(f job.FieldError) *peerpb.FieldError {
			return &peerpb.FieldError{Field: []byte(f.Field), Message: []byte(f.Msg)}
		}),
	}
}

func errorFromWire(p *peerpb.Error) *job.Error {
	return &job.Error{
		Code: job.Code(p.GetCode()),
		Msg:  string(p.GetMessage()),
		Fields: convert(p.GetFields(), func(f *peerpb.FieldError) job.FieldError {
			return job.FieldError{Field: string(f.GetField()), Msg: string(f.GetMessage())}
		}),
	}
}
