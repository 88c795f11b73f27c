package fsm

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// putJobs applies each change by itself; or all, unless one is refused.
func (t *tx) putJobs(d job.PutJobs) []job.Item {
	if d.Whole {
		if items := t.refusals(d.Jobs); items != nil {
			return items
		}
	}
	return each(d.Jobs, func(p job.PutJob) job.Item { return t.putJob(d.At, p) })
}

// putJob creates a job, replaces the definition of one, or deletes one.
func (t *tx) putJob(at time.Time, p job.PutJob) job.Item {
	r, refusal := t.checkPut(p, nil)
	switch {
	case refusal != nil:
		return refuse(refusal)
	case p.Delete:
		t.removeJob(r, at)
	case r == nil:
		t.createJob(at, p.Job)
	default:
		t.replaceJob(at, r, p)
	}
	return job.Item{}
}

// checkPut reports what speaks against a change, and the job that it changes; nil
// for one that it creates.
func (t *tx) checkPut(p job.PutJob, c claims) (r *row, refusal *job.Error) {
	j := p.Job
	switch {
	case p.Delete:
		return t.owned(j.ID, j.Namespace, j.Version)
	case j.Version != 0:
		r, refusal = t.owned(j.ID, j.Namespace, j.Version)
		switch {
		case refusal != nil:
		case r.GetHook() != (j.Hook != nil):
			refusal = job.Errorf(job.CodeNotFound, "there is no job %v", j.ID)
		case t.isOutdated(r, p):
			refusal = job.ErrStale
		}
	case !p.Due.IsZero(): // no slot of a new job is due
		refusal = job.ErrStale
	case t.has(stateKey(j.ID)):
		refusal = job.Errorf(job.CodeConflict, "there is a job %v already", j.ID)
	case j.Hook != nil:
		refusal = t.state.hooks.refusal(home(namespaceOf(nil, j), j.Hook))
	}
	if refusal == nil {
		refusal = t.checkExternalID(p.Job, namespaceOf(r, p.Job), c)
	}
	return r, refusal
}

// isOutdated reports whether an edit was decided when other slots were to come: it
// gives up a slot that is not due, or none although the job has given up some; or it
// goes on with the next slot of a job that has had its last one since.
func (t *tx) isOutdated(r *row, p job.PutJob) bool {
	switch {
	case !p.Due.IsZero():
		return r.due.slot != millis(p.Due)
	case r.GetGivenUpFrom() != 0:
		return true
	default:
		return p.KeepNextRun && p.Job.State != job.Completed && r.GetState() == logpb.State_STATE_COMPLETED && t.isThird()
	}
}

// namespaceOf is the namespace of a job that is there, or is to be made.
func namespaceOf(r *row, j job.Job) string {
	switch {
	case r != nil:
		return r.GetNamespace()
	case j.Namespace == "":
		return job.DefaultNamespace
	default:
		return j.Namespace
	}
}

func (t *tx) createJob(at time.Time, j job.Job) {
	j.Namespace = namespaceOf(nil, j)
	if j.CreatedAt.IsZero() {
		j.CreatedAt = at
	}
	r := newRow(j.ID, &logpb.JobState{Namespace: j.Namespace})
	t.define(at, r, j, nil)
	check("write the state", t.batch.Set(listKey(j.Namespace, j.ID, j.Hook != nil), nil, nil))
	t.tell(r, job.Event{Type: job.EventJobCreated, At: at, Version: r.GetVersion()})
}

func (t *tx) replaceJob(at time.Time, r *row, p job.PutJob) {
	j := p.Job
	old := t.definition(r.id)
	j.KeyID, j.CreatedAt = old.GetKeyId(), instant(old.GetCreatedAt())
	switch {
	case !p.Due.IsZero():
		t.giveUp(at, r, p.Missed)
		r.GivenUpFrom, r.GivenUpUntil = 0, 0
	case !p.KeepNextRun || r.due.slot == 0 || r.due.slot == millis(j.NextRunAt): // the edit says when it is due
	default:
		j.NextRunAt, j.NextDueAt = instant(r.due.slot), instant(r.due.at)
	}
	state, overlap := r.GetState(), r.GetOverlap()
	t.define(at, r, j, old)
	t.tell(r, job.Event{Type: job.EventJobUpdated, At: at, Version: r.GetVersion()})
	if r.GetState() == logpb.State_STATE_COMPLETED && state != r.GetState() {
		t.tell(r, job.Event{Type: job.EventJobCompleted, At: at, Version: r.GetVersion()})
	}
	if r.GetOverlap() == logpb.OverlapPolicy_OVERLAP_ALLOW && overlap != r.GetOverlap() {
		t.unbuffer(r.id, at)
	}
	t.promote(r.id, at) // the job may have been paused
}

