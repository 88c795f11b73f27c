package httpserver

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cronraft/cronraft/internal/job"
)

// The query parameters.
const (
	paramLimit       = "limit"
	paramCursor      = "cursor"
	paramConsistency = "consistency"

	defaultLimit = 50
	maxLimit     = 500

	consistencyStale        = "stale"
	consistencyLinearizable = "linearizable"
)

// query are a request's parameters and what is wrong with them.
type query struct {
	values map[string]string
	errs   []job.FieldError
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
func (q *query) limit() int {
	text, given := q.values[paramLimit]
	if !given {
		return defaultLimit
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		q.add(paramLimit, "must be a whole number from 1 to %d", maxLimit)
		return defaultLimit
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

// cursor hands the cursor, if there is one, to parse.
func (q *query) cursor(parse func(string) bool) {
	if text, given := q.values[paramCursor]; given && !parse(text) {
		q.add(paramCursor, "is not a cursor of this list; begin again without one")
	}
}

// err is all that is wrong; nil if nothing is.
func (q *query) err() error {
	if e := job.Invalid(q.errs); e != nil {
		return e
	}
	return nil
}
