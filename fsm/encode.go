package fsm

import (
	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

func (w *writer) entry(d job.Decision) *logpb.Entry {
	e := &logpb.Entry{Version: uint32(VersionOf(d))}
	switch d := d.(type) {
	case job.Init:
		e.Decision = &logpb.Entry_Init{Init: &logpb.Init{ClusterId: d.ClusterID, RootKey: w.key(d.RootKey)}}
	case job.TakeOffice:
		e.Decision = &logpb.Entry_TakeOffice{TakeOffice: &logpb.TakeOffice{At: millis(d.At), Node: w.node(d.Node)}}
	case job.PutJobs:
		e.Decision = &logpb.Entry_PutJobs{PutJobs: w.putJobs(d)}
	case job.DeleteJob:
		e.Decision = &logpb.Entry_DeleteJob{DeleteJob: w.deleteJob(d)}
	case job.Plan:
		e.Decision = &logpb.Entry_Plan{Plan: w.plan(d)}
	case job.Run:
		e.Decision = &logpb.Entry_Run{Run: w.run(d)}
	case job.Begin:
		e.Decision = &logpb.Entry_Begin{Begin: w.begin(d)}
	case job.Record:
		e.Decision = &logpb.Entry_Record{Record: w.record(d)}
	case job.MarkLost:
		e.Decision = &logpb.Entry_MarkLost{MarkLost: w.markLost(d)}
	case job.Prune:
		e.Decision = &logpb.Entry_Prune{Prune: w.prune(d)}
	case job.Cancel:
		e.Decision = &logpb.Entry_Cancel{Cancel: w.cancel(d)}
	case job.PruneAnswers:
		e.Decision = &logpb.Entry_PruneAnswers{PruneAnswers: w.pruneAnswers(d)}
	case job.RaiseVersion:
		e.Decision = &logpb.Entry_RaiseVersion{RaiseVersion: w.raiseVersion(d)}
	case job.DismissNode:
		e.Decision = &logpb.Entry_DismissNode{DismissNode: w.dismissNode(d)}
	case job.Backfill:
		e.Decision = &logpb.Entry_Backfill{Backfill: w.backfill(d)}
	case job.PutKey:
		e.Decision = &logpb.Entry_PutKey{PutKey: w.putKey(d)}
	case job.DeleteKey:
		e.Decision = &logpb.Entry_DeleteKey{DeleteKey: w.deleteKey(d)}
	case job.Announce:
		e.Decision = &logpb.Entry_Announce{Announce: w.announce(d)}
	case job.TryHook:
		e.Decision = &logpb.Entry_TryHook{TryHook: w.tryHook(d)}
	default:
		w.fail("there is no entry for it")
	}
	return e
}

func (w *writer) putJobs(d job.PutJobs) *logpb.PutJobs {
	p := &logpb.PutJobs{At: millis(d.At), Once: w.once(d.Once), Whole: d.Whole}
	for _, put := range d.Jobs {
		p.Jobs = append(p.Jobs, w.putJob(put))
	}
	return p
}

func (w *writer) putJob(put job.PutJob) *logpb.PutJob {
	j := put.Job
	return &logpb.PutJob{
		Id:        uint64(j.ID),
		Namespace: j.Namespace,
		KeyId:     j.KeyID,
		Version:   j.Version,
		CreatedAt: millis(j.CreatedAt),
		NextRunAt: millis(j.NextRunAt),
		State:     number[logpb.State](w, states, j.State),
		Overlap:   number[logpb.OverlapPolicy](w, overlaps, j.Overlap),
		Spec:      w.spec(j.Spec),

		KeepNextRun: put.KeepNextRun,
		Due:         millis(put.Due),
		MissedFrom:  millis(put.Missed.From),
		MissedTo:    millis(put.Missed.To),
		MissedCount: int64(put.Missed.Count),

		NextDueAt: shift(j.NextRunAt, j.NextDueAt),
		Delete:    put.Delete,
		Hook:      w.hook(j.Hook),
	}
}

func (w *writer) once(o *job.Once) *logpb.Once {
	if o == nil {
		return nil
	}
	if len(o.Answer) == 0 {
		w.fail("the answer to be given again is empty")
	}
	return &logpb.Once{Key: o.Key[:], Request: o.Request[:], Answer: o.Answer}
}

func (w *writer) deleteJob(d job.DeleteJob) *logpb.DeleteJob {
	return &logpb.DeleteJob{At: millis(d.At), Id: uint64(d.ID), Namespace: d.Namespace, Version: d.Version}
}

func (w *writer) plan(d job.Plan) *logpb.Plan {
	p := &logpb.Plan{At: millis(d.At), HistoryPerJob: int64(d.HistoryPerJob)}
	for _, slot := range d.Slots {
		p.Slots = append(p.Slots, w.slot(slot))
	}
	return p
}

func (w *writer) slot(s job.PlannedSlot) *logpb.PlannedSlot {
	return &logpb.PlannedSlot{
		Job:         uint64(s.Job),
		Version:     s.Version,
		Slot:        millis(s.Slot),
		Next:        millis(s.Next),
		Node:        w.node(s.Node),
		Fire:        millis(s.Fire),
		Trigger:     number[logpb.Trigger](w, triggers, s.Trigger),
		MissedFrom:  millis(s.Missed.From),
		MissedTo:    millis(s.Missed.To),
		MissedCount: int64(s.Missed.Count),
		NextDue:     shift(s.Next, s.NextDue),
		FireDue:     shift(s.Fire, s.FireDue),
	}
}

func (w *writer) run(d job.Run) *logpb.Run {
	return &logpb.Run{
		At:            millis(d.At),
		HistoryPerJob: int64(d.HistoryPerJob),
		Namespace:     d.Namespace,
		Job:           uint64(d.Execution.Job),
		Order:         d.Execution.Order,
		Overlap:       number[logpb.OverlapPolicy](w, overlaps, d.Overlap),
		Once:          w.once(d.Once),
	}
}

func (w *writer) cancel(d job.Cancel) *logpb.Cancel {
	return &logpb.Cancel{
		At:        millis(d.At),
		Namespace: d.Namespace,
		Job:       uint64(d.Execution.Job),
		Order:     d.Execution.Order,
		Once:      w.once(d.Once),
	}
}

func (w *writer) begin(d job.Begin) *logpb.Begin {
	p := &logpb.Begin{At: millis(d.At)}
	for _, a := range d.Attempts {
		p.Attempts = append(p.Attempts, &logpb.BeginAttempt{Ref: w.ref(a.AttemptRef), Node: w.node(a.Node)})
	}
	return p
}

func (w *writer) record(d job.Record) *logpb.Record {
	p := &logpb.Record{At: millis(d.At)}
	for _, o := range d.Outcomes {
		p.Outcomes = append(p.Outcomes, w.outcome(o))
	}
	return p
}

func (w *writer) outcome(o job.RecordedOutcome) *logpb.Outcome {
	return &logpb.Outcome{
		Ref:          w.ref(o.AttemptRef),
		Node:         w.node(o.Node),
		StartedAt:    millis(o.StartedAt),
		DurationUs:   o.Duration.Microseconds(),
		HttpStatus:   int64(o.HTTPStatus),
		Error:        w.attemptError(o.Err),
		Timings:      w.timings(o.Timings),
		Response:     o.Response,
		RetryAfterUs: o.RetryAfter.Microseconds(),
		RetryAt:      millis(o.RetryAt),
	}
}

func (w *writer) markLost(d job.MarkLost) *logpb.MarkLost {
	p := &logpb.MarkLost{At: millis(d.At)}
	for _, a := range d.Attempts {
		p.Attempts = append(p.Attempts, w.ref(a))
	}
	for _, a := range d.Unbegun {
		p.Unbegun = append(p.Unbegun, w.ref(a))
	}
	for _, a := range d.Final {
		p.Final = append(p.Final, w.ref(a))
	}
	return p
}

func (w *writer) prune(d job.Prune) *logpb.Prune {
	return &logpb.Prune{Before: millis(d.Before), After: uint64(d.After), Jobs: int64(d.Jobs)}
}

func (w *writer) pruneAnswers(d job.PruneAnswers) *logpb.PruneAnswers {
	return &logpb.PruneAnswers{Before: millis(d.Before), Limit: int64(d.Limit)}
}

func (w *writer) raiseVersion(d job.RaiseVersion) *logpb.RaiseVersion {
	if d.Version < 1 {
		w.fail("there is no version %d", d.Version)
	}
	return &logpb.RaiseVersion{Version: uint32(d.Version)}
}

func (w *writer) dismissNode(d job.DismissNode) *logpb.DismissNode {
	return &logpb.DismissNode{At: millis(d.At), Node: w.node(d.Node)}
}

func (w *writer) backfill(d job.Backfill) *logpb.Backfill {
	p := &logpb.Backfill{
		At:            millis(d.At),
		HistoryPerJob: int64(d.HistoryPerJob),
		Namespace:     d.Namespace,
		Job:           uint64(d.Job),
		Overlap:       number[logpb.OverlapPolicy](w, overlaps, d.Overlap),
		Once:          w.once(d.Once),
	}
	for _, s := range d.Slots {
		if s.Execution.Job != d.Job {
			w.fail("execution %v is not one of job %v", s.Execution, d.Job)
		}
		p.Slots = append(p.Slots, &logpb.BackfillSlot{Slot: millis(s.Slot), Order: s.Execution.Order})
	}
	return p
}

func (w *writer) putKey(d job.PutKey) *logpb.PutKey {
	return &logpb.PutKey{
		At:        millis(d.At),
		Key:       w.key(d.Key),
		Create:    d.Create,
		RotatedAt: millis(d.RotatedAt),
		Once:      w.once(d.Once),
	}
}

func (w *writer) deleteKey(d job.DeleteKey) *logpb.DeleteKey {
	return &logpb.DeleteKey{At: millis(d.At), Id: d.ID, Namespace: d.Namespace, Force: d.Force}
}

func (w *writer) announce(d job.Announce) *logpb.Announce {
	return &logpb.Announce{At: millis(d.At), Type: string(d.Type), NodeId: d.NodeID}
}

func (w *writer) tryHook(d job.TryHook) *logpb.TryHook {
	if d.Execution.Job != d.Hook {
		w.fail("execution %v is not one of webhook %v", d.Execution, d.Hook)
	}
	return &logpb.TryHook{
		At:            millis(d.At),
		HistoryPerJob: int64(d.HistoryPerJob),
		Namespace:     d.Namespace,
		Hook:          uint64(d.Hook),
		Order:         d.Execution.Order,
		Once:          w.once(d.Once),
	}
}
