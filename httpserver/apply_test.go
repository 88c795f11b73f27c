package httpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// applied is the answer of an apply or an import.
func (a answer) applied() api.Applied {
	a.t.Helper()
	if a.status != 200 {
		a.t.Fatalf("status %d: %s", a.status, clip(a.body))
	}
	var envelope struct{ Data api.Applied }
	if err := json.Unmarshal([]byte(a.body), &envelope); err != nil {
		a.t.Fatal(err)
	}
	return envelope.Data
}

// wantApplied checks the counts, in the order created, updated, unchanged, deleted,
// failed.
func (a answer) wantApplied(counts ...int) api.Applied {
	a.t.Helper()
	got := a.applied()
	if all := []int{got.Created, got.Updated, got.Unchanged, got.Deleted, got.Failed}; !slices.Equal(all, counts) {
		a.t.Fatalf("created, updated, unchanged, deleted, failed are %v, want %v: %s", all, counts, a.body)
	}
	return got
}

// wholeChanges are those of jobBackend, which others come between or rules refuse.
type wholeChanges struct {
	jobBackend
	// before is called before each change, and refuse for each part.
	before func(changes []job.JobChange)
	refuse func(c job.JobChange) *job.Error
}

func (b wholeChanges) Change(ctx context.Context, by job.APIKey, changes []job.JobChange, once *job.Idempotent[[]job.JobOutcome]) ([]job.JobOutcome, []byte, error) {
	if b.before != nil {
		b.before(changes)
	}
	if b.refuse != nil {
		return b.refusing(ctx, by, changes, once)
	}
	return b.jobBackend.Change(ctx, by, changes, once)
}

// refusing refuses some parts and makes none.
func (b wholeChanges) refusing(_ context.Context, _ job.APIKey, changes []job.JobChange, once *job.Idempotent[[]job.JobOutcome]) ([]job.JobOutcome, []byte, error) {
	var outcomes []job.JobOutcome
	for _, c := range changes {
		outcomes = append(outcomes, job.JobOutcome{Job: job.Job{ID: 1}, Err: b.refuse(c)})
	}
	answer, err := once.Answer(outcomes)
	return outcomes, answer[:0], err
}

func startWhole(t *testing.T, edit func(*wholeChanges)) *testServer {
	t.Helper()
	b := &backend{store: newStore()}
	return start(t, "n1", b, func(c *Config) {
		w := wholeChanges{jobBackend: jobBackend{b}}
		edit(&w)
		c.Jobs = w
	})
}

func declared(id, extra string) string { return plainJob(`,"externalId":"` + id + `"` + extra) }

func TestApply(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	s.do("POST", "/jobs", plainJob("")).want(201) // has no external ID: is left alone
	list := bulkOf(declared("a", `,"headers":{"Authorization":"secret","X-B":"2"}`), declared("b", `,"runAt":null,"tags":{"k":"v"}`))

	if got := s.do("POST", "/jobs/apply?dryRun=true", list).wantApplied(2, 0, 0, 0, 0); !got.DryRun || got.Changes[0].JobID != nil || s.writes() != 1 {
		t.Errorf("the dry run answered %+v after %d entries", got, s.writes())
	}
	got := s.do("POST", "/jobs/apply", list).wantApplied(2, 0, 0, 0, 0)
	if c := got.Changes[1]; *c.Index != 1 || *c.ExternalID != "b" || c.JobID == nil || c.Name != "n" || c.Action != "CREATE" || got.DryRun || s.writes() != 2 {
		t.Errorf("got %+v after %d entries", c, s.writes())
	}
	s.do("POST", "/jobs/apply", list).wantApplied(0, 0, 2, 0, 0)
	s.do("POST", "/jobs/apply", "["+declared("a", `,"headers":{"authorization":"***","X-B":"2"}`)+"]").wantApplied(0, 0, 1, 0, 0)
	if s.writes() != 2 {
		t.Errorf("what was equal made %d entries", s.writes()-2)
	}

	changed := bulkOf(declared("a", `,"headers":{"Authorization":"***","X-B":"3"},"retries":2`), declared("c", ""))
	if got := s.do("POST", "/jobs/apply?dryRun&prune", changed).wantApplied(1, 1, 0, 1, 0); s.writes() != 2 || got.Changes[2].Index != nil || *got.Changes[2].ExternalID != "b" {
		t.Errorf("the dry run answered %+v", got)
	}
	got = s.do("POST", "/jobs/apply?prune=true", changed).wantApplied(1, 1, 0, 1, 0)
	if c := got.Changes[0]; c.Action != "UPDATE" || !slices.Equal(c.Changed, []string{"headers", "retries"}) {
		t.Errorf("got %+v", c)
	}
	if c := got.Changes[2]; c.Action != "DELETE" || c.Name != "n" || c.JobID == nil {
		t.Errorf("got %+v", c)
	}
	data := s.do("GET", "/jobs/by-external-id/a", "").want(200)
	if data["version"] != 2.0 || data["retries"] != 2.0 || len(data["headers"].(map[string]any)) != 2 {
		t.Errorf("the job is %v", data)
	}
	s.do("GET", "/jobs/by-external-id/b", "").problem(404, "not_found")
	s.mu.Lock()
	defer s.mu.Unlock()
	if j, err := s.byExternalID("default", "a"); err != nil || string(j.Target.Headers[0].Sealed) != "terces" || string(j.Target.Headers[1].Sealed) != "3" {
		t.Errorf("the headers are %+v", j.Target.Headers)
	}
}

