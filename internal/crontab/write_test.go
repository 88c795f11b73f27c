package crontab

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// writeAll writes the entries that can be written, and returns these.
func writeAll(style Style, entries []Entry) (text []byte, written []Entry) {
	w := Writer{Style: style}
	for _, e := range entries {
		after, err := w.Append(text, e)
		if err == nil {
			text, written = after, append(written, e)
		}
	}
	return text, written
}

// checkAgain reads what was written, and compares it but for the lines.
func checkAgain(t interface{ Fatalf(string, ...any) }, style Style, text []byte, want []Entry) {
	f := Parse(string(text), style)
	if len(f.Problems) > 0 || len(f.Entries) != len(want) {
		t.Fatalf("wrote %q, read %+v of %+v", text, f, want)
	}
	for i, e := range f.Entries {
		e.Line = want[i].Line
		if !e.equal(want[i]) {
			t.Fatalf("wrote %q, read %+v, want %+v", text, e, want[i])
		}
	}
}

func TestWriter_WritesWhatWasRead(t *testing.T) {
	t.Parallel()
	for name, style := range map[string]Style{"debian-crontab": StyleSystem, "user-crontab": StyleUser} {
		f := Parse(read(t, name), style)
		text, written := writeAll(style, f.Entries)
		if len(written) != len(f.Entries) {
			t.Errorf("%s: wrote %d of %d entries", name, len(written), len(f.Entries))
		}
		checkAgain(t, style, text, written)
	}
}

