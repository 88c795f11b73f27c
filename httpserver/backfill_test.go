package httpserver

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const quarter = `"from":"2026-03-01T10:00:00Z","to":"2026-03-01T10:15:00Z"`

func TestBackfill(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201)) // every five minutes
	got := s.do("POST", path+"/backfill", "{"+quarter+"}").want(202)
	id := job.ManualExecution(s.lastID, now, 1).String()
	executions := got["executions"].([]any)
	if got["count"] != 3.0 || got["dryRun"] != false || len(executions) != 3 {
		t.Fatalf("got %v", got)
	}
	if want := map[string]any{"scheduledAt": "2026-03-01T10:00:00Z", "executionId": id}; !reflect.DeepEqual(executions[0], want) {
		t.Errorf("got %v, want %v", executions[0], want)
	}
	if got := executions[2].(map[string]any)["scheduledAt"]; got != "2026-03-01T10:10:00Z" {
		t.Errorf("the last one is of %v", got)
	}
	x := s.do("GET", "/executions/"+id, "").want(200)
	if x["trigger"] != "BACKFILL" || x["scheduledAt"] != "2026-03-01T10:00:00Z" {
		t.Errorf("the first one is %v", x)
	}
	for _, overlap := range []string{"null", `"ALLOW"`} {
		s.do("POST", path+"/backfill", "{"+quarter+`,"dryRun":null,"overlapPolicy":`+overlap+"}").want(202)
	}
	if want := []job.OverlapPolicy{"", "", job.OverlapAllow}; !slices.Equal(s.overlaps, want) {
		t.Errorf("policies %q, want %q", s.overlaps, want)
	}
}

func TestBackfill_DryRun(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	before := s.writes()
	got := s.do("POST", path+"/backfill", "{"+quarter+`,"dryRun":true}`, "Idempotency-Key", onceKey).want(202)
	want := []any{
		map[string]any{"scheduledAt": "2026-03-01T10:00:00Z", "executionId": nil},
		map[string]any{"scheduledAt": "2026-03-01T10:05:00Z", "executionId": nil},
		map[string]any{"scheduledAt": "2026-03-01T10:10:00Z", "executionId": nil},
	}
	if got["dryRun"] != true || got["count"] != 3.0 || !reflect.DeepEqual(got["executions"], want) {
		t.Errorf("got %v", got)
	}
	if s.writes() != before || len(s.executions[s.lastID]) != 0 {
		t.Error("a dry run wrote")
	}
}

func TestBackfill_NoSlots(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	before := s.writes()
	for _, headers := range [][]string{nil, {"Idempotency-Key", onceKey}} {
		for _, dryRun := range []string{"true", "false"} {
			got := s.do("POST", path+"/backfill", `{"from":"2026-03-01T10:01:00Z","to":"2026-03-01T10:05:00Z","dryRun":`+dryRun+"}", headers...).want(202)
			if got["count"] != 0.0 || len(got["executions"].([]any)) != 0 || fmt.Sprint(got["dryRun"]) != dryRun {
				t.Errorf("got %v", got)
			}
		}
	}
	if s.writes() != before {
		t.Error("a backfill of nothing wrote")
	}
}

func TestBackfill_Limit(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", plainJob(``)).want(201)) // every minute
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	period := func(slots int) string {
		return fmt.Sprintf(`{"from":%q,"to":%q}`, from.Format(time.RFC3339), from.Add(time.Duration(slots)*time.Minute).Format(time.RFC3339))
	}
	p := s.do("POST", path+"/backfill", period(maxBackfill+1)).problem(400, "validation_error")
	if !slices.Equal(fields(p), []string{"to"}) || !strings.Contains(p.Errors[0].Message, "10000") || !strings.Contains(p.Errors[0].Message, "2026-01-07T22:40:00Z") {
		t.Errorf("got %+v", p)
	}
	if s.writes() != 1 {
		t.Error("it wrote")
	}
	if got := s.do("POST", path+"/backfill", period(maxBackfill)).want(202); got["count"] != 10000.0 {
		t.Errorf("count %v", got["count"])
	}
}

