package httpserver

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

type jobBackend struct{ *backend }

// visibleJob is visible, but for webhooks.
func (s *store) visibleJob(namespace string, id job.ID) (job.Job, error) {
	j, err := s.visible(namespace, id)
	if err == nil && j.Hook != nil {
		err = job.ErrNotFound
	}
	return j, err
}

func (b jobBackend) Create(ctx context.Context, by job.APIKey, spec job.Spec, once *job.Idempotent[job.Job]) (job.Job, []byte, error) {
	if b.create != nil {
		j, err := b.create(ctx, spec)
		return j, nil, err
	}
	j, again, err := changeOnce(b.backend, once, func() (job.Job, error) { return b.make(by, spec) })
	if b.committed != nil {
		b.committed(&j)
	}
	return j, again, err
}

// sealed is a stored spec: "sealing" only turns the value around.
func sealed(spec job.Spec) job.Spec {
	spec = spec.Clone()
	for i, h := range spec.Target.Headers {
		if h.Sealed == nil {
			h.Sealed = []byte(h.Value)
			slices.Reverse(h.Sealed)
		}
		h.Value = ""
		spec.Target.Headers[i] = h
	}
	return spec
}

func (b jobBackend) Get(ctx context.Context, namespace string, id job.ID) (job.Job, error) {
	if b.get != nil {
		return b.get(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.visibleJob(namespace, id)
}

func (b jobBackend) List(_ context.Context, q job.JobQuery) (job.JobPage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []job.Job
	for _, j := range b.jobs {
		if selects(q, &j) && (q.After.ID == 0 || position(q, &j).compare(q.After) > 0) {
			list = append(list, j)
		}
	}
	slices.SortFunc(list, func(x, y job.Job) int { return position(q, &x).compare(job.JobPosition(position(q, &y))) })
	if len(list) <= q.Limit {
		return job.JobPage{Jobs: list}, nil
	}
	next := job.JobPosition(position(q, &list[q.Limit-1]))
	return job.JobPage{Jobs: list[:q.Limit], Next: &next}, nil
}

// place is where a job is in a list.
type place job.JobPosition

func position(q job.JobQuery, j *job.Job) place {
	if q.NamePrefix == "" {
		return place{ID: j.ID}
	}
	return place{Name: j.Name, ID: j.ID}
}

func (p place) compare(other job.JobPosition) int {
	return cmp.Or(cmp.Compare(p.Name, other.Name), cmp.Compare(p.ID, other.ID))
}

func selects(q job.JobQuery, j *job.Job) bool {
	for _, t := range q.Tags {
		if !slices.Contains(j.Tags, t) {
			return false
		}
	}
	return (q.Namespace == "" || q.Namespace == j.Namespace) && q.Hooks == (j.Hook != nil) &&
		(q.State == "" || q.State == j.State) && (q.LastResult == "" || q.LastResult == j.LastResult) &&
		strings.HasPrefix(j.Name, q.NamePrefix) && (q.ExternalID == "" || q.ExternalID == j.ExternalID)
}

func (b jobBackend) ByExternalID(_ context.Context, namespace, externalID string) (job.Job, error) {
	if b.named != nil {
		return b.named(namespace, externalID)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byExternalID(namespace, externalID)
}

// byExternalID is called with mu held.
func (s *store) byExternalID(namespace, externalID string) (job.Job, error) {
	if externalID == "" {
		return job.Job{}, job.ErrNotFound
	}
	for _, j := range s.jobs {
		if j.ExternalID == externalID && j.Namespace == namespace {
			return j, nil
		}
	}
	return job.Job{}, job.ErrNotFound
}

// make adds a job. It is called with mu held.
func (s *store) make(by job.APIKey, spec job.Spec) (job.Job, error) {
	if _, err := s.byExternalID(by.Namespace, spec.ExternalID); err == nil {
		return job.Job{}, job.Errorf(job.CodeConflict, "another job has the external ID %q", spec.ExternalID)
	}
	s.lastID++
	j := job.Job{ID: s.lastID, Namespace: by.Namespace, KeyID: by.ID, Version: 1, CreatedAt: now, UpdatedAt: now, Spec: sealed(spec)}
	if spec.State == job.Active {
		j.NextRunAt = nextSlot
	}
	s.jobs[j.ID] = j
	return j, nil
}

func (b jobBackend) Change(_ context.Context, by job.APIKey, changes []job.JobChange, once *job.Idempotent[[]job.JobOutcome]) ([]job.JobOutcome, []byte, error) {
	return changeOnce(b.backend, once, func() ([]job.JobOutcome, error) {
		var outcomes []job.JobOutcome
		for _, c := range changes {
			var o job.JobOutcome
			j, err := b.apply(by, c)
			if o.Job = j; err != nil {
				o.Err = job.Errorf(job.CodeOf(err), "%s", err.Error())
			}
			outcomes = append(outcomes, o)
		}
		return outcomes, nil
	})
}

// apply makes one change of many. It is called with mu held.
func (s *store) apply(by job.APIKey, c job.JobChange) (job.Job, error) {
	if c.ID == 0 {
		return s.make(by, *c.Spec)
	}
	j, err := s.visibleJob(by.Namespace, c.ID)
	switch {
	case err != nil:
		return job.Job{}, err
	case c.Version != j.Version:
		return job.Job{}, errVersion
	case c.Spec == nil:
		delete(s.jobs, c.ID)
		return j, nil
	}
	j.Spec = sealed(*c.Spec)
	j.Version++
	s.jobs[c.ID] = j
	return j, nil
}

var errVersion = job.Errorf(job.CodePreconditionFailed, "another version")

func (b jobBackend) Update(_ context.Context, namespace string, id job.ID, version uint64, edit func(*job.Spec) error) (job.Job, error) {
	if b.update != nil {
		return b.update(version)
	}
	var after job.Job
	err := b.change(func() error {
		before, err := b.visibleJob(namespace, id)
		if err != nil {
			return err
		}
		if version != 0 && version != before.Version {
			return errVersion
		}
		for range 2 { // an edit may run several times
			after = before
			after.Spec = before.Clone()
			if err := edit(&after.Spec); err != nil {
				return err
			}
		}
		after.Spec = sealed(after.Spec)
		after.Version++
		after.NextRunAt = time.Time{}
		if after.State == job.Active {
			after.NextRunAt = nextSlot
		}
		b.jobs[id] = after
		return nil
	})
	if err != nil {
		return job.Job{}, err
	}
	return after, nil
}

func (b jobBackend) Delete(_ context.Context, namespace string, id job.ID, version uint64) error {
	return b.change(func() error {
		before, err := b.visibleJob(namespace, id)
		if err != nil {
			return err
		}
		if version != 0 && version != before.Version {
			return errVersion
		}
		delete(b.jobs, id)
		return nil
	})
}
