package httpserver

import (
	"context"
	"slices"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// plan compares the list with the state. Steps that an earlier try has made stay.
func (a *applying) plan(ctx context.Context) error {
	made := map[*wanted]*step{}
	var deleted []*step
	for _, st := range a.steps {
		switch {
		case st.made && st.want == nil:
			deleted = append(deleted, st)
		case st.made:
			made[st.want] = st
		}
	}
	steps := make([]*step, 0, len(a.wanted))
	for i := range a.wanted {
		w := &a.wanted[i]
		st := made[w]
		if st == nil {
			var err error
			if st, err = a.planJob(ctx, w); err != nil {
				return err
			}
		}
		steps = append(steps, st)
	}
	a.steps = append(steps, deleted...)
	if !a.prune {
		return nil
	}
	return a.planDeletions(ctx)
}

// planJob compares one job with the one that there is.
func (a *applying) planJob(ctx context.Context, w *wanted) (*step, error) {
	switch {
	case w.refused != nil:
		return &step{want: w, refused: w.refused}, nil
	case w.externalID == "":
		return a.planCreation(w), nil // which refuses it
	}
	found, err := a.find(ctx, w.externalID)
	switch {
	case job.CodeOf(err) == job.CodeNotFound:
		return a.planCreation(w), nil
	case err != nil:
		return nil, err
	}
	st := &step{want: w, job: found, action: api.ActionUpdate}
	spec := found.Spec.Clone()
	if st.refused = a.read(w, &spec, false); st.refused != nil {
		return st, nil
	}
	if w.keep != nil {
		w.keep(&found.Spec, &spec)
	}
	if err := a.keepHeaders(ctx, &found, &spec); err != nil {
		return nil, err
	}
	if found.State == job.Completed && spec.State == job.Active {
		spec.State = job.Completed // it is over, unless its schedule changes
	}
	if st.changed = changedFields(&found.Spec, &spec); len(st.changed) == 0 {
		st.action = api.ActionUnchanged
		return st, nil
	}
	st.change = &job.JobChange{ID: found.ID, Version: found.Version, Spec: &spec}
	return st, nil
}

// find is the job that has the external ID, or the one whose own ID it is if that has no
// external ID: it gets this one. An export names jobs so.
func (a *applying) find(ctx context.Context, externalID string) (job.Job, error) {
	found, err := a.server.config.Jobs.ByExternalID(ctx, a.by.Namespace, externalID)
	id, isID := job.ParseID(externalID)
	if job.CodeOf(err) != job.CodeNotFound || !isID || id == 0 {
		return found, err
	}
	found, err = a.server.config.Jobs.Get(ctx, a.by.Namespace, id)
	if err == nil && found.ExternalID != "" {
		return job.Job{}, job.ErrNotFound
	}
	return found, err
}

func (a *applying) planCreation(w *wanted) *step {
	st := &step{want: w, action: api.ActionCreate}
	spec := job.DefaultSpec()
	if st.refused = a.read(w, &spec, true); st.refused == nil {
		st.change = &job.JobChange{Spec: &spec}
	}
	return st
}

// read makes the spec what the list says; what the list leaves out is the default, but
// for the state.
func (a *applying) read(w *wanted, spec *job.Spec, creating bool) *job.Error {
	patch := *w.patch
	patch.creating, patch.whole, patch.resumesNothing = creating, true, true
	errs := patch.apply(spec, a.server.config.Schedules.Check)
	for _, t := range a.tags {
		if !slices.Contains(spec.Tags, t) {
			errs = addField(errs, fieldTags, "must have %q: %q, the tag of the jobs that may be pruned", t.Key, t.Value)
		}
	}
	e := job.Invalid(errs)
	if spec.State == job.Active {
		spec.PauseReason = "" // only a paused job has one
	}
	return e
}

// keepHeaders keeps the stored form of each value that is the same.
func (a *applying) keepHeaders(ctx context.Context, found *job.Job, spec *job.Spec) error {
	for i, h := range spec.Target.Headers {
		was := findHeader(found.Target.Headers, h.Name)
		if h.Sealed != nil || was == nil {
			continue
		}
		same, err := a.server.config.Jobs.HeaderIs(ctx, found.ID, *was, h.Value)
		if err != nil {
			return err
		}
		if same {
			spec.Target.Headers[i] = *was
		}
	}
	return nil
}

// errPruneTooLarge is for a prune that deletes more than one answer lists.
var errPruneTooLarge = job.Invalid(addField(nil, paramPrune, "would delete more than %d jobs; delete some of them first, or prune one %s after the other", maxListJobs, paramTag))

// planDeletions adds the jobs of the namespace, and with the tags, that have an external
// ID which is not in the list.
func (a *applying) planDeletions(ctx context.Context) error {
	listed := make(map[string]bool, len(a.wanted))
	for _, w := range a.wanted {
		listed[w.externalID] = true
	}
	ask := job.JobQuery{Namespace: a.by.Namespace, Tags: a.tags, Limit: maxLimit}
	most := len(a.steps) + maxListJobs
	for {
		page, err := a.server.config.Jobs.List(ctx, ask)
		if err != nil {
			return err
		}
		for _, j := range page.Jobs {
			if j.ExternalID != "" && !listed[j.ExternalID] {
				gone := job.Job{ID: j.ID, Spec: job.Spec{Name: j.Name, ExternalID: j.ExternalID}}
				a.steps = append(a.steps, &step{job: gone, action: api.ActionDelete, change: &job.JobChange{ID: j.ID, Version: j.Version}})
			}
		}
		switch {
		case len(a.steps) > most:
			return errPruneTooLarge
		case page.Next == nil:
			return nil
		}
		ask.After = *page.Next
	}
}
