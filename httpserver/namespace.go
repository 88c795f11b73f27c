package httpserver

import (
	"strings"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	// paramNamespace restricts what the root key reads to one namespace.
	paramNamespace = "namespace"

	maxNamespace  = 63
	ruleNamespace = "must be 1 to 63 lowercase letters, digits and dashes"
)

var errOtherNamespace = job.Errorf(job.CodeForbidden, "this API key is for its own namespace only; leave the namespace out")

// isNamespace reports whether s can name a namespace.
func isNamespace(s string) bool {
	return s != "" && len(s) <= maxNamespace && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// namespace is what the caller may see: empty, all of it, for the root key.
func (c *call) namespace() string {
	if c.key.Root {
		return ""
	}
	return c.key.Namespace
}

// listed is the namespace that a list is to be of: what the caller may see, or the
// one of ?namespace=, which every list has to allow as paramNamespace.
func (c *call) listed(q *query) (string, error) {
	named, given := q.values[paramNamespace]
	switch {
	case !given:
		return c.namespace(), nil
	case !c.key.Root && named != c.key.Namespace:
		return "", errOtherNamespace
	case !isNamespace(named):
		q.add(paramNamespace, ruleNamespace)
	}
	return named, nil
}

// creator is the caller's key, in the namespace that something new is to be in: the
// key's own, or for the root key the one of X-Cron-Namespace.
func (c *call) creator() (job.APIKey, error) {
	by := c.key
	if by.Root {
		by.Namespace = job.DefaultNamespace
	}
	lines := c.headerLines(headerNamespace)
	switch {
	case len(lines) == 0:
		return by, nil
	case len(lines) > 1:
		return job.APIKey{}, headerError(headerNamespace, "must come once, not %d times", len(lines))
	case !by.Root && lines[0] != by.Namespace:
		return job.APIKey{}, errOtherNamespace
	case !isNamespace(lines[0]):
		return job.APIKey{}, headerError(headerNamespace, ruleNamespace)
	}
	by.Namespace = lines[0]
	return by, nil
}
