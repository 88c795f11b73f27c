package httpserver

import (
	"bytes"
	"reflect"
	"strings"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// definedField is a field of a job that its user writes. Its value is a string, an
// int64, a bool, a []string, a map[string]string or an api.Time; nil for none.
type definedField struct {
	name  string
	value func(s *job.Spec) any
	// required fields are there whatever their value is.
	required bool
}

// definition has all of them, in the order of the API's table.
var definition = []definedField{
	{name: "name", value: func(s *job.Spec) any { return s.Name }, required: true},
	{name: "description", value: func(s *job.Spec) any { return orNone(s.Description) }},
	{name: fieldTags, value: func(s *job.Spec) any { return encodeTags(s.Tags) }},
	{name: fieldExternalID, value: func(s *job.Spec) any { return orNone(s.ExternalID) }},
	{name: fieldCron, value: func(s *job.Spec) any { return orNone(s.Schedule.Cron) }},
	{name: fieldInterval, value: func(s *job.Spec) any { return orNone(seconds(s.Schedule.Interval)) }},
	{name: fieldRunAt, value: func(s *job.Spec) any { return givenTime(s.Schedule.RunAt) }},
	{name: fieldTimezone, value: func(s *job.Spec) any { return s.Schedule.Timezone }},
	{name: fieldStartAt, value: func(s *job.Spec) any { return givenTime(s.Schedule.StartAt) }},
	{name: fieldEndAt, value: func(s *job.Spec) any { return givenTime(s.Schedule.EndAt) }},
	{name: "maxRuns", value: func(s *job.Spec) any { return orNone(int64(s.MaxRuns)) }},
	{name: "jitterSeconds", value: func(s *job.Spec) any { return seconds(s.Jitter) }},
	{name: fieldState, value: definedState},
	{name: "pauseReason", value: func(s *job.Spec) any { return orNone(s.PauseReason) }},
	{name: fieldTargetURL, value: func(s *job.Spec) any { return s.Target.URL }, required: true},
	{name: "httpMethod", value: func(s *job.Spec) any { return s.Target.Method }},
	{name: fieldHeaders, value: func(s *job.Spec) any { return hiddenHeaders(s.Target.Headers) }},
	{name: "body", value: definedBody},
	{name: "timeoutSeconds", value: func(s *job.Spec) any { return seconds(s.Timeout) }},
	{name: "successStatuses", value: func(s *job.Spec) any { return s.SuccessStatuses }},
	{name: "followRedirects", value: func(s *job.Spec) any { return s.FollowRedirects }},
	{name: "retries", value: func(s *job.Spec) any { return int64(s.Retries) }},
	{name: "retryDelaySeconds", value: func(s *job.Spec) any { return seconds(s.RetryDelay) }},
	{name: "retryBackoff", value: func(s *job.Spec) any { return string(s.Backoff) }},
	{name: "retryMaxDelaySeconds", value: func(s *job.Spec) any { return seconds(s.RetryMaxDelay) }},
	{name: fieldOverlap, value: func(s *job.Spec) any { return string(s.Overlap) }},
	{name: "misfirePolicy", value: func(s *job.Spec) any { return string(s.Misfire) }},
	{name: "catchupWindowSeconds", value: func(s *job.Spec) any { return seconds(s.CatchupWindow) }},
	{name: "deliveryGuarantee", value: func(s *job.Spec) any { return string(s.Guarantee) }},
	{name: "pauseAfterConsecutiveFailures", value: func(s *job.Spec) any { return int64(s.PauseAfterFailures) }},
	{name: "signPayloads", value: func(s *job.Spec) any { return s.SignPayloads }},
	{name: "captureResponse", value: func(s *job.Spec) any { return string(s.Capture) }},
}

// orNone is nil for the zero value.
func orNone[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

func givenTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return api.Time{Time: t}
}

func definedBody(s *job.Spec) any {
	if s.Target.Body == nil {
		return nil
	}
	return *s.Target.Body
}

// definedState takes a job that is COMPLETED for an active one: its user did not
// choose that it is over.
func definedState(s *job.Spec) any {
	if s.State == job.Completed {
		return string(job.Active)
	}
	return string(s.State)
}

// definedValue is a field with its value.
type definedValue struct {
	name  string
	value any
}

// define lists what of a spec has to be said: the fields that differ from the
// default.
func define(s *job.Spec) []definedValue {
	var said []definedValue
	fresh := job.DefaultSpec()
	for _, f := range definition {
		v := f.value(s)
		if f.required || !reflect.DeepEqual(v, f.value(&fresh)) {
			said = append(said, definedValue{f.name, v})
		}
	}
	return said
}

// changedFields are the fields in which two specs differ. A header that is not sealed
// has a new value.
func changedFields(before, after *job.Spec) []string {
	var changed []string
	for _, f := range definition {
		same := reflect.DeepEqual(f.value(before), f.value(after))
		if f.name == fieldHeaders {
			same = sameHeaders(before.Target.Headers, after.Target.Headers)
		}
		if !same {
			changed = append(changed, f.name)
		}
	}
	return changed
}

func sameHeaders(before, after []job.Header) bool {
	if len(before) != len(after) {
		return false
	}
	for _, h := range after {
		was := findHeader(before, h.Name)
		if was == nil || h.Sealed == nil || !bytes.Equal(was.Sealed, h.Sealed) {
			return false
		}
	}
	return true
}

// findHeader is nil if there is none of the name.
func findHeader(headers []job.Header, name string) *job.Header {
	for i := range headers {
		if strings.EqualFold(headers[i].Name, name) {
			return &headers[i]
		}
	}
	return nil
}
