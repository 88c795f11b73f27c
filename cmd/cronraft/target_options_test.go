package main

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"
)

// TestTarget_JobOptions has a test for each field of a job, named for it: what it
// makes the target get, and what nodes that the job was not created on say.
func TestTarget_JobOptions(t *testing.T) {
	t.Parallel()
	s := newStage(t, calm...)
	s.since = s.lastEvent(t)
	scenes := slices.Concat(scheduleScenes(), overlapScenes(), stateScenes(), requestScenes(), attemptScenes())
	s.act(t, scenes, minuteScenes()...)
	t.Run("every_request_is_on_record", func(t *testing.T) { checkAllOnRecord(t, s) })
	t.Run("every_field_is_there", func(t *testing.T) { checkJobFields(t, s) })
}

// checkAllOnRecord stops the jobs and compares the target's log with the history:
// each attempt was requested once, and each request is an attempt. Redirects repeat
// requests.
func checkAllOnRecord(t *testing.T, s *stage) {
	p := &play{stage: s, field: "all"}
	var list fields
	p.ask(t, "GET", "/jobs?limit=500", "", http.StatusOK, &list)
	recorded := map[string]bool{}
	for _, j := range list.list("jobs") {
		p.id = j.text("jobId")
		if j.text("state") == "ACTIVE" {
			p.pause(t)
		}
		p.until(t, "the end of "+j.text("name"), func() bool { return p.job(t).number("runningCount") == 0 })
		for _, x := range p.records(t) {
			for _, a := range p.detail(t, x.text("executionId")).list("attempts") {
				if a["startedAt"] != nil {
					recorded[x.text("executionId")+" "+strconv.Itoa(a.number("attempt"))+" /"+j.text("name")] = true
				}
			}
		}
	}
	requested := map[string]bool{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, arrivals := range s.arrivals {
		for _, a := range arrivals {
			requested[a.execution()+" "+a.attempt()+" /"+name] = true
		}
	}
	for a := range requested {
		if !recorded[a] {
			t.Errorf("requested, and not on record: %s", a)
		}
	}
	for a := range recorded {
		if !requested[a] {
			t.Errorf("on record, and not requested: %s", a)
		}
	}
}

// checkJobFields wants a job to have every field of the contract, those without a
// value as null, and the documented default in the ones that have one.
func checkJobFields(t *testing.T, s *stage) {
	p := s.begin(t, 0, scene{field: "defaults", schedule: `"intervalSeconds":31536000`})
	j := p.job(t)
	defaults := map[string]any{
		"description": nil, "externalId": nil, "cronExpression": nil, "runAt": nil, "timezone": "UTC", "startAt": nil, "endAt": nil, "maxRuns": nil,
		"jitterSeconds": 0.0, "state": "ACTIVE", "pauseReason": nil, "httpMethod": "POST", "body": nil, "timeoutSeconds": 30.0,
		"followRedirects": false, "retries": 0.0, "retryDelaySeconds": 10.0, "retryBackoff": "FIXED", "retryMaxDelaySeconds": 3600.0,
		"overlapPolicy": "SKIP", "misfirePolicy": "FIRE_ONCE", "catchupWindowSeconds": 21600.0, "deliveryGuarantee": "AT_LEAST_ONCE",
		"pauseAfterConsecutiveFailures": 0.0, "signPayloads": false, "captureResponse": "ON_FAILURE",
		"lastRunAt": nil, "lastResult": nil, "consecutiveFailures": 0.0, "runningCount": 0.0, "version": 1.0, "intervalSeconds": 31536000.0,
	}
	for name, want := range defaults {
		if got, given := j[name]; !given || got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"jobId", "name", "targetUrl", "tags", "headers", "successStatuses", "createdAt", "updatedAt", "nextRunAt", "counts"} {
		if j[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	statuses, _ := j["successStatuses"].([]any)
	same(t, "successStatuses", len(statuses) == 1 && statuses[0] == "2XX", true)
	for _, name := range []string{"success", "failed", "skipped", "missed", "cancelled"} {
		same(t, "counts."+name, j.object("counts").number(name), 0)
	}
	notBefore(t, "nextRunAt", j.at("nextRunAt"), j.at("createdAt").Truncate(time.Second))
}
