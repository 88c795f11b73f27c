package main

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// beat waits until a slot after at, of a job that is due every second, has reached
// the target: what was due until then has had its chance.
func (p *play) beat(t *testing.T, at time.Time) {
	t.Helper()
	p.until(t, "a later slot of another job", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		all := p.arrivals["metronome"]
		return len(all) > 0 && all[len(all)-1].slot().After(at)
	})
}

// stateScenes are the job's state, what it says of itself, and what can only be
// read.
func stateScenes() []scene {
	return []scene{
		{field: "metronome", schedule: everySecond, job: `"overlapPolicy":"ALLOW"`, check: func(t *testing.T, p *play) { p.wait(t, 1) }},
		{field: "state", schedule: everySecond, job: `"state":"PAUSED"`, check: checkState},
		{field: "pauseReason", schedule: everySecond, job: `"state":"PAUSED","pauseReason":"moving house"`, check: func(t *testing.T, p *play) {
			same(t, "pauseReason", p.job(t).text("pauseReason"), "moving house")
			p.patch(t, `{"pauseReason":"still moving"}`)
			same(t, "pauseReason", p.job(t).text("pauseReason"), "still moving")
		}},
		{field: "pauseAfterConsecutiveFailures", schedule: everySecond, job: `"pauseAfterConsecutiveFailures":2`, answer: status(500), check: checkAutoPause},
		{field: "description", schedule: never, job: `"description":"first line\nsecond \u20ac"`, check: func(t *testing.T, p *play) {
			same(t, "description", p.job(t).text("description"), "first line\nsecond \u20ac")
		}},
		{field: "tags", schedule: never, job: `"tags":{"team":"caf\u00e9","tier":"1"}`, check: func(t *testing.T, p *play) {
			tags := p.job(t).object("tags")
			same(t, "tags", len(tags), 2)
			same(t, "team", tags.text("team"), "caf\u00e9")
			p.onlyFound(t, "tag=team:caf%C3%A9")
		}},
		{field: "externalId", schedule: never, job: `"externalId":"orders/42"`, check: func(t *testing.T, p *play) {
			same(t, "externalId", p.job(t).text("externalId"), "orders/42")
			p.onlyFound(t, "externalId=orders%2F42")
		}},
		{field: "name", schedule: never, check: func(t *testing.T, p *play) {
			same(t, "name", p.job(t).text("name"), "name")
			p.onlyFound(t, "namePrefix=name")
		}},
		{field: "jobId", check: func(t *testing.T, p *play) {
			same(t, "job_ in front", strings.HasPrefix(p.id, "job_"), true)
			same(t, "X-Cron-Job-Id", p.wait(t, 1)[0].Header.Get("X-Cron-Job-Id"), p.id)
		}},
		{field: "version", schedule: never, check: checkVersion},
		{field: "lastRunAt", check: checkLast},
		{field: "consecutiveFailures", answer: status(500), check: checkFailures},
		{field: "runningCount", job: `"retries":1,"retryDelaySeconds":86400`, answer: status(500), check: checkRunning},
	}
}

// checkState pauses and resumes: no slot that falls into a pause is ever fired.
func checkState(t *testing.T, p *play) {
	same(t, "nextRunAt while PAUSED", p.job(t)["nextRunAt"], nil)
	p.beat(t, p.created.at("createdAt").Add(2*time.Second))
	same(t, "requests while PAUSED", len(p.got()), 0)

	resumed := time.Now()
	same(t, "state", p.patch(t, `{"state":"ACTIVE"}`).text("state"), "ACTIVE")
	first := p.wait(t, 1)[0]
	notBefore(t, "the first slot", first.slot(), resumed)

	paused := p.patch(t, `{"state":"PAUSED"}`)
	acknowledged := time.Now()
	same(t, "nextRunAt", paused["nextRunAt"], nil)
	p.beat(t, acknowledged.Add(2*time.Second))
	count := len(p.got())
	again := time.Now()
	p.patch(t, `{"state":"ACTIVE"}`)
	p.wait(t, count+1)
	p.pause(t)
	for _, a := range p.got() {
		if slot := a.slot(); slot.After(acknowledged) && slot.Before(again) {
			t.Errorf("the slot %v was fired, between %v and %v the job was PAUSED", slot, acknowledged, again)
		}
	}
}

