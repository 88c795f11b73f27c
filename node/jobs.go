package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cronraft/cronraft/fsm"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/scheduler"
)

// editTries bounds how often an edit without a version starts again because
// another one came between.
const editTries = 8

// Jobs decides about jobs while this node leads, and reads them always.
type Jobs struct{ n *Node }

// Jobs is the service for jobs.
func (n *Node) Jobs() Jobs { return Jobs{n} }

// Create makes a job of the caller's namespace. [job.ErrNotLeader] before
// anything else if this node does not lead. Again is the first answer if once came
// before: nothing was made then.
func (s Jobs) Create(ctx context.Context, by job.APIKey, spec job.Spec, once *job.Idempotent[job.Job]) (made job.Job, again []byte, err error) {
	if !s.n.Leads() {
		return job.Job{}, nil, job.ErrNotLeader
	}
	put := job.PutJobs{At: s.n.instant()}
	j, err := s.newJob(by, spec, put.At)
	if err != nil {
		return job.Job{}, nil, err
	}
	put.Jobs = []job.PutJob{{Job: j}}
	expected := j
	expected.Version = 1
	if put.Once, err = onceOf(once, expected); err != nil {
		return job.Job{}, nil, err
	}
	if again, err = s.submit(ctx, put); err != nil || again != nil {
		return job.Job{}, again, err
	}
	made, err = s.made(expected)
	return made, nil, err
}

// CreateMany makes all the jobs in one log entry, or none: the first spec that
// breaks a rule is the error. The caller keeps the entry below 1 MiB.
func (s Jobs) CreateMany(ctx context.Context, by job.APIKey, specs []job.Spec) ([]job.ID, error) {
	if !s.n.Leads() {
		return nil, job.ErrNotLeader
	}
	put := job.PutJobs{At: s.n.instant()}
	var ids []job.ID
	for _, spec := range specs {
		j, err := s.newJob(by, spec, put.At)
		if err != nil {
			return nil, err
		}
		put.Jobs = append(put.Jobs, job.PutJob{Job: j})
		ids = append(ids, j.ID)
	}
	_, err := s.submit(ctx, put)
	return ids, err
}

// newJob is the job that a spec asks for, valid and with its headers sealed.
func (s Jobs) newJob(by job.APIKey, spec job.Spec, now time.Time) (job.Job, error) {
	next, err := settle(&spec, now)
	if err != nil {
		return job.Job{}, err
	}
	j := job.Job{
		ID: job.ID(randomBits(64)), Namespace: by.Namespace, KeyID: by.ID,
		CreatedAt: now, UpdatedAt: now, Spec: spec, NextRunAt: next,
	}
	j.Target.Headers, err = sealHeaders(s.n.cfg.Secret, j.ID, spec.Target.Headers)
	return j, err
}

// submit commits definitions; the error is that of the first that was refused.
func (s Jobs) submit(ctx context.Context, put job.PutJobs) (again []byte, err error) {
	applied, err := s.n.consensus.log.Submit(ctx, put)
	if err != nil {
		return nil, err
	}
	for _, item := range applied.Items {
		if item.Err != nil {
			return nil, item.Err
		}
	}
	return applied.Answer, nil
}

// settle checks everything about a spec, the schedule's text included, and
// returns its first slot after now. A spec that is to be active and has no slot
// left is COMPLETED; one that is not paused has no reason for it.
func settle(spec *job.Spec, now time.Time) (next time.Time, err error) {
	if spec.State == job.Completed {
		spec.State = job.Active // its schedule may have changed
	}
	if spec.State == job.Active {
		spec.PauseReason = ""
	}
	if e := job.Invalid(append(spec.Validate(), scheduler.CheckSchedule(spec.Schedule)...)); e != nil {
		return time.Time{}, e
	}
	if spec.State != job.Active {
		return time.Time{}, nil
	}
	next, ok, err := scheduler.Next(spec.Schedule, now)
	if err != nil {
		return time.Time{}, err
	}
	if !ok {
		spec.State = job.Completed
		return time.Time{}, nil
	}
	return next, nil
}

// Get is the job, if it is of the namespace; an empty one sees all.
func (s Jobs) Get(_ context.Context, namespace string, id job.ID) (job.Job, error) {
	j, err := s.n.store.Job(id)
	if errors.Is(err, job.ErrNotFound) || err == nil && namespace != "" && j.Namespace != namespace {
		return job.Job{}, job.Errorf(job.CodeNotFound, "there is no job %v", id)
	}
	return j, err
}

// List is a page of the namespace's jobs by ID, going on after the given one.
func (s Jobs) List(_ context.Context, namespace string, after job.ID, limit int) ([]job.Job, error) {
	return s.n.store.Jobs(namespace, after, limit)
}

// Update applies edit to the job's spec and commits the outcome. Version zero
// takes whatever version there is and starts again if another edit came between;
// any other that is not the current one is CodePreconditionFailed.
func (s Jobs) Update(ctx context.Context, namespace string, id job.ID, version uint64, edit func(*job.Spec) error) (job.Job, error) {
	for try := 1; ; try++ {
		j, err := s.tryUpdate(ctx, namespace, id, version, edit, try == 1)
		again := version == 0 && errors.Is(err, errVersion) || errors.Is(err, job.ErrStale)
		if !again || try == editTries {
			return j, err
		}
	}
}

