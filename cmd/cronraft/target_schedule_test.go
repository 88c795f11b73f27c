package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// wholeMinute is one that comes after a while, but not before the jobs are there.
func wholeMinute() time.Time { return time.Now().Add(75 * time.Second).Truncate(time.Minute).UTC() }

// scheduleScenes are the options that say when a job runs. Those that wait for a
// whole minute are minuteScenes.
func scheduleScenes() []scene {
	now := time.Now().UTC().Truncate(time.Second)
	startAt, endAt, runAt := now.Add(6300*time.Millisecond), now.Add(10*time.Second), now.Add(4250*time.Millisecond)
	return []scene{
		{field: "startAt", schedule: fmt.Sprintf(`"intervalSeconds":2,"startAt":%q,"maxRuns":2`, stamp(startAt)), check: checkStartAt},
		{field: "endAt", schedule: fmt.Sprintf(`"intervalSeconds":1,"endAt":%q`, stamp(endAt)), check: checkEndAt},
		{field: "runAt", schedule: fmt.Sprintf(`"runAt":%q`, stamp(runAt)), check: checkRunAt},
		{field: "intervalSeconds", schedule: `"intervalSeconds":3,"maxRuns":3`, check: checkInterval},
		{field: "maxRuns", schedule: `"intervalSeconds":1,"maxRuns":3`, check: checkMaxRuns},
		{field: "jitterSeconds", schedule: `"intervalSeconds":4,"jitterSeconds":3,"maxRuns":2`, check: checkJitter},
		{field: "jitterSeconds_another_job", schedule: `"intervalSeconds":4,"jitterSeconds":3,"maxRuns":2`, check: checkOtherJitter},
		{field: "nextRunAt", schedule: `"cronExpression":"30 9 * * MON-FRI","timezone":"America/New_York"`, check: checkNextRuns},
	}
}

// minuteScenes wait for a whole minute.
func minuteScenes() []scene {
	minute := wholeMinute()
	return []scene{
		{field: "cronExpression", schedule: `"cronExpression":"* * * * *","maxRuns":1`, check: func(t *testing.T, p *play) {
			a := p.wait(t, 1)[0]
			same(t, "slot", a.slot(), p.created.at("nextRunAt"))
			same(t, "slot within its minute", a.slot().Truncate(time.Minute), a.slot())
			notBefore(t, "the request", a.At, a.slot())
		}},
		{field: "timezone", schedule: inZone(minute), check: func(t *testing.T, p *play) {
			same(t, "nextRunAt", p.created.at("nextRunAt"), minute)
			a := p.wait(t, 1)[0]
			same(t, "slot", a.slot(), minute)
			notBefore(t, "the request", a.At, minute)
			same(t, "zone", p.job(t).text("timezone"), "Asia/Kolkata")
		}},
	}
}

// inZone is the schedule of the minute in a zone that is half an hour off.
func inZone(minute time.Time) string {
	zone := time.FixedZone("IST", 5*3600+30*60)
	local := minute.In(zone)
	return fmt.Sprintf(`"cronExpression":"%d %d %d %d *","timezone":"Asia/Kolkata","maxRuns":1`, local.Minute(), local.Hour(), local.Day(), local.Month())
}

func stamp(at time.Time) string { return at.Format("2006-01-02T15:04:05.000Z") }

func notBefore(t *testing.T, what string, got, least time.Time) {
	t.Helper()
	if got.Before(least) {
		t.Errorf("%s: %v is before %v", what, got, least)
	}
}

// checkGrid wants every request at a slot that is a multiple from the anchor, on
// time at the earliest, and a record for each slot from the first that there is.
func checkGrid(t *testing.T, p *play, anchor time.Time, step time.Duration) {
	t.Helper()
	for _, a := range p.got() {
		if a.slot().Sub(anchor)%step != 0 {
			t.Errorf("%v is not a multiple of %v from %v", a.slot(), step, anchor)
		}
		notBefore(t, "the request", a.At, a.slot())
	}
	records := p.records(t)
	for i := 1; i < len(records); i++ {
		same(t, "the time between two slots", records[i-1].at("scheduledAt").Sub(records[i].at("scheduledAt")), step)
	}
}

// firstOfGrid is the first slot of a job that was created now, or of the grid.
func firstOfGrid(p *play, anchor time.Time, step time.Duration) time.Time {
	created := p.created.at("createdAt")
	if created.Before(anchor) {
		return anchor
	}
	return anchor.Add((created.Sub(anchor)/step + 1) * step)
}

