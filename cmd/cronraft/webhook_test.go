package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// TestWebhook subscribes a target to the failures of one team's jobs: it gets those,
// signed, and nothing of others, nor while the webhook is paused. The webhook tells how
// its deliveries fare.
func TestWebhook(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.answerWith("fails", status(http.StatusTeapot))
	p := &play{stage: s, field: "hook"}
	var hook fields
	p.ask(t, "POST", "/webhooks", `{"url":"`+s.target.URL+`/hook","events":["execution.failed"],"tag":"team:a","headers":{"X-Own":"s3cret"}}`, http.StatusCreated, &hook)
	path := "/webhooks/" + hook.text("webhookId")
	same(t, "lastDeliveryAt before the first", hook["lastDeliveryAt"], nil)

	ours, theirs := s.failing(t, `{"team":"a"}`), s.failing(t, `{"team":"b"}`)
	theirs.run(t)
	theirs.ended(t, 1)
	first := ours.run(t)
	told(t, p.wait(t, 1)[0], ours.id, first)
	p.until(t, "the delivery is on record", func() bool {
		p.ask(t, "GET", path, "", http.StatusOK, &hook)
		return hook.text("lastResult") == "SUCCESS"
	})
	same(t, "counts.success", hook.object("counts").number("success"), 1)
	same(t, "consecutiveFailures", hook.number("consecutiveFailures"), 0)
	notBefore(t, "lastDeliveryAt", hook.at("lastDeliveryAt"), hook.at("createdAt"))

	p.ask(t, "PATCH", path, `{"state":"PAUSED"}`, http.StatusOK, nil)
	ours.run(t)
	ours.ended(t, 2)
	p.ask(t, "PATCH", path, `{"state":"ACTIVE"}`, http.StatusOK, nil)
	last := ours.run(t)
	told(t, p.wait(t, 2)[1], ours.id, last)

	var list fields
	p.ask(t, "GET", path+"/deliveries", "", http.StatusOK, &list)
	same(t, "deliveries", len(list.list("deliveries")), 2)
	same(t, "webhook-id is the delivery's", p.got()[0].Header.Get("webhook-id"), list.list("deliveries")[1].text("deliveryId"))
	p.ask(t, "DELETE", path, "", http.StatusOK, nil)
	p.ask(t, "GET", path, "", http.StatusNotFound, nil)
}

// failing is a job with the tags whose target refuses each request.
func (s *stage) failing(t *testing.T, tags string) *play {
	t.Helper()
	p := &play{stage: s, field: "fails"}
	p.ask(t, "POST", "/jobs", `{"name":"fails","targetUrl":"`+s.target.URL+`/fails",`+never+`,"tags":`+tags+`}`, http.StatusCreated, &p.created)
	p.id = p.created.text("jobId")
	return p
}

// told wants the request to tell of the execution's failure.
func told(t *testing.T, a arrival, job, execution string) {
	t.Helper()
	var event fields
	if err := json.NewDecoder(strings.NewReader(a.Body)).Decode(&event); err != nil {
		t.Fatalf("%q: %v", a.Body, err)
	}
	data := event.object("data")
	same(t, "method", a.Method, http.MethodPost)
	same(t, "Content-Type", a.Header.Get("Content-Type"), "application/json")
	same(t, "X-Own", a.Header.Get("X-Own"), "s3cret")
	same(t, "type", event.text("type"), "execution.failed")
	same(t, "namespace", event.text("namespace"), "default")
	same(t, "jobId", data.text("jobId"), job)
	same(t, "executionId", data.text("executionId"), execution)
	same(t, "result", data.text("result"), "FAILED")
	same(t, "httpStatus", data.number("httpStatus"), http.StatusTeapot)
	same(t, "error", data.code(), "HTTP_STATUS")
	verify(t, a, localcluster.RootKey)
}
