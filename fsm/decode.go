package fsm

import (
	"time"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

func (r *reader) decision(e *logpb.Entry) job.Decision {
	switch d := e.GetDecision().(type) {
	case *logpb.Entry_Init:
		return job.Init{ClusterID: d.Init.GetClusterId(), RootKey: r.key(d.Init.GetRootKey())}
	case *logpb.Entry_TakeOffice:
		return job.TakeOffice{At: instant(d.TakeOffice.GetAt()), Node: r.node(d.TakeOffice.GetNode())}
	case *logpb.Entry_PutJobs:
		return r.putJobs(d.PutJobs)
	case *logpb.Entry_DeleteJob:
		return r.deleteJob(d.DeleteJob)
	case *logpb.Entry_Plan:
		return r.plan(d.Plan)
	case *logpb.Entry_Run:
		return r.run(d.Run)
	case *logpb.Entry_Begin:
		return r.begin(d.Begin)
	case *logpb.Entry_Record:
		return r.record(d.Record)
	case *logpb.Entry_MarkLost:
		return r.markLost(d.MarkLost)
	case *logpb.Entry_Prune:
		return r.prune(d.Prune)
	case *logpb.Entry_Cancel:
		return r.cancel(d.Cancel)
	case *logpb.Entry_PruneAnswers:
		return r.pruneAnswers(d.PruneAnswers)
	case *logpb.Entry_RaiseVersion:
		return r.raiseVersion(d.RaiseVersion)
	case *logpb.Entry_DismissNode:
		return r.dismissNode(d.DismissNode)
	case *logpb.Entry_Backfill:
		return r.backfill(d.Backfill)
	case *logpb.Entry_PutKey:
		return r.putKey(d.PutKey)
	case *logpb.Entry_DeleteKey:
		return r.deleteKey(d.DeleteKey)
	case *logpb.Entry_Announce:
		return r.announce(d.Announce)
	case *logpb.Entry_TryHook:
		return r.tryHook(d.TryHook)
	default:
		r.fail("this program does not know its decision: upgrade this node")
		return nil
	}
}

func (r *reader) putJobs(p *logpb.PutJobs) job.PutJobs {
	d := job.PutJobs{At: instant(p.GetAt()), Whole: p.GetWhole(), Once: r.once(p.GetOnce())}
	for _, put := range p.GetJobs() {
		d.Jobs = append(d.Jobs, job.PutJob{
			Job:         r.putJob(put),
			KeepNextRun: put.GetKeepNextRun(),
			Due:         instant(put.GetDue()),
			Missed:      gap(put.GetMissedFrom(), put.GetMissedTo(), put.GetMissedCount()),
			Delete:      put.GetDelete(),
		})
	}
	return d
}

func (r *reader) once(p *logpb.Once) *job.Once {
	if p == nil {
		return nil
	}
	if len(p.GetAnswer()) == 0 {
		r.fail("the answer to be given again is empty")
	}
	return &job.Once{
		Key:     r.hash("an Idempotency-Key", p.GetKey()),
		Request: r.hash("a request", p.GetRequest()),
		Answer:  p.GetAnswer(),
	}
}

func (r *reader) putJob(p *logpb.PutJob) job.Job {
	j := job.Job{
		ID:        job.ID(p.GetId()),
		Namespace: p.GetNamespace(),
		KeyID:     p.GetKeyId(),
		Version:   p.GetVersion(),
		CreatedAt: instant(p.GetCreatedAt()),
		Spec:      r.spec(p.GetSpec()),
		Hook:      r.hook(p.GetHook()),
		NextRunAt: instant(p.GetNextRunAt()),
		NextDueAt: shifted(p.GetNextRunAt(), p.GetNextDueAt()),
	}
	j.State = word(r, states, p.GetState())
	j.Overlap = word(r, overlaps, p.GetOverlap())
	return j
}

func (r *reader) deleteJob(p *logpb.DeleteJob) job.DeleteJob {
	return job.DeleteJob{At: instant(p.GetAt()), ID: job.ID(p.GetId()), Namespace: p.GetNamespace(), Version: p.GetVersion()}
}

func (r *reader) plan(p *logpb.Plan) job.Plan {
	d := job.Plan{At: instant(p.GetAt()), HistoryPerJob: int(p.GetHistoryPerJob())}
	for _, slot := range p.GetSlots() {
		d.Slots = append(d.Slots, r.slot(slot))
	}
	return d
}

func (r *reader) slot(p *logpb.PlannedSlot) job.PlannedSlot {
	return job.PlannedSlot{
		Job:     job.ID(p.GetJob()),
		Version: p.GetVersion(),
		Slot:    instant(p.GetSlot()),
		Next:    instant(p.GetNext()),
		NextDue: shifted(p.GetNext(), p.GetNextDue()),
		Node:    r.node(p.GetNode()),
		Fire:    instant(p.GetFire()),
		FireDue: shifted(p.GetFire(), p.GetFireDue()),
		Trigger: word(r, triggers, p.GetTrigger()),
		Missed:  gap(p.GetMissedFrom(), p.GetMissedTo(), p.GetMissedCount()),
	}
}

func gap(from, to, count int64) job.Gap {
	return job.Gap{From: instant(from), To: instant(to), Count: int(count)}
}

func (r *reader) run(p *logpb.Run) job.Run {
	return job.Run{
		At:            instant(p.GetAt()),
		HistoryPerJob: int(p.GetHistoryPerJob()),
		Namespace:     p.GetNamespace(),
		Execution:     execution(p.GetJob(), p.GetOrder()),
		Overlap:       word(r, overlaps, p.GetOverlap()),
		Once:          r.once(p.GetOnce()),
	}
}

func (r *reader) cancel(p *logpb.Cancel) job.Cancel {
	return job.Cancel{
		At:        instant(p.GetAt()),
		Namespace: p.GetNamespace(),
		Execution: execution(p.GetJob(), p.GetOrder()),
		Once:      r.once(p.GetOnce()),
	}
}

func (r *reader) begin(p *logpb.Begin) job.Begin {
	d := job.Begin{At: instant(p.GetAt())}
	for _, a := range p.GetAttempts() {
		d.Attempts = append(d.Attempts, job.BeginAttempt{AttemptRef: r.ref(a.GetRef()), Node: r.node(a.GetNode())})
	}
	return d
}

func (r *reader) record(p *logpb.Record) job.Record {
	d := job.Record{At: instant(p.GetAt())}
	for _, o := range p.GetOutcomes() {
		d.Outcomes = append(d.Outcomes, r.outcome(o))
	}
	return d
}

func (r *reader) outcome(p *logpb.Outcome) job.RecordedOutcome {
	return job.RecordedOutcome{
		Outcome: job.Outcome{
			AttemptRef: r.ref(p.GetRef()),
			Node:       r.node(p.GetNode()),
			StartedAt:  instant(p.GetStartedAt()),
			Duration:   r.duration(p.GetDurationUs(), time.Microsecond),
			HTTPStatus: int(p.GetHttpStatus()),
			Err:        r.attemptError(p.GetError()),
			Timings:    r.timings(p.GetTimings()),
			Response:   octets(p.GetResponse()),
			RetryAfter: r.duration(p.GetRetryAfterUs(), time.Microsecond),
		},
		RetryAt: instant(p.GetRetryAt()),
	}
}

func (r *reader) markLost(p *logpb.MarkLost) job.MarkLost {
	d := job.MarkLost{At: instant(p.GetAt())}
	for _, a := range p.GetAttempts() {
		d.Attempts = append(d.Attempts, r.ref(a))
	}
	for _, a := range p.GetUnbegun() {
		d.Unbegun = append(d.Unbegun, r.ref(a))
	}
	for _, a := range p.GetFinal() {
		d.Final = append(d.Final, r.ref(a))
	}
	return d
}

func (r *reader) prune(p *logpb.Prune) job.Prune {
	return job.Prune{Before: instant(p.GetBefore()), After: job.ID(p.GetAfter()), Jobs: int(p.GetJobs())}
}

func (r *reader) pruneAnswers(p *logpb.PruneAnswers) job.PruneAnswers {
	return job.PruneAnswers{Before: instant(p.GetBefore()), Limit: int(p.GetLimit())}
}

func (r *reader) raiseVersion(p *logpb.RaiseVersion) job.RaiseVersion {
	if p.GetVersion() == 0 {
		r.fail("there is no version 0")
	}
	return job.RaiseVersion{Version: int(p.GetVersion())}
}

func (r *reader) dismissNode(p *logpb.DismissNode) job.DismissNode {
	return job.DismissNode{At: instant(p.GetAt()), Node: r.node(p.GetNode())}
}

func (r *reader) backfill(p *logpb.Backfill) job.Backfill {
	d := job.Backfill{
		At:            instant(p.GetAt()),
		HistoryPerJob: int(p.GetHistoryPerJob()),
		Namespace:     p.GetNamespace(),
		Job:           job.ID(p.GetJob()),
		Overlap:       word(r, overlaps, p.GetOverlap()),
		Once:          r.once(p.GetOnce()),
	}
	for _, s := range p.GetSlots() {
		d.Slots = append(d.Slots, job.BackfillSlot{Slot: instant(s.GetSlot()), Execution: execution(p.GetJob(), s.GetOrder())})
	}
	return d
}

func (r *reader) putKey(p *logpb.PutKey) job.PutKey {
	return job.PutKey{
		At:        instant(p.GetAt()),
		Key:       r.key(p.GetKey()),
		Create:    p.GetCreate(),
		RotatedAt: instant(p.GetRotatedAt()),
		Once:      r.once(p.GetOnce()),
	}
}

func (r *reader) deleteKey(p *logpb.DeleteKey) job.DeleteKey {
	return job.DeleteKey{At: instant(p.GetAt()), ID: p.GetId(), Namespace: p.GetNamespace(), Force: p.GetForce()}
}

func (r *reader) announce(p *logpb.Announce) job.Announce {
	return job.Announce{At: instant(p.GetAt()), Type: job.EventType(p.GetType()), NodeID: p.GetNodeId()}
}

func (r *reader) tryHook(p *logpb.TryHook) job.TryHook {
	return job.TryHook{
		At:            instant(p.GetAt()),
		HistoryPerJob: int(p.GetHistoryPerJob()),
		Namespace:     p.GetNamespace(),
		Hook:          job.ID(p.GetHook()),
		Execution:     execution(p.GetHook(), p.GetOrder()),
		Once:          r.once(p.GetOnce()),
	}
}
