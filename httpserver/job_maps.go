package httpserver

import (
	"slices"
	"strings"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// maxHeaderMembers bounds the work on one object of headers: as many as a job may
// have, to be set, and as many to be removed.
const maxHeaderMembers = 128

// setHeaders merges the object into the headers: null removes one, and the value
// that a read shows keeps it. Names are compared as HTTP does, without case.
func setHeaders(d *specDecoder, name string, v any) {
	given, ok := v.(object)
	if !ok {
		d.add(name, "must be an object, not %s", kind(v))
		return
	}
	if len(given) > maxHeaderMembers {
		d.add(name, "must have at most %d members in one request, has %d", maxHeaderMembers, len(given))
		return
	}
	seen := map[string]bool{}
	for _, m := range given {
		at, key := join(name, m.name), strings.ToLower(m.name)
		if seen[key] {
			d.add(at, "is given twice; case does not matter in header names")
			continue
		}
		seen[key] = true
		d.setHeader(at, m)
	}
}

func (d *specDecoder) setHeader(at string, m member) {
	headers := d.spec.Target.Headers
	i := slices.IndexFunc(headers, func(h job.Header) bool { return strings.EqualFold(h.Name, m.name) })
	value, isText := m.value.(string)
	switch {
	case m.value == nil && i >= 0:
		d.spec.Target.Headers = slices.Delete(headers, i, i+1)
	case m.value == nil:
	case !isText:
		d.add(at, "must be a string, not %s", kind(m.value))
	case value == api.Hidden && d.creating:
		d.add(at, "%s stands for a stored value, and a new job has none", api.Hidden)
	case value == api.Hidden:
		d.keepHeader(at, m.name, i >= 0)
	case i >= 0:
		headers[i] = job.Header{Name: m.name, Value: value}
	default:
		d.spec.Target.Headers = append(headers, job.Header{Name: m.name, Value: value})
	}
}

// keepHeader keeps a stored value, whether the header is among the new ones already.
func (d *specDecoder) keepHeader(at, name string, isThere bool) {
	i := slices.IndexFunc(d.stored, func(h job.Header) bool { return strings.EqualFold(h.Name, name) })
	switch {
	case i < 0:
		d.add(at, "%s keeps a stored value, and there is none", api.Hidden)
	case !isThere:
		d.spec.Target.Headers = append(d.spec.Target.Headers, d.stored[i])
	}
}

// maxTagMembers bounds the work on one object of tags, as maxHeaderMembers does.
const maxTagMembers = 64

// setTags merges the object into the tags: null removes one.
func setTags(d *specDecoder, name string, v any) {
	given, ok := v.(object)
	if !ok {
		d.add(name, "must be an object, not %s", kind(v))
		return
	}
	if len(given) > maxTagMembers {
		d.add(name, "must have at most %d members in one request, has %d", maxTagMembers, len(given))
		return
	}
	for _, m := range given {
		value, isText := m.value.(string)
		i, found := slices.BinarySearchFunc(d.spec.Tags, m.name, func(t job.Tag, key string) int { return strings.Compare(t.Key, key) })
		switch {
		case m.value == nil && found:
			d.spec.Tags = slices.Delete(d.spec.Tags, i, i+1)
		case m.value == nil:
		case !isText:
			d.add(join(name, m.name), "must be a string, not %s", kind(m.value))
		case found:
			d.spec.Tags[i].Value = value
		default:
			d.spec.Tags = slices.Insert(d.spec.Tags, i, job.Tag{Key: m.name, Value: value})
		}
	}
}
