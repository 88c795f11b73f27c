package httpserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// jobField is how one member of the JSON object gets into a spec.
type jobField struct {
	set func(d *specDecoder, name string, v any)
	// clear is what null does: the default again.
	clear func(s *job.Spec)
}

// jobFields has every member that a client may write.
var jobFields = map[string]jobField{
	"name":                 text(func(s *job.Spec) *string { return &s.Name }),
	"description":          text(func(s *job.Spec) *string { return &s.Description }),
	fieldCron:              {setCron, func(s *job.Spec) { s.Schedule.Cron = "" }},
	fieldInterval:          {setInterval, func(s *job.Spec) { s.Schedule.Interval = 0 }},
	fieldTimezone:          text(func(s *job.Spec) *string { return &s.Schedule.Timezone }),
	fieldState:             text(func(s *job.Spec) *job.State { return &s.State }),
	"pauseReason":          text(func(s *job.Spec) *string { return &s.PauseReason }),
	"targetUrl":            text(func(s *job.Spec) *string { return &s.Target.URL }),
	"httpMethod":           text(func(s *job.Spec) *string { return &s.Target.Method }),
	fieldHeaders:           {setHeaders, func(s *job.Spec) { s.Target.Headers = nil }},
	"body":                 {setBody, func(s *job.Spec) { s.Target.Body = nil }},
	"timeoutSeconds":       duration(func(s *job.Spec) *time.Duration { return &s.Timeout }),
	"successStatuses":      {setStatuses, func(s *job.Spec) { s.SuccessStatuses = job.DefaultSpec().SuccessStatuses }},
	"followRedirects":      boolean(func(s *job.Spec) *bool { return &s.FollowRedirects }),
	"signPayloads":         boolean(func(s *job.Spec) *bool { return &s.SignPayloads }),
	"captureResponse":      text(func(s *job.Spec) *job.Capture { return &s.Capture }),
	"retries":              integer(func(s *job.Spec) *int { return &s.Retries }),
	"retryDelaySeconds":    duration(func(s *job.Spec) *time.Duration { return &s.RetryDelay }),
	"retryBackoff":         text(func(s *job.Spec) *job.Backoff { return &s.Backoff }),
	"retryMaxDelaySeconds": duration(func(s *job.Spec) *time.Duration { return &s.RetryMaxDelay }),
	fieldOverlap:           text(func(s *job.Spec) *job.OverlapPolicy { return &s.Overlap }),
	"misfirePolicy":        text(func(s *job.Spec) *job.MisfirePolicy { return &s.Misfire }),
	"catchupWindowSeconds": duration(func(s *job.Spec) *time.Duration { return &s.CatchupWindow }),
	"deliveryGuarantee":    text(func(s *job.Spec) *job.Guarantee { return &s.Guarantee }),
}

// The fields that some rule here names.
const (
	fieldCron     = "cronExpression"
	fieldInterval = "intervalSeconds"
	fieldTimezone = "timezone"
	fieldState    = "state"
	fieldHeaders  = "headers"
	fieldOverlap  = "overlapPolicy"
)

// readOnlyFields are shown by a read and refused in a write.
var readOnlyFields = []string{
	"jobId", "version", "createdAt", "updatedAt", "nextRunAt", "lastRunAt", "lastResult",
	"consecutiveFailures", "runningCount", "counts",
}

// scheduleKinds are the fields of which a job has exactly one.
var scheduleKinds = []string{fieldCron, fieldInterval}

// text is a field of any type of string.
func text[T ~string](of func(*job.Spec) *T) jobField {
	return field(of, func(d *specDecoder, name string, v any) {
		if s, ok := v.(string); ok {
			*of(d.spec) = T(s)
			return
		}
		d.add(name, "must be a string, not %s", kind(v))
	})
}

func boolean(of func(*job.Spec) *bool) jobField {
	return field(of, func(d *specDecoder, name string, v any) {
		if b, ok := v.(bool); ok {
			*of(d.spec) = b
			return
		}
		d.add(name, "must be true or false, not %s", kind(v))
	})
}

func integer(of func(*job.Spec) *int) jobField {
	return field(of, func(d *specDecoder, name string, v any) {
		if n, ok := d.wholeNumber(name, v); ok {
			*of(d.spec) = int(n)
		}
	})
}

func duration(of func(*job.Spec) *time.Duration) jobField {
	return field(of, func(d *specDecoder, name string, v any) {
		if n, ok := d.wholeNumber(name, v); ok {
			*of(d.spec) = time.Duration(n) * time.Second
		}
	})
}

// field makes a jobField whose null is the default spec's value.
func field[T any](of func(*job.Spec) *T, set func(*specDecoder, string, any)) jobField {
	return jobField{set: set, clear: func(s *job.Spec) {
		fresh := job.DefaultSpec()
		*of(s) = *of(&fresh)
	}}
}

// beyond is farther out than any limit of a spec: greater numbers are taken for
// it, so that the rule that they break is told and nothing overflows.
const beyond = 1 << 31

func (d *specDecoder) wholeNumber(name string, v any) (int64, bool) {
	number, ok := v.(json.Number)
	if !ok {
		d.add(name, "must be a whole number, not %s", kind(v))
		return 0, false
	}
	n, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		d.add(name, "must be a whole number, written without point and exponent")
		return 0, false
	}
	return min(max(n, -beyond), beyond), true
}

// setCron refuses "": it would stand for no expression.
func setCron(d *specDecoder, name string, v any) {
	s, ok := v.(string)
	switch {
	case !ok:
		d.add(name, "must be a string, not %s", kind(v))
	case s == "":
		d.add(name, "must not be empty")
	default:
		d.spec.Schedule.Cron = s
	}
}

// setInterval refuses 0: it would stand for no interval.
func setInterval(d *specDecoder, name string, v any) {
	n, ok := d.wholeNumber(name, v)
	switch {
	case !ok:
	case n == 0:
		d.add(name, "must be at least 1")
	default:
		d.spec.Schedule.Interval = time.Duration(n) * time.Second
	}
}

func setBody(d *specDecoder, name string, v any) {
	s, ok := v.(string)
	if !ok {
		d.add(name, "must be a string, not %s; put JSON into a string", kind(v))
		return
	}
	d.spec.Target.Body = &s
}

// setStatuses takes statuses as numbers too: 204 is "204".
func setStatuses(d *specDecoder, name string, v any) {
	list, ok := v.(array)
	if !ok {
		d.add(name, "must be an array, not %s", kind(v))
		return
	}
	statuses := make([]string, 0, len(list))
	for i, item := range list {
		switch item := item.(type) {
		case string:
			statuses = append(statuses, clip(item))
		case json.Number:
			statuses = append(statuses, clip(item.String()))
		default:
			d.add(fmt.Sprintf("%s[%d]", name, i), "must be a string or a number, not %s", kind(item))
		}
	}
	d.spec.SuccessStatuses = statuses
	if len(statuses) < len(list) && len(statuses) == 0 {
		d.spec.SuccessStatuses = job.DefaultSpec().SuccessStatuses // told already
	}
}

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
	case value == api.Hidden && i < 0:
		d.add(at, "%s keeps a stored value, and there is none", api.Hidden)
	case value == api.Hidden:
	case i >= 0:
		headers[i] = job.Header{Name: m.name, Value: value}
	default:
		d.spec.Target.Headers = append(headers, job.Header{Name: m.name, Value: value})
	}
}
