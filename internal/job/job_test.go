package job_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cronraft/cronraft/internal/job"
)

func TestID_RoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := job.ID(rapid.Uint64().Draw(t, "id"))
		if got, ok := job.ParseID(id.String()); !ok || got != id {
			t.Fatalf("ParseID(%q) = %v, %v", id, got, ok)
		}
		x := job.ExecutionID{Job: id, Order: rapid.Uint64().Draw(t, "order")}
		if got, ok := job.ParseExecutionID(x.String()); !ok || got != x {
			t.Fatalf("ParseExecutionID(%q) = %v, %v", x, got, ok)
		}
	})
}

func TestParseID_Refuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "job_", "job_1", "job_00000000000000001", "job_000000000000000G", "job_00000000000000AB", "JOB_0000000000000001", "ex_0000000000000001"} {
		if id, ok := job.ParseID(s); ok {
			t.Errorf("ParseID(%q) = %v", s, id)
		}
	}
}

func TestExecutionID_Derivation(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 26, 16, 15, 0, 0, time.UTC)
	slot := job.SlotExecution(7, at)
	if slot != job.SlotExecution(7, at.In(time.FixedZone("x", 3600))) {
		t.Error("the same slot has two IDs")
	}
	if manual := job.ManualExecution(7, at, 0); manual == slot {
		t.Error("a manual run has a slot's ID")
	}
	if later := job.SlotExecution(7, at.Add(time.Millisecond)); later.Order <= job.ManualExecution(7, at, 65535).Order {
		t.Error("executions do not sort by time")
	}
}

func TestError_Is(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("over the wire: %w", job.Errorf(job.CodeNoLeader, "other words"))
	if !errors.Is(err, job.ErrNotLeader) || errors.Is(err, job.ErrOutcomeUnknown) {
		t.Error("errors do not compare by code")
	}
	if got := job.CodeOf(errors.New("disk on fire")); got != job.CodeInternal {
		t.Errorf("CodeOf a stranger = %s", got)
	}
	if job.Invalid(nil) != nil {
		t.Error("no invalid field is an error")
	}
}

func TestHeader_NeverShowsItsValue(t *testing.T) {
	t.Parallel()
	h := job.Header{Name: "Authorization", Value: "Bearer s3cret", Sealed: []byte("sealed")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, h); strings.Contains(got, "s3cret") {
			t.Errorf("%s shows %s", verb, got)
		}
	}
}

func valid() job.Spec {
	s := job.DefaultSpec()
	s.Name = "n"
	s.Schedule.Interval = time.Minute
	s.Target.URL = "https://example.com/hook"
	return s
}

