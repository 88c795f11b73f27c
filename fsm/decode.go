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
	default:
		r.fail("this program does not know its decision: upgrade this node")
		return nil
	}
}

func (r *reader) putJobs(p *logpb.PutJobs) job.PutJobs {
	d := job.PutJobs{At: instant(p.GetAt())}
	for _, put := range p.GetJobs() {
		d.Jobs = append(d.Jobs, job.PutJob{Job: r.putJob(put), KeepNextRun: put.GetKeepNextRun()})
	}
	return d
}

func (r *reader) putJob(p *logpb.PutJob) job.Job {
	j := job.Job{
		ID:        job.ID(p.GetId()),
		Namespace: p.GetNamespace(),
		KeyID:     p.GetKeyId(),
		Version:   p.GetVersion(),
		CreatedAt: instant(p.GetCreatedAt()),
		Spec:      r.spec(p.GetSpec()),
		NextRunAt: instant(p.GetNextRunAt()),
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
		Node:    r.node(p.GetNode()),
		Fire:    instant(p.GetFire()),
		Trigger: word(r, triggers, p.GetTrigger()),
		Missed: job.Gap{
			From:  instant(p.GetMissedFrom()),
			To:    instant(p.GetMissedTo()),
			Count: int(p.GetMissedCount()),
		},
	}
}

func (r *reader) run(p *logpb.Run) job.Run {
	return job.Run{
		At:            instant(p.GetAt()),
		HistoryPerJob: int(p.GetHistoryPerJob()),
		Namespace:     p.GetNamespace(),
		Execution:     execution(p.GetJob(), p.GetOrder()),
		Overlap:       word(r, overlaps, p.GetOverlap()),
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
	return d
}

func (r *reader) prune(p *logpb.Prune) job.Prune {
	return job.Prune{Before: instant(p.GetBefore()), After: job.ID(p.GetAfter()), Jobs: int(p.GetJobs())}
}
