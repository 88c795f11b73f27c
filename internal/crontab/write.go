package crontab

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Writer writes entries one after the other, with the settings that they need
// between them and their IDs as comments, so that [Parse] reads the same entries again.
type Writer struct {
	// Style is user's or system's, as for all entries.
	Style Style
	in    reader // what the lines so far have set
}

// ErrNotSayable is why [Writer.Append] refuses an entry that no line of a crontab
// reads as; it comes wrapped.
var ErrNotSayable = errors.New("a crontab cannot say this")

// Append adds the lines of an entry to b and returns it. After an error nothing was
// added. The entry's Line does not count.
func (w *Writer) Append(b []byte, e Entry) ([]byte, error) {
	settings, err := w.settings(e)
	if err != nil {
		return b, err
	}
	line := e.Schedule + " "
	switch {
	case strings.Contains(e.Command, "\n"):
		return b, fmt.Errorf("%w: the command has a line break", ErrNotSayable)
	case w.Style == StyleSystem && e.User == "":
		return b, fmt.Errorf("%w: it has no user, as each line of a system's crontab does", ErrNotSayable)
	case w.Style == StyleSystem:
		line += e.User + " "
	case e.User != "":
		return b, fmt.Errorf("%w: a user's crontab has no column for the user %s", ErrNotSayable, shorten(e.User))
	}
	if e.ID != "" {
		settings += idComment + e.ID + "\n"
	}
	text := settings + line + joinCommand(e.Command, e.Stdin) + "\n"
	after, err := w.readAgain(text, e)
	if err != nil {
		return b, err
	}
	w.in = after
	return append(b, text...), nil
}

// settings are the lines that make the zone and the variables those of the entry.
func (w *Writer) settings(e Entry) (string, error) {
	var b strings.Builder
	if e.Zone != w.in.zone {
		b.WriteString(zoneVar + "=" + quoteValue(e.Zone) + "\n")
	}
	for _, v := range w.in.env {
		if !slices.ContainsFunc(e.Env, func(has Var) bool { return has.Name == v.Name }) {
			return "", fmt.Errorf("%w: the variable %s, which lines above set, cannot be removed again", ErrNotSayable, v.Name)
		}
	}
	for _, v := range e.Env {
		if !slices.Contains(w.in.env, v) {
			b.WriteString(v.Name + "=" + quoteValue(v.Value) + "\n")
		}
	}
	return b.String(), nil
}

// quoteValue writes a value in quotes if it needs them.
func quoteValue(value string) string {
	switch {
	case value != "" && strings.Trim(value, blanks+"\r") == value && !strings.ContainsAny(value[:1], `"'`):
		return value
	case strings.Contains(value, `"`):
		return "'" + value + "'"
	}
	return `"` + value + `"`
}

// readAgain makes sure that the text says the entry and nothing else, and returns
// what holds after it.
func (w *Writer) readAgain(text string, e Entry) (reader, error) {
	r := reader{file: File{Style: w.Style}, zone: w.in.zone, env: w.in.env}
	for line := range strings.SplitSeq(text, "\n") {
		if err := r.line(0, strings.TrimSuffix(line, "\r")); err != nil {
			return r, fmt.Errorf("%w: %w", ErrNotSayable, err)
		}
	}
	e.Line = 0
	if len(r.file.Entries) != 1 || !r.file.Entries[0].equal(e) {
		return r, fmt.Errorf("%w: it would be read in another way", ErrNotSayable)
	}
	r.file.Entries = nil
	return r, nil
}

func (e Entry) equal(other Entry) bool {
	return e.Line == other.Line && e.Schedule == other.Schedule && e.Zone == other.Zone && e.User == other.User &&
		e.ID == other.ID && e.Command == other.Command && e.Stdin == other.Stdin && slices.Equal(e.Env, other.Env)
}