func checkInterval(t *testing.T, p *play) {
	p.ended(t, 3)
	checkGrid(t, p, time.Unix(0, 0), 3*time.Second)
}

func checkStartAt(t *testing.T, p *play) {
	startAt := p.created.at("startAt")
	p.ended(t, 2)
	checkGrid(t, p, startAt, 2*time.Second)
	same(t, "first slot", p.got()[0].slot(), firstOfGrid(p, startAt, 2*time.Second))
}

func checkEndAt(t *testing.T, p *play) {
	endAt := p.created.at("endAt")
	checkCompleted(t, p)
	p.ended(t, 1)
	records := p.records(t)
	same(t, "last slot, which is endAt itself", records[0].at("scheduledAt"), endAt)
	checkGrid(t, p, time.Unix(0, 0), time.Second)
}

// checkCompleted waits until the job is over by itself.
func checkCompleted(t *testing.T, p *play) {
	t.Helper()
	p.until(t, "the job is COMPLETED", func() bool {
		j := p.job(t)
		return j.text("state") == "COMPLETED" && j["nextRunAt"] == nil
	})
}

func checkRunAt(t *testing.T, p *play) {
	runAt := p.created.at("runAt")
	same(t, "nextRunAt", p.created.at("nextRunAt"), runAt)
	a := p.wait(t, 1)[0]
	same(t, "slot", a.slot(), runAt)
	notBefore(t, "the request", a.At, runAt)
	checkCompleted(t, p)
	same(t, "executions", len(p.ended(t, 1)), 1)
}

func checkMaxRuns(t *testing.T, p *play) {
	checkCompleted(t, p)
	executions := map[string]bool{}
	p.until(t, "three successes", func() bool { return p.job(t).object("counts").number("success") == 3 })
	for _, a := range p.got() {
		executions[a.execution()] = true
	}
	same(t, "executions at the target", len(executions), 3)
	var next fields
	p.ask(t, "GET", "/jobs/"+p.id+"/next-runs", "", http.StatusOK, &next)
	same(t, "coming slots", len(next.list("nextRuns")), 0)
}

// share is by how much each of the job's slots is shifted.
func (p *play) share(t *testing.T) time.Duration {
	t.Helper()
	records := p.ended(t, 2)
	share := records[0].at("dueAt").Sub(records[0].at("scheduledAt"))
	for _, x := range records {
		same(t, "shift", x.at("dueAt").Sub(x.at("scheduledAt")), share)
		if share < 0 || share >= 3*time.Second {
			t.Errorf("shifted by %v, want less than jitterSeconds", share)
		}
	}
	for _, a := range p.got() {
		same(t, "grid of the slots", a.slot().Unix()%4, 0)
		notBefore(t, "the request", a.At, a.slot().Add(share))
	}
	return share
}

func checkJitter(t *testing.T, p *play) { p.share(t) }

// checkOtherJitter compares with the job before: the shift is each job's own.
func checkOtherJitter(t *testing.T, p *play) {
	before := *p
	before.field = "jitterSeconds"
	var list fields
	p.ask(t, "GET", "/jobs?namePrefix=jitterSeconds", "", http.StatusOK, &list)
	for _, j := range list.list("jobs") {
		if j.text("name") == before.field {
			before.id = j.text("jobId")
		}
	}
	if one, other := before.share(t), p.share(t); one == 0 && other == 0 {
		t.Error("neither job is shifted")
	}
}

// checkNextRuns compares the coming slots with what the calendar of the zone says.
func checkNextRuns(t *testing.T, p *play) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	var next fields
	p.ask(t, "GET", "/jobs/"+p.id+"/next-runs?count=10", "", http.StatusOK, &next)
	runs := next.list("nextRuns")
	same(t, "slots", len(runs), 10)
	same(t, "nextRunAt", p.job(t).text("nextRunAt"), runs[0].text("at"))
	day := p.created.at("createdAt").In(zone)
	for _, run := range runs {
		at := time.Date(day.Year(), day.Month(), day.Day(), 9, 30, 0, 0, zone)
		for !at.After(day) || at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
			at = time.Date(at.Year(), at.Month(), at.Day()+1, 9, 30, 0, 0, zone)
		}
		same(t, "slot", run.at("at"), at.UTC())
		same(t, "in the zone", run.text("local"), at.Format(time.RFC3339))
		day = at
	}
}
