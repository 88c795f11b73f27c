package httpserver

import (
	"context"
	"fmt"
	"net/http"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

const (
	// fieldJobs is the list in the body of a bulk creation.
	fieldJobs = "jobs"

	// maxBulkBytes leaves room for the JSON around what MaxChangeBytes counts.
	maxBulkBytes = MaxChangeBytes + 2<<20
)

var errBulkTooLarge = job.Errorf(job.CodePayloadTooLarge, "the jobs' texts, headers and bodies must have at most %d bytes together; send them in several requests", MaxChangeBytes)

// createJobs is POST /jobs/bulk. Each job is made or refused by itself.
func (s *Server) createJobs(ctx context.Context, c *call) (*response, error) {
	by, refused := c.creator()
	list, err := decodeJobs(c.body)
	if err := c.bodyError(refused, c.checkOnce(), err); err != nil {
		return nil, err
	}
	b, err := s.newBulk(c, list)
	if err != nil {
		return nil, err
	}
	if len(b.changes) == 0 {
		return b.show(nil)
	}
	return writeOnce(c, b.show, func(once *job.Idempotent[[]job.JobOutcome]) ([]job.JobOutcome, []byte, error) {
		return s.config.Jobs.Change(ctx, by, b.changes, once)
	})
}

// decodeJobs reads a body that is a list of jobs.
func decodeJobs(body []byte) (array, error) {
	members, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	var errs []job.FieldError
	for _, m := range members {
		if m.name != fieldJobs {
			errs = addField(errs, clip(m.name), "is not a field here")
		}
	}
	v, given := members.get(fieldJobs)
	list, isArray := v.(array)
	switch {
	case !given:
		errs = addField(errs, fieldJobs, "is required")
	case !isArray:
		errs = addField(errs, fieldJobs, "must be an array, not %s", kind(v))
	case len(list) == 0 || len(list) > MaxChanges:
		errs = addField(errs, fieldJobs, "must have from 1 to %d entries, has %d", MaxChanges, len(list))
	}
	return list, asError(errs)
}

// bulk is a bulk creation: the jobs that can be made, and what is wrong with the
// others.
type bulk struct {
	requestID string
	changes   []job.JobChange
	// refused has one for each job of the request; nil for those of changes.
	refused []*job.Error
}

func (s *Server) newBulk(c *call, list array) (*bulk, error) {
	b := &bulk{requestID: c.id, refused: make([]*job.Error, len(list))}
	size := 0
	for i, v := range list {
		members, ok := v.(object)
		if !ok {
			b.refused[i] = job.Invalid(addField(nil, fmt.Sprintf("%s[%d]", fieldJobs, i), "must be an object, not %s", kind(v)))
			continue
		}
		spec := job.DefaultSpec()
		if e := job.Invalid(newJobPatch(members, true).apply(&spec, s.config.Schedules.Check)); e != nil {
			b.refused[i] = e
			continue
		}
		size += changeBytes(&spec)
		b.changes = append(b.changes, job.JobChange{Spec: &spec})
	}
	if size > MaxChangeBytes {
		return nil, errBulkTooLarge
	}
	return b, nil
}

// changeBytes is what a spec counts for in MaxChangeBytes.
func changeBytes(s *job.Spec) int {
	n := len(s.Name) + len(s.Description) + len(s.ExternalID) + len(s.Schedule.Cron) + len(s.Schedule.Timezone) + len(s.PauseReason) + len(s.Target.URL)
	for _, t := range s.Tags {
		n += len(t.Key) + len(t.Value)
	}
	for _, h := range s.Target.Headers {
		n += len(h.Name) + max(len(h.Value), len(h.Sealed))
	}
	for _, pattern := range s.SuccessStatuses {
		n += len(pattern)
	}
	if s.Target.Body != nil {
		n += len(*s.Target.Body)
	}
	return n
}

// show answers with what became of each job of the request. Outcomes are those of the
// changes.
func (b *bulk) show(outcomes []job.JobOutcome) (*response, error) {
	if len(outcomes) != len(b.changes) {
		return nil, fmt.Errorf("%d changes have %d outcomes", len(b.changes), len(outcomes))
	}
	results := make([]api.BulkResult, 0, len(b.refused))
	for i, refused := range b.refused {
		var o job.JobOutcome
		if o.Err = refused; refused == nil {
			o, outcomes = outcomes[0], outcomes[1:]
		}
		results = append(results, b.result(i, o))
	}
	return success(http.StatusOK, api.BulkResults{Results: results})
}

func (b *bulk) result(index int, o job.JobOutcome) api.BulkResult {
	if o.Err != nil {
		status := outcomeOf(o.Err.Code).status
		p := encodeProblem(status, o.Err, b.requestID)
		return api.BulkResult{Index: index, Status: status, Problem: &p}
	}
	made := encodeJob(o.Job)
	return api.BulkResult{Index: index, Status: http.StatusCreated, Job: &made}
}