func TestApply_WhatIsLeftOutIsTheDefault(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	s.do("POST", "/jobs/apply", bulkOf(declared("a", `,"retries":3,"tags":{"k":"v"},"headers":{"A":"b"},"state":"PAUSED","pauseReason":"why"`))).wantApplied(1, 0, 0, 0, 0)
	got := s.do("POST", "/jobs/apply", bulkOf(declared("a", ""))).wantApplied(0, 1, 0, 0, 0)
	if want := []string{"tags", "headers", "retries"}; !slices.Equal(got.Changes[0].Changed, want) {
		t.Errorf("changed %v, want %v", got.Changes[0].Changed, want)
	}
	s.do("POST", "/jobs/apply", bulkOf(declared("a", `,"state":"ACTIVE"`))).wantApplied(0, 1, 0, 0, 0)
	s.do("POST", "/jobs/apply", bulkOf(declared("a", `,"pauseReason":"is nothing to an active job"`))).wantApplied(0, 0, 1, 0, 0)
}

func TestApply_LeavesWhatIsOver(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	s.do("POST", "/jobs/apply", bulkOf(declared("a", ""))).wantApplied(1, 0, 0, 0, 0)
	s.mu.Lock()
	for id, j := range s.jobs {
		j.State = job.Completed
		s.jobs[id] = j
	}
	s.mu.Unlock()
	for _, extra := range []string{"", `,"state":"ACTIVE"`} {
		s.do("POST", "/jobs/apply", bulkOf(declared("a", extra))).wantApplied(0, 0, 1, 0, 0)
	}
	s.do("POST", "/jobs/apply", bulkOf(declared("a", `,"description":"d"`))).wantApplied(0, 1, 0, 0, 0)
	if data := s.do("GET", "/jobs/by-external-id/a", "").want(200); data["state"] != "COMPLETED" {
		t.Errorf("state %v", data["state"])
	}
}

