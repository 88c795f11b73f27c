package httpserver

import (
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// fieldDecoder reads the members of a body that is not a whole job, but has fields
// that jobs have too: these have the same rules.
type fieldDecoder struct{ specDecoder }

func newFieldDecoder() *fieldDecoder {
	spec := job.DefaultSpec()
	return &fieldDecoder{specDecoder{spec: &spec}}
}

// overlap reads a policy that replaces the job's; empty, which null stands for, keeps
// it.
func (d *fieldDecoder) overlap(m member) job.OverlapPolicy {
	if m.value == nil {
		return ""
	}
	jobFields[fieldOverlap].set(&d.specDecoder, m.name, m.value)
	d.check(fieldOverlap)
	return d.spec.Overlap
}

// check adds the rules that some fields of the spec break, unless something is wrong
// with them already.
func (d *fieldDecoder) check(fields ...string) {
	for _, e := range d.spec.Validate() {
		if slices.Contains(fields, e.Field) && !d.has(e.Field) {
			d.add(e.Field, "%s", e.Msg)
		}
	}
}

// has reports whether something is wrong with one of the fields.
func (d *fieldDecoder) has(fields ...string) bool {
	return slices.ContainsFunc(d.errs, func(e job.FieldError) bool { return slices.Contains(fields, e.Field) })
}

// instant reads a time; zero for null.
func (d *fieldDecoder) instant(m member) (t time.Time) {
	if m.value != nil {
		instantField(func(*job.Spec) *time.Time { return &t }).set(&d.specDecoder, m.name, m.value)
	}
	return t
}

// flag reads true or false; false for null.
func (d *fieldDecoder) flag(m member) (b bool) {
	if m.value != nil {
		boolean(func(*job.Spec) *bool { return &b }).set(&d.specDecoder, m.name, m.value)
	}
	return b
}

// required adds the rule that a time has to be given, unless what was given is wrong.
func (d *fieldDecoder) required(name string, t time.Time) {
	if t.IsZero() && !d.has(name) {
		d.add(name, "is required")
	}
}

// decodeRun reads the body of a manual run, which may be empty: the overlap policy
// that replaces the job's, or empty to keep it.
func decodeRun(body []byte) (overlap job.OverlapPolicy, err error) {
	members, err := parseOptional(body)
	if err != nil {
		return "", err
	}
	d := newFieldDecoder()
	for _, m := range members {
		if m.name == fieldOverlap {
			overlap = d.overlap(m)
			continue
		}
		d.add(clip(m.name), "is not a field of a run")
	}
	return overlap, asError(d.errs)
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
