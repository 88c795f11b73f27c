package httpserver

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cronraft/cronraft/internal/job"
)

// minInstant is the first time that a period may begin with. Those of a job have
// narrower bounds.
var minInstant = time.UnixMilli(0).UTC()

// shapeTime is how a time is written. Package time reads others too: with a comma, an
// hour of one digit, an offset of 24 hours.
var shapeTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

const ruleTime = "must be a time in RFC 3339, for example 2026-03-26T16:15:00Z or 2026-03-26T17:15:00.250+01:00"

// parseInstant reads a time in RFC 3339, with any offset. Milliseconds are kept, and
// what is finer is cut off. The rule is the one that the text breaks; empty if none.
func parseInstant(text string) (t time.Time, rule string) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || !shapeTime.MatchString(text) {
		return time.Time{}, ruleTime
	}
	if t.Before(minInstant) || t.After(job.MaxTime.Add(time.Millisecond-1)) {
		return time.Time{}, fmt.Sprintf("must be in the years %d to %d, in UTC", minInstant.Year(), job.MaxTime.Year())
	}
	return job.Instant(t), ""
}

// checkText is what is wrong with a text of a query.
func checkText(field, text string, most int) []job.FieldError {
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text):
		return addField(nil, field, "must be valid UTF-8")
	case n > most:
		return addField(nil, field, "must have at most %d characters, has %d", most, n)
	case strings.ContainsFunc(text, isControl):
		return addField(nil, field, "must not contain control characters")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
