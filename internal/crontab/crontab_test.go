package crontab

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// checkEntries compares what matters of each entry.
func checkEntries(t *testing.T, got, want []Entry) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing %+v", want[i])
		case i >= len(want):
			t.Errorf("too many: %+v", got[i])
		case !got[i].equal(want[i]):
			t.Errorf("entry %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestParse_DebianSystemCrontab(t *testing.T) {
	t.Parallel()
	for _, style := range []Style{StyleAuto, StyleSystem} {
		f := Parse(read(t, "debian-crontab"), style)
		if f.Style != StyleSystem || len(f.Problems) > 0 {
			t.Fatalf("style %s, problems %v", f.Style, f.Problems)
		}
		shell := []Var{{"SHELL", "/bin/sh"}}
		entry := func(line int, schedule, command string) Entry {
			return Entry{Line: line, Schedule: schedule, User: "root", Command: command, Env: shell}
		}
		checkEntries(t, f.Entries, []Entry{
			entry(19, "17 * * * *", "cd / && run-parts --report /etc/cron.hourly"),
			entry(20, "25 6 * * *", "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }"),
			entry(21, "47 6 * * 7", "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.weekly; }"),
			entry(22, "52 6 1 * *", "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.monthly; }"),
		})
	}
}

func TestParse_UserCrontab(t *testing.T) {
	t.Parallel()
	f := Parse(read(t, "user-crontab"), StyleAuto)
	env := []Var{{"EMPTY", ""}, {"GREETING", "  hello "}, {"MAILTO", "ops@example.com"}, {"PATH", "/usr/local/bin:/usr/bin:/bin"}}
	silent := slices.Clone(env)
	silent[2].Value = ""
	if f.Style != StyleUser {
		t.Errorf("style %s", f.Style)
	}
	checkEntries(t, f.Entries, []Entry{
		{Line: 7, Schedule: "*/5 * * * *", Command: "/opt/poll.sh --fast", Env: env},
		{Line: 8, Schedule: "0 9-17/2 * * mon-fri", Command: `echo "at `, Stdin: "H\" | mail -s busy\nfirst line\nsecond line%\n", Env: env},
		{Line: 9, Schedule: "30 4 1,15 JAN,jul *", Command: "date +%Y-%m-%d > /tmp/stamp", Env: env},
		{Line: 10, Schedule: "@daily", Command: `curl -fsS -X PUT -H 'Authorization: Bearer t0k' -d '{"a":1}' "https://example.com/hook?x=1&y=2" >/dev/null 2>&1`, Env: env},
		{Line: 13, Schedule: "15 7 * * 1-5", Zone: "Europe/Berlin", Command: "wget -q -O /dev/null https://example.com/wake", Env: env},
		{Line: 17, Schedule: "0 0 * * sun", Zone: "Asia/Tokyo", Command: "/opt/weekly.sh", Env: silent},
	})
	if len(f.Problems) != 2 || f.Problems[0].Line != 11 || f.Problems[1].Line != 14 ||
		!strings.Contains(f.Problems[0].Reason, "@reboot is not possible") || !strings.Contains(f.Problems[1].Reason, `"61" is no number from 0 to 59`) {
		t.Errorf("problems %+v", f.Problems)
	}
}

func TestParse_LinesAsFound(t *testing.T) {
	t.Parallel()
	f := Parse("  \n\t# comment\r\n* * * * * a \r\n@hourly\tb%\n@weekly c%%\n* * * * * no newline", StyleUser)
	if len(f.Problems) > 0 {
		t.Errorf("problems %v", f.Problems)
	}
	checkEntries(t, f.Entries, []Entry{
		{Line: 3, Schedule: "* * * * *", Command: "a "},
		{Line: 4, Schedule: "@hourly", Command: "b"},
		{Line: 5, Schedule: "@weekly", Command: "c", Stdin: "\n"},
		{Line: 6, Schedule: "* * * * *", Command: "no newline"},
	})
}