// giveUp records the due slots that a change of the job leaves unplanned.
func (t *tx) giveUp(at time.Time, r *row, missed job.Gap) {
	if missed.Count > 0 && t.miss(r, at, job.TriggerCatchup, missed) {
		r.LastResult = logpb.Result_RESULT_MISSED
	}
}

// define writes what the user decides of a job, which was old before; nil if it is
// new.
func (t *tx) define(at time.Time, r *row, j job.Job, old *logpb.Definition) {
	r.Version++
	t.decideState(r, j)
	r.Overlap = number[logpb.OverlapPolicy](&t.w, overlaps, j.Overlap)
	r.Hook = j.Hook != nil
	if t.isThird() {
		r.Name = j.Name
	}
	j.UpdatedAt = at
	now := t.w.definition(j)
	r.Tags = now.GetSpec().GetTags()
	t.put(definitionKey(r.id), now)
	t.claim(r, old.GetSpec().GetExternalId(), j.ExternalID)
	t.signWith(r.id, old, now)
	t.subscribe(r, j.Hook)
	t.listSpec(r, old.GetSpec(), now.GetSpec())
	t.save(r)
}

// decideState gives a job the state that its user wants, and its next run, unless
// it has had all the runs that it may have.
func (t *tx) decideState(r *row, j job.Job) {
	state := number[logpb.State](&t.w, states, j.State)
	limited := r.GetPauseAfterFailures() > 0 || j.PauseAfterFailures > 0
	if r.MaxRuns, r.PauseAfterFailures = int64(j.MaxRuns), int64(j.PauseAfterFailures); j.MaxRuns == 0 {
		r.Runs = 0
	}
	if state == logpb.State_STATE_ACTIVE && isExhausted(r) {
		state = logpb.State_STATE_COMPLETED
	}
	if limited && state == logpb.State_STATE_ACTIVE && r.GetState() != state {
		r.ConsecutiveFailures = 0
	}
	r.State = state
	setNext(r, time.Time{}, time.Time{})
	if state == logpb.State_STATE_ACTIVE && j.Hook == nil {
		setNext(r, j.NextRunAt, j.NextDueAt)
	}
}

// setNext sets the next slot of a job, and when it is due.
func setNext(r *row, slot, due time.Time) {
	r.NextRunAt, r.NextDueAt = millis(slot), 0
	if !due.IsZero() {
		r.NextDueAt = shift(slot, due)
	}
}

// isExhausted reports whether a job has had all the runs that it may have.
func isExhausted(r *row) bool { return r.GetMaxRuns() > 0 && r.GetRuns() >= r.GetMaxRuns() }

// complete ends a job that has no slot left, or no run. The caller saves the row.
func (t *tx) complete(r *row, at time.Time) {
	r.State = logpb.State_STATE_COMPLETED
	setNext(r, time.Time{}, time.Time{})
	t.tell(r, job.Event{Type: job.EventJobCompleted, At: at, Version: r.GetVersion()})
}

// definition reads what a user decided of a job; an empty one if there is none.
func (t *tx) definition(id job.ID) *logpb.Definition {
	p := &logpb.Definition{}
	t.get(definitionKey(id), func(value []byte) error { return proto.Unmarshal(value, p) })
	return p
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

// runnable reads the state of a job that a caller of the namespace wants to run: a
// webhook runs when there are events.
func (t *tx) runnable(id job.ID, namespace string) (*row, *job.Error) {
	r, refusal := t.owned(id, namespace, 0)
	if refusal == nil && r.GetHook() {
		return nil, job.Errorf(job.CodeNotFound, "there is no job %v", id)
	}
	return r, refusal
}

func (t *tx) deleteJob(d job.DeleteJob) job.Item {
	r, refusal := t.owned(d.ID, d.Namespace, d.Version)
	if refusal != nil {
		return refuse(refusal)
	}
	t.removeJob(r, d.At)
	return job.Item{}
}

// removeJob removes a job with its history. Requests that may be open are
// aborted, and their executions stay open until that is known to have happened.
func (t *tx) removeJob(r *row, at time.Time) {
	t.tell(r, job.Event{Type: job.EventJobDeleted, At: at, Version: r.GetVersion()})
	t.unlistJob(r)
	old := t.definition(r.id)
	t.claim(r, old.GetSpec().GetExternalId(), "")
	t.signWith(r.id, old, nil)
	t.state.hooks.remove(r.id)
	delete(t.receivers, r.id)
	t.delete(definitionKey(r.id))
	t.delete(stateKey(r.id))
	t.delete(listKey(r.GetNamespace(), r.id, r.GetHook()))
	if r.GetRecords() > 0 {
		records := jobKey(executionPrefix, r.id)
		check("write the state", t.batch.DeleteRange(records, afterAll(records), nil))
	}
	t.reschedule(r, due{})
	for _, x := range t.state.opens.inQueue(r.id) {
		t.state.unended.remove(x.Execution)
		t.close(x)
	}
	for _, x := range t.state.opens.ofJob(r.id) {
		t.abort(x)
	}
}
