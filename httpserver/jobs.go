package httpserver

import (
	"context"
	"net/http"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

var (
	errNoSuchJob       = job.Errorf(job.CodeNotFound, "there is no such job")
	errNoSuchExecution = job.Errorf(job.CodeNotFound, "there is no such execution")
)

func (s *Server) jobRoutes() []route {
	return []route{
		newRoute("/jobs", map[string]endpoint{
			http.MethodPost: {serve: s.createJob, write: true, role: job.RoleEditor},
			http.MethodGet:  {serve: s.listJobs},
		}),
		newRoute("/jobs/bulk", map[string]endpoint{
			http.MethodPost: {serve: s.createJobs, write: true, role: job.RoleEditor, bodyLimit: maxBulkBytes},
		}),
		newRoute("/jobs/apply", map[string]endpoint{
			http.MethodPost: {serve: s.applyJobs, write: true, role: job.RoleEditor, bodyLimit: maxListBytes},
		}),
		newRoute("/jobs/import", map[string]endpoint{
			http.MethodPost: {serve: s.importJobs, write: true, role: job.RoleEditor, bodyLimit: maxListBytes},
		}),
		newRoute("/jobs/export", map[string]endpoint{
			http.MethodGet: {serve: s.exportJobs, stream: true},
		}),
		newRoute("/jobs/by-external-id/{id}", map[string]endpoint{
			http.MethodGet: {serve: s.getNamedJob},
			http.MethodPut: {serve: s.putNamedJob, write: true, role: job.RoleEditor, makesNamed: true},
		}),
		newRoute("/jobs/{id}", map[string]endpoint{
			http.MethodGet:    {serve: s.getJob},
			http.MethodPut:    {serve: s.putJob, write: true, role: job.RoleEditor},
			http.MethodPatch:  {serve: s.patchJob, write: true, role: job.RoleEditor},
			http.MethodDelete: {serve: s.deleteJob, write: true, role: job.RoleEditor},
		}),
	}
}

// createJob is POST /jobs.
func (s *Server) createJob(ctx context.Context, c *call) (*response, error) {
	by, refused := c.creator()
	spec, err := s.decodeSpec(c.body)
	if err := c.bodyError(refused, c.checkOnce(), err); err != nil {
		return nil, err
	}
	return writeOnce(c, createdJob, func(once *job.Idempotent[job.Job]) (job.Job, []byte, error) {
		return s.config.Jobs.Create(ctx, by, spec, once)
	})
}

func createdJob(j job.Job) (*response, error) {
	res, err := jobAnswer(http.StatusCreated, j)
	if err != nil {
		return nil, err
	}
	return res.with(headerLocation, basePath+"/jobs/"+j.ID.String()), nil
}

// decodeSpec is the new job that a body describes.
func (s *Server) decodeSpec(body []byte) (job.Spec, error) {
	patch, err := decodeJobPatch(body, true)
	if err != nil {
		return job.Spec{}, err
	}
	return s.newSpec(patch)
}

// newSpec is what the patch makes of the default spec.
func (s *Server) newSpec(patch *jobPatch) (job.Spec, error) {
	spec := job.DefaultSpec()
	err := asError(patch.apply(&spec, s.config.Schedules.Check))
	return spec, err
}

// bodyError is all that is wrong with a request that is a body of JSON and takes no
// parameters. Errs are what is wrong with the body, and with other parts.
func (c *call) bodyError(errs ...error) error {
	if err := c.checkMedia(); err != nil {
		return err
	}
	return together(append(errs, parseQuery(c.query, nil).err())...)
}

// asError makes one error of the fields; nil if there are none.
func asError(fields []job.FieldError) error {
	if e := job.Invalid(fields); e != nil {
		return e
	}
	return nil
}

// getJob is GET /jobs/{id}.
func (s *Server) getJob(ctx context.Context, c *call) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	if err := s.read(ctx, parseQuery(c.query, []string{paramConsistency})); err != nil {
		return nil, err
	}
	j, err := s.config.Jobs.Get(ctx, c.namespace(), id)
	if err != nil {
		return nil, err
	}
	return jobAnswer(http.StatusOK, j)
}

// putJob is PUT /jobs/{id}: what the body leaves out becomes the default.
func (s *Server) putJob(ctx context.Context, c *call) (*response, error) {
	return s.changeJob(ctx, c, true)
}

// patchJob is PATCH /jobs/{id}: what the body leaves out stays.
func (s *Server) patchJob(ctx context.Context, c *call) (*response, error) {
	return s.changeJob(ctx, c, false)
}

func (s *Server) changeJob(ctx context.Context, c *call, whole bool) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	patch, err := decodeJobPatch(c.body, false)
	if err != nil {
		return nil, c.bodyError(err)
	}
	patch.whole = whole
	versions, err := parseIfMatch(c.headerLines(headerIfMatch))
	if err := c.bodyError(err); err != nil {
		return nil, together(err, s.patchError(ctx, c, id, patch))
	}
	j, err := s.updateJob(ctx, c.namespace(), id, versions, patch)
	if err != nil {
		return nil, err
	}
	return jobAnswer(http.StatusOK, j)
}

// patchError is what is wrong with the patch of a request that is refused anyhow, as far
// as this node knows the job.
func (s *Server) patchError(ctx context.Context, c *call, id job.ID, patch *jobPatch) error {
	j, err := s.config.Jobs.Get(ctx, c.namespace(), id)
	if err != nil {
		return asError(patch.errs)
	}
	spec := j.Spec.Clone()
	return asError(patch.apply(&spec, s.config.Schedules.Check))
}

// updateJob applies the patch to the job, if it has one of the versions.
func (s *Server) updateJob(ctx context.Context, namespace string, id job.ID, versions []uint64, patch *jobPatch) (j job.Job, err error) {
	edit := func(spec *job.Spec) error { return asError(patch.apply(spec, s.config.Schedules.Check)) }
	err = withVersions(versions, func(version uint64) (err error) {
		j, err = s.config.Jobs.Update(ctx, namespace, id, version, edit)
		return err
	})
	return j, err
}

// deleteJob is DELETE /jobs/{id}.
func (s *Server) deleteJob(ctx context.Context, c *call) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	versions, err := parseIfMatch(c.headerLines(headerIfMatch))
	if err := together(err, parseQuery(c.query, nil).err()); err != nil {
		return nil, err
	}
	err = withVersions(versions, func(version uint64) error {
		return s.config.Jobs.Delete(ctx, c.namespace(), id, version)
	})
	if err != nil {
		return nil, err
	}
	return success(http.StatusOK, api.Deleted{JobID: id.String(), Deleted: true})
}

// jobID reads the job that the path names. Zero is none: in a query it would stand for
// any.
func (c *call) jobID() (job.ID, error) {
	id, ok := job.ParseID(c.param)
	if !ok || id == 0 {
		return 0, errNoSuchJob
	}
	return id, nil
}
