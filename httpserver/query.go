package httpserver

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// The query parameters that several lists have.
const (
	paramLimit       = "limit"
	paramCursor      = "cursor"
	paramConsistency = "consistency"
	paramFrom        = "from"
	paramTo          = "to"
	// paramTag may be given several times.
	paramTag = "tag"

	defaultLimit = 50
	maxLimit     = 500
	maxTagParams = 10

	consistencyStale        = "stale"
	consistencyLinearizable = "linearizable"
)

// query are a request's parameters and what is wrong with them.
type query struct {
	values map[string]string
	// tags are the values of paramTag.
	tags []string
	errs []job.FieldError
	// list is a hash of what is listed; see [call.listQuery].
	list []byte
}

// parseQuery reads the parameters that are allowed and notes every other one.
func parseQuery(raw string, allowed []string) *query {
	q := &query{values: map[string]string{}}
	for raw != "" && len(q.errs) < maxFieldErrors {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair != "" {
			q.take(pair, allowed)
		}
	}
	return q
}

func (q *query) take(pair string, allowed []string) {
	key, value, _ := strings.Cut(pair, "=")
	name, err := url.QueryUnescape(key)
	text, err2 := url.QueryUnescape(value)
	_, twice := q.values[name]
	switch {
	case err != nil || err2 != nil:
		q.add(clip(key), "is not properly escaped")
	case !slices.Contains(allowed, name):
		q.add(clip(name), "is not a parameter here")
	case name == paramTag && len(q.tags) == maxTagParams:
		q.add(name, "must not be given more than %d times", maxTagParams)
	case name == paramTag:
		q.tags = append(q.tags, text)
	case twice:
		q.add(name, "is given twice")
	default:
		q.values[name] = text
	}
}

func (q *query) add(field, format string, args ...any) {
	q.errs = append(q.errs, job.FieldError{Field: field, Msg: fmt.Sprintf(format, args...)})
}

// limit is how many records a page is to have.
func (q *query) limit() int { return q.number(paramLimit, defaultLimit, 1, maxLimit) }

// number is a parameter that is a whole number.
func (q *query) number(name string, missing, least, most int) int {
	text, given := q.values[name]
	if !given {
		return missing
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		q.add(name, "must be a whole number from %d to %d", least, most)
		return missing
	}
	return n
}

// stale reports whether the request wants local state at once.
func (q *query) stale() bool {
	text, given := q.values[paramConsistency]
	if given && text != consistencyStale && text != consistencyLinearizable {
		q.add(paramConsistency, "must be %s or %s", consistencyStale, consistencyLinearizable)
	}
	return text == consistencyStale
}

// oneOf is a parameter that must be one of some words; empty if it is not given.
func oneOf[T ~string](q *query, name string, words ...T) T {
	text, given := q.values[name]
	if !given || slices.Contains(words, T(text)) {
		return T(text)
	}
	q.add(name, "must be one of %s", enumerate(words))
	return ""
}

func enumerate[T ~string](words []T) string {
	list := make([]string, 0, len(words))
	for _, w := range words {
		list = append(list, string(w))
	}
	return strings.Join(list, ", ")
}

// text is a parameter that is not empty if it is given, and at most so many characters
// long.
func (q *query) text(name string, most int) string {
	text, given := q.values[name]
	switch {
	case given && text == "":
		q.add(name, "must not be empty; leave it out instead")
	case given:
		q.errs = append(q.errs, checkText(name, text, most)...)
	}
	return text
}

// instant is a parameter that is a time; zero if it is not given. A plus sign that
// was not escaped has become a blank, which is no part of a time otherwise.
func (q *query) instant(name string) time.Time {
	text, given := q.values[name]
	if !given {
		return time.Time{}
	}
	t, rule := parseInstant(strings.Replace(text, " ", "+", 1))
	if rule != "" {
		q.add(name, "%s", rule)
	}
	return t
}

// period are the parameters from and to, of which the first counts and the second
// does not; zero if they are not given.
func (q *query) period() (from, to time.Time) {
	from, to = q.instant(paramFrom), q.instant(paramTo)
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		q.add(paramTo, "must be later than from")
	}
	return from, to
}

// err is all that is wrong; nil if nothing is.
func (q *query) err() error {
	if e := job.Invalid(q.errs); e != nil {
		return e
	}
	return nil
}
