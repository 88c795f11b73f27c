package httpserver

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func listCall(path, raw string, key job.APIKey) *call {
	return &call{request: &request{method: "GET", path: basePath + path, query: raw}, key: key}
}

// again is the query of the page that the cursor begins.
func again(t *testing.T, raw string, cursor *string) *query {
	t.Helper()
	if cursor == nil {
		t.Fatal("there is no cursor")
	}
	return listCall("/jobs", raw+"&cursor="+*cursor, theRootKey).listQuery(paramState)
}

func TestCursor_RoundTrip(t *testing.T) {
	t.Parallel()
	q := listCall("/jobs", "limit=3&state=ACTIVE", theRootKey).listQuery(paramState)
	for _, want := range []job.JobPosition{{ID: 1}, {ID: 0xfedcba9876543210, Name: strings.Repeat("é", 200)}} {
		next := again(t, "state=ACTIVE", q.jobCursor(&want))
		if got := next.afterJob(); got != want || next.err() != nil {
			t.Errorf("got %v, %v, want %v", got, next.err(), want)
		}
	}
	x := job.ExecutionID{Job: 0xfedcba9876543210, Order: 77}
	next := again(t, "state=ACTIVE&limit=5&consistency=stale", q.executionCursor(&x))
	if got := next.beforeExecution(); got != x || next.err() != nil {
		t.Errorf("got %v, %v, want %v", got, next.err(), x)
	}
	if q.jobCursor(nil) != nil || q.executionCursor(nil) != nil {
		t.Error("the last page has a cursor")
	}
	if first := listCall("/jobs", "", theRootKey).listQuery(); first.afterJob() != (job.JobPosition{}) || !first.beforeExecution().IsZero() || first.err() != nil {
		t.Error("a first page does not begin at the beginning")
	}
}

func TestCursor_OfAnotherList(t *testing.T) {
	t.Parallel()
	filters := []string{paramState, paramTag, paramNamespace}
	const raw = "state=ACTIVE&tag=a:b&tag=c:d"
	q := listCall("/jobs", raw, theRootKey).listQuery(filters...)
	cursor := *q.jobCursor(&job.JobPosition{ID: 7})
	for name, tt := range map[string]struct {
		path, raw string
		key       job.APIKey
		want      bool
	}{
		"the same":         {"/jobs", raw, theRootKey, true},
		"another order":    {"/jobs", "tag=c:d&tag=a:b&state=ACTIVE&limit=9&consistency=stale", theRootKey, true},
		"another path":     {"/webhooks", raw, theRootKey, false},
		"another state":    {"/jobs", strings.Replace(raw, "ACTIVE", "PAUSED", 1), theRootKey, false},
		"fewer tags":       {"/jobs", "state=ACTIVE&tag=a:b", theRootKey, false},
		"another tag":      {"/jobs", "state=ACTIVE&tag=a:b&tag=c:e", theRootKey, false},
		"one more filter":  {"/jobs", raw + "&namespace=x", theRootKey, false},
		"no filters":       {"/jobs", "", theRootKey, false},
		"another key":      {"/jobs", raw, job.APIKey{Namespace: "team"}, false},
		"tags as one name": {"/jobs", "state=ACTIVE&tag=a:btagc:d", theRootKey, false},
	} {
		other := listCall(tt.path, tt.raw+"&cursor="+cursor, tt.key).listQuery(filters...)
		after := other.afterJob()
		if ok := other.err() == nil; ok != tt.want || ok && after.ID != 7 {
			t.Errorf("%s: %v, %v", name, after, other.err())
		}
	}
}

func TestCursor_Malformed(t *testing.T) {
	t.Parallel()
	q := listCall("/jobs", "", theRootKey).listQuery()
	good := *q.jobCursor(&job.JobPosition{ID: 7})
	x := job.ExecutionID{Job: 7, Order: 7}
	raw, err := cursorEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	otherForm := slices.Clone(raw)
	otherForm[0]++
	for name, cursor := range map[string]string{
		"empty": "", "a letter": "a", "padded": good + "=", "cut": good[:len(good)-1], "half": good[:9], "the hash alone": cursorEncoding.EncodeToString(raw[:1+cursorHash]),
		"no job": *q.jobCursor(&job.JobPosition{}), "another form": cursorEncoding.EncodeToString(otherForm), "endless": strings.Repeat("A", 9000),
		"other alphabet": base64.StdEncoding.EncodeToString(append(raw, 0xff, 0xff)), "old form": "agAAAAAAAAAB",
	} {
		bad := listCall("/jobs", "cursor="+cursor, theRootKey).listQuery()
		if bad.afterJob(); bad.err() == nil {
			t.Errorf("%s: %q is taken", name, clip(cursor))
		}
	}
	for name, cursor := range map[string]string{"of jobs": good, "longer": *q.nextCursor(make([]byte, 17)), "zero": *q.executionCursor(&job.ExecutionID{})} {
		bad := listCall("/jobs", "cursor="+cursor, theRootKey).listQuery()
		if bad.beforeExecution(); bad.err() == nil {
			t.Errorf("%s: %q is taken for one of executions", name, cursor)
		}
	}
	fine := listCall("/jobs", "cursor="+*q.executionCursor(&x), theRootKey).listQuery()
	if fine.beforeExecution() != x {
		t.Error("the good one is not taken")
	}
}

func TestCursor_Period(t *testing.T) {
	t.Parallel()
	q := listCall("/jobs", "", theRootKey).listQuery()
	for name, tt := range map[string]struct {
		from, to, begin time.Time
		want            bool
	}{
		"first":  {now, now.Add(time.Hour), now, true},
		"within": {now, now.Add(time.Hour), now.Add(time.Minute), true},
		"last":   {now, now.Add(time.Hour), now.Add(time.Hour), true},
		"before": {now, now.Add(time.Hour), now.Add(-1 * time.Millisecond), false},
		"after":  {now, now.Add(time.Hour), now.Add(2 * time.Hour), false},
		"empty":  {now, now, now, false},
		"early":  {minInstant.Add(-time.Hour), now, now, false},
		"late":   {now, job.MaxTime.Add(time.Hour), now, false},
	} {
		cursor := q.pageCursor(audit{from: tt.from, to: tt.to, page: tt.begin})
		next := listCall("/jobs", "cursor="+*cursor, theRootKey).listQuery(paramFrom, paramTo, paramLateAfter)
		a := next.audit(now)
		if ok := next.err() == nil; ok != tt.want || ok && (!a.from.Equal(tt.from) || !a.to.Equal(tt.to) || !a.page.Equal(tt.begin)) {
			t.Errorf("%s: %+v, %v", name, a, next.err())
		}
	}
}
