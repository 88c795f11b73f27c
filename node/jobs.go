package node

import (
	"context"
	"errors"
	"fmt"
	"time"

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
// anything else if this node does not lead.
func (s Jobs) Create(ctx context.Context, by job.APIKey, spec job.Spec) (job.Job, error) {
	made, err := s.CreateMany(ctx, by, []job.Spec{spec})
	if err != nil {
		return job.Job{}, err
	}
	return s.n.store.Job(made[0])
}

// CreateMany makes all the jobs in one log entry, or none: the first spec that
// breaks a rule is the error. The caller keeps the entry below 1 MiB.
func (s Jobs) CreateMany(ctx context.Context, by job.APIKey, specs []job.Spec) ([]job.ID, error) {
	if !s.n.Leads() {
		return nil, job.ErrNotLeader
	}
	put := job.PutJobs{At: job.Instant(time.Now())}
	var ids []job.ID
	for _, spec := range specs {
		j, err := s.newJob(by, spec, put.At)
		if err != nil {
			return nil, err
		}
		put.Jobs = append(put.Jobs, job.PutJob{Job: j})
		ids = append(ids, j.ID)
	}
	return ids, s.submit(ctx, put)
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
func (s Jobs) submit(ctx context.Context, put job.PutJobs) error {
	applied, err := s.n.log.Submit(ctx, put)
	if err != nil {
		return err
	}
	for _, item := range applied.Items {
		if item.Err != nil {
			return item.Err
		}
	}
	return nil
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
		j, err := s.tryUpdate(ctx, namespace, id, version, edit)
		if version == 0 && try < editTries && errors.Is(err, errVersion) {
			continue
		}
		return j, err
	}
}

var errVersion = job.Errorf(job.CodePreconditionFailed, "the job has changed since that version; read it again")

func (s Jobs) tryUpdate(ctx context.Context, namespace string, id job.ID, version uint64, edit func(*job.Spec) error) (job.Job, error) {
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
	now := job.Instant(time.Now())
	after.UpdatedAt = now
	if after.NextRunAt, err = settle(&after.Spec, now); err != nil {
		return job.Job{}, err
	}
	keep := after.Schedule == before.Schedule && after.State == before.State
	if after.Target.Headers, err = sealHeaders(s.n.cfg.Secret, id, after.Target.Headers); err != nil {
		return job.Job{}, err
	}
	put := job.PutJobs{At: now, Jobs: []job.PutJob{{Job: after, KeepNextRun: keep}}}
	if err := s.submit(ctx, put); err != nil {
		return job.Job{}, err
	}
	return s.n.store.Job(id)
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
	applied, err := s.n.log.Submit(ctx, job.DeleteJob{
		At: job.Instant(time.Now()), ID: id, Namespace: namespace, Version: version,
	})
	if err != nil {
		return err
	}
	if e := applied.Items[0].Err; e != nil {
		return e
	}
	return nil
}
