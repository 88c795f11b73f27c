package httpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

const (
	paramCount = "count"

	// maxNextRuns is how many coming slots one request may ask for.
	maxNextRuns     = 100
	defaultNextRuns = 10
)

func (s *Server) scheduleRoutes() []route {
	return []route{
		newRoute("/jobs/{id}/next-runs", map[string]endpoint{
			http.MethodGet: {serve: s.getNextRuns},
		}),
		newRoute("/jobs/{id}/audit", map[string]endpoint{
			http.MethodGet: {serve: s.getAudit},
		}),
		newRoute("/schedules/preview", map[string]endpoint{
			http.MethodPost: {serve: s.previewSchedule},
		}),
	}
}

// getNextRuns is GET /jobs/{id}/next-runs.
func (s *Server) getNextRuns(ctx context.Context, c *call) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	q := parseQuery(c.query, []string{paramCount, paramConsistency})
	count := q.number(paramCount, defaultNextRuns, 1, maxNextRuns)
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	j, err := s.config.Jobs.Get(ctx, c.namespace(), id)
	if err != nil {
		return nil, err
	}
	slots, err := s.comingSlots(&j, count)
	if err != nil {
		return nil, fmt.Errorf("find the next runs of job %v: %w", id, err)
	}
	return showNextRuns(slots)
}

// comingSlots are those from the job's next run on: none unless it is ACTIVE, and no
// more than it may have.
func (s *Server) comingSlots(j *job.Job, count int) ([]job.Upcoming, error) {
	if j.State != job.Active || j.NextRunAt.IsZero() {
		return nil, nil
	}
	if j.MaxRuns > 0 {
		count = min(count, j.MaxRuns-j.Runs)
	}
	if count <= 0 {
		return nil, nil
	}
	return s.config.Schedules.Upcoming(j.Schedule, j.NextRunAt.Add(-time.Millisecond), count)
}

// previewSchedule is POST /schedules/preview. It writes nothing.
func (s *Server) previewSchedule(_ context.Context, c *call) (*response, error) {
	p, err := decodePreview(c.body, s.config.Schedules.Check)
	if err := c.bodyError(err); err != nil {
		return nil, err
	}
	if p.after.IsZero() {
		p.after = job.Instant(time.Now())
	}
	slots, err := s.config.Schedules.Upcoming(p.schedule, p.after, p.count)
	if err != nil {
		return nil, fmt.Errorf("preview a schedule: %w", err)
	}
	return showNextRuns(slots)
}

func showNextRuns(slots []job.Upcoming) (*response, error) {
	out := api.NextRuns{NextRuns: make([]api.NextRun, 0, len(slots))}
	for _, u := range slots {
		out.NextRuns = append(out.NextRuns, api.NextRun{At: api.Time{Time: u.At}, Local: u.Local, Note: optional(u.Note)})
	}
	return success(http.StatusOK, out)
}

// preview is what the body of a preview asks for.
type preview struct {
	schedule job.Schedule
	after    time.Time // zero is now
	count    int
}

// decodePreview reads the body of a preview: the fields of a job's schedule, the time
// after which the slots are to be, and how many.
func decodePreview(body []byte, checkSchedule func(job.Schedule) []job.FieldError) (p preview, err error) {
	members, err := parseObject(body)
	if err != nil {
		return p, err
	}
	p.count = defaultNextRuns
	d := newFieldDecoder()
	for _, m := range members {
		switch {
		case m.name == paramFrom:
			p.after = d.instant(m)
		case m.name == paramCount && m.value != nil:
			p.count = d.nextRuns(m)
		case m.name == paramCount:
		case !slices.Contains(scheduleFields, m.name):
			d.add(clip(m.name), "is not a field of a preview")
		case m.value != nil:
			jobFields[m.name].set(&d.specDecoder, m.name, m.value)
		}
	}
	d.checkSchedule(checkSchedule)
	p.schedule = d.spec.Schedule
	return p, asError(d.errs)
}

// checkSchedule adds what is wrong with the schedule, but not that it is missing if it
// could not be read.
func (d *fieldDecoder) checkSchedule(check func(job.Schedule) []job.FieldError) {
	fields := scheduleFields
	if d.has(scheduleKinds...) {
		fields = fields[len(scheduleKinds):]
	}
	d.check(fields...)
	for _, e := range check(d.spec.Schedule) {
		if !d.has(e.Field) {
			d.add(e.Field, "%s", e.Msg)
		}
	}
}

// nextRuns reads how many slots are asked for.
func (d *fieldDecoder) nextRuns(m member) int {
	number, _ := m.value.(json.Number)
	n, err := strconv.Atoi(number.String())
	if err != nil || n < 1 || n > maxNextRuns {
		d.add(m.name, "must be a whole number from 1 to %d", maxNextRuns)
		return 0
	}
	return n
}
