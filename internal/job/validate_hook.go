package job

import (
	"fmt"
	"slices"
)

// Validate returns every field of the subscription that breaks a rule.
func (h *Hook) Validate() []FieldError {
	v := &validation{}
	if len(h.Events) == 0 {
		v.add("events", "must name at least one event")
	}
	for i, e := range h.Events {
		field := fmt.Sprintf("events[%d]", i)
		switch {
		case !slices.Contains(WebhookEvents, e):
			v.add(field, "%.64q is not an event that a webhook can have", string(e))
		case e.IsOfCluster() && !h.Cluster:
			v.add(field, "%s is for webhooks of the root key only", e)
		case slices.Contains(h.Events[:i], e):
			v.add(field, "%s is given twice", e)
		}
	}
	if h.Tag != nil {
		v.tag("tag", "tag", *h.Tag)
	}
	return v.fields
}

// ValidateHook returns every field of the spec of a webhook that breaks a rule: it
// has a target and all that is said about attempts, and is due when an event comes,
// not by a schedule. Its fields are named as in the API's JSON of a webhook.
func (s *Spec) ValidateHook() []FieldError {
	v := &validation{}
	v.line("name", s.Name, 0, maxName)
	v.text("description", s.Description, 0, maxDescription)
	v.tags(s.Tags)
	v.state(s)
	v.target("url", s.Target)
	v.attempts(s)
	v.unscheduled(s)
	v.oneOf("overlapPolicy", string(s.Overlap), string(OverlapAllow))
	v.guarantee(s.Guarantee)
	v.capture(s.Capture)
	return v.fields
}

// unscheduled refuses what only a job with a schedule can have, and what an event
// decides.
func (v *validation) unscheduled(s *Spec) {
	refuse := func(field string, given bool) {
		if given {
			v.add(field, "is not for webhooks")
		}
	}
	refuse("externalId", s.ExternalID != "")
	refuse("cronExpression", s.Schedule.Cron != "")
	refuse("intervalSeconds", s.Schedule.Interval != 0)
	refuse("runAt", !s.Schedule.RunAt.IsZero())
	refuse("startAt", !s.Schedule.StartAt.IsZero())
	refuse("endAt", !s.Schedule.EndAt.IsZero())
	refuse("maxRuns", s.MaxRuns != 0)
	refuse("jitterSeconds", s.Jitter != 0)
	refuse("pauseAfterConsecutiveFailures", s.PauseAfterFailures != 0)
	refuse("body", s.Target.Body != nil)
}
