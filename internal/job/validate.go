package job

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The limits of a spec, as the API documents them.
const (
	maxName        = 200
	maxDescription = 500
	maxURL         = 2083
	maxHeaders     = 64
	maxHeaderBytes = 16 << 10
	maxBody        = 256 << 10
	maxInterval    = 31536000 * time.Second
	maxTimeout     = 1800 * time.Second
	maxRetries     = 50
	maxRetryDelay  = 86400 * time.Second
	maxStatuses    = 50
	// maxCatchupWindow is a year: a yearly job can be made up for.
	maxCatchupWindow = 31536000 * time.Second
	// sealOverhead is how much longer a sealed header value is than a plain one.
	sealOverhead     = 29
	maxCronBytes     = 256
	maxTimezoneBytes = 64
	maxMaxRuns       = 1_000_000_000
	maxJitter        = 86400 * time.Second
	maxPauseAfter    = 1000
)

// Validate returns every field of s that breaks a rule, in the order of the
// API's table. It does not read the cron expression and the zone's name: package
// cron does. Nor does it know the time: a schedule may be over.
func (s *Spec) Validate() []FieldError {
	v := &validation{}
	v.line("name", s.Name, 1, maxName)
	v.text("description", s.Description, 0, maxDescription)
	v.tags(s.Tags)
	v.externalID(s.ExternalID)
	v.schedule(s.Schedule)
	v.count("maxRuns", s.MaxRuns, maxMaxRuns)
	v.seconds("jitterSeconds", s.Jitter, 0, maxJitter)
	v.state(s)
	v.target("targetUrl", s.Target)
	v.attempts(s)
	v.oneOf("overlapPolicy", string(s.Overlap), string(OverlapSkip), string(OverlapAllow), string(OverlapCancelPrevious), string(OverlapBufferOne))
	v.oneOf("misfirePolicy", string(s.Misfire), string(MisfireFireOnce), string(MisfireFireAll), string(MisfireSkip))
	v.seconds("catchupWindowSeconds", s.CatchupWindow, 0, maxCatchupWindow)
	v.guarantee(s.Guarantee)
	v.count("pauseAfterConsecutiveFailures", s.PauseAfterFailures, maxPauseAfter)
	v.capture(s.Capture)
	return v.fields
}

func (v *validation) state(s *Spec) {
	v.oneOf("state", string(s.State), string(Active), string(Paused))
	v.text("pauseReason", s.PauseReason, 0, maxDescription)
}

// attempts checks what is said about each attempt, and about further ones.
func (v *validation) attempts(s *Spec) {
	v.seconds("timeoutSeconds", s.Timeout, time.Second, maxTimeout)
	v.statuses(s.SuccessStatuses)
	v.count("retries", s.Retries, maxRetries)
	v.seconds("retryDelaySeconds", s.RetryDelay, 0, maxRetryDelay)
	v.oneOf("retryBackoff", string(s.Backoff), string(BackoffFixed), string(BackoffExponential))
	v.seconds("retryMaxDelaySeconds", s.RetryMaxDelay, 0, maxRetryDelay)
}

func (v *validation) guarantee(g Guarantee) {
	v.oneOf("deliveryGuarantee", string(g), string(AtLeastOnce), string(AtMostOnce))
}

func (v *validation) capture(c Capture) {
	v.oneOf("captureResponse", string(c), string(CaptureNone), string(CaptureOnFailure), string(CaptureAlways))
}

// validation collects what is wrong.
type validation struct{ fields []FieldError }

func (v *validation) add(field, format string, args ...any) {
	v.fields = append(v.fields, FieldError{Field: field, Msg: fmt.Sprintf(format, args...)})
}

func (v *validation) text(field, s string, least, most int) {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		v.add(field, "must be valid UTF-8")
	case n < least:
		v.add(field, "is required")
	case n > most:
		v.add(field, "must have at most %d characters, has %d", most, n)
	case least > 0 && strings.TrimSpace(s) == "":
		v.add(field, "must not be blank")
	case strings.ContainsFunc(s, isControl):
		v.add(field, "must not contain control characters")
	}
}

// line is a text without a line break.
func (v *validation) line(field, s string, least, most int) {
	if strings.Contains(s, "\n") {
		v.add(field, "must be a single line")
		return
	}
	v.text(field, s, least, most)
}

