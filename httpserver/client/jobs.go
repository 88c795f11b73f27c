package client

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/cronraft/cronraft/httpserver/api"
)

// The parts of paths that several resources share.
const (
	pathJobs       = "jobs"
	pathExecutions = "executions"
	pathExternalID = "by-external-id"
)

// CreateJob makes a job. Options: [Namespace], [IdempotencyKey].
func (c *Client) CreateJob(ctx context.Context, s JobSpec, opts ...Option) (api.Job, error) {
	q := newCall(http.MethodPost, pathJobs).json(s).with(c, takesOnceKey|takesNewNamespace, opts)
	return send[api.Job](ctx, c, q)
}

// Job reads a job. Options: [Stale].
func (c *Client) Job(ctx context.Context, id string, opts ...Option) (api.Job, error) {
	return send[api.Job](ctx, c, newCall(http.MethodGet, pathJobs, id).with(c, takesStale, opts))
}

// JobByExternalID reads a job by its caller's name for it. Options: [Stale], [Namespace].
func (c *Client) JobByExternalID(ctx context.Context, externalID string, opts ...Option) (api.Job, error) {
	q := newCall(http.MethodGet, pathJobs, pathExternalID, externalID).with(c, takesStale|takesNamespace, opts)
	return send[api.Job](ctx, c, q)
}

// ReplaceJob makes a job what s says: what s leaves out becomes the default, but for
// header values that are [Hidden], which are kept. Options: [IfMatch].
func (c *Client) ReplaceJob(ctx context.Context, id string, s JobSpec, opts ...Option) (api.Job, error) {
	return send[api.Job](ctx, c, newCall(http.MethodPut, pathJobs, id).json(s).with(c, takesIfMatch, opts))
}

// ReplaceJobByExternalID creates the job or replaces it. The ExternalID of s may be left
// out; without a State a job that is paused stays so. Options: [IfMatch], [Namespace].
func (c *Client) ReplaceJobByExternalID(ctx context.Context, externalID string, s JobSpec, opts ...Option) (api.Job, error) {
	q := newCall(http.MethodPut, pathJobs, pathExternalID, externalID).json(s).with(c, takesIfMatch|takesNewNamespace, opts)
	return send[api.Job](ctx, c, q)
}

// UpdateJob changes some fields of a job. Options: [IfMatch].
func (c *Client) UpdateJob(ctx context.Context, id string, p JobPatch, opts ...Option) (api.Job, error) {
	return send[api.Job](ctx, c, newCall(http.MethodPatch, pathJobs, id).json(p).with(c, takesIfMatch, opts))
}

// PauseJob makes a job PAUSED; the reason may be empty. Options: [IfMatch].
func (c *Client) PauseJob(ctx context.Context, id, reason string, opts ...Option) (api.Job, error) {
	return c.UpdateJob(ctx, id, JobPatch{State: To(statePaused), PauseReason: To(reason)}, opts...)
}

// ResumeJob makes a job ACTIVE. Options: [IfMatch].
func (c *Client) ResumeJob(ctx context.Context, id string, opts ...Option) (api.Job, error) {
	return c.UpdateJob(ctx, id, JobPatch{State: To(stateActive)}, opts...)
}

// DeleteJob removes a job, its history and what runs of it. Options: [IfMatch].
func (c *Client) DeleteJob(ctx context.Context, id string, opts ...Option) error {
	return c.do(ctx, newCall(http.MethodDelete, pathJobs, id).with(c, takesIfMatch, opts), nil)
}

// JobFilter selects jobs; what is left out selects all.
type JobFilter struct {
	State string
	// Tags are those that a job has, all of them.
	Tags       map[string]string
	NamePrefix string
	ExternalID string
	LastResult string
	// Limit is how many jobs a page has at most, and Cursor where it begins: the
	// NextCursor of the page before, for the same filter.
	Limit  int
	Cursor string
}

func (f *JobFilter) values() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{
		"state": f.State, "namePrefix": f.NamePrefix, "externalId": f.ExternalID, "lastResult": f.LastResult,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(f.Tags)) {
		v.Add("tag", key+":"+f.Tags[key])
	}
	return v
}

// Jobs iterates over the jobs that f selects. Options: [Stale], [Namespace].
func (c *Client) Jobs(ctx context.Context, f JobFilter, opts ...Option) iter.Seq2[api.Job, error] {
	f.Limit = orPageSize(f.Limit)
	return pages(f.Cursor, func(cursor string) ([]api.Job, *string, error) {
		f := f
		f.Cursor = cursor
		list, err := c.JobPage(ctx, f, opts...)
		return list.Jobs, list.NextCursor, err
	})
}

// JobPage reads one page of the jobs that f selects. Options: those of [Client.Jobs].
func (c *Client) JobPage(ctx context.Context, f JobFilter, opts ...Option) (api.JobList, error) {
	q := newCall(http.MethodGet, pathJobs)
	q.query = f.values()
	q.page(f.Limit, f.Cursor).with(c, takesStale|takesNamespace, opts)
	return send[api.JobList](ctx, c, q)
}
