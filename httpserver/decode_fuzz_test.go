package httpserver

import (
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// isRefusal checks an error that a decoder has for its client.
func isRefusal(t *testing.T, err error) {
	t.Helper()
	switch code := job.CodeOf(err); code {
	case job.CodeMalformedJSON, job.CodeValidation, job.CodePayloadTooLarge:
	default:
		t.Fatalf("%s: %v", code, err)
	}
}

func FuzzBulkDecode(f *testing.F) {
	for _, seed := range []string{
		bulkOf(tutorialJob, `{}`, `1`), `{"jobs":[{"name":"n","runAt":"2026-03-26T16:15:00Z","tags":{"a":"b"},"targetUrl":"http://t.test/"}]}`,
		`{"jobs":{}}`, `{"jobs":[]}`, `{"jobs":[null],"x":1}`, `{"jobs":[[[{"jobs":1}]]]}`, `[]`, "",
	} {
		f.Add([]byte(seed))
	}
	s := &Server{config: Config{Schedules: schedules{}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := decodeJobs(body)
		if err != nil {
			isRefusal(t, err)
			return
		}
		b, err := s.newBulk(&call{request: &request{}}, list)
		if err != nil {
			isRefusal(t, err)
			return
		}
		outcomes := make([]job.JobOutcome, len(b.changes))
		for i, c := range b.changes {
			if fields := c.Spec.Validate(); len(fields) > 0 {
				t.Fatalf("a job that breaks rules is to be made: %v", fields)
			}
			outcomes[i].Job.Spec = *c.Spec
		}
		if _, err := b.show(outcomes); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzBackfillDecode(f *testing.F) {
	for _, seed := range []string{
		"{" + quarter + "}", "{" + quarter + `,"overlapPolicy":"ALLOW","dryRun":true}`, `{"from":1,"to":null,"dryRun":"x"}`,
		`{"from":"0000-00-00T00:00:00Z","to":"9999-12-31T23:59:60Z"}`, `{"overlapPolicy":""}`, "{}", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ask, err := decodeBackfill(body, now)
		if err != nil {
			isRefusal(t, err)
			return
		}
		if ask.from.Before(minInstant) || !ask.from.Before(ask.to) || ask.to.After(now) {
			t.Fatalf("the period is from %v to %v", ask.from, ask.to)
		}
		spec := job.Spec{Overlap: ask.overlap}
		for _, e := range spec.Validate() {
			if e.Field == fieldOverlap && ask.overlap != "" {
				t.Fatalf("the policy is %q", ask.overlap)
			}
		}
	})
}

func FuzzPreviewDecode(f *testing.F) {
	for _, seed := range []string{
		`{"cronExpression":"*/5 * * * *","timezone":"Europe/Berlin","from":"2026-03-26T16:15:00+01:00","count":100}`,
		`{"intervalSeconds":31536000,"startAt":"1971-01-01T00:00:00Z","endAt":"9999-12-31T23:59:59.999Z"}`,
		`{"runAt":"2026-03-26T16:15:00Z","count":null,"from":null}`, `{"count":0,"from":5,"timezone":[]}`, `{"name":1}`, "{}", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := decodePreview(body, checkSchedule)
		if err != nil {
			isRefusal(t, err)
			return
		}
		if fields := p.schedule.Validate(); len(fields) > 0 || p.count < 1 || p.count > maxNextRuns {
			t.Fatalf("%+v: %v", p, fields)
		}
	})
}

// FuzzQuery reads the parameters of every list, cursors included.
func FuzzQuery(f *testing.F) {
	q := listCall("/jobs", "", theRootKey).listQuery()
	for _, seed := range []string{
		"", "limit=5&cursor=" + *q.jobCursor(&job.JobPosition{ID: 7, Name: "n"}), "cursor=" + *q.executionCursor(&job.ExecutionID{Job: 1, Order: 2}),
		"state=ACTIVE&tag=a:b&tag=c:&namePrefix=x&externalId=y&lastResult=FAILED&namespace=ops", "consistency=stale&count=5",
		"from=2026-03-26T16:15:00+01:00&to=2026-03-27T16:15:00Z&result=FAILED&trigger=MANUAL", "lateAfterMs=0&limit=0", "%zz=%&&=&a", "tag=%00:%ff",
		"cursor=" + *q.pageCursor(audit{from: now, to: now.Add(time.Hour), page: now}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		c := listCall("/jobs", raw, theRootKey)
		jobs := c.listQuery(paramNamespace, paramState, paramLastResult, paramTag, paramNamePrefix, paramExternalID)
		if ask := jobs.jobs(); jobs.err() == nil && (ask.Limit < 1 || ask.Limit > maxLimit || len(ask.Tags) > maxTagParams || len(ask.After.Name) > maxPosition) {
			t.Fatalf("%+v", ask)
		}
		list := c.listQuery(paramFrom, paramTo)
		if from, to := list.period(); list.err() == nil && !from.IsZero() && !to.IsZero() && !from.Before(to) {
			t.Fatalf("the period is from %v to %v", from, to)
		}
		list.beforeExecution()
		slots := c.listQuery(paramFrom, paramTo, paramLateAfter)
		a := slots.audit(now)
		if slots.err() == nil && (a.from.Before(minInstant) || !a.from.Before(a.to) || a.to.After(job.MaxTime) || a.page.Before(a.from) || a.lateAfter < 0) {
			t.Fatalf("%+v", a)
		}
		for _, read := range []*query{jobs, list, slots} {
			if err := read.err(); err != nil {
				isRefusal(t, err)
			}
		}
	})
}

func FuzzHeaders(f *testing.F) {
	for _, seed := range [][2]string{{`"1"`, "a"}, {`*`, " "}, {`"1", "2"`, "8e03978e-40d5"}, {`W/"1"`, "\x00"}, {`"",,"`, "é"}, {strings.Repeat(`"1",`, 20), strings.Repeat("k", 300)}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, ifMatch, onceKey string) {
		versions, err := parseIfMatch([]string{ifMatch})
		if err != nil {
			isRefusal(t, err)
		}
		for _, v := range versions {
			if v != anyVersion && !strings.Contains(ifMatch, etag(v)) || len(versions) > maxIfMatch {
				t.Fatalf("%q is %v", ifMatch, versions)
			}
		}
		c := &call{request: &request{headers: []header{{headerOnce, onceKey}}}}
		key, err := c.onceKey()
		if err != nil {
			isRefusal(t, err)
			return
		}
		if key != onceKey || key == "" || len(key) > maxOnceKey {
			t.Fatalf("%q is %q", onceKey, key)
		}
	})
}