func TestApply_ListsAllThatIsWrongAndDoesNothing(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	p := s.do("POST", "/jobs/apply?prune=true", bulkOf(
		declared("ok", ""),
		declared("a", `,"retries":"x","colour":1`),
		declared("b", `,"headers":{"A":"***","Host":"x"}`),
		`{"name":"n","externalId":"c","cronExpression":"61 * * * *","targetUrl":"ftp://x"}`,
	)).problem(400, "validation_error")
	want := []string{"jobs[1].colour", "jobs[1].retries", "jobs[2].headers.A", "jobs[2].headers.Host", "jobs[3].targetUrl", "jobs[3].cronExpression"}
	if got := fields(p); !slices.Equal(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
	p = s.do("POST", "/jobs/apply", bulkOf(plainJob(""), declared("a", ""), "7", declared("a", ""))).problem(400, "validation_error")
	if got, want := fields(p), []string{"jobs[0].externalId", "jobs[2]", "jobs[3].externalId"}; !slices.Equal(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
	if s.writes() != 0 {
		t.Errorf("%d entries", s.writes())
	}
}

func TestApply_Malformed(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	tooMany := bulkOf(slices.Repeat([]string{"{}"}, maxListJobs+1)...)
	for name, c := range map[string]struct {
		path, body, contentType string
		status                  int
		code                    string
		fields                  []string
	}{
		"empty":             {"", "", "application/json", 400, "malformed_json", nil},
		"broken":            {"", "{", "application/json", 400, "malformed_json", nil},
		"twice":             {"", `{"jobs":[{"name":"a","name":"b"}]}`, "application/json", 400, "malformed_json", []string{"jobs[].name"}},
		"text":              {"", `"jobs"`, "application/json", 400, "validation_error", []string{"jobs"}},
		"no jobs":           {"", `{}`, "application/json", 400, "validation_error", []string{"jobs"}},
		"jobs no list":      {"", `{"jobs":{}}`, "application/json", 400, "validation_error", []string{"jobs"}},
		"more":              {"", `{"jobs":[],"x":1}`, "application/json", 400, "validation_error", []string{"x"}},
		"too many":          {"", tooMany, "application/json", 400, "validation_error", []string{"jobs"}},
		"status alone":      {"", `{"status":"OK"}`, "application/json", 400, "validation_error", []string{"status", "jobs"}},
		"tag alone":         {"?tag=a:b", `[]`, "application/json", 400, "validation_error", []string{"tag"}},
		"tag of none":       {"?prune=true&tag=a", `[]`, "application/json", 400, "validation_error", []string{"tag"}},
		"prune":             {"?prune=maybe", `[]`, "application/json", 400, "validation_error", []string{"prune"}},
		"unknown parameter": {"?style=user", `[]`, "application/json", 400, "validation_error", []string{"style"}},
		"crontab":           {"?format=crontab", `* * * * * x`, "text/plain", 400, "validation_error", []string{"format"}},
		"crontab media":     {"", `* * * * * x`, "text/plain", 415, "unsupported_media_type", nil},
		"yaml broken":       {"", "a: [", "application/yaml", 400, "malformed_json", nil},
		"yaml two":          {"", "jobs: []\n---\njobs: []\n", "text/yaml", 400, "malformed_json", nil},
		"yaml nothing":      {"?format=yaml", "# nothing\n", "text/plain", 400, "malformed_json", nil},
	} {
		a := s.do("POST", "/jobs/apply"+c.path, c.body, "Content-Type", c.contentType)
		if got := fields(a.problem(c.status, c.code)); !slices.Equal(got, c.fields) {
			t.Errorf("%s: fields %v, want %v", name, got, c.fields)
		}
	}
	s.do("POST", "/jobs/apply", `[]`, "X-API-KEY", readerKey).problem(403, "forbidden")
	s.do("POST", "/jobs/apply?format=json", `[]`, "Content-Encoding", "gzip").problem(415, "unsupported_media_type")
	s.do("POST", "/jobs/apply", `{"status":"OK","data":{"jobs":[]}}`).wantApplied(0, 0, 0, 0, 0)
	s.do("POST", "/jobs/apply?format=json", `[]`, "Content-Type", "application/x-www-form-urlencoded").wantApplied(0, 0, 0, 0, 0)
}

func TestApply_Namespaces(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	list := bulkOf(declared("a", ""))
	s.do("POST", "/jobs/apply", list).wantApplied(1, 0, 0, 0, 0)
	s.do("POST", "/jobs/apply", list, "X-API-KEY", teamKey).wantApplied(1, 0, 0, 0, 0)
	s.do("POST", "/jobs/apply", list, "X-Cron-Namespace", "team").wantApplied(0, 0, 1, 0, 0)
	s.do("POST", "/jobs/apply?prune=true", bulkOf(), "X-API-KEY", teamKey).wantApplied(0, 0, 0, 1, 0)
	s.do("GET", "/jobs/by-external-id/a", "").want(200)
}

func TestApply_Once(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	list := bulkOf(declared("a", ""), declared("b", ""))
	first := s.do("POST", "/jobs/apply", list, headerOnce, "k1")
	first.wantApplied(2, 0, 0, 0, 0)
	again := s.do("POST", "/jobs/apply", list, headerOnce, "k1")
	if again.body != first.body || again.header.Get(headerReplayed) != "true" {
		t.Errorf("the repetition answered %s", again.body)
	}
	s.do("POST", "/jobs/apply", bulkOf(declared("b", "")), headerOnce, "k1").problem(422, "idempotency_mismatch")
	s.do("POST", "/jobs/apply", list, headerOnce, "k2").wantApplied(0, 0, 2, 0, 0)
	if s.writes() != 1 {
		t.Errorf("%d entries", s.writes())
	}
}

func TestApply_ComparesAgainWhenTheStateHasMoved(t *testing.T) {
	t.Parallel()
	var s *testServer
	tries := 0
	s = startWhole(t, func(w *wholeChanges) {
		w.before = func([]job.JobChange) {
			if tries++; tries != 2 { // the first makes the jobs
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for id, j := range s.jobs {
				if j.ExternalID == "a" {
					j.Version, j.Description = j.Version+1, "by another"
					s.jobs[id] = j
				} else {
					delete(s.jobs, id)
				}
			}
		}
	})
	s.do("POST", "/jobs/apply", bulkOf(declared("a", ""), declared("b", ""))).wantApplied(2, 0, 0, 0, 0)
	got := s.do("POST", "/jobs/apply", bulkOf(declared("a", `,"retries":1`), declared("b", `,"retries":1`))).wantApplied(1, 1, 0, 0, 0)
	if c := got.Changes[0]; !slices.Equal(c.Changed, []string{"description", "retries"}) || tries != 3 {
		t.Errorf("after %d tries got %+v", tries, c)
	}
}

func TestApply_GivesUpWhenItKeepsMoving(t *testing.T) {
	t.Parallel()
	for _, cause := range []*job.Error{
		errVersion, job.Errorf(job.CodeNotFound, "there is no job job_7"), job.Errorf(job.CodeConflict, "another job has it"),
	} {
		for _, path := range []string{"/jobs/apply", "/jobs/import"} {
			tries := 0
			s := startWhole(t, func(w *wholeChanges) {
				w.refuse = func(job.JobChange) *job.Error { tries++; return cause }
			})
			p := s.do("POST", path, bulkOf(declared("a", ""))).problem(409, "conflict")
			if tries != applyTries || !strings.Contains(p.Detail, "again") {
				t.Errorf("%s, %v: %q after %d tries", path, cause, p.Detail, tries)
			}
		}
	}
}

// TestApply_DoesNothingIfTheLeaderRefusesOne: it knows the time, and so more than the
// rules of a spec.
func TestApply_DoesNothingIfTheLeaderRefusesOne(t *testing.T) {
	t.Parallel()
	past := func(c job.JobChange) *job.Error {
		if c.Spec.ExternalID == "b" {
			return job.Invalid([]job.FieldError{{Field: "runAt", Msg: "is in the past"}})
		}
		return nil
	}
	s := startWhole(t, func(w *wholeChanges) { w.refuse = past })
	list := bulkOf(declared("a", ""), declared("b", ""))
	p := s.do("POST", "/jobs/apply", list).problem(400, "validation_error")
	if got := fields(p); !slices.Equal(got, []string{"jobs[1].runAt"}) {
		t.Errorf("fields %v", got)
	}
	got := s.do("POST", "/jobs/import", list).wantApplied(1, 0, 0, 0, 1)
	if c := got.Changes[1]; c.Action != "FAILED" || c.Problem == nil || c.Problem.Errors[0].Field != "runAt" || !strings.HasPrefix(c.Problem.Detail, "jobs[1]: ") {
		t.Errorf("got %+v", c)
	}
}

// TestApply_DryRunSaysWhatTheLeaderWould, who is asked at whichever node it is, and
// nothing is made of it.
func TestApply_DryRunSaysWhatTheLeaderWould(t *testing.T) {
	t.Parallel()
	asked := 0
	leader := startWhole(t, func(w *wholeChanges) {
		w.refuse = func(c job.JobChange) *job.Error {
			asked++
			if c.Spec.ExternalID == "b" {
				return job.Invalid([]job.FieldError{{Field: "runAt", Msg: "is in the past"}})
			}
			return nil
		}
	})
	follower := start(t, "n2", &backend{store: leader.store, follower: true, forward: leader.ServeForwarded})
	for _, s := range []*testServer{leader, follower} {
		p := s.do("POST", "/jobs/apply?dryRun", bulkOf(declared("a", ""), declared("b", ""))).problem(400, "validation_error")
		if got := fields(p); !slices.Equal(got, []string{"jobs[1].runAt"}) {
			t.Errorf("fields %v", got)
		}
		got := s.do("POST", "/jobs/import?dryRun", bulkOf(declared("a", ""), declared("b", ""))).wantApplied(1, 0, 0, 0, 1)
		if c := got.Changes; !got.DryRun || c[0].JobID != nil || c[0].Action != "CREATE" || c[1].Problem == nil || c[1].Problem.Errors[0].Field != "runAt" {
			t.Errorf("got %+v", got)
		}
	}
	if asked != 8 || len(leader.jobs) != 0 {
		t.Errorf("asked about %d jobs, and %d were made", asked, len(leader.jobs))
	}
	// What changes meanwhile is looked at again, as it would be.
	tries := 0
	moving := startWhole(t, func(w *wholeChanges) {
		w.refuse = func(job.JobChange) *job.Error { tries++; return errVersion }
	})
	moving.do("POST", "/jobs/apply?dryRun", bulkOf(declared("a", ""))).problem(409, "conflict")
	if tries != applyTries {
		t.Errorf("%d tries", tries)
	}
}

func TestApply_PrunesMoreThanOneEntryHolds(t *testing.T) {
	t.Parallel()
	var sizes []int
	s := startWhole(t, func(w *wholeChanges) {
		w.before = func(changes []job.JobChange) { sizes = append(sizes, len(changes)) }
	})
	full := func(from int) string {
		var jobs []string
		for i := range MaxChanges {
			jobs = append(jobs, declared(fmt.Sprint("j", from+i), ""))
		}
		return bulkOf(jobs...)
	}
	s.do("POST", "/jobs/apply", full(0)).wantApplied(1000, 0, 0, 0, 0)
	s.do("POST", "/jobs/apply?prune=true", full(500), headerOnce, "k").wantApplied(500, 0, 500, 500, 0)
	s.do("POST", "/jobs/apply?prune=true", full(2000), headerOnce, "l").wantApplied(1000, 0, 0, 1000, 0)
	// Before the first of two entries the leader is asked about both.
	if want := []int{1000, 0, 1000, 0, 1000, 1000, 1000, 1000}; !slices.Equal(sizes, want) {
		t.Errorf("entries of %v changes, want %v", sizes, want)
	}
}

func TestApply_YAML(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	const list = `
defaults: &d
  targetUrl: http://t.test/
  retries: 2
jobs:
  - <<: *d
    externalId: a
    name: nightly   # a comment
    cronExpression: "0 3 * * *"
    headers: {X-A: "1"}
  - <<: [*d]
    externalId: b
    name: yes
    runAt: 2027-03-26T16:15:00Z
    retries: 3
    successStatuses: [204, 3XX]
`
	a := s.do("POST", "/jobs/apply", list, "Content-Type", "application/yaml")
	if got := fields(a.problem(400, "validation_error")); !slices.Equal(got, []string{"defaults"}) {
		t.Errorf("fields %v", got)
	}
	alone := strings.Replace(strings.Replace(list, "defaults: &d\n  targetUrl: http://t.test/\n  retries: 2\n", "", 1), "<<: *d", "<<: &d {targetUrl: 'http://t.test/', retries: 2}", 1)
	s.do("POST", "/jobs/apply", alone, "Content-Type", "application/yaml").wantApplied(2, 0, 0, 0, 0)
	if data := s.do("GET", "/jobs/by-external-id/b", "").want(200); data["name"] != "yes" || data["retries"] != 3.0 || data["runAt"] != "2027-03-26T16:15:00Z" || data["targetUrl"] != "http://t.test/" {
		t.Errorf("the job is %v", data)
	}
	p := s.do("POST", "/jobs/apply?format=yaml", "- externalId: a\n  name: n\n  cronExpression: x\n  colour: red\n\n- 7\n- {name: n}\n", "Content-Type", "").problem(400, "validation_error")
	if got, want := fields(p), []string{"jobs[0].colour", "jobs[0].targetUrl", "jobs[1]", "jobs[2].externalId", "jobs[2].cronExpression", "jobs[2].targetUrl"}; !slices.Equal(got, want) ||
		!strings.HasSuffix(p.Errors[2].Message, "(line 6)") || !strings.HasSuffix(p.Errors[3].Message, "(line 7)") {
		t.Errorf("got %+v", p.Errors)
	}
	p = s.do("POST", "/jobs/apply?format=yaml", "- externalId: a\n  name: n\n  cronExpression: '61 * * * *'\n  colour: red\n", "Content-Type", "").problem(400, "validation_error")
	for _, e := range p.Errors {
		line := map[string]string{"jobs[0].cronExpression": "(line 3)", "jobs[0].colour": "(line 4)", "jobs[0].targetUrl": "(line 1)"}[e.Field]
		if line == "" || !strings.HasSuffix(e.Message, line) {
			t.Errorf("got %+v", e)
		}
	}
	if len(p.Errors) != 3 {
		t.Errorf("got %+v", p.Errors)
	}
}

// HeaderIs undoes what sealed does.
func (b jobBackend) HeaderIs(_ context.Context, _ job.ID, stored job.Header, value string) (bool, error) {
	plain := slices.Clone(stored.Sealed)
	slices.Reverse(plain)
	return string(plain) == value, nil
}
