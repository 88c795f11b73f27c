package httpserver

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// readCrontab reads a file of package crontab.
func readCrontab(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../internal/crontab/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// importCrontab imports with a target for commands.
func (s *testServer) importCrontab(text, query string) answer {
	s.t.Helper()
	return s.do("POST", "/jobs/import?targetUrl=http%3A%2F%2Frun.test%2F"+query, text, "Content-Type", "text/plain")
}

func TestImport_DebianCrontab(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	text := readCrontab(t, "debian-crontab")
	got := s.importCrontab(text, "").wantApplied(4, 0, 0, 0, 0)
	if c := got.Changes[0]; *c.Index != 19 || c.Name != "run-parts (17 * * * *)" || !strings.HasPrefix(*c.ExternalID, "crontab-") {
		t.Errorf("got %+v", c)
	}
	data := s.do("GET", "/jobs/"+*got.Changes[0].JobID, "").want(200)
	want := `{"command":"cd / && run-parts --report /etc/cron.hourly","user":"root","stdin":null,"env":{"SHELL":"/bin/sh"}}`
	if data["body"] != want || data["cronExpression"] != "17 * * * *" || data["timezone"] != "UTC" || data["targetUrl"] != "http://run.test/" || data["httpMethod"] != "POST" {
		t.Errorf("the job is %v", data)
	}
	s.importCrontab(text, "&style=system").wantApplied(0, 0, 4, 0, 0)
	s.importCrontab(text, "&timezone=Europe/Berlin&dryRun").wantApplied(4, 0, 0, 0, 0)

	// Without a target, nothing takes the commands.
	p := s.do("POST", "/jobs/import?format=crontab", text).wantApplied(0, 0, 0, 0, 4).Changes[3].Problem
	if p.Code != "validation_error" || !strings.HasPrefix(p.Detail, "line 22: ") || p.Errors[0].Field != "targetUrl" {
		t.Errorf("got %+v", p)
	}
}

func TestImport_UserCrontab(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	text := readCrontab(t, "user-crontab")
	got := s.importCrontab(text, "").wantApplied(6, 0, 0, 0, 2)
	lines := map[int]string{}
	for _, c := range got.Changes {
		lines[*c.Index] = c.Action
	}
	if want := fmt.Sprint(map[int]string{7: "CREATE", 8: "CREATE", 9: "CREATE", 10: "CREATE", 11: "FAILED", 13: "CREATE", 14: "FAILED", 17: "CREATE"}); fmt.Sprint(lines) != want {
		t.Errorf("got %v, want %s", lines, want)
	}
	if p := got.Changes[4].Problem; !strings.HasPrefix(p.Detail, "line 11: @reboot is not possible") {
		t.Errorf("got %+v", p)
	}
	data := s.do("GET", "/jobs/"+*got.Changes[3].JobID, "").want(200)
	headers, _ := json.Marshal(data["headers"])
	if data["name"] != "PUT https://example.com/hook" || data["httpMethod"] != "PUT" || data["targetUrl"] != "https://example.com/hook?x=1&y=2" || data["body"] != `{"a":1}` ||
		data["cronExpression"] != "@daily" || string(headers) != `{"Authorization":"***","Content-Type":"***"}` {
		t.Errorf("the job is %v", data)
	}
	data = s.do("GET", "/jobs/"+*got.Changes[5].JobID, "").want(200)
	if data["timezone"] != "Europe/Berlin" || data["httpMethod"] != "GET" || data["followRedirects"] != true {
		t.Errorf("the job is %v", data)
	}
	s.importCrontab(text, "").wantApplied(0, 0, 6, 0, 2)
	// Another value of a header is a change of the same job.
	s.importCrontab(strings.Replace(text, "t0k", "new", 1), "").wantApplied(0, 1, 5, 0, 2)
}

func TestImport_Lists(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	list := bulkOf(plainJob(""), plainJob(""), declared("a", ""), declared("a", ""), `7`, `{"name":"n"}`, `{"name":"n","externalId":8,"intervalSeconds":1,"targetUrl":"http://t.test/"}`)
	got := s.do("POST", "/jobs/import", list).wantApplied(3, 0, 0, 0, 4)
	first, second := *got.Changes[0].ExternalID, *got.Changes[1].ExternalID
	if !strings.HasPrefix(first, "import-") || second != first+"-2" {
		t.Errorf("external IDs %q and %q", first, second)
	}
	for i, want := range map[int]string{3: "externalId", 4: "jobs[4]", 5: "cronExpression", 6: "externalId"} {
		if p := got.Changes[i].Problem; p == nil || p.Errors[0].Field != want {
			t.Errorf("jobs[%d]: got %+v", i, p)
		}
	}
	s.do("POST", "/jobs/import", list).wantApplied(0, 0, 3, 0, 4)
	s.do("POST", "/jobs/import?format=yaml", "- {name: n, intervalSeconds: 60, targetUrl: 'http://t.test/'}").wantApplied(0, 0, 1, 0, 0)
}

func TestImport_Malformed(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for query, want := range map[string][]string{
		"?style=cron":                  {"style"},
		"?targetUrl=ftp://x":           {"targetUrl"},
		"?timezone=Mars/Olympus":       {"timezone"},
		"?format=xml":                  {"format"},
		"?dryRun=2":                    {"dryRun"},
		"?prune=true":                  {"prune"},
		"?targetUrl=x&timezone=&style": {"style", "targetUrl"},
	} {
		p := s.do("POST", "/jobs/import"+query, "* * * * * x", "Content-Type", "text/plain").problem(400, "validation_error")
		got := fields(p)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: fields %v, want %v", query, got, want)
		}
	}
	s.importCrontab(strings.Repeat("* * * * * x\n", maxListJobs+1), "").problem(413, "payload_too_large")
	big := "X=" + strings.Repeat("x", 100<<10) + "\n" + strings.Repeat("* * * * * x\n", 120)
	s.importCrontab(big, "").problem(413, "payload_too_large")
	s.do("POST", "/jobs/import", "* * * * * x", "Content-Type", "image/png").problem(415, "unsupported_media_type")
	s.do("POST", "/jobs/import", "* * * * * x", "X-API-KEY", readerKey, "Content-Type", "text/plain").problem(403, "forbidden")
	s.importCrontab("# only a comment\n", "").wantApplied(0, 0, 0, 0, 0)
	s.importCrontab("CRON_TZ=Mars/Olympus\n* * * * * x\n", "").wantApplied(0, 0, 0, 0, 1)
	s.importCrontab("* * * * * curl http://x.test/\x7f\n", "").wantApplied(1, 0, 0, 0, 0)
}