func TestBackfill_Once(t *testing.T) {
	t.Parallel()
	leader, s := pair(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	body := "{" + quarter + "}"
	first := s.do("POST", path+"/backfill", body, "Idempotency-Key", onceKey)
	first.want(202)
	checkReplay(t, "again", s.do("POST", path+"/backfill", body, "Idempotency-Key", onceKey), first)
	s.do("POST", path+"/backfill", strings.Replace(body, "15", "10", 1), "Idempotency-Key", onceKey).problem(422, "idempotency_mismatch")
	// What became of the job meanwhile is no reason against the repetition.
	s.do("PATCH", path, `{"runAt":"2026-03-01T00:00:00Z"}`).want(200)
	checkReplay(t, "without slots", s.do("POST", path+"/backfill", body, "Idempotency-Key", onceKey), first)
	s.do("PATCH", path, `{"intervalSeconds":1}`).want(200)
	checkReplay(t, "with other slots", s.do("POST", path+"/backfill", body, "Idempotency-Key", onceKey), first)
	s.do("DELETE", path, "").want(200)
	checkReplay(t, "without a job", s.do("POST", path+"/backfill", body, "Idempotency-Key", onceKey), first)
	before := leader.writes()
	s.do("POST", path+"/backfill", body, "Idempotency-Key", "another").problem(404, "not_found")
	s.do("POST", path+"/backfill", body).problem(404, "not_found")
	if leader.writes() != before {
		t.Error("a refused one wrote")
	}
}

// TestBackfill_OnceBeforeTheClock: a node whose clock is behind that of the first one
// gives the first answer too, although the period has not passed there.
func TestBackfill_OnceBeforeTheClock(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	body := fmt.Sprintf(`{"from":"2026-03-01T10:00:00Z","to":%q}`, future)
	s.mu.Lock()
	request := (&request{method: "POST", path: basePath + path + "/backfill", body: []byte(body)}).fingerprint()
	kept, err := (&response{status: 202, contentType: contentJSON, body: []byte(`{"status":"OK","data":{"dryRun":false,"count":0,"executions":[]}}`)}).keep()
	s.answers[digest(nil, []byte(onceKey))] = keptAnswer{request: request, answer: kept}
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	s.do("POST", path+"/backfill", body).problem(400, "validation_error")
	s.do("POST", path+"/backfill", body, "Idempotency-Key", "another").problem(400, "validation_error")
	a := s.do("POST", path+"/backfill", body, "Idempotency-Key", onceKey)
	if a.want(202); a.header.Get(headerReplayed) != "true" {
		t.Errorf("headers %v", a.header)
	}
}

// A follower that does not know the job yet must not say that there is none.
func TestBackfill_StaleFollower(t *testing.T) {
	t.Parallel()
	leader := startLeader(t)
	path := jobPath(leader.do("POST", "/jobs", tutorialJob).want(201))
	b := &backend{store: newStore(), follower: true, forward: leader.ServeForwarded, barrier: func(context.Context) error { return job.ErrNotLeader }}
	s := start(t, "n2", b)
	for _, extra := range []string{"", `,"dryRun":true`} {
		if got := s.do("POST", path+"/backfill", "{"+quarter+extra+"}").want(202); got["count"] != 3.0 {
			t.Errorf("got %v", got)
		}
	}
}

func TestBackfill_Malformed(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201)) + "/backfill"
	before := s.writes()
	future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for body, want := range map[string][]string{
		`{}`:                              {"from", "to"},
		`{"from":null,"to":null}`:         {"from", "to"},
		`{"from":"x","to":5}`:             {"from", "to"},
		`{"from":"2026-03-01T10:00:00Z"}`: {"to"},
		`{"from":"2026-03-01T10:00:00Z","to":"2026-03-01T10:00:00Z"}`:      {"to"},
		`{"from":"2026-03-01T10:00:00Z","to":"2026-03-01T11:00:00+02:00"}`: {"to"},
		`{"from":"2026-03-01T10:00:00Z","to":"` + future + `"}`:            {"to"},
		`{"from":"1969-12-31T23:59:59Z","to":"9999-12-31T23:59:59-01:00"}`: {"from", "to"},
		"{" + quarter + `,"overlapPolicy":"skip"}`:                         {"overlapPolicy"},
		"{" + quarter + `,"overlapPolicy":1}`:                              {"overlapPolicy"},
		"{" + quarter + `,"dryRun":"true"}`:                                {"dryRun"},
		"{" + quarter + `,"limit":5,"jobId":"x"}`:                          {"limit", "jobId"},
		`{"from":1,"to":true,"overlapPolicy":"","dryRun":0,"x":0}`:         {"from", "to", "overlapPolicy", "dryRun", "x"},
	} {
		p := s.do("POST", path, body).problem(400, "validation_error")
		if got := fields(p); !slices.Equal(got, want) {
			t.Errorf("%s: fields %q, want %q", body, got, want)
		}
	}
	for _, body := range []string{"", "[]", "{", "null", "{" + quarter + `,"from":"2026-03-01T10:00:00Z"}`} {
		s.do("POST", path, body).problem(400, "malformed_json")
	}
	s.do("POST", path+"?dryRun=true", "{"+quarter+"}").problem(400, "validation_error")
	s.do("POST", path, "{"+quarter+"}", "Content-Type", "text/plain").problem(415, "unsupported_media_type")
	s.do("POST", path, "{"+quarter+"}", "X-API-KEY", teamKey).problem(404, "not_found")
	s.do("POST", path, "{"+quarter+"}", "X-API-KEY", readerKey).problem(403, "forbidden")
	s.do("POST", "/jobs/7/backfill", "{"+quarter+"}").problem(404, "not_found")
	s.do("POST", "/jobs/job_0000000000000001/backfill", "{"+quarter+"}").problem(404, "not_found")
	s.do("GET", path, "").problem(405, "method_not_allowed")
	if s.writes() != before {
		t.Errorf("%d of the requests wrote", s.writes()-before)
	}
}
