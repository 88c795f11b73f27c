package main

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// outage is how long all nodes are down, at least: longer than the ten seconds by
// which a slot may be late and still be on time.
const outage = 15 * time.Second

// ahead is how long before its slot a job is created that runs once: the nodes are
// down by then.
const ahead = 8 * time.Second

// TestTarget_MisfirePolicy kills all nodes and starts them again: what was due
// meanwhile is fired, or on record as missed, as each job wants it.
func TestTarget_MisfirePolicy(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	everySecondScenes := []scene{
		{field: "FIRE_ONCE", job: `"misfirePolicy":"FIRE_ONCE"`, check: checkFireOnce},
		{field: "FIRE_ALL", job: `"misfirePolicy":"FIRE_ALL"`, check: checkFireAll},
		{field: "SKIP", job: `"misfirePolicy":"SKIP"`, check: checkFireNone},
		{field: "catchupWindowSeconds_FIRE_ALL", job: `"misfirePolicy":"FIRE_ALL","catchupWindowSeconds":12`, check: checkWindow},
	}
	onceScenes := []scene{
		{field: "catchupWindowSeconds_in_time", job: `"catchupWindowSeconds":3600`, check: checkInTime},
		{field: "catchupWindowSeconds_too_late", job: `"catchupWindowSeconds":1`, check: checkTooLate},
	}
	plays := map[string]*play{}
	for i, x := range everySecondScenes {
		x.schedule = everySecond
		plays[x.field] = s.begin(t, i, x)
	}
	for _, p := range plays {
		p.wait(t, 1)
	}
	slot := time.Now().UTC().Add(ahead)
	for i, x := range onceScenes {
		x.schedule = fmt.Sprintf(`"runAt":%q`, stamp(slot))
		plays[x.field] = s.begin(t, i, x)
	}
	s.suffer(t, slot.Add(outage))

	for _, x := range everySecondScenes {
		p := plays[x.field]
		p.untilCaughtUp(t)
		p.pause(t)
		p.until(t, "the end of all", func() bool { return p.job(t).number("runningCount") == 0 })
	}
	for _, x := range slices.Concat(everySecondScenes, onceScenes) {
		t.Run(x.field, func(t *testing.T) { x.check(t, plays[x.field]) })
	}
}

// suffer kills all nodes, and starts them again later.
func (s *stage) suffer(t *testing.T, until time.Time) {
	t.Helper()
	for i := range s.c.Len() {
		if err := s.c.Kill(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.c.Until(s.ctx, func() bool { return time.Now().After(until) }); err != nil {
		t.Fatal(err)
	}
	for i := range s.c.Len() {
		if err := s.c.Restart(i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range s.c.Len() {
		ready(s.ctx, t, s.c, i)
	}
}

// untilCaughtUp waits until a slot after the outage is fired on schedule.
func (p *play) untilCaughtUp(t *testing.T) {
	t.Helper()
	now := time.Now()
	p.until(t, "a slot on schedule", func() bool {
		got := p.got()
		last := got[len(got)-1]
		return last.slot().After(now) && last.Header.Get("X-Cron-Trigger") == "SCHEDULED"
	})
}

// triggers counts the job's executions by trigger, and its missed slots.
func (p *play) triggers(t *testing.T) (triggers map[string]int, missed int) {
	t.Helper()
	triggers = map[string]int{}
	for _, x := range p.records(t) {
		if x.text("result") == "MISSED" {
			missed += x.number("missedCount")
			continue
		}
		triggers[x.text("trigger")]++
	}
	return triggers, missed
}

// checkEachSlot wants each second to have one record: an execution, which the target
// has got, or a place in a gap, of which it has got nothing.
func checkEachSlot(t *testing.T, p *play) {
	records := p.records(t)
	slices.Reverse(records)
	at, missed := records[0].at("scheduledAt"), 0
	requested := map[string]bool{}
	for _, a := range p.got() {
		requested[a.execution()] = true
	}
	for _, x := range records {
		same(t, "the slot after the one before", x.at("scheduledAt"), at)
		same(t, "X-Cron-Execution-Id", requested[x.text("executionId")], x.text("result") == "SUCCESS")
		switch x.text("result") {
		case "MISSED":
			missed += x.number("missedCount")
			same(t, "missedFrom", x.at("missedFrom"), at)
			at = at.Add(time.Duration(x.number("missedCount")) * time.Second)
			same(t, "missedTo", x.at("missedTo"), at.Add(-time.Second))
		case "SUCCESS", "SKIPPED":
			at = at.Add(time.Second)
		default:
			t.Errorf("the slot %v ended as %v", at, x)
		}
	}
	same(t, "counts.missed", p.job(t).object("counts").number("missed"), missed)
}

// checkFireOnce wants the latest missed slot, and a gap in front of it.
func checkFireOnce(t *testing.T, p *play) {
	checkEachSlot(t, p)
	triggers, missed := p.triggers(t)
	same(t, "CATCHUP", triggers["CATCHUP"], 1)
	same(t, "some were missed", missed > 0, true)
	records := p.records(t)
	for i, x := range records {
		if x.text("trigger") == "CATCHUP" && x.text("result") == "SUCCESS" {
			same(t, "the record in front of it", records[i+1].text("result"), "MISSED")
		}
	}
}

// checkFireAll wants every slot, the oldest first.
func checkFireAll(t *testing.T, p *play) {
	checkEachSlot(t, p)
	triggers, missed := p.triggers(t)
	same(t, "missed", missed, 0)
	if least := int(outage / time.Second); triggers["CATCHUP"] < least {
		t.Errorf("%d were caught up with, the outage was longer than %d s", triggers["CATCHUP"], least)
	}
	var last time.Time
	for _, a := range p.got() {
		if a.slot().Before(last) {
			t.Errorf("%v came after %v", a.slot(), last)
		}
		last = a.slot()
	}
}

// checkFireNone wants no missed slot.
func checkFireNone(t *testing.T, p *play) {
	checkEachSlot(t, p)
	triggers, missed := p.triggers(t)
	same(t, "CATCHUP", triggers["CATCHUP"], 0)
	same(t, "some were missed", missed > 0, true)
}

// checkWindow wants the slots that are not too old.
func checkWindow(t *testing.T, p *play) {
	checkEachSlot(t, p)
	triggers, missed := p.triggers(t)
	same(t, "some were caught up with", triggers["CATCHUP"] > 0, true)
	same(t, "some were too old", missed > 0, true)
}

func checkInTime(t *testing.T, p *play) {
	x := p.first(t)
	same(t, "result", x.text("result"), "SUCCESS")
	same(t, "trigger", x.text("trigger"), "CATCHUP")
	same(t, "X-Cron-Trigger", p.got()[0].Header.Get("X-Cron-Trigger"), "CATCHUP")
	same(t, "slot", p.got()[0].slot(), p.created.at("runAt"))
	same(t, "it is late", x.number("latenessMs") >= int(outage.Milliseconds()), true)
	same(t, "state", p.job(t).text("state"), "COMPLETED")
}

func checkTooLate(t *testing.T, p *play) {
	x := p.first(t)
	same(t, "result", x.text("result"), "MISSED")
	same(t, "missedCount", x.number("missedCount"), 1)
	same(t, "missedFrom", x.at("missedFrom"), p.created.at("runAt"))
	same(t, "missedTo", x.at("missedTo"), p.created.at("runAt"))
	same(t, "lastResult", p.job(t).text("lastResult"), "MISSED")
	same(t, "requests", len(p.got()), 0)
}
