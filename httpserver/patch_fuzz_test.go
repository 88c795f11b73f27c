package httpserver

import (
	"reflect"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// storedJob is what the fuzzed patches change.
func storedJob() job.Spec {
	spec := job.DefaultSpec()
	spec.Name, spec.Target.URL, spec.Schedule.Cron = "n", "http://t.test/", "@daily"
	spec.Tags = []job.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}
	spec.Target.Headers = []job.Header{{Name: "A", Sealed: []byte("a")}, {Name: "B", Sealed: []byte("b")}}
	return spec
}

// FuzzJobPatch changes a stored job: what is accepted breaks no rule, and changes
// nothing more when it comes again.
func FuzzJobPatch(f *testing.F) {
	for _, seed := range []string{
		tutorialJob, `{"state":"PAUSED","pauseReason":"x"}`, `{"headers":{"a":"***","B":null,"C":"c"},"tags":{"b":null,"c":"3"}}`,
		`{"runAt":"2030-01-01T00:00:00Z"}`, `{"intervalSeconds":5,"startAt":"2026-01-01T00:00:00Z","cronExpression":null}`,
		`{"name":null,"timezone":null,"retries":null}`, `{"state":"COMPLETED"}`, `{"headers":null,"tags":null,"body":"x","httpMethod":"GET"}`, `{}`, `[]`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, whole bool) {
		patch, err := decodeJobPatch(body, false)
		if err != nil {
			isRefusal(t, err)
			return
		}
		patch.whole = whole
		before := storedJob()
		once := before.Clone()
		if errs := patch.apply(&once, checkSchedule); len(errs) > 0 {
			isRefusal(t, asError(errs))
			return
		}
		if broken := once.Validate(); len(broken) > 0 {
			t.Fatalf("%s is accepted: %v", body, broken)
		}
		for _, h := range once.Target.Headers {
			if h.Value == "***" {
				t.Fatalf("the placeholder has become the value of %s", h.Name)
			}
		}
		if !reflect.DeepEqual(before, storedJob()) {
			t.Fatalf("the stored job has changed: %+v", before)
		}
		twice := once.Clone()
		if errs := patch.apply(&twice, checkSchedule); len(errs) > 0 || !reflect.DeepEqual(plainHeaders(once), plainHeaders(twice)) {
			t.Fatalf("once  %+v\ntwice %+v (%v)", once, twice, errs)
		}
	})
}

// plainHeaders makes no difference between no headers and none left.
func plainHeaders(s job.Spec) job.Spec {
	sortHeaders(s)
	if len(s.Target.Headers) == 0 {
		s.Target.Headers = nil
	}
	if len(s.Tags) == 0 {
		s.Tags = nil
	}
	return s
}

// FuzzWebhookDecode makes and changes a webhook.
func FuzzWebhookDecode(f *testing.F) {
	for _, seed := range []string{
		`{"url":"http://h.test/","events":["*"]}`, `{"url":"https://h.test/","events":["execution.failed","job.completed"],"tag":"a:b:c","description":"d","headers":{"A":"b"},"state":"PAUSED"}`,
		`{"url":null,"events":null,"tag":null}`, `{"events":[1,"*",null],"tag":":","headers":{"A":"***"}}`, `{"url":"http://h.test/","events":["cluster.node_lost"]}`, `{}`, `""`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, creating bool) {
		patch, err := decodeWebhook(body)
		if err != nil {
			isRefusal(t, err)
			return
		}
		patch.creating, patch.whole = creating, creating
		spec, hook := job.DefaultSpec(), job.Hook{}
		spec.Overlap = job.OverlapAllow
		if !creating {
			spec.Target.URL, hook.Events = "http://h.test/", []job.EventType{job.EventJobCompleted}
		}
		if errs := patch.apply(&spec, &hook); len(errs) > 0 {
			isRefusal(t, asError(errs))
			return
		}
		if broken := append(hook.Validate(), spec.ValidateHook()...); len(broken) > 0 {
			t.Fatalf("%s is accepted: %v", body, broken)
		}
		twice, hookTwice := spec.Clone(), hook
		if errs := patch.apply(&twice, &hookTwice); len(errs) > 0 || !reflect.DeepEqual(plainHeaders(spec), plainHeaders(twice)) || !reflect.DeepEqual(hook, hookTwice) {
			t.Fatalf("once  %+v %+v\ntwice %+v %+v (%v)", spec, hook, twice, hookTwice, errs)
		}
		shown := encodeWebhook(job.Job{Spec: spec, Hook: &hook})
		if len(shown.Events) != len(hook.Events) || shown.URL != spec.Target.URL {
			t.Fatalf("%+v is shown as %+v", hook, shown)
		}
	})
}
