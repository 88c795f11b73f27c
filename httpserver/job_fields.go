package httpserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

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
	fieldTags:              {setTags, func(s *job.Spec) { s.Tags = nil }},
	fieldExternalID:        given(text(func(s *job.Spec) *string { return &s.ExternalID })),
	fieldCron:              given(text(func(s *job.Spec) *string { return &s.Schedule.Cron })),
	fieldInterval:          positive(duration(func(s *job.Spec) *time.Duration { return &s.Schedule.Interval })),
	fieldRunAt:             instantField(func(s *job.Spec) *time.Time { return &s.Schedule.RunAt }),
	fieldTimezone:          text(func(s *job.Spec) *string { return &s.Schedule.Timezone }),
	fieldStartAt:           instantField(func(s *job.Spec) *time.Time { return &s.Schedule.StartAt }),
	fieldEndAt:             instantField(func(s *job.Spec) *time.Time { return &s.Schedule.EndAt }),
	"maxRuns":              positive(integer(func(s *job.Spec) *int { return &s.MaxRuns })),
	"jitterSeconds":        duration(func(s *job.Spec) *time.Duration { return &s.Jitter }),
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

	"pauseAfterConsecutiveFailures": integer(func(s *job.Spec) *int { return &s.PauseAfterFailures }),
}

// The fields that some rule here names.
const (
	fieldTags       = "tags"
	fieldExternalID = "externalId"
	fieldCron       = "cronExpression"
	fieldInterval   = "intervalSeconds"
	fieldRunAt      = "runAt"
	fieldTimezone   = "timezone"
	fieldStartAt    = "startAt"
	fieldEndAt      = "endAt"
	fieldState      = "state"
	fieldHeaders    = "headers"
	fieldOverlap    = "overlapPolicy"
)

// readOnlyFields are shown by a read and refused in a write.
var readOnlyFields = []string{
	"jobId", "namespace", "version", "createdAt", "updatedAt", "nextRunAt", "lastRunAt", "lastResult",
	"consecutiveFailures", "runningCount", "counts",
}

// scheduleKinds are the fields of which a job has exactly one, and scheduleFields all
// that make a schedule.
var (
	scheduleKinds  = []string{fieldCron, fieldInterval, fieldRunAt}
	scheduleFields = append(scheduleKinds[:len(scheduleKinds):len(scheduleKinds)], fieldTimezone, fieldStartAt, fieldEndAt)
)

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

// given is a text that stands for nothing if it is empty, which null says.
func given(f jobField) jobField {
	return f.refusing("must not be empty; null stands for none", func(v any) bool { return v == "" })
}

// positive is a number that stands for nothing if it is zero, which null says.
func positive(f jobField) jobField {
	return f.refusing("must be at least 1; null stands for none", func(v any) bool {
		number, ok := v.(json.Number)
		return ok && strings.Trim(number.String(), "-0") == ""
	})
}

// refusing is the field, but for some values.
func (f jobField) refusing(rule string, refuses func(any) bool) jobField {
	return jobField{clear: f.clear, set: func(d *specDecoder, name string, v any) {
		if refuses(v) {
			d.add(name, "%s", rule)
			return
		}
		f.set(d, name, v)
	}}
}

func instantField(of func(*job.Spec) *time.Time) jobField {
	return field(of, func(d *specDecoder, name string, v any) {
		s, ok := v.(string)
		if !ok {
			d.add(name, "must be a string, not %s", kind(v))
			return
		}
		t, rule := parseInstant(s)
		if rule != "" {
			d.add(name, "%s", rule)
			return
		}
		*of(d.spec) = t
	})
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
