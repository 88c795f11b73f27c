package job_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// fieldsOf are the names of invalid fields.
func fieldsOf(errs []job.FieldError) []string {
	var fields []string
	for _, e := range errs {
		fields = append(fields, e.Field)
	}
	return fields
}

func TestHook_Validate(t *testing.T) {
	t.Parallel()
	f := func(h job.Hook, want ...string) {
		t.Helper()
		if got := fieldsOf(h.Validate()); !slices.Equal(got, want) {
			t.Errorf("%+v: invalid are %v, want %v", h, got, want)
		}
	}
	f(job.Hook{Events: job.WebhookEvents, Cluster: true})
	f(job.Hook{Events: []job.EventType{job.EventExecutionFailed}, Tag: &job.Tag{Key: "team", Value: "a:b"}})
	f(job.Hook{}, "events")
	f(job.Hook{Events: []job.EventType{job.EventNodeLost}}, "events[0]")
	f(job.Hook{Events: []job.EventType{job.EventJobCompleted, job.EventJobCreated, job.EventJobCompleted, "nonsense"}},
		"events[1]", "events[2]", "events[3]")
	f(job.Hook{Events: []job.EventType{job.EventJobCompleted}, Tag: &job.Tag{Key: "a:b"}}, "tag")
	f(job.Hook{Events: []job.EventType{job.EventJobCompleted}, Tag: &job.Tag{Key: "a", Value: "b\n"}}, "tag")
}

func TestSpec_ValidateHook(t *testing.T) {
	t.Parallel()
	hook := func(change func(*job.Spec)) job.Spec {
		s := job.DefaultSpec()
		s.Target.URL = "https://example.com/hook"
		s.Overlap, s.Retries, s.Backoff = job.OverlapAllow, 12, job.BackoffExponential
		change(&s)
		return s
	}
	body := "x"
	for want, change := range map[string]func(*job.Spec){
		"":                              func(*job.Spec) {},
		"url":                           func(s *job.Spec) { s.Target.URL = "gopher://x/" },
		"name":                          func(s *job.Spec) { s.Name = "a\nb" },
		"state":                         func(s *job.Spec) { s.State = job.Completed },
		"headers.host":                  func(s *job.Spec) { s.Target.Headers = []job.Header{{Name: "host", Value: "x"}} },
		"retries":                       func(s *job.Spec) { s.Retries = 51 },
		"captureResponse":               func(s *job.Spec) { s.Capture = "SOME" },
		"deliveryGuarantee":             func(s *job.Spec) { s.Guarantee = "" },
		"overlapPolicy":                 func(s *job.Spec) { s.Overlap = job.OverlapSkip },
		"body":                          func(s *job.Spec) { s.Target.Body = &body },
		"externalId":                    func(s *job.Spec) { s.ExternalID = "x" },
		"cronExpression":                func(s *job.Spec) { s.Schedule.Cron = "* * * * *" },
		"intervalSeconds":               func(s *job.Spec) { s.Schedule.Interval = time.Minute },
		"runAt":                         func(s *job.Spec) { s.Schedule.RunAt = job.MaxTime },
		"startAt":                       func(s *job.Spec) { s.Schedule.StartAt = job.MaxTime },
		"endAt":                         func(s *job.Spec) { s.Schedule.EndAt = job.MaxTime },
		"maxRuns":                       func(s *job.Spec) { s.MaxRuns = 1 },
		"jitterSeconds":                 func(s *job.Spec) { s.Jitter = time.Second },
		"pauseAfterConsecutiveFailures": func(s *job.Spec) { s.PauseAfterFailures = 1 },
	} {
		s := hook(change)
		got := fieldsOf(s.ValidateHook())
		if want == "" && len(got) > 0 || want != "" && !slices.Equal(got, []string{want}) {
			t.Errorf("invalid are %v, want %q", got, want)
		}
	}
}
