package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// maxBackfill is how many slots one request may backfill.
const maxBackfill = 10000

// errNoSlots ends a backfill that has nothing to do.
var errNoSlots = errors.New("no slot of the schedule is in the period")

// backfillRequest is what the body of a backfill asks for.
type backfillRequest struct {
	from, to time.Time
	overlap  job.OverlapPolicy // empty keeps the job's
	dryRun   bool
}

// backfillJob is POST /jobs/{id}/backfill.
func (s *Server) backfillJob(ctx context.Context, c *call) (*response, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	ask, err := decodeBackfill(c.body, began)
	if err := c.bodyError(c.checkOnce(), err); err != nil {
		return nil, err
	}
	if err := s.current(ctx, c); err != nil {
		return nil, err
	}
	slots, refusal := s.backfillSlots(ctx, c, id, ask)
	if ask.to.After(began) {
		slots, refusal = nil, job.Invalid(addField(nil, paramTo, ruleNotInFuture))
	}
	if ask.dryRun && refusal == nil {
		return showBackfill(ask, slots, nil)
	}
	res, err := s.backfill(ctx, c, id, ask, slots, refusal)
	if errors.Is(err, errNoSlots) {
		return showBackfill(ask, nil, nil)
	}
	return res, err
}

// backfill starts the executions. A refusal, because of what the job has become or of
// what this node's clock says, is the answer to a first request only: one that comes
// again gets the first one's, and its key is looked up for that.
func (s *Server) backfill(ctx context.Context, c *call, id job.ID, ask backfillRequest, slots []time.Time, refusal error) (*response, error) {
	if refusal != nil && (ask.dryRun || len(c.headerLines(headerOnce)) == 0) {
		return nil, refusal
	}
	show := func(ids []job.ExecutionID) (*response, error) {
		if refusal != nil {
			return nil, refusal
		}
		return showBackfill(ask, slots, ids)
	}
	return writeOnce(c, show, func(once *job.Idempotent[[]job.ExecutionID]) ([]job.ExecutionID, []byte, error) {
		return s.config.Executions.Backfill(ctx, c.namespace(), id, slots, ask.overlap, once)
	})
}

// backfillSlots are the slots of the job's schedule in the period.
func (s *Server) backfillSlots(ctx context.Context, c *call, id job.ID, ask backfillRequest) ([]time.Time, error) {
	j, err := s.config.Jobs.Get(ctx, c.namespace(), id)
	if err != nil {
		return nil, err
	}
	slots, err := s.config.Schedules.Between(j.Schedule, ask.from, ask.to, maxBackfill+1)
	switch {
	case err != nil:
		return nil, fmt.Errorf("find the slots of job %v: %w", id, err)
	case len(slots) > maxBackfill:
		last := slots[maxBackfill].Format(time.RFC3339)
		return nil, job.Invalid(addField(nil, paramTo, "is too far from from: the period has more than %d slots; end it at %s or earlier", maxBackfill, last))
	case len(slots) == 0:
		return nil, errNoSlots
	}
	return slots, nil
}

// showBackfill answers with the slots, and with their executions if there are any.
func showBackfill(ask backfillRequest, slots []time.Time, ids []job.ExecutionID) (*response, error) {
	if !ask.dryRun && len(ids) != len(slots) {
		return nil, fmt.Errorf("%d slots have %d executions", len(slots), len(ids))
	}
	out := api.Backfill{DryRun: ask.dryRun, Count: len(slots), Executions: make([]api.BackfillSlot, 0, len(slots))}
	for i, slot := range slots {
		shown := api.BackfillSlot{ScheduledAt: api.Time{Time: slot}}
		if !ask.dryRun {
			shown.ExecutionID = optional(ids[i].String())
		}
		out.Executions = append(out.Executions, shown)
	}
	return success(http.StatusAccepted, out)
}

// ruleNotInFuture is what a backfill's period breaks that has not passed.
const ruleNotInFuture = "must not be in the future"

// decodeBackfill reads the body of a backfill, of which from counts and to does not. A
// period that has not passed is left to the caller if nothing else is wrong.
func decodeBackfill(body []byte, now time.Time) (ask backfillRequest, err error) {
	members, err := parseObject(body)
	if err != nil {
		return ask, err
	}
	d := newFieldDecoder()
	for _, m := range members {
		switch m.name {
		case paramFrom:
			ask.from = d.instant(m)
		case paramTo:
			ask.to = d.instant(m)
		case fieldOverlap:
			ask.overlap = d.overlap(m)
		case "dryRun":
			ask.dryRun = d.flag(m)
		default:
			d.add(clip(m.name), "is not a field of a backfill")
		}
	}
	d.required(paramFrom, ask.from)
	d.required(paramTo, ask.to)
	switch {
	case ask.from.IsZero() || ask.to.IsZero():
	case !ask.from.Before(ask.to):
		d.add(paramTo, "must be later than from")
	case len(d.errs) > 0 && ask.to.After(now):
		d.add(paramTo, ruleNotInFuture)
	}
	return ask, asError(d.errs)
}
