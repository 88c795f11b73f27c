package httpserver

import (
	"context"
	"net/http"
	"slices"

	"github.com/cronraft/cronraft/internal/job"
)

// namedTries bounds how often a PUT by external ID starts again because another
// request made or deleted the job meanwhile.
const namedTries = 4

// getNamedJob is GET /jobs/by-external-id/{externalId}. The root key reads the
// namespace of ?namespace=, or the default one.
func (s *Server) getNamedJob(ctx context.Context, c *call) (*response, error) {
	q := parseQuery(c.query, []string{paramConsistency, paramNamespace})
	namespace, err := c.listed(q)
	if err != nil {
		return nil, err
	}
	if namespace == "" {
		namespace = job.DefaultNamespace
	}
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	if len(checkText(fieldExternalID, c.param, maxExternalID)) > 0 {
		return nil, errNoSuchJob
	}
	j, err := s.config.Jobs.ByExternalID(ctx, namespace, c.param)
	if err != nil {
		return nil, err
	}
	return jobAnswer(http.StatusOK, j)
}

// putNamedJob is PUT /jobs/by-external-id/{externalId}: it replaces the job, or
// creates it.
func (s *Server) putNamedJob(ctx context.Context, c *call) (*response, error) {
	by, refused := c.creator()
	patch, err := decodeJobPatch(c.body, false)
	if err != nil {
		return nil, c.bodyError(refused, err)
	}
	patch.whole, patch.resumesNothing = true, true
	patch.name(c.param)
	versions, err := parseIfMatch(c.headerLines(headerIfMatch))
	if err := c.bodyError(refused, err, c.checkIfNoneMatch()); err != nil {
		return nil, together(err, s.namedError(ctx, by.Namespace, c.param, patch))
	}
	if err := s.current(ctx, c); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		res, err := s.tryNamed(ctx, c, by, versions, patch)
		if again := job.CodeOf(err) == job.CodeConflict || job.CodeOf(err) == job.CodeNotFound; !again || try == namedTries {
			return res, err
		}
	}
}

// namedError is patchError for a job that is named by its external ID, and may be new.
func (s *Server) namedError(ctx context.Context, namespace, externalID string, patch *jobPatch) error {
	spec := job.DefaultSpec()
	if found, err := s.config.Jobs.ByExternalID(ctx, namespace, externalID); err == nil {
		spec = found.Spec.Clone()
	}
	return asError(patch.apply(&spec, s.config.Schedules.Check))
}

// tryNamed is one try to replace or create. Its error is CodeConflict if the job is
// there by now, and CodeNotFound if it is gone.
func (s *Server) tryNamed(ctx context.Context, c *call, by job.APIKey, versions []uint64, patch *jobPatch) (*response, error) {
	found, err := s.config.Jobs.ByExternalID(ctx, by.Namespace, c.param)
	switch {
	case err == nil && c.isOnlyNew():
		return nil, errExists
	case err == nil:
		j, err := s.updateJob(ctx, by.Namespace, found.ID, versions, patch)
		if err != nil {
			return nil, err
		}
		return jobAnswer(http.StatusOK, j)
	case job.CodeOf(err) != job.CodeNotFound:
		return nil, err
	}
	fresh := *patch
	fresh.creating = true
	spec, err := s.newSpec(&fresh)
	switch {
	case err != nil:
		return nil, err
	case c.isConditional():
		return nil, errNoVersionMatches
	}
	j, _, err := s.config.Jobs.Create(ctx, by, spec, nil)
	if err != nil {
		return nil, err
	}
	return createdJob(j)
}

// current waits until every write that was acknowledged is in this node's state: what
// comes next decides by that state, whose caller is still one by then.
func (s *Server) current(ctx context.Context, c *call) error {
	err := s.config.Consistency.Barrier(ctx)
	if err == nil {
		err = s.confirmKey(ctx, c)
	}
	if isContextError(err) {
		return job.ErrNotLeader // nothing was submitted
	}
	return err
}

// isConditional reports whether the request is meant for a job that there is.
func (c *call) isConditional() bool {
	return len(c.headerLines(headerIfMatch)) > 0
}

// name gives the patch its external ID, which it may leave out or repeat.
func (p *jobPatch) name(externalID string) {
	if v, given := p.members.get(fieldExternalID); given && v != nil && v != externalID {
		p.errs = addField(p.errs, fieldExternalID, "must be the one in the path, or left out")
	}
	p.members = slices.DeleteFunc(p.members, func(m member) bool { return m.name == fieldExternalID })
	p.members = append(p.members, member{fieldExternalID, externalID})
}
