package crontab

import "strings"

// splitCommand reads the last part of a line: the command up to the first % that no
// backslash stands before, and what it reads after that, in which each further % is
// a newline. \% is a percent sign in both.
func splitCommand(text string) (command, stdin string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '%':
			return b.String(), readStdin(text[i+1:])
		case text[i] == '\\' && i+1 < len(text):
			if i++; text[i] != '%' {
				b.WriteByte('\\')
			}
		}
		b.WriteByte(text[i])
	}
	return b.String(), ""
}

// readStdin ends with a newline, as cron makes it, unless there is nothing. Here any
// backslash right before a % makes it a percent sign.
func readStdin(text string) string {
	if text == "" {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '%':
			b.WriteByte('\n')
			continue
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '%':
			i++
		}
		b.WriteByte(text[i])
	}
	s := b.String()
	if !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s
}

// joinCommand is what splitCommand reads. There is none for some commands, which
// whoever calls it finds out by reading again.
func joinCommand(command, stdin string) string {
	escape := strings.NewReplacer("%", `\%`)
	text := escape.Replace(command)
	if stdin != "" {
		// The newline at the end comes by itself, except after another one.
		if rest := strings.TrimSuffix(stdin, "\n"); rest != "" && !strings.HasSuffix(rest, "\n") {
			stdin = rest
		}
		text += "%" + strings.ReplaceAll(escape.Replace(stdin), "\n", "%")
	}
	if strings.HasSuffix(text, "\r") {
		text += "%" // or it would be no part of the line; the % says nothing there
	}
	return text
}