func TestParse_Percent(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		`a`:             {"a", ""},
		`a\%b`:          {"a%b", ""},
		`a%b`:           {"a", "b\n"},
		`a%b%c\%d\e`:    {"a", "b\nc%d\\e\n"},
		`sed s/\./x/`:   {`sed s/\./x/`, ""},
		`a\\%b`:         {`a\\`, "b\n"},
		`a\\\%b`:        {`a\\%b`, ""},
		`a%%`:           {"a", "\n"},
		`a%b%`:          {"a", "b\n"},
		`a%\\%`:         {"a", "\\%\n"},
		`a\`:            {`a\`, ""},
		`a%b\`:          {"a", "b\\\n"},
		`echo "100\%"%`: {`echo "100%"`, ""},
	} {
		command, stdin := splitCommand(text)
		if got := [2]string{command, stdin}; got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestParse_Broken(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"* * * *":                      "ends before its day of week",
		"* * * * *":                    "has no command",
		"* * * * * %stdin":             "has no command",
		"@daily":                       "has no command",
		"@reboot x":                    "@reboot is not possible",
		"@every_minute x":              `"@every_minute" is none of @hourly`,
		"@Daily x":                     `"@Daily" is none of`,
		"60 * * * * x":                 `the minute "60": "60" is no number from 0 to 59`,
		"* 24 * * * x":                 `the hour "24"`,
		"* * 0 * * x":                  `the day of month "0"`,
		"* * * 13 * x":                 `nor a name from jan to dec`,
		"* * * * 8 x":                  `the day of week "8"`,
		"* * * * fri-sun x":            "runs backwards",
		"5-1 * * * * x":                "runs backwards",
		"5/10 * * * * x":               "write 5-59/10",
		"*/0 * * * * x":                "the step after /",
		"*/x * * * * x":                "the step after /",
		"*/1/1 * * * * x":              "the step after /",
		"1,,2 * * * * x":               "empty element",
		"1- * * * * x":                 "is no number",
		"*-5 * * * * x":                "is no number",
		"-1 * * * * x":                 "is no number",
		"0 0 L * * x":                  "is no number",
		"0 0 * * 1#2 x":                "is no number",
		"jan * * * * x":                "is no number",
		"01234 * * * * x":              "is no number",
		"backup everything":            `the minute "backup"`,
		"X=":                           "has no value",
		"X=  ":                         "has no value",
		"X='a":                         "no closing quote",
		`X="a" b`:                      "after the closing quote",
		"1X=a":                         "is no name for a variable",
		"=a":                           "is no name for a variable",
		"'X Y'=a":                      "is no name for a variable",
		"\"X":                          `the minute`,
		"* * * * * \xff":               "not valid UTF-8",
		"* * * * * a\x00b":             "NUL",
		"~ * * * * x":                  "is no number",
		"* * * * * * /usr/bin/x\x00":   "NUL",
		strings.Repeat("9", 300) + " ": "…",
	} {
		f := Parse("0 0 * * * before\n"+line+"\n0 1 * * * after", StyleUser)
		if len(f.Entries) != 2 || f.Entries[1].Line != 3 {
			t.Errorf("%q: the lines around it became %+v", line, f.Entries)
		}
		if len(f.Problems) != 1 || f.Problems[0].Line != 2 || !strings.Contains(f.Problems[0].Reason, want) {
			t.Errorf("%q: got %+v, want %q", line, f.Problems, want)
		}
	}
}

func TestParse_BrokenSystemLines(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"* * * * * root":      "has no command",
		"* * * * *":           "has no command",
		"* * * * * /bin/x y":  `"/bin/x", after the schedule, is no user name`,
		"@daily 0root x":      "is no user name",
		"17 * * * * root%a x": "is no user name",
	} {
		f := Parse(line, StyleSystem)
		if len(f.Problems) != 1 || !strings.Contains(f.Problems[0].Reason, want) {
			t.Errorf("%q: got %+v, want %q", line, f.Problems, want)
		}
	}
}

func TestParse_DetectsTheStyle(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Style{
		"":                                     StyleUser,
		"* * * * * root /bin/x":                StyleSystem,
		"@daily www-data /bin/x":               StyleSystem,
		"* * * * * root":                       StyleUser,
		"* * * * * /bin/root x":                StyleUser,
		"* * * * * curl http://example.com":    StyleUser,
		"* * * * * root /bin/x\n* * * * * ./y": StyleUser,
		"* * * * * alice x\n* * * * * root /x": StyleSystem,
		"# * * * * * user-name command\n* * * * * alice x": StyleSystem,
		"X=root y\n* * * * * php root":                     StyleUser,
	} {
		if got := Parse(text, StyleAuto).Style; got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestParse_BoundsTheVariables(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range maxVars + 2 {
		fmt.Fprintf(&b, "V%d=x\n", i)
	}
	f := Parse(b.String()+"V0=y\n* * * * * a", StyleUser)
	if len(f.Problems) != 2 || len(f.Entries) != 1 || len(f.Entries[0].Env) != maxVars {
		t.Fatalf("problems %v", f.Problems)
	}
	if i := slices.Index(f.Entries[0].Env, Var{"V0", "y"}); i < 0 {
		t.Error("a variable that was there already could not be changed")
	}
}

func TestCheckSchedule(t *testing.T) {
	t.Parallel()
	for schedule, ok := range map[string]bool{
		"@daily": true, "0 0 * * 0-7/2": true, "00 07 * * MON,wed": true, "@daily x": false, "* * * * * *": false, "0 0 L * *": false, "": false, "5/2 * * * *": false,
	} {
		if err := CheckSchedule(schedule); (err == nil) != ok {
			t.Errorf("%q: got %v", schedule, err)
		}
	}
}
