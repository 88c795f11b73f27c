package crontab

import "strings"

// shellWords reads a command that is no more than words, as a shell would: with
// quotes and backslashes, and with output that goes to /dev/null. It is not ok for
// anything else that a shell would do something about: variables, pipes, further
// commands, files.
func shellWords(command string) (words []string, ok bool) {
	l := lexer{text: strings.Trim(command, blanks)}
	for l.text != "" {
		if !l.redirect() && !l.word() {
			return nil, false
		}
		l.text = strings.TrimLeft(l.text, blanks)
	}
	return l.words, true
}

type lexer struct {
	text  string // what is left
	words []string
}

// special are the characters that mean something to a shell outside of quotes. A ?
// or a * does too, but stays as it is if no file matches, as in a URL.
const special = "$`\"'\\;&|<>(){}[]~#!\n\r"

// outputs are the ways to send output to nowhere, the longest first.
var outputs = []string{"1>/dev/null", "2>/dev/null", "&>/dev/null", ">/dev/null", "2>&1"}

// redirect cuts one of outputs off.
func (l *lexer) redirect() bool {
	for _, form := range outputs {
		begin, file, toFile := strings.Cut(form, "/")
		rest, found := strings.CutPrefix(l.text, begin)
		if !found {
			continue
		}
		if toFile {
			if rest, found = strings.CutPrefix(strings.TrimLeft(rest, blanks), "/"+file); !found {
				continue
			}
		}
		if rest == "" || strings.ContainsAny(rest[:1], blanks) || strings.HasPrefix(rest, "2>&1") {
			l.text = rest
			return true
		}
	}
	return false
}

// word cuts a word off.
func (l *lexer) word() bool {
	var b strings.Builder
	for l.text != "" && !strings.ContainsAny(l.text[:1], blanks) {
		part, rest, ok := wordPart(l.text)
		if !ok {
			return false
		}
		b.WriteString(part)
		l.text = rest
	}
	l.words = append(l.words, b.String())
	return true
}

// wordPart reads what stands in one kind of quotes, or one character.
func wordPart(text string) (part, rest string, ok bool) {
	switch c := text[0]; {
	case c == '\'':
		return strings.Cut(text[1:], "'")
	case c == '"':
		return doubleQuoted(text[1:])
	case c == '\\' && len(text) > 1 && text[1] != '\n':
		return text[1:2], text[2:], true
	case strings.IndexByte(special, c) >= 0:
		return "", "", false
	}
	return text[:1], text[1:], true
}

func doubleQuoted(text string) (part, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], true
		case c == '$' || c == '`':
			return "", "", false
		case c == '\\' && i+1 < len(text) && strings.IndexByte("$`\"\\", text[i+1]) >= 0:
			i++
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}

// shellQuote writes a word so that a shell reads it as it is.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./:,=@+", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
