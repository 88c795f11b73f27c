package node

import (
	"context"
	"errors"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/scheduler"
)

// Jobs decides about jobs while this node leads, and reads them always.
type Jobs struct{ n *Node }

// Jobs is the service for jobs.
func (n *Node) Jobs() Jobs { return Jobs{n} }

func (s Jobs) definitions() definitions { return definitions{n: s.n, steps: scheduler.NewSteps()} }

// Create makes a job of the caller's namespace. [job.ErrNotLeader] before
// anything else if this node does not lead. Again is the first answer if once came
// before: nothing was made then.
func (s Jobs) Create(ctx context.Context, by job.APIKey, spec job.Spec, once *job.Idempotent[job.Job]) (made job.Job, again []byte, err error) {
	return s.definitions().create(ctx, job.Job{Namespace: homeOf(by), KeyID: by.ID, Spec: spec}, once)
}

// homeOf is the namespace that a caller writes to.
func homeOf(by job.APIKey) string {
	if by.Namespace == "" {
		return job.DefaultNamespace
	}
	return by.Namespace
}

// Get is the job, if it is of the namespace; an empty one sees all.
func (s Jobs) Get(_ context.Context, namespace string, id job.ID) (job.Job, error) {
	return s.definitions().get(namespace, id)
}

// ByExternalID is the job of the namespace, [job.DefaultNamespace] if that is empty,
// that its owner gave the ID.
func (s Jobs) ByExternalID(_ context.Context, namespace, externalID string) (job.Job, error) {
	j, err := s.n.store.JobByExternalID(homeOf(job.APIKey{Namespace: namespace}), externalID)
	if errors.Is(err, job.ErrNotFound) {
		return job.Job{}, job.Errorf(job.CodeNotFound, "there is no job with the external id %q", externalID)
	}
	return j, err
}

// List is a page of jobs, or of webhooks if the query is for those.
func (s Jobs) List(_ context.Context, q job.JobQuery) (job.JobPage, error) { return s.n.store.Jobs(q) }

// Update applies edit to the job's spec and commits the outcome. Version zero
// takes whatever version there is and starts again if another edit came between;
// any other that is not the current one is CodePreconditionFailed.
func (s Jobs) Update(ctx context.Context, namespace string, id job.ID, version uint64, edit func(*job.Spec) error) (job.Job, error) {
	return s.definitions().update(ctx, revision{
		namespace: namespace, id: id, version: version, edit: func(j *job.Job) error { return edit(&j.Spec) },
	})
}

// Delete removes the job with its history and aborts what runs.
func (s Jobs) Delete(ctx context.Context, namespace string, id job.ID, version uint64) error {
	return s.definitions().delete(ctx, namespace, id, version)
}
