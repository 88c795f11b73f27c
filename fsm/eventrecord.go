package fsm

import (
	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// event writes what a webhook delivers; nil for every other execution.
func (w *writer) event(e *job.Event) *logpb.Event {
	if e == nil {
		return nil
	}
	return &logpb.Event{
		Index:       e.ID.Index,
		Part:        int64(e.ID.Part),
		Type:        string(e.Type),
		At:          millis(e.At),
		Namespace:   e.Namespace,
		Job:         uint64(e.Job),
		JobName:     e.JobName,
		Version:     e.Version,
		Order:       e.Execution.Order,
		Trigger:     number[logpb.Trigger](w, triggers, e.Trigger),
		ScheduledAt: millis(e.ScheduledAt),
		Result:      number[logpb.Result](w, results, e.Result),
		HttpStatus:  int64(e.HTTPStatus),
		Error:       w.attemptError(e.Err),
		MissedCount: int64(e.MissedCount),
		Failures:    int64(e.Failures),
		NodeId:      e.NodeID,
	}
}

func (r *reader) event(p *logpb.Event) *job.Event {
	if p == nil {
		return nil
	}
	e := &job.Event{
		ID:          job.EventID{Index: p.GetIndex(), Part: int(p.GetPart())},
		Type:        job.EventType(p.GetType()),
		At:          instant(p.GetAt()),
		Namespace:   p.GetNamespace(),
		Job:         job.ID(p.GetJob()),
		JobName:     p.GetJobName(),
		Version:     p.GetVersion(),
		Trigger:     word(r, triggers, p.GetTrigger()),
		ScheduledAt: instant(p.GetScheduledAt()),
		Result:      word(r, results, p.GetResult()),
		HTTPStatus:  int(p.GetHttpStatus()),
		Err:         r.attemptError(p.GetError()),
		MissedCount: int(p.GetMissedCount()),
		Failures:    int(p.GetFailures()),
		NodeID:      p.GetNodeId(),
	}
	if p.GetOrder() != 0 {
		e.Execution = execution(p.GetJob(), p.GetOrder())
	}
	return e
}
