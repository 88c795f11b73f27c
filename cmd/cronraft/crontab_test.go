package main

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// TestCrontab_Debian imports the /etc/crontab that Debian's cron brings along.
func TestCrontab_Debian(t *testing.T) {
	t.Parallel()
	ctx, c := startServers(t, 1)
	w := newCrontabs(t, c)
	etc := newMember(ctx, t, c, "etc", "EDITOR")
	text := w.read(t, "debian")
	w.post(ctx, t, etc, w.query()+"&timezone=Europe/Berlin", text).want(t, 4, 0)
	w.post(ctx, t, etc, w.query()+"&timezone=Europe/Berlin", text).want(t, 0, 4)
	jobs := w.jobs(ctx, t, etc)
	for command, schedule := range map[string]string{
		"cd / && run-parts --report /etc/cron.hourly":                                   "17 * * * *",
		"test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )":   "25 6 * * *",
		"test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.weekly )":  "47 6 * * 7",
		"test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.monthly )": "52 6 1 * *",
	} {
		j := jobs[command]
		if j["cronExpression"] != schedule || j["timezone"] != "Europe/Berlin" {
			t.Errorf("%q is at %v in %v, want %s", command, j["cronExpression"], j["timezone"], schedule)
		}
		w.run(ctx, t, etc, j)
		w.wantRequest(ctx, t, `POST /command application/json {"command":"`+command+`","user":"root","stdin":null,`+
			`"env":{"PATH":"/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin","SHELL":"/bin/sh"}}`)
	}
	for _, format := range []string{"crontab", "json", "yaml"} {
		w.moveTo(ctx, t, etc, format, jobs)
	}
}

// failures are the lines of the user's crontab that cannot be imported, with what is
// said of them.
var failures = map[int]string{
	10: "@reboot is not possible",
	13: `the minute "61"`,
	14: `the month "never"`,
	19: "is invalid", // its zone, see errors
}

// TestCrontab_User imports a crontab as crontab -e leaves it: comments, variables and
// zones between the lines, %, names, blanks of all kinds, and a few mistakes.
func TestCrontab_User(t *testing.T) {
	t.Parallel()
	ctx, c := startServers(t, 1)
	w := newCrontabs(t, c)
	home := newMember(ctx, t, c, "home", "EDITOR")
	text := w.read(t, "user")

	w.post(ctx, t, home, w.query()+"&dryRun=true", text).wantFailures(t).want(t, 9, 0)
	if n := len(w.jobs(ctx, t, home)); n != 0 {
		t.Errorf("a dry run has made %d jobs", n)
	}
	w.post(ctx, t, home, w.query(), text).wantFailures(t).want(t, 9, 0)
	for _, again := range []string{text, strings.TrimSuffix(text, "\n"), strings.ReplaceAll(text, "\n", "\r\n")} {
		w.post(ctx, t, home, w.query(), again).wantFailures(t).want(t, 0, 9)
	}
	jobs := w.jobs(ctx, t, home)
	w.checkSlots(ctx, t, home, jobs)

	put := "PUT " + w.target.URL + "/daily"
	w.run(ctx, t, home, jobs[put])
	w.wantRequest(ctx, t, `PUT /daily?x=1&y=2 application/json {"a":1}`)
	w.run(ctx, t, home, jobs["GET "+w.target.URL+"/night"])
	w.wantRequest(ctx, t, "GET /night  ")
	w.run(ctx, t, home, jobs[`echo "at 100%" | mail -s busy`])
	w.wantRequest(ctx, t, `POST /command application/json {"command":"echo \"at 100%\" | mail -s busy","user":null,"stdin":"first line\nsecond line%\n",`+
		`"env":{"MAILTO":"ops@example.com","SHELL":"/bin/bash"}}`)

	// The values of headers are hidden, so a job that has some stays behind.
	delete(jobs, put)
	for _, format := range []string{"crontab", "json", "yaml"} {
		w.moveTo(ctx, t, home, format, jobs)
	}
}

