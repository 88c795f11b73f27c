package httpserver

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

const (
	paramPrune  = "prune"
	paramDryRun = "dryRun"
)

// applyJobs is POST /jobs/apply: it makes the jobs of the namespace that have an
// external ID what the list says, all of them or none.
func (s *Server) applyJobs(ctx context.Context, c *call) (*response, error) {
	q := parseQuery(c.query, []string{paramPrune, paramDryRun, paramFormat})
	a := &applying{server: s, call: c, prune: q.flag(paramPrune), dryRun: q.flag(paramDryRun), strict: true}
	doc, err := c.listDocument(q)
	if err != nil {
		return nil, err
	}
	if a.wanted, err = doc.jobs(); err != nil {
		return nil, err
	}
	errs := checkExternalIDs(a.wanted)
	for i := range a.wanted {
		if e := a.wanted[i].refused; e != nil {
			errs = append(errs, e.Fields...)
		}
	}
	if len(errs) > 0 {
		return nil, asError(errs[:min(len(errs), maxFieldErrors)])
	}
	return a.serve(ctx)
}

// checkExternalIDs tells which jobs have no external ID, or one that came before.
func checkExternalIDs(list []wanted) []job.FieldError {
	var errs []job.FieldError
	first := map[string]*wanted{}
	for i := range list {
		w := &list[i]
		switch before := first[w.externalID]; {
		case w.refused != nil:
		case w.externalID == "":
			errs = addField(errs, w.field(fieldExternalID), "is required here: it tells which job this one is%s", w.line(fieldExternalID))
		case before != nil:
			errs = addField(errs, w.field(fieldExternalID), "is that of %s too%s", before.at, w.line(fieldExternalID))
		default:
			first[w.externalID] = w
		}
	}
	return errs
}

// flag is a parameter that is true or false; one without a value is true.
func (q *query) flag(name string) bool {
	text, given := q.values[name]
	if !given {
		return false
	}
	v, err := strconv.ParseBool(text)
	if err != nil && text != "" {
		q.add(name, "must be true or false")
	}
	return v || text == ""
}

// serve plans and writes, and answers with what was done.
func (a *applying) serve(ctx context.Context) (*response, error) {
	by, err := a.call.creator()
	if err != nil {
		return nil, err
	}
	a.by = by
	if a.dryRun {
		if err := a.prepare(ctx); err != nil {
			return nil, err
		}
		return a.show(nil)
	}
	return writeOnce(a.call, a.show, func(once *job.Idempotent[[]job.JobOutcome]) ([]job.JobOutcome, []byte, error) {
		again, err := a.write(ctx, once)
		return nil, again, err
	})
}

// show answers with all steps; the outcomes are in them.
func (a *applying) show([]job.JobOutcome) (*response, error) {
	answer := api.Applied{DryRun: a.dryRun, Changes: make([]api.AppliedChange, 0, len(a.steps))}
	for _, st := range a.steps {
		switch {
		case st.refused != nil:
			answer.Failed++
		case st.action == api.ActionCreate:
			answer.Created++
		case st.action == api.ActionUpdate:
			answer.Updated++
		case st.action == api.ActionDelete:
			answer.Deleted++
		default:
			answer.Unchanged++
		}
		answer.Changes = append(answer.Changes, a.showStep(st))
	}
	return success(http.StatusOK, answer)
}

func (a *applying) showStep(st *step) api.AppliedChange {
	change := api.AppliedChange{Name: st.job.Name, Action: st.action, ExternalID: optional(st.job.ExternalID), Changed: st.changed}
	if st.want != nil {
		change.Index, change.Name, change.ExternalID = &st.want.index, st.want.name, optional(st.want.externalID)
	}
	if st.job.ID != 0 {
		change.JobID = optional(st.job.ID.String())
	}
	if e := st.refused; e != nil {
		p := encodeProblem(outcomeOf(e.Code).status, e, a.call.id)
		p.Detail = st.want.at + ": " + p.Detail
		change.Action, change.Changed, change.Problem = api.ActionFailed, nil, &p
	}
	return change
}

// refusal is one error of all steps that were refused; nil if none was.
func (a *applying) refusal() error {
	var errs []job.FieldError
	for _, st := range a.steps {
		switch e := st.refused; {
		case e == nil:
		case len(e.Fields) == 0:
			errs = addField(errs, st.want.at, "%s", e.Msg)
		default:
			for _, f := range e.Fields {
				errs = addField(errs, st.want.field(f.Field), "%s%s", f.Msg, st.want.line(f.Field))
			}
		}
	}
	return asError(errs)
}

// field names a field of the job in the request.
func (w *wanted) field(name string) string { return fmt.Sprintf("%s.%s", w.at, name) }
