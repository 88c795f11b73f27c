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

// createJob is POST /jobs.
func (s *Server) createJob(ctx context.Context, c *call) (*response, error) {
	spec := job.DefaultSpec()
	if err := s.decodeNew(c, &spec); err != nil {
		return nil, err
	}
	return writeOnce(c, createdJob, func(once *job.Idempotent[job.Job]) (job.Job, []byte, error) {
		return s.config.Jobs.Create(ctx, c.key, spec, once)
	})
}

func createdJob(j job.Job) (*response, error) {
	res, err := jobAnswer(http.StatusCreated, j)
	if err != nil {
		return nil, err
	}
	return res.with(headerLocation, basePath+"/jobs/"+j.ID.String()), nil
}

// decodeNew makes the default spec what the body says.
func (s *Server) decodeNew(c *call, spec *job.Spec) error {
	patch, err := c.decodeJob(true)
	if err != nil {
		return err
	}
	return asError(patch.apply(spec, s.config.CheckSchedule))
}

// decodeJob reads the body of a request that takes no parameters.
func (c *call) decodeJob(creating bool) (*jobPatch, error) {
	if err := c.checkBodyOnly(); err != nil {
		return nil, err
	}
	return decodeJobPatch(c.body, creating)
}

// checkBodyOnly refuses parameters, and a body that does not say it is JSON.
func (c *call) checkBodyOnly() error {
	if err := parseQuery(c.query, nil).err(); err != nil {
		return err
	}
	return c.checkMedia()
}

// asError makes one error of the fields; nil if there are none.
func asError(fields []job.FieldError) error {
	if e := job.Invalid(fields); e != nil {
		return e
	}
	return nil
}

// listJobs is GET /jobs.
func (s *Server) listJobs(ctx context.Context, c *call) (*response, error) {
	q := parseQuery(c.query, []string{paramLimit, paramCursor, paramConsistency})
	var after job.ID
	limit := q.limit()
	q.cursor(func(text string) (ok bool) {
		after, ok = parseJobCursor(text)
		return ok
	})
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	jobs, err := s.config.Jobs.List(ctx, c.namespace(), after, limit+1)
	if err != nil {
		return nil, err
	}
	jobs, next := page(jobs, limit, func(j job.Job) string { return jobCursor(j.ID) })
	return success(http.StatusOK, api.JobList{Jobs: encodeJobs(jobs), NextCursor: next})
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

// patchJob is PATCH /jobs/{id}.
func (s *Server) patchJob(ctx context.Context, c *call) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	patch, err := c.decodeJob(false)
	if err != nil {
		return nil, err
	}
	versions, err := parseIfMatch(c.headerLines(headerIfMatch))
	if err != nil {
		return nil, err
	}
	edit := func(spec *job.Spec) error { return asError(patch.apply(spec, s.config.CheckSchedule)) }
	var j job.Job
	err = withVersions(versions, func(version uint64) (err error) {
		j, err = s.config.Jobs.Update(ctx, c.namespace(), id, version, edit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return jobAnswer(http.StatusOK, j)
}

// deleteJob is DELETE /jobs/{id}.
func (s *Server) deleteJob(ctx context.Context, c *call) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	if err := parseQuery(c.query, nil).err(); err != nil {
		return nil, err
	}
	versions, err := parseIfMatch(c.headerLines(headerIfMatch))
	if err != nil {
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

// jobID reads the job that the path names.
func (c *call) jobID() (job.ID, error) {
	id, ok := job.ParseID(c.param)
	if !ok {
		return 0, errNoSuchJob
	}
	return id, nil
}
