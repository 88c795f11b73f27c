package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/scheduler"
)

// editTries bounds how often an edit without a version starts again because
// another one came between.
const editTries = 8

var errVersion = job.Errorf(job.CodePreconditionFailed, "it has changed since that version; read it again")

// definitions are the jobs, or the webhooks: the log knows both as jobs.
type definitions struct {
	n     *Node
	hooks bool
	// steps bounds the gaps that a request leaves which changes jobs.
	steps *scheduler.Steps
}

func (d definitions) missing(id job.ID) error {
	if d.hooks {
		return job.Errorf(job.CodeNotFound, "there is no such webhook")
	}
	return job.Errorf(job.CodeNotFound, "there is no job %v", id)
}

// get is the definition, if it is of the namespace; an empty one sees all.
func (d definitions) get(namespace string, id job.ID) (job.Job, error) {
	j, err := d.n.store.Job(id)
	if errors.Is(err, job.ErrNotFound) || err == nil && ((j.Hook != nil) != d.hooks || !isOf(namespace, j)) {
		return job.Job{}, d.missing(id)
	}
	return j, err
}

// isOf reports whether a job or a webhook is there for a caller of the namespace; an
// empty one sees all. A webhook of the whole cluster is only the root key's, although
// it is in a namespace too.
func isOf(namespace string, j job.Job) bool {
	return namespace == "" || j.Namespace == namespace && (j.Hook == nil || !j.Hook.Cluster)
}

// at reads the definition at the version; zero is any.
func (d definitions) at(namespace string, id job.ID, version uint64) (job.Job, error) {
	j, err := d.get(namespace, id)
	if err == nil && version != 0 && j.Version != version {
		err = fmt.Errorf("version %d, not %d: %w", j.Version, version, errVersion)
	}
	return j, err
}

// find is at. A refusal is final only if this node still leads: what it knows may
// be old.
func (d definitions) find(ctx context.Context, namespace string, id job.ID, version uint64) (job.Job, error) {
	j, err := d.at(namespace, id, version)
	if err == nil {
		return j, nil
	}
	if err := d.n.Barrier(ctx); err != nil {
		return job.Job{}, err
	}
	return d.at(namespace, id, version)
}

// create commits a new definition. [job.ErrNotLeader] before anything else if this
// node does not lead. Again is the first answer if once came before: nothing was
// made then.
func (d definitions) create(ctx context.Context, j job.Job, once *job.Idempotent[job.Job]) (made job.Job, again []byte, err error) {
	if !d.n.Leads() {
		return job.Job{}, nil, job.ErrNotLeader
	}
	put := job.PutJobs{At: d.n.instant()}
	if j, err = d.fresh(j, put.At); err != nil {
		again, err = kept(ctx, d.n, once, err)
		return job.Job{}, again, err
	}
	put.Jobs = []job.PutJob{{Job: j}}
	if put.Once, err = onceOf(once, expected(j)); err != nil {
		return job.Job{}, nil, err
	}
	if again, err = d.submit(ctx, put); err != nil || again != nil {
		return job.Job{}, again, err
	}
	made, err = d.made(expected(j))
	return made, nil, err
}

// fresh is a new job, valid and with its headers sealed.
func (d definitions) fresh(j job.Job, now time.Time) (job.Job, error) {
	j.ID, j.CreatedAt, j.UpdatedAt = job.ID(randomBits(64)), now, now
	if err := (settling{job: &j, now: now}).settle(); err != nil {
		return job.Job{}, err
	}
	var err error
	j.Target.Headers, err = sealHeaders(d.n.cfg.Secret, j.ID, j.Target.Headers)
	return j, err
}

// submit commits definitions; the error is that of the first that was refused.
func (d definitions) submit(ctx context.Context, put job.PutJobs) (again []byte, err error) {
	applied, err := d.n.consensus.log.Submit(ctx, put)
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

// revision is an edit of a definition.
type revision struct {
	namespace string
	id        job.ID
	// version is the one to replace. Zero takes whatever there is.
	version uint64
	edit    func(*job.Job) error
}

// update applies the edit to the definition and commits the outcome. One of any
// version starts again if another edit came between; any other version than the
// current one is CodePreconditionFailed.
func (d definitions) update(ctx context.Context, r revision) (job.Job, error) {
	patience := time.Now().Add(planPatience)
	for try := 1; ; try++ {
		j, err := d.tryUpdate(ctx, r, patience)
		again := r.version == 0 && errors.Is(err, errVersion) || isStale(err)
		if !again || try == editTries {
			return j, err
		}
		patience = time.Time{}
	}
}

// isStale reports whether err is [job.ErrStale] itself: other errors have its code.
func isStale(err error) bool {
	var e *job.Error
	return errors.As(err, &e) && e == job.ErrStale
}

func (d definitions) tryUpdate(ctx context.Context, r revision, patience time.Time) (job.Job, error) {
	if !d.n.Leads() {
		return job.Job{}, job.ErrNotLeader
	}
	before, err := d.find(ctx, r.namespace, r.id, r.version)
	if err != nil {
		return job.Job{}, err
	}
	after := before
	after.Spec, after.Hook = before.Clone(), cloneHook(before.Hook)
	if err := r.edit(&after); err != nil {
		return job.Job{}, err
	}
	put, err := d.replacement(ctx, before, after, patience)
	if err != nil {
		return job.Job{}, err
	}
	if _, err := d.submit(ctx, job.PutJobs{At: put.Job.UpdatedAt, Jobs: []job.PutJob{put}}); err != nil {
		return job.Job{}, err
	}
	return d.made(expected(put.Job))
}

// expected is a job as it will be once the entry is applied that makes or replaces it.
func expected(j job.Job) job.Job {
	j.Version++
	return j
}

// cloneHook is a copy that shares nothing that can change.
func cloneHook(h *job.Hook) *job.Hook {
	if h == nil {
		return nil
	}
	c := *h
	c.Events = slices.Clone(h.Events)
	if h.Tag != nil {
		tag := *h.Tag
		c.Tag = &tag
	}
	return &c
}

// made is a definition as a write has just made it. Another write may have come
// after it already, which its caller must not be answered with.
func (d definitions) made(written job.Job) (job.Job, error) {
	j, err := d.n.store.Job(written.ID)
	if errors.Is(err, job.ErrNotFound) || err == nil && j.Version != written.Version {
		return written, nil
	}
	return j, err
}

// delete removes a definition with its history and aborts what runs.
func (d definitions) delete(ctx context.Context, namespace string, id job.ID, version uint64) error {
	if !d.n.Leads() {
		return job.ErrNotLeader
	}
	if _, err := d.find(ctx, namespace, id, version); err != nil {
		return err
	}
	applied, err := d.n.consensus.log.Submit(ctx, job.DeleteJob{
		At: d.n.instant(), ID: id, Namespace: namespace, Version: version,
	})
	if err != nil {
		return err
	}
	if e := applied.Items[0].Err; e != nil {
		return e
	}
	return nil
}