var errVersion = job.Errorf(job.CodePreconditionFailed, "the job has changed since that version; read it again")

func (s Jobs) tryUpdate(ctx context.Context, namespace string, id job.ID, version uint64, edit func(*job.Spec) error, patient bool) (job.Job, error) {
	if !s.n.Leads() {
		return job.Job{}, job.ErrNotLeader
	}
	before, err := s.find(ctx, namespace, id, version)
	if err != nil {
		return job.Job{}, err
	}
	after := before
	after.Spec = before.Clone()
	if err := edit(&after.Spec); err != nil {
		return job.Job{}, err
	}
	now := s.n.instant()
	after.UpdatedAt = now
	decided, err := s.decided(id)
	if err != nil {
		return job.Job{}, err
	}
	if after.NextRunAt, err = settle(&after.Spec, latest(now, decided)); err != nil {
		return job.Job{}, err
	}
	put := job.PutJob{Job: after, KeepNextRun: after.Schedule == before.Schedule && after.State == before.State}
	if put.Job.Target.Headers, err = sealHeaders(s.n.cfg.Secret, id, after.Target.Headers); err != nil {
		return job.Job{}, err
	}
	if !put.KeepNextRun {
		if put.Due, put.Missed, err = s.givenUp(ctx, before, now, patient); err != nil {
			return job.Job{}, err
		}
	}
	if _, err := s.submit(ctx, job.PutJobs{At: now, Jobs: []job.PutJob{put}}); err != nil {
		return job.Job{}, err
	}
	after.Version = before.Version + 1
	return s.made(after)
}

// made is a job as a write has just made it. Another write may have come after it
// already, which its caller must not be answered with.
func (s Jobs) made(written job.Job) (job.Job, error) {
	j, err := s.n.store.Job(written.ID)
	if errors.Is(err, job.ErrNotFound) || err == nil && j.Version != written.Version {
		return written, nil
	}
	return j, err
}

// decided is the time up to which the job's slots have records. It is later than now
// if the clock was set back: an edit must not make those slots due once more.
func (s Jobs) decided(id job.ID) (time.Time, error) {
	newest, err := s.n.store.Executions(id, job.ExecutionID{}, 1)
	if err != nil || len(newest) == 0 {
		return time.Time{}, err
	}
	return latest(newest[0].ScheduledAt, newest[0].MissedTo), nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// planPatience is how long an edit waits for a slot that is already due to be
// planned, and planInterval how often it looks.
const (
	planPatience = time.Second
	planInterval = 5 * time.Millisecond
)

// givenUp is the gap that an edit of the schedule leaves: the slots that are due,
// and that nobody has planned. To plan one takes but a moment as a rule, and a
// patient edit waits for it, which [job.ErrStale] tells. It does so once, for a
// slot that is hardly late: a job that catches up always has another one.
func (s Jobs) givenUp(ctx context.Context, before job.Job, now time.Time, patient bool) (due time.Time, missed job.Gap, err error) {
	slot := before.NextRunAt
	if slot.IsZero() || slot.After(now) {
		return time.Time{}, job.Gap{}, nil
	}
	if patient && now.Sub(slot) < planPatience && s.isPlanned(ctx, before.ID, slot) {
		return time.Time{}, job.Gap{}, job.ErrStale
	}
	if s.n.store.LogVersion() < fsm.VersionOf(job.PutJobs{Jobs: []job.PutJob{{Due: slot}}}) {
		return time.Time{}, job.Gap{}, nil
	}
	missed, err = scheduler.Missed(before.Schedule, slot, now)
	return slot, missed, err
}

// isPlanned reports whether the slot has been planned, or gets planned in a moment.
func (s Jobs) isPlanned(ctx context.Context, id job.ID, slot time.Time) bool {
	deadline := time.NewTimer(planPatience)
	defer deadline.Stop()
	for {
		if j, err := s.n.store.Job(id); err != nil || !j.NextRunAt.Equal(slot) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-deadline.C:
			return false
		case <-time.After(planInterval):
		}
	}
}

// find reads the job at the version. A refusal is final only if this node still
// leads: what it knows may be old.
func (s Jobs) find(ctx context.Context, namespace string, id job.ID, version uint64) (job.Job, error) {
	j, err := s.get(ctx, namespace, id, version)
	if err == nil {
		return j, nil
	}
	if err := s.n.Barrier(ctx); err != nil {
		return job.Job{}, err
	}
	return s.get(ctx, namespace, id, version)
}

func (s Jobs) get(ctx context.Context, namespace string, id job.ID, version uint64) (job.Job, error) {
	j, err := s.Get(ctx, namespace, id)
	if err == nil && version != 0 && j.Version != version {
		err = fmt.Errorf("job %v: %w", id, errVersion)
	}
	return j, err
}

// Delete removes the job with its history and aborts what runs.
func (s Jobs) Delete(ctx context.Context, namespace string, id job.ID, version uint64) error {
	if !s.n.Leads() {
		return job.ErrNotLeader
	}
	applied, err := s.n.consensus.log.Submit(ctx, job.DeleteJob{
		At: s.n.instant(), ID: id, Namespace: namespace, Version: version,
	})
	if err != nil {
		return err
	}
	if e := applied.Items[0].Err; e != nil {
		return e
	}
	return nil
}
