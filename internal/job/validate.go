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
)

// Validate returns every field of s that breaks a rule, in the order of the
// API's table. It does not read the cron expression and the zone's name: package
// cron does.
func (s *Spec) Validate() []FieldError {
	v := &validation{}
	v.text("name", s.Name, 1, maxName)
	v.text("description", s.Description, 0, maxDescription)
	v.schedule(s.Schedule)
	v.oneOf("state", string(s.State), string(Active), string(Paused))
	v.text("pauseReason", s.PauseReason, 0, maxDescription)
	v.target(s.Target)
	v.seconds("timeoutSeconds", s.Timeout, time.Second, maxTimeout)
	v.statuses(s.SuccessStatuses)
	if s.Retries < 0 || s.Retries > maxRetries {
		v.add("retries", "must be from 0 to %d", maxRetries)
	}
	v.seconds("retryDelaySeconds", s.RetryDelay, 0, maxRetryDelay)
	v.oneOf("retryBackoff", string(s.Backoff), string(BackoffFixed), string(BackoffExponential))
	v.seconds("retryMaxDelaySeconds", s.RetryMaxDelay, 0, maxRetryDelay)
	v.oneOf("overlapPolicy", string(s.Overlap), string(OverlapSkip), string(OverlapAllow), string(OverlapCancelPrevious), string(OverlapBufferOne))
	v.oneOf("misfirePolicy", string(s.Misfire), string(MisfireFireOnce), string(MisfireFireAll), string(MisfireSkip))
	v.seconds("catchupWindowSeconds", s.CatchupWindow, 0, maxCatchupWindow)
	v.oneOf("deliveryGuarantee", string(s.Guarantee), string(AtLeastOnce), string(AtMostOnce))
	v.oneOf("captureResponse", string(s.Capture), string(CaptureNone), string(CaptureOnFailure), string(CaptureAlways))
	return v.fields
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
	case field == "name" && strings.Contains(s, "\n"):
		v.add(field, "must be a single line")
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

func (v *validation) schedule(s Schedule) {
	switch {
	case s.Cron == "" && s.Interval == 0:
		v.add("cronExpression", "exactly one of cronExpression and intervalSeconds is required")
	case s.Cron != "" && s.Interval != 0:
		v.add("intervalSeconds", "exactly one of cronExpression and intervalSeconds is allowed")
	case s.Interval != 0:
		v.seconds("intervalSeconds", s.Interval, time.Second, maxInterval)
	case len(s.Cron) > maxCronBytes:
		v.add("cronExpression", "must have at most %d bytes", maxCronBytes)
	}
	if len(s.Timezone) > maxTimezoneBytes {
		v.add("timezone", "must have at most %d bytes", maxTimezoneBytes)
	}
}

func (v *validation) target(t Target) {
	v.url("targetUrl", t.URL)
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
