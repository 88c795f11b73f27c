package httpserver

import (
	"fmt"
	"strings"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// paramFormat says what a list of jobs is written in, whatever its media type is.
const paramFormat = "format"

// maxListJobs is how many jobs a list may have, and how many a prune may delete;
// maxListBytes is how large the list may be. Another node takes as much, with the headers,
// in one piece.
const (
	maxListJobs  = 10_000
	maxListBytes = 11 << 20
)

// errListsWait is for a second list that is so large that one at a time is enough for the
// memory of a node.
var errListsWait = &tooSoon{
	cause: job.Errorf(job.CodeRateLimited, "this node is reading another list of more than %d bytes, and one at a time is what it has room for; try again", maxBulkBytes),
	wait:  time.Second,
}

// admitList lets one large list in at a time. The caller calls done.
func (s *Server) admitList(c *call) (done func(), err error) {
	if len(c.body) <= maxBulkBytes {
		return func() {}, nil
	}
	select {
	case s.lists <- struct{}{}:
		return func() { <-s.lists }, nil
	default:
		return nil, errListsWait
	}
}

// listFormat is what a list of jobs is written in.
type listFormat string

const (
	formatJSON    listFormat = "json"
	formatYAML    listFormat = "yaml"
	formatCrontab listFormat = "crontab"
)

// listMedia are the media types of the formats. The first is what a body is taken
// for that says nothing.
var listMedia = []struct {
	media  string
	format listFormat
}{
	{mediaJSON, formatJSON},
	{"application/yaml", formatYAML}, {"application/x-yaml", formatYAML}, {"text/yaml", formatYAML}, {"text/x-yaml", formatYAML},
	{"text/plain", formatCrontab}, {"text/x-crontab", formatCrontab},
}

// listFormat is what the body is written in: what the parameter says, or the media
// type.
func (c *call) listFormat(q *query, formats ...listFormat) (listFormat, error) {
	if f := oneOf(q, paramFormat, formats...); f != "" {
		return f, together(c.checkEncoding(), q.err())
	}
	if err := q.err(); err != nil {
		return "", err
	}
	var allowed []string
	of := map[string]listFormat{}
	for _, m := range listMedia {
		for _, f := range formats {
			if m.format == f {
				allowed, of[m.media] = append(allowed, m.media), f
			}
		}
	}
	media, err := c.mediaType(allowed...)
	return of[media], err
}

// document is a body with jobs, before they are read.
type document struct {
	value any // see [object]
	// lines tells where what stands, if the format has lines: by "jobs[3]" and
	// "jobs[3].name".
	lines map[string]int
}

// listDocument reads a body of JSON or YAML.
func (c *call) listDocument(q *query) (*document, error) {
	format, err := c.listFormat(q, formatJSON, formatYAML)
	if err != nil {
		return nil, err
	}
	return parseList(c.body, format)
}

func parseList(body []byte, format listFormat) (*document, error) {
	if format == formatYAML {
		return parseYAML(body)
	}
	v, err := parseDocument(body)
	return &document{value: v}, err
}

// jobs are the jobs of a list: an array, or an object as an export has it.
func (d *document) jobs() ([]wanted, error) {
	list, err := listOf(d.value)
	if err != nil {
		return nil, err
	}
	jobs := make([]wanted, 0, len(list))
	for i, v := range list {
		w := wanted{index: i, at: fmt.Sprintf("%s[%d]", fieldJobs, i), lines: d.lines}
		if members, ok := v.(object); ok {
			w.read(members)
		} else {
			w.refused = job.Invalid(addField(nil, w.at, "must be an object, not %s%s", kind(v), w.line("")))
		}
		jobs = append(jobs, w)
	}
	return jobs, nil
}

// read takes the job's definition.
func (w *wanted) read(members object) {
	w.patch = newJobPatch(members, false)
	name, _ := members.get("name")
	externalID, _ := members.get(fieldExternalID)
	w.name, _ = name.(string)
	w.externalID, _ = externalID.(string)
}

// line is " (line 12)" for a field that stands there; empty if the request has no
// lines.
func (w *wanted) line(field string) string {
	at := strings.TrimSuffix(w.field(field), ".")
	for {
		if n, known := w.lines[at]; known {
			return fmt.Sprintf(" (line %d)", n)
		}
		cut := strings.LastIndexByte(at, '.')
		if cut < 0 {
			return ""
		}
		at = at[:cut]
	}
}

// listOf finds the array: it is the document, or its member jobs. The envelope in
// which an export comes may be around it.
func listOf(v any) (array, error) {
	if list, ok := v.(array); ok {
		return list, checkLength(list)
	}
	o, ok := v.(object)
	if !ok {
		return nil, job.Invalid(addField(nil, fieldJobs, "is required: the body must be a list of jobs or an object with one, it is %s", kind(v)))
	}
	if status, _ := o.get("status"); status == api.StatusOK && len(o) == 2 {
		if data, given := o.get("data"); given {
			return listOf(data)
		}
	}
	var errs []job.FieldError
	for _, m := range o {
		if m.name != fieldJobs {
			errs = addField(errs, clip(m.name), "is not a field here")
		}
	}
	inner, given := o.get(fieldJobs)
	list, isArray := inner.(array)
	switch {
	case !given:
		errs = addField(errs, fieldJobs, "is required")
	case !isArray:
		errs = addField(errs, fieldJobs, "must be an array, not %s", kind(inner))
	}
	if err := asError(errs); err != nil {
		return nil, err
	}
	return list, checkLength(list)
}

func checkLength(list array) error {
	if len(list) > maxListJobs {
		return job.Invalid(addField(nil, fieldJobs, "must have at most %d entries, has %d; send them in several requests, with a prune for each tag", maxListJobs, len(list)))
	}
	return nil
}
