package httpserver

import "github.com/cronraft/cronraft/internal/job"

// decodeRun reads the body of a manual run, which may be empty: the overlap policy
// that replaces the job's, or empty to keep it.
func decodeRun(body []byte) (job.OverlapPolicy, error) {
	members, err := parseOptional(body)
	if err != nil {
		return "", err
	}
	spec, given := job.DefaultSpec(), false
	d := &specDecoder{spec: &spec}
	for _, m := range members {
		switch {
		case m.name != fieldOverlap:
			d.add(clip(m.name), "is not a field of a run")
		case m.value != nil:
			jobFields[fieldOverlap].set(d, m.name, m.value)
			given = true
		}
	}
	for _, e := range spec.Validate() { // the one place that knows the policies
		if e.Field == fieldOverlap {
			d.add(e.Field, "%s", e.Msg)
		}
	}
	if err := asError(d.errs); err != nil || !given {
		return "", err
	}
	return spec.Overlap, nil
}

// decodeNothing reads a body that has nothing to say: none, or an empty object.
func decodeNothing(body []byte) error {
	members, err := parseOptional(body)
	if err != nil {
		return err
	}
	var errs []job.FieldError
	for _, m := range members {
		errs = addField(errs, clip(m.name), "is not a field here; the body must be empty")
	}
	return asError(errs)
}
