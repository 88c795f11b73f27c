package httpserver

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// The filters of the list of jobs, beside paramTag and paramNamespace.
const (
	paramState      = "state"
	paramLastResult = "lastResult"
	paramNamePrefix = "namePrefix"
	paramExternalID = "externalId"

	// maxNamePrefix and maxExternalID are as long as what they are compared with.
	maxNamePrefix = 200
	maxExternalID = 255
	maxTagKey     = 63
	maxTagValue   = 256
)

// listJobs is GET /jobs.
func (s *Server) listJobs(ctx context.Context, c *call) (*response, error) {
	q := c.listQuery(paramNamespace, paramState, paramLastResult, paramTag, paramNamePrefix, paramExternalID)
	namespace, err := c.listed(q)
	if err != nil {
		return nil, err
	}
	ask := q.jobs()
	ask.Namespace = namespace
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	p, err := s.config.Jobs.List(ctx, ask)
	if err != nil {
		return nil, err
	}
	return success(http.StatusOK, api.JobList{Jobs: encodeJobs(p.Jobs), NextCursor: q.jobCursor(p.Next)})
}

// jobs reads the filters and the page.
func (q *query) jobs() job.JobQuery {
	return job.JobQuery{
		State:      oneOf(q, paramState, job.Active, job.Paused, job.Completed),
		LastResult: oneOf(q, paramLastResult, job.Success, job.Failed, job.Cancelled, job.Skipped, job.Missed),
		Tags:       q.tagFilters(),
		NamePrefix: q.text(paramNamePrefix, maxNamePrefix),
		ExternalID: q.text(paramExternalID, maxExternalID),
		After:      q.afterJob(),
		Limit:      q.limit(),
	}
}

// tagFilters reads "key:value" of each paramTag, in the order of the keys.
func (q *query) tagFilters() []job.Tag {
	var tags []job.Tag
	for _, text := range q.tags {
		key, value, ok := strings.Cut(text, ":")
		switch {
		case !ok || key == "":
			q.add(paramTag, "must be key:value, for example tag=team:billing")
		case utf8.RuneCountInString(key) > maxTagKey:
			q.add(paramTag, "must have at most %d characters before the colon", maxTagKey)
		default:
			q.errs = append(q.errs, checkText(paramTag, key+value, maxTagKey+maxTagValue)...)
		}
		tags = append(tags, job.Tag{Key: key, Value: value})
	}
	slices.SortFunc(tags, func(a, b job.Tag) int {
		return strings.Compare(a.Key+"\x00"+a.Value, b.Key+"\x00"+b.Value)
	})
	return slices.Compact(tags)
}