// checkAutoPause wants two failures, then a pause with a reason, and an event.
func checkAutoPause(t *testing.T, p *play) {
	var j fields
	p.until(t, "the job pauses itself", func() bool {
		j = p.job(t)
		return j.text("state") == "PAUSED"
	})
	same(t, "pauseReason", j.text("pauseReason"), "paused by itself after 2 failed executions in a row")
	same(t, "consecutiveFailures", j.number("consecutiveFailures"), 2)
	same(t, "nextRunAt", j["nextRunAt"], nil)
	p.beat(t, time.Now().Add(time.Second))
	executions := map[string]bool{}
	for _, a := range p.got() {
		executions[a.execution()] = true
	}
	same(t, "executions at the target", len(executions), 2)
	p.told(t, "job.auto_paused")
}

// told wants an event of the job, on a node of its own, since the beginning.
func (p *play) told(t *testing.T, event string) {
	t.Helper()
	p.events(t, p.next(), "?after="+p.since+"&types="+event+"&jobId="+p.id, func(line string) bool { return line == "event: "+event })
}

// lastEvent is the position that the stream of events has reached.
func (s *stage) lastEvent(t *testing.T) (id string) {
	t.Helper()
	s.events(t, 0, "", func(line string) bool {
		var found bool
		id, found = strings.CutPrefix(line, "id: ")
		return found
	})
	return id
}

// events reads a node's stream up to a line that is found.
func (s *stage) events(t *testing.T, node int, query string, found func(line string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.c.Node(node).HTTP+localcluster.BasePath+"/events"+query, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-API-KEY", localcluster.RootKey)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if found(lines.Text()) {
			return
		}
	}
	t.Errorf("events%s: status %d, and not what was expected: %v", query, answer.StatusCode, lines.Err())
}

// onlyFound wants a list with the filter to have the job and no other.
func (p *play) onlyFound(t *testing.T, filter string) {
	t.Helper()
	var list fields
	p.ask(t, "GET", "/jobs?"+filter, "", http.StatusOK, &list)
	jobs := list.list("jobs")
	if len(jobs) != 1 || jobs[0].text("jobId") != p.id {
		t.Errorf("%s finds %v", filter, jobs)
	}
}

// checkVersion wants edits to count, and a run not.
func checkVersion(t *testing.T, p *play) {
	same(t, "version", p.created.number("version"), 1)
	same(t, "updatedAt", p.created.at("updatedAt"), p.created.at("createdAt"))
	p.outcome(t, p.run(t))
	same(t, "version after a run", p.job(t).number("version"), 1)
	before := p.job(t)
	p.until(t, "the clock goes on", func() bool { return time.Now().After(before.at("updatedAt").Add(time.Second)) })
	after := p.patch(t, `{"description":"new"}`)
	same(t, "version after an edit", after.number("version"), 2)
	same(t, "createdAt after an edit", after.at("createdAt"), before.at("createdAt"))
	same(t, "updatedAt moves", after.at("updatedAt").After(before.at("updatedAt")), true)
}

// checkLast wants what is said of the last run to be that of its record.
func checkLast(t *testing.T, p *play) {
	x := p.first(t)
	j := p.job(t)
	same(t, "lastResult", j.text("lastResult"), "SUCCESS")
	same(t, "nextRunAt", j.text("nextRunAt"), j.text("runAt"))
	notBefore(t, "lastRunAt", j.at("lastRunAt"), x.at("scheduledAt"))
	notBefore(t, "startedAt of the request", x.at("startedAt"), j.at("lastRunAt"))
}

// checkFailures wants the counts to follow the results.
func checkFailures(t *testing.T, p *play) {
	p.first(t)
	p.outcome(t, p.run(t))
	want := func(failures, failed, success int, last string) {
		t.Helper()
		j := p.job(t)
		same(t, "consecutiveFailures", j.number("consecutiveFailures"), failures)
		same(t, "counts.failed", j.object("counts").number("failed"), failed)
		same(t, "counts.success", j.object("counts").number("success"), success)
		same(t, "lastResult", j.text("lastResult"), last)
	}
	want(2, 2, 0, "FAILED")
	p.answerWith(p.field, nil)
	p.outcome(t, p.run(t))
	want(0, 2, 1, "SUCCESS")
}

// checkRunning wants an execution between two attempts to count as running, until it
// is cancelled.
func checkRunning(t *testing.T, p *play) {
	p.until(t, "a pause between two attempts", func() bool { return p.results(t)["RETRYING"] == 1 })
	same(t, "runningCount", p.job(t).number("runningCount"), 1)
	p.refusesToRun(t)
	id := p.got()[0].execution()
	p.ask(t, "POST", "/executions/"+id+"/cancel", "", http.StatusAccepted, nil)
	same(t, "result", p.outcome(t, id).text("result"), "CANCELLED")
	j := p.job(t)
	same(t, "runningCount", j.number("runningCount"), 0)
	same(t, "counts.cancelled", j.object("counts").number("cancelled"), 1)
	same(t, "requests", len(p.got()), 1)
}