// count is a number from 0 on.
func (v *validation) count(field string, n, most int) {
	if n < 0 || n > most {
		v.add(field, "must be from 0 to %d", most)
	}
}

func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }

func (v *validation) oneOf(field, s string, allowed ...string) {
	for _, a := range allowed {
		if s == a {
			return
		}
	}
	v.add(field, "must be one of %s", strings.Join(allowed, ", "))
}

func (v *validation) seconds(field string, d, least, most time.Duration) {
	if d < least || d > most || d%time.Second != 0 {
		v.add(field, "must be from %d to %d", least/time.Second, most/time.Second)
	}
}

func (v *validation) target(field string, t Target) {
	v.url(field, t.URL)
	v.oneOf("httpMethod", t.Method, "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
	v.headers(t.Headers)
	if t.Body == nil {
		return
	}
	switch {
	case t.Method == "GET" || t.Method == "HEAD":
		v.add("body", "is not allowed with %s", t.Method)
	case len(*t.Body) > maxBody:
		v.add("body", "must have at most %d bytes, has %d", maxBody, len(*t.Body))
	case !utf8.ValidString(*t.Body):
		v.add("body", "must be valid UTF-8")
	}
}

func (v *validation) url(field, s string) {
	if s == "" {
		v.add(field, "is required")
		return
	}
	if len(s) > maxURL {
		v.add(field, "must have at most %d characters, has %d", maxURL, len(s))
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		v.add(field, "is not a valid URL")
	case u.Scheme != "http" && u.Scheme != "https":
		v.add(field, "must begin with http:// or https://")
	case u.Hostname() == "":
		v.add(field, "must name a host")
	case u.User != nil:
		v.add(field, "must not contain a user name or password; use a header")
	case strings.Contains(s, "#"):
		v.add(field, "must not contain a fragment")
	case !validPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		v.add(field, "has an invalid port")
	}
}

func validPort(p string) bool {
	if p == "" {
		return true
	}
	n, err := strconv.Atoi(p)
	return err == nil && n >= 1 && n <= 65535
}

// ownHeaders are those that cronraft or HTTP itself sets.
var ownHeaders = map[string]bool{
	"host": true, "content-length": true, "connection": true, "transfer-encoding": true,
	"traceparent": true, "te": true, "trailer": true, "upgrade": true, "keep-alive": true, "proxy-connection": true,
}

func (v *validation) headers(headers []Header) {
	if len(headers) > maxHeaders {
		v.add("headers", "must have at most %d entries, has %d", maxHeaders, len(headers))
		return
	}
	size, seen := 0, map[string]bool{}
	for _, h := range headers {
		size += len(h.Name) + max(len(h.Value), len(h.Sealed)-sealOverhead)
		name := strings.ToLower(h.Name)
		field := "headers." + h.Name
		switch {
		case !isToken(h.Name):
			v.add("headers", "%q is not a valid header name", h.Name)
		case seen[name]:
			v.add(field, "is given twice")
		case ownHeaders[name] || strings.HasPrefix(name, "webhook-") || strings.HasPrefix(name, "x-cron-"):
			v.add(field, "is set by the service and cannot be chosen")
		case !isHeaderValue(h.Value):
			v.add(field, "must not contain control characters")
		}
		seen[name] = true
	}
	if size > maxHeaderBytes {
		v.add("headers", "must have at most %d bytes together, have %d", maxHeaderBytes, size)
	}
}

// isToken is RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

func isHeaderValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

func (v *validation) statuses(statuses []string) {
	if len(statuses) == 0 || len(statuses) > maxStatuses {
		v.add("successStatuses", "must have from 1 to %d entries", maxStatuses)
		return
	}
	for _, s := range statuses {
		if !isStatusPattern(s) {
			v.add("successStatuses", "%q is neither a status from 100 to 599 nor a class such as 2XX", s)
		}
	}
}

func isStatusPattern(s string) bool {
	return len(s) == 3 && s[0] >= '1' && s[0] <= '5' && (s[1:] == "XX" || isDigit(s[1]) && isDigit(s[2]))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// StatusMatches reports whether an HTTP status is one of the patterns, each a
// status ("204") or a class ("2XX").
func StatusMatches(patterns []string, status int) bool {
	s := strconv.Itoa(status)
	for _, p := range patterns {
		if p == s || len(s) == 3 && p == s[:1]+"XX" {
			return true
		}
	}
	return false
}