// checkSlots asks for the coming slots of each job: those of its line, in its zone.
func (w *crontabs) checkSlots(ctx context.Context, t *testing.T, m member, jobs map[string]map[string]any) {
	t.Helper()
	for name, tt := range map[string]struct{ from, want string }{
		"PUT " + w.target.URL + "/daily":       {"2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z 2026-12-03T00:00:00Z 2026-12-04T00:00:00Z"},
		"/opt/first # not a comment, for cron": {"2026-12-01T00:00:00Z", "2026-12-01T05:05:00Z 2026-12-02T05:05:00Z 2026-12-03T05:05:00Z"},
		// Summer time ends on 25 October: half past two comes twice, and counts once.
		"GET " + w.target.URL + "/night": {"2026-10-24T00:00:00Z", "2026-10-24T00:30:00Z 2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"},
		// The first, the fifteenth, and each Monday.
		"/opt/report --all": {"2026-12-10T00:00:00Z", "2026-12-13T23:00:00Z 2026-12-14T23:00:00Z 2026-12-20T23:00:00Z"},
		// Odd days that are Mondays: a field that begins with * restricts in its own right.
		"/opt/odd-mondays":              {"2026-12-01T00:00:00Z", "2026-12-06T23:00:00Z 2026-12-20T23:00:00Z 2027-01-10T23:00:00Z"},
		`echo "at 100%" | mail -s busy`: {"2026-03-31T12:00:00Z", "2026-03-31T13:05:00Z 2026-03-31T15:05:00Z 2027-01-01T08:05:00Z"},
		"/opt/before-the-change":        {"2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z 2026-11-02T06:30:00Z 2026-11-03T06:30:00Z"},
		"/opt/weekly.sh":                {"2026-12-01T00:00:00Z", "2026-12-06T05:00:00Z 2026-12-13T05:00:00Z 2026-12-20T05:00:00Z"},
		"/opt/leap":                     {"2027-01-01T00:00:00Z", "2028-02-29T12:00:00Z 2032-02-29T12:00:00Z 2036-02-29T12:00:00Z"},
	} {
		j := jobs[name]
		if j == nil {
			t.Errorf("there is no job %q: %v", name, jobs)
			continue
		}
		var preview struct{ NextRuns []struct{ At string } }
		m.want(ctx, t, w.c, 0, "POST", "/schedules/preview", fmt.Sprintf(`{"cronExpression":%q,"timezone":%q,"from":%q,"count":3}`,
			j["cronExpression"], j["timezone"], tt.from), http.StatusOK, &preview)
		var got []string
		for _, run := range preview.NextRuns {
			got = append(got, run.At)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%q, after %s: %v, want %s", name, tt.from, got, tt.want)
		}
		w.checkNext(ctx, t, m, fmt.Sprint("/jobs/", j["jobId"]))
	}
}

// checkNext compares where a job says that its next slot is with the list of them.
func (w *crontabs) checkNext(ctx context.Context, t *testing.T, m member, path string) {
	t.Helper()
	until(ctx, t, w.c, 30*time.Second, path+" has its next slot in the list of them", func() bool {
		var j jobAnswer
		var next struct{ NextRuns []struct{ At string } }
		m.get(ctx, t, w.c, 0, path, &j)
		m.get(ctx, t, w.c, 0, path+"/next-runs?count=2", &next)
		return len(next.NextRuns) == 2 && next.NextRuns[0].At == j.NextRunAt
	})
}

// moveTo exports all jobs of a namespace in one format, and imports that twice into a
// new one, which then has the same jobs as those that are wanted.
func (w *crontabs) moveTo(ctx context.Context, t *testing.T, from member, format string, want map[string]map[string]any) {
	t.Helper()
	a := from.ask(ctx, t, w.c, 0, localcluster.Request{Method: "GET", Path: "/jobs/export?format=" + format})
	if a.Status != http.StatusOK {
		t.Fatalf("export as %s: status %d: %s", format, a.Status, a.Body)
	}
	// The namespace that it came from is as it was.
	query := w.query() + "&format=" + format
	if got := w.post(ctx, t, from, query+"&dryRun=true", string(a.Body)); got.Created+got.Updated+got.Failed != 0 {
		t.Errorf("as %s, an import of what was exported would change something: %+v", format, got)
	}
	to := newMember(ctx, t, w.c, from.namespace+"-"+format, "EDITOR")
	first, again := w.post(ctx, t, to, query, string(a.Body)), w.post(ctx, t, to, query, string(a.Body))
	if first.Created != len(want) || again.Unchanged != len(want) || again.Created+again.Updated != 0 {
		t.Errorf("as %s: first %+v, then %+v; want %d jobs of\n%s", format, first, again, len(want), a.Body)
	}
	for _, change := range first.Changes {
		if change.Action == "FAILED" && (change.Problem == nil || !strings.HasPrefix(change.Problem.Errors[0].Field, "headers")) {
			t.Errorf("as %s, %s: %+v", format, change.Name, change.Problem)
		}
	}
	got := w.jobs(ctx, t, to)
	for name, j := range want {
		if !reflect.DeepEqual(defined(got[name]), defined(j)) {
			t.Errorf("as %s, %q has become\n%v\nit was\n%v", format, name, defined(got[name]), defined(j))
		}
	}
}

// defined is what somebody has said of a job.
func defined(j map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range j {
		if !slices.Contains([]string{"jobId", "namespace", "version", "createdAt", "updatedAt", "nextRunAt", "lastRunAt", "lastResult", "runningCount", "counts"}, name) {
			out[name] = value
		}
	}
	return out
}