func TestSpec_Validate(t *testing.T) {
	t.Parallel()
	if fields := valid(); len(fields.Validate()) != 0 {
		t.Fatalf("the valid spec is refused: %v", fields.Validate())
	}
	body, long := "x", strings.Repeat("x", 300<<10)
	tests := []struct {
		field  string
		change func(*job.Spec)
	}{
		{"name", func(s *job.Spec) { s.Name = "" }},
		{"name", func(s *job.Spec) { s.Name = "  " }},
		{"name", func(s *job.Spec) { s.Name = strings.Repeat("é", 201) }},
		{"name", func(s *job.Spec) { s.Name = "a\x00b" }},
		{"name", func(s *job.Spec) { s.Name = "a\nb" }},
		{"description", func(s *job.Spec) { s.Description = strings.Repeat("x", 501) }},
		{"cronExpression", func(s *job.Spec) { s.Schedule.Interval = 0 }},
		{"intervalSeconds", func(s *job.Spec) { s.Schedule.Cron = "* * * * *" }},
		{"intervalSeconds", func(s *job.Spec) { s.Schedule.Interval = 1500 * time.Millisecond }},
		{"intervalSeconds", func(s *job.Spec) { s.Schedule.Interval = 31536001 * time.Second }},
		{"runAt", func(s *job.Spec) { s.Schedule.RunAt = time.UnixMilli(1) }},
		{"runAt", func(s *job.Spec) { s.Schedule = job.Schedule{RunAt: job.MaxTime.Add(1)} }},
		{"runAt", func(s *job.Spec) { s.Schedule = job.Schedule{RunAt: job.MinTime.Add(-1)} }},
		{"startAt", func(s *job.Spec) { s.Schedule = job.Schedule{RunAt: job.MaxTime, StartAt: job.MinTime} }},
		{"endAt", func(s *job.Spec) { s.Schedule = job.Schedule{RunAt: job.MinTime, EndAt: job.MaxTime} }},
		{"startAt", func(s *job.Spec) { s.Schedule.StartAt = job.MaxTime.Add(1) }},
		{"endAt", func(s *job.Spec) { s.Schedule.StartAt, s.Schedule.EndAt = time.UnixMilli(2), time.UnixMilli(1) }},
		{"tags", func(s *job.Spec) { s.Tags = manyTags(33) }},
		{"tags", func(s *job.Spec) { s.Tags = []job.Tag{{Key: "b"}, {Key: "a"}} }},
		{"tags", func(s *job.Spec) { s.Tags = []job.Tag{{Key: " "}} }},
		{"tags", func(s *job.Spec) { s.Tags = []job.Tag{{Key: "a:b"}} }},
		{"tags", func(s *job.Spec) { s.Tags = []job.Tag{{Key: "a\nb"}} }},
		{"tags", func(s *job.Spec) { s.Tags = []job.Tag{{Key: "\xff"}} }},
		{"tags", func(s *job.Spec) { s.Tags = []job.Tag{{Key: strings.Repeat("é", 64)}} }},
		{"tags", func(s *job.Spec) { s.Tags = []job.Tag{{Key: "a"}, {Key: "a"}} }},
		{"tags.a", func(s *job.Spec) { s.Tags = []job.Tag{{"a", strings.Repeat("é", 257)}} }},
		{"tags.a", func(s *job.Spec) { s.Tags = []job.Tag{{"a", "b\nc"}} }},
		{"externalId", func(s *job.Spec) { s.ExternalID = strings.Repeat("x", 256) }},
		{"externalId", func(s *job.Spec) { s.ExternalID = "a\nb" }},
		{"externalId", func(s *job.Spec) { s.ExternalID = "é" }},
		{"externalId", func(s *job.Spec) { s.ExternalID = "a " }},
		{"externalId", func(s *job.Spec) { s.ExternalID = ".." }},
		{"maxRuns", func(s *job.Spec) { s.MaxRuns = -1 }},
		{"maxRuns", func(s *job.Spec) { s.MaxRuns = 1_000_000_001 }},
		{"jitterSeconds", func(s *job.Spec) { s.Jitter = -time.Second }},
		{"jitterSeconds", func(s *job.Spec) { s.Jitter = 86401 * time.Second }},
		{"pauseAfterConsecutiveFailures", func(s *job.Spec) { s.PauseAfterFailures = -1 }},
		{"pauseAfterConsecutiveFailures", func(s *job.Spec) { s.PauseAfterFailures = 1001 }},
		{"state", func(s *job.Spec) { s.State = job.Completed }},
		{"targetUrl", func(s *job.Spec) { s.Target.URL = "" }},
		{"targetUrl", func(s *job.Spec) { s.Target.URL = "https://" + strings.Repeat("x", 2083) }},
		{"targetUrl", func(s *job.Spec) { s.Target.URL = "gopher://x/" }},
		{"targetUrl", func(s *job.Spec) { s.Target.URL = "http://user@x/" }},
		{"targetUrl", func(s *job.Spec) { s.Target.URL = "http://x/#" }},
		{"targetUrl", func(s *job.Spec) { s.Target.URL = "http://x:0/" }},
		{"targetUrl", func(s *job.Spec) { s.Target.URL = "http://x:65536/" }},
		{"targetUrl", func(s *job.Spec) { s.Target.URL = "http://x/a b" }},
		{"httpMethod", func(s *job.Spec) { s.Target.Method = "CONNECT" }},
		{"headers.host", func(s *job.Spec) { s.Target.Headers = []job.Header{{Name: "host", Value: "x"}} }},
		{"headers.Webhook-Id", func(s *job.Spec) { s.Target.Headers = []job.Header{{Name: "Webhook-Id", Value: "x"}} }},
		{"headers.x-a", func(s *job.Spec) { s.Target.Headers = []job.Header{{Name: "X-A"}, {Name: "x-a"}} }},
		{"headers.A", func(s *job.Spec) { s.Target.Headers = []job.Header{{Name: "A", Value: "a\nb"}} }},
		{"headers", func(s *job.Spec) { s.Target.Headers = []job.Header{{Name: "A", Value: long}} }},
		{"headers", func(s *job.Spec) { s.Target.Headers = make([]job.Header, 65) }},
		{"body", func(s *job.Spec) { s.Target.Method, s.Target.Body = "HEAD", &body }},
		{"body", func(s *job.Spec) { s.Target.Body = &long }},
		{"timeoutSeconds", func(s *job.Spec) { s.Timeout = 0 }},
		{"timeoutSeconds", func(s *job.Spec) { s.Timeout = 1801 * time.Second }},
		{"successStatuses", func(s *job.Spec) { s.SuccessStatuses = nil }},
		{"successStatuses", func(s *job.Spec) { s.SuccessStatuses = []string{"600"} }},
		{"successStatuses", func(s *job.Spec) { s.SuccessStatuses = []string{"2xx"} }},
		{"retries", func(s *job.Spec) { s.Retries = -1 }},
		{"retryDelaySeconds", func(s *job.Spec) { s.RetryDelay = 86401 * time.Second }},
		{"retryBackoff", func(s *job.Spec) { s.Backoff = "" }},
		{"retryMaxDelaySeconds", func(s *job.Spec) { s.RetryMaxDelay = -time.Second }},
		{"overlapPolicy", func(s *job.Spec) { s.Overlap = "NEVER" }},
		{"captureResponse", func(s *job.Spec) { s.Capture = "SOME" }},
	}
	for _, tt := range tests {
		s := valid()
		tt.change(&s)
		fields := s.Validate()
		if !slices.ContainsFunc(fields, func(f job.FieldError) bool { return f.Field == tt.field && f.Msg != "" }) {
			t.Errorf("no error for %s: %v", tt.field, fields)
		}
	}
}