// drawCrontab draws lines that differ in more than their variables.
func drawCrontab(t *rapid.T) string {
	commands := []string{
		"/opt/poll.sh --fast", `date +\%F > /tmp/x`, "mail -s x%line one%%line three", "curl -fsS http://e.com/a", "curl -X POST -d a=1 -H 'A: b' http://e.com/b?x=1",
		"wget -q -O- http://e.com/c", "curl --retry 3 --retry-delay 10 -m 30 http://e.com/d", "curl http://e.com/e | sh", `printf 'é "\\'`, "curl -L -I http://e.com/f",
	}
	style := rapid.SampledFrom([]string{"", "root "}).Draw(t, "user")
	var b strings.Builder
	b.WriteString("# m h dom mon dow command\n")
	seen := map[string]bool{}
	for range rapid.IntRange(0, 12).Draw(t, "lines") {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			b.WriteString("CRON_TZ=" + rapid.SampledFrom([]string{"UTC", "Europe/Berlin", `""`}).Draw(t, "zone") + "\n")
		default:
			schedule := rapid.SampledFrom([]string{"*/5 * * * *", "@daily", "0 9-17/2 * JAN mon-fri"}).Draw(t, "schedule")
			line := schedule + " " + style + rapid.SampledFrom(commands).Draw(t, "command") + "\n"
			if !seen[line] {
				b.WriteString(line)
			}
			seen[line] = true
		}
	}
	return b.String()
}

// TestImport_CrontabFixedPoint: what an export writes, an import takes for what there
// is.
func TestImport_CrontabFixedPoint(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	rapid.Check(t, func(r *rapid.T) {
		first := s.importCrontab(drawCrontab(r), "").applied()
		if first.Failed > 0 {
			r.Fatalf("failed: %+v", first)
		}
		text := s.do("GET", "/jobs/export?format=crontab", "").body
		again := s.importCrontab(text, "").applied()
		if again.Unchanged != first.Created+first.Unchanged || again.Created+again.Updated+again.Failed > 0 {
			r.Fatalf("after %+v the import of\n%s\ncame to %+v", first, text, again)
		}
		s.mu.Lock()
		clear(s.jobs)
		s.mu.Unlock()
	})
}

