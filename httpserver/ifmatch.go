package httpserver

import (
	"strconv"
	"strings"

	"github.com/cronraft/cronraft/internal/job"
)

// maxIfMatch bounds the tags of one If-Match: each may cost a try.
const maxIfMatch = 16

// anyVersion matches whatever version a job has.
const anyVersion = 0

var errNoVersionMatches = job.Errorf(job.CodePreconditionFailed, "If-Match names no version that this job has; read it again")

// errExists is for a job that is to be made, but not to be replaced.
var errExists = job.Errorf(job.CodePreconditionFailed, "there is a job with this external ID already, and If-None-Match: * is for a new one")

// isOnlyNew reports whether the request is meant for a job that is not there yet.
func (r *request) isOnlyNew() bool { return len(r.headerLines(headerIfNoneMatch)) > 0 }

// refuseIfNoneMatch is for a write that does not ask whether what it makes is there.
func (r *request) refuseIfNoneMatch() error {
	if !r.isOnlyNew() {
		return nil
	}
	return headerError(headerIfNoneMatch, "is for PUT /jobs/by-external-id/{externalId} only; leave it out here")
}

// checkIfNoneMatch is what is wrong with it where it may be.
func (r *request) checkIfNoneMatch() error {
	lines := r.headerLines(headerIfNoneMatch)
	switch {
	case len(lines) == 0:
		return nil
	case len(lines) > 1 || strings.TrimSpace(lines[0]) != "*":
		return headerError(headerIfNoneMatch, "must be *, for a job that is not there yet, or left out")
	case len(r.headerLines(headerIfMatch)) > 0:
		return headerError(headerIfNoneMatch, "is for a job that is not there yet, and If-Match for one that is: send one of the two")
	}
	return nil
}

// parseIfMatch returns the versions that a change may replace, one of them
// anyVersion if there is no condition. None is left if the tags are well formed but
// are no versions.
func parseIfMatch(lines []string) ([]uint64, error) {
	value := strings.TrimSpace(strings.Join(lines, ","))
	if len(lines) == 0 || value == "*" {
		return []uint64{anyVersion}, nil
	}
	tags := strings.Split(value, ",")
	if len(tags) > maxIfMatch {
		return nil, headerError(headerIfMatch, "has more than %d tags", maxIfMatch)
	}
	var versions []uint64
	for _, tag := range tags {
		tag = strings.TrimSpace(tag)
		if strings.HasPrefix(tag, "W/") {
			return nil, headerError(headerIfMatch, "must not have a weak tag (W/); send the ETag as it was given")
		}
		if !isQuoted(tag) {
			return nil, headerError(headerIfMatch, `must be * or the ETag of the job, in quotes, for example "3"`)
		}
		if v, ok := version(tag[1 : len(tag)-1]); ok {
			versions = append(versions, v)
		}
	}
	return versions, nil
}

func isQuoted(tag string) bool {
	return len(tag) >= 2 && tag[0] == '"' && tag[len(tag)-1] == '"' && strings.Count(tag, `"`) == 2
}

// version reads what etag writes between its quotes.
func version(s string) (uint64, bool) {
	v, err := strconv.ParseUint(s, 10, 64)
	return v, err == nil && v > 0 && strconv.FormatUint(v, 10) == s
}

// withVersions tries change with each version until one matches. A try with a
// version that does not match changes nothing.
func withVersions(versions []uint64, change func(version uint64) error) error {
	var err error = errNoVersionMatches
	for _, v := range versions {
		err = change(v)
		if job.CodeOf(err) != job.CodePreconditionFailed {
			return err
		}
	}
	return err
}
