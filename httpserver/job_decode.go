package httpserver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cronraft/cronraft/internal/job"
)

// jobPatch is what a body says about a job: an RFC 7396 merge patch. A new job is
// the patch of the default one.
type jobPatch struct {
	members object
	errs    []job.FieldError // found without looking at a job
	// creating means that there is nothing stored that a value could keep.
	creating bool
}

// decodeJobPatch reads a body. Its error is for a body that is no JSON object; what is
// wrong with a field is told by apply.
func decodeJobPatch(body []byte, creating bool) (*jobPatch, error) {
	members, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	p := &jobPatch{members: members, creating: creating}
	for _, m := range members {
		if _, known := jobFields[m.name]; !known {
			p.errs = addField(p.errs, clip(m.name), "%s", whyUnknown(m.name))
		}
	}
	return p, nil
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

// names reports whether the patch gives one of the fields, be it null.
func (p *jobPatch) names(fields ...string) bool {
	return slices.ContainsFunc(p.members, func(m member) bool { return slices.Contains(fields, m.name) })
}

// apply changes s and returns everything that is wrong with the patch or with what
// comes of it. It may be called again, on another copy.
func (p *jobPatch) apply(s *job.Spec, checkSchedule func(job.Schedule) []job.FieldError) []job.FieldError {
	d := &specDecoder{spec: s, errs: slices.Clone(p.errs), creating: p.creating}
	if p.picksSchedule() {
		s.Schedule.Cron, s.Schedule.Interval = "", 0
	}
	for _, m := range p.members {
		f, known := jobFields[m.name]
		switch {
		case !known:
		case m.value == nil:
			f.clear(s)
		default:
			f.set(d, m.name, m.value)
		}
	}
	p.checkRules(d, checkSchedule)
	return d.errs
}

// picksSchedule reports whether the patch gives a kind of schedule, which then
// replaces the other kinds.
func (p *jobPatch) picksSchedule() bool {
	return slices.ContainsFunc(scheduleKinds, func(kind string) bool {
		v, given := p.members.get(kind)
		return given && v != nil
	})
}

// checkRules adds the rules that the new spec breaks, but not those of a field that
// could not even be read.
func (p *jobPatch) checkRules(d *specDecoder, checkSchedule func(job.Schedule) []job.FieldError) {
	unread := map[string]bool{} // or listed already
	for _, e := range d.errs {
		unread[e.Field] = true
	}
	if unread[fieldCron] || unread[fieldInterval] {
		unread[fieldCron], unread[fieldInterval] = true, true
	}
	// A COMPLETED job may be changed; only a client may not choose that state.
	if d.spec.State == job.Completed && !p.names(fieldState) {
		unread[fieldState] = true
	}
	broken := d.spec.Validate()
	if p.creating || p.names(fieldCron, fieldInterval, fieldTimezone) {
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
}

func (d *specDecoder) add(field, format string, args ...any) {
	d.errs = addField(d.errs, field, format, args...)
}