// TestImport_CrontabNamesHaveNoSecrets: everyone reads the name of a job.
func TestImport_CrontabNamesHaveNoSecrets(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for command, want := range map[string]string{
		`curl -k -H "Authorization: Bearer SECRET" https://x.test/`: "curl (0 3 * * *)",
		"TOKEN=SECRET PATH=/bin /opt/poll.sh --fast":                "poll.sh (0 3 * * *)",
		`TOKEN="a SECRET" poll`:                                     "command (0 3 * * *)",
		"TOKEN=$(cat SECRET) poll":                                  "command (0 3 * * *)",
		"cd /srv && ./run SECRET":                                   "run (0 3 * * *)",
		`test "a && SECRET b" && ls`:                                "test (0 3 * * *)",
		"[ -x /bin/a ] && test -d b && a SECRET":                    "a (0 3 * * *)",
		"(SECRET)":                                                  "command (0 3 * * *)",
		strings.Repeat("SECRET", 20):                                "command (0 3 * * *)",
		"cd /srv":                                                   "command (0 3 * * *)",
		"curl https://x.test/a?token=SECRET":                        "GET https://x.test/a",
	} {
		got := s.importCrontab("0 3 * * * "+command+"\n", "").wantApplied(1, 0, 0, 0, 0)
		if name := got.Changes[0].Name; name != want {
			t.Errorf("%s: the name is %q, want %q", command, name, want)
		}
		if a := s.do("POST", "/jobs/import?format=crontab", "0 3 * * * "+command+"\n"); strings.Contains(a.body, "SECRET") {
			t.Errorf("%s: the answer repeats it: %s", command, a.body)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if strings.Contains(j.Name, "SECRET") || len(j.Name) > maxImportedName {
			t.Errorf("a job is named %q", j.Name)
		}
	}
}

// TestImport_CrontabVariables: a proxy is nothing that a job of its own could use.
func TestImport_CrontabVariables(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	const text = "https_proxy=http://proxy.test/\n@daily curl https://x.test/\n"
	p := s.do("POST", "/jobs/import?format=crontab", text).wantApplied(0, 0, 0, 0, 1).Changes[0].Problem
	if p == nil || !strings.Contains(p.Errors[0].Message, "the variable https_proxy") {
		t.Errorf("got %+v", p)
	}
	got := s.importCrontab(text, "").wantApplied(1, 0, 0, 0, 0)
	data := s.do("GET", "/jobs/"+*got.Changes[0].JobID, "").want(200)
	if want := `{"command":"curl https://x.test/","user":null,"stdin":null,"env":{"https_proxy":"http://proxy.test/"}}`; data["body"] != want || data["targetUrl"] != "http://run.test/" {
		t.Errorf("the job is %v", data)
	}
}

// TestImport_ExportAgain: where an export comes from, an import of it makes nothing twice;
// anywhere else it makes all of it.
func TestImport_ExportAgain(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "yaml", "crontab"} {
		s := startLeader(t)
		for _, job := range []string{
			`{"name":"cronraft: x","cronExpression":"@daily","targetUrl":"http://t.test/","tags":{"k":"v"},"retries":2,"overlapPolicy":"ALLOW"}`,
			`{"name":"b","cronExpression":"@daily","targetUrl":"http://t.test/b","externalId":"mine","headers":{"X-A":"s"}}`,
		} {
			s.do("POST", "/jobs", job).want(201)
		}
		s.importCrontab("@daily /opt/a.sh\n@daily curl -X POST http://t.test/c\n", "").wantApplied(2, 0, 0, 0, 0)
		before := s.do("GET", "/jobs?limit=10", "").want(200)
		text := s.do("GET", "/jobs/export?format="+format, "").body

		s.importCrontab(text, "&format="+format).wantApplied(0, 1, 3, 0, 0)
		s.importCrontab(text, "&format="+format).wantApplied(0, 0, 4, 0, 0)
		after := s.do("GET", "/jobs?limit=10", "").want(200)
		jobs := before["jobs"].([]any)
		first := jobs[0].(map[string]any)
		first["externalId"], first["version"] = first["jobId"], 2.0
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("%s: of\n%v\nit made\n%v", format, before, after)
		}
		if format != "crontab" {
			s.do("POST", "/jobs/apply?prune&format="+format, text).wantApplied(0, 0, 4, 0, 0)
		}
		// Elsewhere the values of headers are unknown, and all the rest is new.
		a := s.do("POST", "/jobs/import?format="+format+"&targetUrl=http://run.test/", text, "X-API-KEY", teamKey)
		if got := a.applied(); got.Created != 3 || got.Failed != 1 {
			t.Errorf("%s: in another namespace it came to %+v", format, got)
		}
	}
}
