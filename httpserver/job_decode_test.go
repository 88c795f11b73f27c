package httpserver

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// decodeSpec is what POST /jobs makes of a body.
func decodeSpec(body []byte) (job.Spec, []job.FieldError, error) {
	spec := job.DefaultSpec()
	patch, err := decodeJobPatch(body, true)
	if err != nil {
		return job.Spec{}, nil, err
	}
	errs := patch.apply(&spec, checkSchedule)
	return spec, errs, nil
}

// encodeSpec writes the public form of a spec as a client would send it: without
// what is read only, and with the values of the headers.
func encodeSpec(t *testing.T, spec job.Spec) []byte {
	t.Helper()
	public := encodeJob(job.Job{Spec: spec})
	for _, h := range spec.Target.Headers {
		public.Headers[h.Name] = h.Value
	}
	text, err := encodeJSON(public)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool { return slices.Contains(readOnlyFields, name) })
	text, err = encodeJSON(members)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func FuzzJobDecode(f *testing.F) {
	for _, seed := range []string{
		tutorialJob,
		`{"name":"n","intervalSeconds":60,"targetUrl":"http://t.test/","headers":{"A":"b","C":"d"},"successStatuses":[204,"3XX"],"state":"PAUSED","pauseReason":"x"}`,
		`{"name":"\ud83d\ude00","cronExpression":"@daily","timezone":"Europe/Berlin","targetUrl":"https://t.test:8443/?q=1","httpMethod":"PUT","body":"\u0000","retryBackoff":"EXPONENTIAL","retries":50,"retryDelaySeconds":0,"signPayloads":true,"followRedirects":true,"captureResponse":"ALWAYS"}`,
		`{"name":"n","intervalSeconds":1,"targetUrl":"http://t.test/","overlapPolicy":"BUFFER_ONE","misfirePolicy":"FIRE_ALL","catchupWindowSeconds":31536000,"deliveryGuarantee":"AT_MOST_ONCE"}`,
		`{"name":"n","intervalSeconds":1,"targetUrl":"http://t.test/","misfirePolicy":"SKIP","catchupWindowSeconds":0,"deliveryGuarantee":null}`,
		`{"misfirePolicy":1,"catchupWindowSeconds":-1,"deliveryGuarantee":"EXACTLY_ONCE"}`,
		`{"name":"n","intervalSeconds":1,"targetUrl":"http://t.test/","tags":{"b":"2","a":"1"},"externalId":"x/1","startAt":"2026-03-26T17:15:00.250+01:00","endAt":"9999-12-31T23:59:59.999Z","maxRuns":5,"jitterSeconds":86400,"pauseAfterConsecutiveFailures":3}`,
		`{"name":"n","runAt":"1970-01-01T00:00:00Z","targetUrl":"http://t.test/","tags":{}}`,
		`{"tags":{"a:b":"c","":"","x":null,"y":1},"externalId":"","runAt":"2026-02-30T00:00:00Z","startAt":5,"maxRuns":-0}`,
		`{"name":null,"retries":"x","a":{"b":[{"c":1,"c":2}]}}`,
		`{"intervalSeconds":99999999999999999999,"timeoutSeconds":-0}`,
		`[[[[{"a":1}]]]]`, `"\ud800"`, "\xff", "", "{", `{"headers":{"A":null,"a":"***"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		spec, errs, err := decodeSpec(body)
		if err != nil {
			if code := job.CodeOf(err); code != job.CodeMalformedJSON {
				t.Fatalf("%s: %v", code, err)
			}
			return
		}
		if len(errs) > maxFieldErrors {
			t.Fatalf("%d errors", len(errs))
		}
		if len(errs) > 0 {
			return
		}
		again, errs, err := decodeSpec(encodeSpec(t, spec))
		if err != nil || len(errs) > 0 {
			t.Fatalf("its own form is refused: %v %v", err, errs)
		}
		sortHeaders(spec)
		sortHeaders(again)
		if !reflect.DeepEqual(spec, again) {
			t.Fatalf("decoded %+v\nagain   %+v", spec, again)
		}
	})
}

func sortHeaders(s job.Spec) {
	slices.SortFunc(s.Target.Headers, func(a, b job.Header) int { return strings.Compare(a.Name, b.Name) })
	if len(s.Target.Headers) == 0 {
		s.Target.Headers = nil
	}
}

func TestApply_Twice(t *testing.T) {
	t.Parallel()
	patch, err := decodeJobPatch([]byte(`{"headers":{"A":null,"B":"***","C":"c"},"intervalSeconds":5,"colour":1}`), false)
	if err != nil {
		t.Fatal(err)
	}
	stored := job.DefaultSpec()
	stored.Name, stored.Schedule.Cron, stored.Target.URL = "n", "@daily", "http://t.test/"
	stored.Target.Headers = []job.Header{{Name: "A", Sealed: []byte("a")}, {Name: "B", Sealed: []byte("b")}}
	first, second := stored.Clone(), stored.Clone()
	errs1 := patch.apply(&first, checkSchedule)
	errs2 := patch.apply(&second, checkSchedule)
	if !reflect.DeepEqual(first, second) || !slices.Equal(errs1, errs2) {
		t.Errorf("first %+v %v, second %+v %v", first, errs1, second, errs2)
	}
	want := []job.Header{{Name: "B", Sealed: []byte("b")}, {Name: "C", Value: "c"}}
	if !reflect.DeepEqual(first.Target.Headers, want) || first.Schedule.Cron != "" {
		t.Errorf("got %#v", first)
	}
}

// TestFields_Complete compares the fields that can be written with those that are
// shown.
func TestFields_Complete(t *testing.T) {
	t.Parallel()
	text, err := encodeJSON(encodeJob(job.Job{}))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]any{}
	if err := json.Unmarshal(text, &shown); err != nil {
		t.Fatal(err)
	}
	known := slices.Concat(slices.Collect(maps.Keys(jobFields)), readOnlyFields)
	slices.Sort(known)
	if want := slices.Sorted(maps.Keys(shown)); !slices.Equal(known, want) {
		t.Errorf("known %q\nshown %q", known, want)
	}
}

func TestSurrogates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`"\ud83d\ude00"`: false, `"\\ud83d"`: false, `"\n\u00e9\\"`: false, `"\uD83D\uDE00\ud83d\ude00"`: false, `"x"`: false,
		`"\ud83d"`: true, `"\ude00\ud83d"`: true, `"\ud83d\\ude00"`: true, `"\ud83dx"`: true, `"\\\ud83d"`: true, `"\ud83d\n"`: true,
	} {
		if got := hasLoneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