func TestWriter_Text(t *testing.T) {
	t.Parallel()
	text, _ := writeAll(StyleUser, []Entry{
		{Schedule: "@daily", Zone: "UTC", Command: "date +%F", Env: []Var{{"A", ""}, {"B", "b c"}}},
		{Schedule: "* * * * *", Zone: "UTC", Command: "cat", Stdin: "one\ntwo\n", Env: []Var{{"A", "a"}, {"B", "b c"}}},
		{Schedule: "* * * * *", Command: "cat", Stdin: "\n", Env: []Var{{"A", "a"}, {"B", "b c"}}},
	})
	want := "CRON_TZ=UTC\nA=\"\"\nB=b c\n@daily date +\\%F\nA=a\n* * * * * cat%one%two\nCRON_TZ=\"\"\n* * * * * cat%%\n"
	if string(text) != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

func TestWriter_RefusesWhatNoLineSays(t *testing.T) {
	t.Parallel()
	const every = "* * * * *"
	for name, e := range map[string]Entry{
		"newline":           {Schedule: every, Command: "a\nb"},
		"second entry":      {Schedule: every, Command: "a\n* * * * * b"},
		"comment":           {Schedule: "#", Command: "a"},
		"blank first":       {Schedule: every, Command: " a"},
		"no command":        {Schedule: every},
		"backslash percent": {Schedule: every, Command: `a\%`},
		"stdin newline":     {Schedule: every, Command: "a", Stdin: "b"},
		"schedule":          {Schedule: "0 0 L * *", Command: "a"},
		"two blanks":        {Schedule: "* *  * * *", Command: "a"},
		"user":              {Schedule: every, Command: "a", User: "root"},
		"zone":              {Schedule: every, Command: "a", Zone: "a\nb"},
		"variable":          {Schedule: every, Command: "a", Env: []Var{{"A B", "c"}}},
		"quotes":            {Schedule: every, Command: "a", Env: []Var{{"A", `"'`}}},
		"order":             {Schedule: every, Command: "a", Env: []Var{{"B", "1"}, {"A", "1"}}},
		"binary":            {Schedule: every, Command: "\xff"},
	} {
		w := Writer{Style: StyleUser}
		if got, err := w.Append([]byte("x"), e); !errors.Is(err, ErrNotSayable) || string(got) != "x" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if got, err := w.Append(nil, Entry{Schedule: every, Command: "ok"}); err != nil || string(got) != "* * * * * ok\n" {
			t.Errorf("%s: afterwards got %q, %v", name, got, err)
		}
	}
	w := Writer{Style: StyleSystem}
	if _, err := w.Append(nil, Entry{Schedule: every, Command: "a"}); !errors.Is(err, ErrNotSayable) {
		t.Errorf("no user: got %v", err)
	}
	w = Writer{Style: StyleUser}
	text, _ := w.Append(nil, Entry{Schedule: every, Command: "a", Env: []Var{{"A", "1"}}})
	if got, err := w.Append(text, Entry{Schedule: every, Command: "a"}); !errors.Is(err, ErrNotSayable) || !strings.Contains(err.Error(), "the variable A") {
		t.Errorf("a variable that cannot be removed: got %q, %v", got, err)
	}
}

// drawEntry draws an entry, most of which can be written.
func drawEntry(t *rapid.T, style Style) Entry {
	text := rapid.StringMatching(`[a-z%\\ "'\n\r\t#=$é*]{0,12}`)
	e := Entry{
		Schedule: rapid.SampledFrom([]string{"* * * * *", "*/5 0-3 1,2 JAN 7", "@daily", "@annually"}).Draw(t, "schedule"),
		Zone:     rapid.SampledFrom([]string{"", "UTC", "Europe/Berlin"}).Draw(t, "zone"),
		Command:  text.Draw(t, "command"),
		Stdin:    text.Draw(t, "stdin"),
	}
	if style == StyleSystem {
		e.User = rapid.SampledFrom([]string{"root", "www-data"}).Draw(t, "user")
	}
	for _, name := range []string{"A", "B"} {
		if rapid.Bool().Draw(t, "has") {
			e.Env = append(e.Env, Var{name, text.Draw(t, "value")})
		}
	}
	return e
}

func TestWriter_ReadsAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		style := rapid.SampledFrom([]Style{StyleUser, StyleSystem}).Draw(t, "style")
		entries := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Entry { return drawEntry(t, style) }), 0, 8).Draw(t, "entries")
		text, written := writeAll(style, entries)
		checkAgain(t, style, text, written)
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"* * * * * a\n", "@daily b%c\\%d%\n", "X = ' y '\nCRON_TZ=UTC\n0 0 * * sun root cmd \\\\\\%\n", "\"A\"=\"\"\n1-5/2,7 * * * * x\r\n", "# user-name\n@reboot x\n=\n",
		"* * * * * curl -fsSL -X POST -H 'A: b' -d 'c' http://example.com/ >/dev/null 2>&1\n", "@hourly wget -qO- --post-data=x http://u:p@e.com\n",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, system bool) {
		style := StyleUser
		if system {
			style = StyleSystem
		}
		file := Parse(text, style)
		lines := strings.Count(text, "\n") + 1
		if n := len(file.Entries) + len(file.Problems); n > lines {
			t.Fatalf("%d entries and problems in %d lines", n, lines)
		}
		written, _ := writeAll(style, file.Entries)
		if len(file.Problems) == 0 { // else a variable may have been set that no line sets any more
			checkAgain(t, style, written, file.Entries)
		}
		for _, e := range file.Entries {
			checkRequestAgain(t, e)
		}
		if again := Parse(text, style); len(again.Entries) != len(file.Entries) || !slices.Equal(again.Problems, file.Problems) {
			t.Fatal("reading twice differs")
		}
	})
}

func TestWriter_IDs(t *testing.T) {
	t.Parallel()
	entries := []Entry{
		{Schedule: "@daily", Command: "date", ID: "job_1"},
		{Schedule: "@daily", Command: "date", Zone: "UTC", ID: "a b#c"},
		{Schedule: "@daily", Command: "date", Zone: "UTC"},
	}
	text, written := writeAll(StyleUser, entries)
	if want := "# cronraft: job_1\n@daily date\nCRON_TZ=UTC\n# cronraft: a b#c\n@daily date\n@daily date\n"; string(text) != want || len(written) != 3 {
		t.Errorf("got %q, want %q", text, want)
	}
	checkAgain(t, StyleUser, text, entries)
	f := Parse("# cronraft: x\n@reboot date\n@daily date\n", StyleUser)
	if len(f.Entries) != 1 || f.Entries[0].ID != "" {
		t.Errorf("the ID of a line that is wrong went to another one: %+v", f)
	}
	if text, _ := writeAll(StyleUser, []Entry{{Schedule: "@daily", Command: "date", ID: "two\nlines"}, {Schedule: "@daily", Command: "date", ID: " x"}}); len(text) > 0 {
		t.Errorf("wrote %q", text)
	}
}
