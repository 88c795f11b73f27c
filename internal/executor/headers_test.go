package executor

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestHeader(t *testing.T) {
	t.Parallel()
	body := `{"a":1}`
	a := assignment(1, quick)
	a.Attempt = 3
	a.Target.Body = &body
	a.Target.Headers = []job.Header{{Name: "x-api-key", Value: "secret"}, {Name: "Accept", Value: "text/plain"}}
	a.SigningKeys = []string{"key"}
	now := time.Unix(1795421148, 999)
	got := header(&a, "cronraft/1.2.3", now)

	id := "ex_" + strings.TrimPrefix(a.Execution.String(), "ex_")
	want := map[string]string{
		"User-Agent":          "cronraft/1.2.3",
		"Content-Type":        "application/json",
		"X-Api-Key":           "secret",
		"Accept":              "text/plain",
		"X-Cron-Job-Id":       "job_0000000000000007",
		"X-Cron-Execution-Id": id,
		"X-Cron-Scheduled-At": "2026-03-26T16:15:01Z",
		"X-Cron-Attempt":      "3",
		"X-Cron-Trigger":      "SCHEDULED",
		"traceparent":         traceparent(a.AttemptRef),
		"webhook-id":          id,
		"webhook-timestamp":   "1795421148",
		"webhook-signature":   signature("key", id, 1795421148, body),
	}
	if got, want := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(got, want) {
		t.Errorf("names = %q, want %q", got, want)
	}
	for name, value := range want {
		if got := got[name]; len(got) != 1 || got[0] != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
}

func TestHeader_ContentType(t *testing.T) {
	t.Parallel()
	own := []job.Header{{Name: "content-type", Value: "application/xml"}}
	tests := map[string]struct {
		body    *string
		headers []job.Header
		want    string
	}{
		"none":        {nil, nil, ""},
		"empty":       {new(""), nil, ""},
		"JSON":        {new(" [1, 2] "), nil, "application/json"},
		"JSON number": {new("1"), nil, "application/json"},
		"text":        {new("hello"), nil, "text/plain; charset=utf-8"},
		"broken JSON": {new(`{"a":1`), nil, "text/plain; charset=utf-8"},
		"own":         {new(`{"a":1}`), own, "application/xml"},
	}
	for name, tc := range tests {
		a := assignment(1, quick)
		a.Target.Body, a.Target.Headers = tc.body, tc.headers
		if got := header(&a, "x", testSlot).Get("Content-Type"); got != tc.want {
			t.Errorf("%s: Content-Type = %q, want %q", name, got, tc.want)
		}
	}
}

func TestHeader_UnsignedHasNoSignature(t *testing.T) {
	t.Parallel()
	a := assignment(1, quick)
	h := map[string][]string(header(&a, "x", testSlot))
	if got, signed := h[headerSignature]; signed {
		t.Errorf("webhook-signature = %q", got)
	}
	if h[headerWebhookID] == nil || h[headerTimestamp] == nil {
		t.Errorf("webhook-id or webhook-timestamp is missing in %v", h)
	}
}

func TestInstant(t *testing.T) {
	t.Parallel()
	tests := map[string]time.Time{
		"2026-03-26T16:15:00Z":     testSlot,
		"2026-03-26T16:15:00.500Z": testSlot.Add(500 * time.Millisecond).In(time.FixedZone("x", 3600)),
	}
	for want, at := range tests {
		if got := instant(at); got != want {
			t.Errorf("instant = %s, want %s", got, want)
		}
	}
}

func TestTraceparent(t *testing.T) {
	t.Parallel()
	part := func(n, attempt int) (trace, span string) {
		t.Helper()
		parts := strings.Split(traceparent(ref(n, attempt)), "-")
		if len(parts) != 4 || parts[0] != "00" || len(parts[1]) != 32 || len(parts[2]) != 16 || parts[3] != "01" {
			t.Fatalf("traceparent = %q", parts)
		}
		return parts[1], parts[2]
	}
	trace1, span1 := part(1, 1)
	trace2, span2 := part(1, 2)
	trace3, span3 := part(2, 1)
	if trace1 != trace2 || trace1 == trace3 {
		t.Errorf("trace IDs %s, %s, %s: want one for each execution", trace1, trace2, trace3)
	}
	if span1 == span2 || span1 == span3 {
		t.Errorf("span IDs %s, %s, %s: want one for each attempt", span1, span2, span3)
	}
}