func manyTags(n int) []job.Tag {
	tags := make([]job.Tag, n)
	for i := range tags {
		tags[i].Key = fmt.Sprintf("k%02d", i)
	}
	return tags
}

func TestSpec_ValidateAccepts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*job.Spec){
		"tags":          func(s *job.Spec) { s.Tags = manyTags(32) },
		"long tag":      func(s *job.Spec) { s.Tags = []job.Tag{{strings.Repeat("é", 63), strings.Repeat("é", 256)}} },
		"external ID":   func(s *job.Spec) { s.ExternalID = "a/b c~" + strings.Repeat("x", 249) },
		"run at":        func(s *job.Spec) { s.Schedule = job.Schedule{RunAt: job.MaxTime} },
		"one slot":      func(s *job.Spec) { s.Schedule.StartAt, s.Schedule.EndAt = job.MinTime, job.MinTime },
		"largest limit": func(s *job.Spec) { s.MaxRuns, s.PauseAfterFailures, s.Jitter = 1_000_000_000, 1000, 24*time.Hour },
	} {
		s := valid()
		change(&s)
		if fields := s.Validate(); len(fields) != 0 {
			t.Errorf("%s: %v", name, fields)
		}
	}
}

func TestSpec_ValidateListsEverything(t *testing.T) {
	t.Parallel()
	fields := (&job.Spec{}).Validate()
	if len(fields) < 8 {
		t.Errorf("only %d fields of an empty spec are invalid: %v", len(fields), fields)
	}
}

func TestStatusMatches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		patterns []string
		status   int
		want     bool
	}{
		{[]string{"2XX"}, 204, true},
		{[]string{"2XX"}, 304, false},
		{[]string{"204", "404"}, 404, true},
		{[]string{"204"}, 200, false},
		{nil, 200, false},
	}
	for _, tt := range tests {
		if got := job.StatusMatches(tt.patterns, tt.status); got != tt.want {
			t.Errorf("StatusMatches(%v, %d) = %v", tt.patterns, tt.status, got)
		}
	}
}
