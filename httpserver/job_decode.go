package httpserver

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// jobPatch is what a body says about a job: an RFC 7396 merge patch. A new job is
// the patch of the default one.
type jobPatch struct {
	members object
	errs    []job.FieldError // found without looking at a job
	// creating means that there is nothing stored that a value could keep.
	creating bool
	// whole means that what the patch leaves out becomes the default.
	whole bool
	// resumesNothing means that even then a job that is PAUSED stays so, unless the patch
	// names a state: somebody else may have paused it.
	resumesNothing bool
}

// decodeJobPatch reads a body. Its error is for a body that is no JSON object; what is
// wrong with a field is told by apply.
func decodeJobPatch(body []byte, creating bool) (*jobPatch, error) {
	members, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	return newJobPatch(members, creating), nil
}

func newJobPatch(members object, creating bool) *jobPatch {
	p := &jobPatch{members: members, creating: creating}
	for _, m := range members {
		if _, known := jobFields[m.name]; !known {
			p.errs = addField(p.errs, clip(m.name), "%s", whyUnknown(m.name))
		}
	}
	return p
}

func whyUnknown(name string) string {
	if slices.Contains(readOnlyFields, name) {
		return "is read only"
	}
	for known := range jobFields {
		if strings.EqualFold(known, name) {
			return fmt.Sprintf("is not a field of a job; did you mean %q?", known)
		}
	}
	return "is not a field of a job"
}

// note adds what is wrong with a field that has no value, or a text. Anything else is
// refused by itself.
func (p *jobPatch) note(field, format string, args ...any) {
	v, _ := p.members.get(field)
	if text, isText := v.(string); v == nil || isText && text != "" {
		p.errs = addField(p.errs, field, format, args...)
	}
}

// names reports whether the patch gives one of the fields, be it null.
func (p *jobPatch) names(fields ...string) bool {
	return slices.ContainsFunc(p.members, func(m member) bool { return slices.Contains(fields, m.name) })
}

// gives reports whether the patch gives one of the fields a value.
func (p *jobPatch) gives(fields ...string) bool {
	return slices.ContainsFunc(p.members, func(m member) bool { return m.value != nil && slices.Contains(fields, m.name) })
}

// apply changes s and returns everything that is wrong with the patch or with what
// comes of it. It may be called again, on another copy.
func (p *jobPatch) apply(s *job.Spec, checkSchedule func(job.Schedule) []job.FieldError) []job.FieldError {
	d := &specDecoder{spec: s, errs: slices.Clone(p.errs), creating: p.creating, stored: slices.Clone(s.Target.Headers)}
	p.prepare(s)
	for _, m := range p.members {
		f, known := jobFields[m.name]
		switch {
		case !known:
		case m.value != nil:
			f.set(d, m.name, m.value)
		case !p.whole:
			f.clear(s)
		}
	}
	p.checkRules(d, checkSchedule)
	return d.errs
}

// prepare drops what the patch replaces without naming it. To replace the whole of a
// job that is COMPLETED does not name its state: it may be over again.
func (p *jobPatch) prepare(s *job.Spec) {
	if p.whole {
		was := *s
		*s = job.DefaultSpec()
		if (was.State == job.Completed || p.resumesNothing) && !p.gives(fieldState) {
			s.State, s.PauseReason = was.State, was.PauseReason
		}
	}
	if p.gives(scheduleKinds...) {
		s.Schedule.Cron, s.Schedule.Interval, s.Schedule.RunAt = "", 0, time.Time{}
	}
	if p.gives(fieldRunAt) { // the only slot has no bounds
		s.Schedule.StartAt, s.Schedule.EndAt = time.Time{}, time.Time{}
	}
}

// checkRules adds the rules that the new spec breaks, but not those of a field that
// could not even be read.
func (p *jobPatch) checkRules(d *specDecoder, checkSchedule func(job.Schedule) []job.FieldError) {
	unread := map[string]bool{} // or listed already
	for _, e := range d.errs {
		unread[e.Field] = true
	}
	if slices.ContainsFunc(scheduleKinds, func(f string) bool { return unread[f] }) {
		for _, f := range scheduleKinds {
			unread[f] = true
		}
	}
	// A COMPLETED job may be changed; only a client may not choose that state.
	if d.spec.State == job.Completed && !p.gives(fieldState) {
		unread[fieldState] = true
	}
	broken := d.spec.Validate()
	if p.creating || p.whole || p.names(scheduleFields...) {
		broken = append(broken, checkSchedule(d.spec.Schedule)...)
	}
	for _, e := range broken {
		if !unread[e.Field] {
			unread[e.Field] = true // one error a field
			d.add(e.Field, "%s", e.Msg)
		}
	}
}

// specDecoder is the state of one apply.
type specDecoder struct {
	spec     *job.Spec
	errs     []job.FieldError
	creating bool
	stored   []job.Header // before any change
}

func (d *specDecoder) add(field, format string, args ...any) {
	d.errs = addField(d.errs, field, format, args...)
}
