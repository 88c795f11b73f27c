package fsm

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// putJob creates a job, or replaces the definition of one.
func (t *tx) putJob(at time.Time, p job.PutJob) job.Item {
	if p.Job.State != job.Active {
		p.Job.NextRunAt = time.Time{}
	}
	switch {
	case p.Job.Version != 0:
		return t.replaceJob(at, p)
	case !p.Due.IsZero(): // no slot of a new job is due
		return refuse(job.ErrStale)
	default:
		return t.createJob(at, p.Job)
	}
}

func (t *tx) createJob(at time.Time, j job.Job) job.Item {
	if t.has(stateKey(j.ID)) {
		return refuse(job.Errorf(job.CodeConflict, "there is a job %v already", j.ID))
	}
	if j.Namespace == "" {
		j.Namespace = job.DefaultNamespace
	}
	if j.CreatedAt.IsZero() {
		j.CreatedAt = at
	}
	r := newRow(j.ID, &logpb.JobState{Namespace: j.Namespace})
	t.define(at, r, j)
	check("write the state", t.batch.Set(namespaceKey(j.Namespace, j.ID), nil, nil))
	return job.Item{}
}

func (t *tx) replaceJob(at time.Time, p job.PutJob) job.Item {
	j := p.Job
	r, refusal := t.owned(j.ID, j.Namespace, j.Version)
	if refusal != nil {
		return refuse(refusal)
	}
	if !p.Due.IsZero() && r.due != millis(p.Due) {
		return refuse(job.ErrStale)
	}
	var old logpb.Definition
	t.get(definitionKey(r.id), func(value []byte) error { return proto.Unmarshal(value, &old) })
	j.KeyID, j.CreatedAt = old.GetKeyId(), instant(old.GetCreatedAt())
	if !p.Due.IsZero() {
		t.giveUp(at, r, p.Missed)
	} else if p.KeepNextRun && j.State == job.Active && r.due != 0 {
		j.NextRunAt = instant(r.due)
	}
	overlap := r.GetOverlap()
	t.define(at, r, j)
	if r.GetOverlap() == logpb.OverlapPolicy_OVERLAP_ALLOW && overlap != r.GetOverlap() {
		t.unbuffer(r.id, at)
	}
	return job.Item{}
}

// giveUp records the due slots that a change of the job leaves unplanned.
func (t *tx) giveUp(at time.Time, r *row, missed job.Gap) {
	if missed.Count > 0 && t.miss(r, at, job.TriggerCatchup, missed) {
		r.LastResult = logpb.Result_RESULT_MISSED
	}
}

// define writes what the user decides of a job.
func (t *tx) define(at time.Time, r *row, j job.Job) {
	r.Version++
	r.State = number[logpb.State](&t.w, states, j.State)
	r.Overlap = number[logpb.OverlapPolicy](&t.w, overlaps, j.Overlap)
	r.NextRunAt = millis(j.NextRunAt)
	j.UpdatedAt = at
	t.put(definitionKey(r.id), t.w.definition(j))
	t.save(r)
}

// owned reads the state of a job that a caller of the namespace wants to change
// at the version. An empty namespace is any, and so is version zero.
func (t *tx) owned(id job.ID, namespace string, version uint64) (*row, *job.Error) {
	r := t.row(id)
	switch {
	case r == nil || namespace != "" && namespace != r.GetNamespace():
		return nil, job.Errorf(job.CodeNotFound, "there is no job %v", id)
	case version != 0 && version != r.GetVersion():
		return nil, job.Errorf(job.CodePreconditionFailed,
			"job %v has version %d, not %d: read it again, and decide again", id, r.GetVersion(), version)
	}
	return r, nil
}

// deleteJob removes a job with its history. Requests that may be open are
// aborted, and their executions stay open until that is known to have happened.
func (t *tx) deleteJob(d job.DeleteJob) job.Item {
	r, refusal := t.owned(d.ID, d.Namespace, d.Version)
	if refusal != nil {
		return refuse(refusal)
	}
	t.delete(definitionKey(r.id))
	t.delete(stateKey(r.id))
	t.delete(namespaceKey(r.GetNamespace(), r.id))
	if r.GetRecords() > 0 {
		records := jobKey(executionPrefix, r.id)
		check("write the state", t.batch.DeleteRange(records, afterAll(records), nil))
	}
	t.reschedule(r, 0)
	for _, x := range t.state.opens.ofJob(r.id) {
		t.abort(x)
	}
	return job.Item{}
}
