package crontab

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Style is which of the two forms of a crontab a text has.
type Style string

// The styles.
const (
	// StyleAuto is the one that the text looks like.
	StyleAuto Style = "auto"
	// StyleUser is that of crontab(1): a schedule and a command.
	StyleUser Style = "user"
	// StyleSystem is that of /etc/crontab and /etc/cron.d: a user stands between.
	StyleSystem Style = "system"
)

// Entry is a line that runs a command.
type Entry struct {
	Line int // from 1
	// Schedule is five fields, with one blank between them, or a macro.
	Schedule string
	// Zone is the CRON_TZ that was in force; empty for the machine's own.
	Zone string
	// User is whose command it is; empty in a user's crontab.
	User string
	// Command is what the shell gets, after % and \% were read.
	Command string
	// Stdin is what the command reads; empty for nothing.
	Stdin string
	// Env are the other variables in force, in the order of their names. Entries may
	// share it.
	Env []Var
	// ID is what a comment before the line calls the entry, see [Writer]; empty for most.
	ID string
}

// Var is one environment variable.
type Var struct{ Name, Value string }

// Problem is why a line cannot be used.
type Problem struct {
	Line   int
	Text   string // the line, perhaps shortened
	Reason string
}

// File is what a crontab says.
type File struct {
	Style    Style
	Entries  []Entry
	Problems []Problem
}

const (
	// maxVars bounds the variables of a crontab, which each of its entries has.
	maxVars = 100
	// maxShown bounds what a problem repeats of a line.
	maxShown = 100
)

// Parse reads a whole crontab.
func Parse(text string, style Style) File {
	lines := strings.Split(text, "\n")
	if style != StyleUser && style != StyleSystem {
		style = detect(lines)
	}
	r := reader{file: File{Style: style}}
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		if err := r.line(i+1, line); err != nil {
			r.file.Problems = append(r.file.Problems, Problem{Line: i + 1, Text: shorten(line), Reason: err.Error()})
		}
	}
	return r.file
}

// reader is what the lines so far have set.
type reader struct {
	file File
	zone string
	env  []Var // never changed in place: entries share it
	id   string
}

// idComment begins a comment that is the ID of the entry after it.
const idComment = "# cronraft: "

// blanks are what separates the parts of a line.
const blanks = " \t"

// IsID tells the comment that is the ID of the entry after it.
func IsID(line string) bool {
	return strings.HasPrefix(line, idComment) && utf8.ValidString(line)
}

func (r *reader) line(number int, line string) error {
	line = strings.TrimLeft(line, blanks)
	switch {
	case line == "" || line[0] == '#':
		if IsID(line) {
			r.id = strings.Trim(line[len(idComment):], blanks)
		}
		return nil
	case !utf8.ValidString(line):
		return fmt.Errorf("is not valid UTF-8")
	case strings.ContainsRune(line, 0):
		return fmt.Errorf("has a NUL character")
	}
	if isSetting(line) {
		return r.setting(line)
	}
	id := r.id
	r.id = "" // it was that of this line, be it wrong
	e, err := parseEntry(line, r.file.Style)
	if err != nil {
		return err
	}
	e.Line, e.Zone, e.Env, e.ID = number, r.zone, r.env, id
	r.file.Entries = append(r.file.Entries, e)
	return nil
}

// parseEntry reads a schedule, a user if the style has one, and a command.
func parseEntry(line string, style Style) (Entry, error) {
	var e Entry
	var rest string
	var err error
	if e.Schedule, rest, err = parseSchedule(line); err != nil {
		return e, err
	}
	if style == StyleSystem {
		e.User, rest = word(rest)
		if e.User != "" && !isUser(e.User) {
			return e, fmt.Errorf("%q, after the schedule, is no user name; a crontab of a user, without that column, has style=user", shorten(e.User))
		}
	}
	if e.Command, e.Stdin = splitCommand(rest); strings.Trim(e.Command, blanks) == "" {
		return e, fmt.Errorf("has no command")
	}
	return e, nil
}

// word cuts the first word off a text, and the blanks after it.
func word(text string) (first, rest string) {
	end := strings.IndexAny(text, blanks)
	if end < 0 {
		return text, ""
	}
	return text[:end], strings.TrimLeft(text[end:], blanks)
}

// isUser tells a name that an account can have.
func isUser(name string) bool {
	for i, c := range []byte(name) {
		isFirst := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		isLater := isFirst || '0' <= c && c <= '9' || c == '-' || c == '.'
		if i == 0 && !isFirst || !isLater && (c != '$' || i < len(name)-1) {
			return false
		}
	}
	return name != ""
}

// shorten cuts a text for a message.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}
