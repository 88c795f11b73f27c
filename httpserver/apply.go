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

	// maxErrorsOfMany is how many of the fields that are wrong with a job are told if the
	// jobs are very many.
	maxErrorsOfMany = 10
)

// applyJobs is POST /jobs/apply: it makes the jobs of the namespace that have an
// external ID what the list says. Nothing is done if anything is wrong; more than one
// entry of the log holds may be done in part, which is an unknown outcome.
func (s *Server) applyJobs(ctx context.Context, c *call) (*response, error) {
	done, err := s.admitList(c)
	if err != nil {
		return nil, err
	}
	defer done()
	q := parseQuery(c.query, []string{paramPrune, paramTag, paramDryRun, paramFormat})
	a := &applying{server: s, call: c, prune: q.flag(paramPrune), tags: q.tagFilters(), dryRun: q.flag(paramDryRun), strict: true}
	if len(a.tags) > 0 && !a.prune {
		q.add(paramTag, "says which jobs a prune may delete: it goes with %s=true only", paramPrune)
	}
	doc, err := c.listDocument(q)
	if err == nil {
		a.wanted, err = doc.jobs()
	}
	if err := a.allow(err); err != nil {
		return nil, err
	}
	checkExternalIDs(a.wanted)
	return a.serve(ctx)
}

// allow is what is wrong with the request itself, beside what is wrong with its list.
func (a *applying) allow(list error) error {
	by, refused := a.call.creator()
	a.by = by
	return together(refused, a.call.checkOnce(), list)
}

// checkExternalIDs notes which jobs have no external ID, or one that came before.
func checkExternalIDs(list []wanted) {
	first := map[string]*wanted{}
	for i := range list {
		w := &list[i]
		switch before := first[w.externalID]; {
		case w.refused != nil:
		case w.externalID == "":
			w.patch.note(fieldExternalID, "is required here: it tells which job this one is")
		case before != nil:
			w.patch.note(fieldExternalID, "is that of %s too", before.at)
		default:
			first[w.externalID] = w
		}
	}
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
	if a.dryRun {
		if err := a.rehearse(ctx); err != nil {
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
		if len(a.steps) > MaxChanges {
			p.Errors = p.Errors[:min(len(p.Errors), maxErrorsOfMany)]
		}
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
			errs = st.want.tell(errs, e.Fields)
		}
	}
	return asError(errs)
}

// tell adds what is wrong with fields of the job, by their names in the request. What
// is wrong with all of it has its name already.
func (w *wanted) tell(errs, fields []job.FieldError) []job.FieldError {
	for _, f := range fields {
		if f.Field == w.at {
			errs = addField(errs, w.at, "%s", f.Msg)
			continue
		}
		errs = addField(errs, w.field(f.Field), "%s%s", f.Msg, w.line(f.Field))
	}
	return errs
}

// field names a field of the job in the request.
func (w *wanted) field(name string) string { return fmt.Sprintf("%s.%s", w.at, name) }
