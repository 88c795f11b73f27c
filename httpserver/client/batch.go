package client

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/cronraft/cronraft/httpserver/api"
)

// Format is what a list of jobs is written in.
type Format string

// The formats. A crontab can be imported and exported, but not applied.
const (
	JSON    Format = "json"
	YAML    Format = "yaml"
	Crontab Format = "crontab"
)

// media is the media type of a format.
func (f Format) media() string {
	switch f {
	case YAML:
		return "application/yaml"
	case Crontab:
		return "text/plain"
	}
	return mediaJSON
}

// jobList is a body that has jobs.
type jobList struct {
	Jobs []JobSpec `json:"jobs"`
}

func newJobList(jobs []JobSpec) jobList {
	if jobs == nil {
		jobs = []JobSpec{}
	}
	return jobList{Jobs: jobs}
}

// CreateJobs makes up to 1000 jobs at once. Each is made or refused by itself, which its
// result tells, in the order of jobs; see [ProblemError]. Options: [Namespace],
// [IdempotencyKey].
func (c *Client) CreateJobs(ctx context.Context, jobs []JobSpec, opts ...Option) ([]api.BulkResult, error) {
	q := newCall(http.MethodPost, pathJobs, "bulk").json(newJobList(jobs)).with(c, takesOnceKey|takesNewNamespace, opts)
	out, err := send[api.BulkResults](ctx, c, q)
	return out.Results, err
}

// ApplyOptions say how jobs are applied.
type ApplyOptions struct {
	// Prune deletes the jobs of the namespace that have an external ID which is not in
	// the list.
	Prune bool
	// PruneTags restricts Prune to the jobs that have all of these tags, and so has each
	// job of the list.
	PruneTags map[string]string
	// DryRun only tells what would be done.
	DryRun bool
}

// ApplyJobs makes the jobs of a namespace what the list, of up to 10,000, says. Each needs
// an ExternalID; without a State a job stays paused if it is. If anything is wrong
// nothing is done. More than 1000 changes, or 2 MiB of them, may be done in part if the
// error is [ErrOutcomeUnknown]: call it again. Options: [Namespace], [IdempotencyKey].
func (c *Client) ApplyJobs(ctx context.Context, jobs []JobSpec, how ApplyOptions, opts ...Option) (api.Applied, error) {
	return c.apply(ctx, newCall(http.MethodPost, pathJobs, "apply").json(newJobList(jobs)), how, opts)
}

// ApplyDocument is like [Client.ApplyJobs], with a list in JSON or YAML.
func (c *Client) ApplyDocument(ctx context.Context, f Format, document []byte, how ApplyOptions, opts ...Option) (api.Applied, error) {
	return c.apply(ctx, newCall(http.MethodPost, pathJobs, "apply").raw(f.media(), document), how, opts)
}

func (c *Client) apply(ctx context.Context, q *call, how ApplyOptions, opts []Option) (api.Applied, error) {
	for _, key := range slices.Sorted(maps.Keys(how.PruneTags)) {
		q.query.Add("tag", key+":"+how.PruneTags[key])
	}
	q.flag("prune", how.Prune).flag("dryRun", how.DryRun).with(c, takesOnceKey|takesNewNamespace, opts)
	return send[api.Applied](ctx, c, q)
}

// ImportOptions say how a list is imported. Style, TargetURL and Timezone are for
// crontabs.
type ImportOptions struct {
	DryRun bool
	// Style is "user" or "system", whose lines name a user; empty finds out.
	Style string
	// TargetURL gets the commands that are no HTTP requests.
	TargetURL string
	// Timezone is that of the lines before the first CRON_TZ.
	Timezone string
}

// ImportDocument creates or replaces each job of a list that can be, and tells what is
// wrong with the others. Options: [Namespace], [IdempotencyKey].
func (c *Client) ImportDocument(ctx context.Context, f Format, document []byte, how ImportOptions, opts ...Option) (api.Applied, error) {
	q := newCall(http.MethodPost, pathJobs, "import").raw(f.media(), document).
		flag("dryRun", how.DryRun).set("style", how.Style).set("targetUrl", how.TargetURL).set("timezone", how.Timezone).
		with(c, takesOnceKey|takesNewNamespace, opts)
	return send[api.Applied](ctx, c, q)
}

// ExportJobs reads the definitions of the jobs that f selects, for [Client.ApplyJobs].
// Header values are [Hidden]. Limit and Cursor of f do not count. Options: [Stale],
// [Namespace].
func (c *Client) ExportJobs(ctx context.Context, f JobFilter, opts ...Option) ([]JobSpec, error) {
	q := newCall(http.MethodGet, pathJobs, "export")
	q.query = f.values()
	out, err := send[jobList](ctx, c, q.with(c, takesStale|takesNamespace, opts))
	return out.Jobs, err
}

// ExportDocument is like [Client.ExportJobs], in a format, however long it is. The
// caller closes it. A document that breaks off ends with an error other than io.EOF.
func (c *Client) ExportDocument(ctx context.Context, format Format, f JobFilter, opts ...Option) (io.ReadCloser, error) {
	q := newCall(http.MethodGet, pathJobs, "export")
	q.query = f.values()
	q.header.Set("Accept", "*/*")
	return c.open(ctx, q.set("format", string(format)).with(c, takesStale|takesNamespace, opts))
}
