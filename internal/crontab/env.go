package crontab

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// zoneVar is the variable that is the zone of the schedules after it.
const zoneVar = "CRON_TZ"

var (
	errEmptyValue = errors.New(`has no value after "="; an empty one is written ""`)
	errAfterQuote = errors.New("has more text after the closing quote")
	errOpenQuote  = errors.New("has no closing quote")
	errBadName    = errors.New(`has no name before "="`)
)

// isSetting tells a line that sets a variable: its first word is followed by "=".
func isSetting(line string) bool {
	_, rest, err := settingName(line)
	return err == nil && strings.HasPrefix(rest, "=")
}

// settingName cuts a name, perhaps in quotes, off a line.
func settingName(line string) (name, rest string, err error) {
	if quote := line[0]; quote == '"' || quote == '\'' {
		end := strings.IndexByte(line[1:], quote)
		if end < 0 {
			return "", "", errOpenQuote
		}
		name, rest = line[1:1+end], line[2+end:]
	} else {
		end := strings.IndexAny(line, blanks+"=")
		if end < 0 {
			return "", "", errBadName
		}
		name, rest = line[:end], line[end:]
	}
	return name, strings.TrimLeft(rest, blanks), nil
}

// setting reads a line that isSetting took.
func (r *reader) setting(line string) error {
	name, rest, err := settingName(line)
	if err != nil {
		return err
	}
	value, err := settingValue(strings.TrimLeft(rest[1:], blanks))
	switch {
	case err != nil:
		return err
	case !isName(name):
		return fmt.Errorf("%q is no name for a variable: letters, digits and _ are, not beginning with a digit", shorten(name))
	case name == zoneVar:
		r.zone = value
		return nil
	}
	return r.set(Var{name, value})
}

// settingValue reads what stands after "=": blanks around it do not count, unless
// they are in quotes.
func settingValue(text string) (string, error) {
	if text == "" {
		return "", errEmptyValue
	}
	quote := text[0]
	if quote != '"' && quote != '\'' {
		return strings.TrimRight(text, blanks), nil
	}
	value, after, closed := strings.Cut(text[1:], string(quote))
	switch {
	case !closed:
		return "", errOpenQuote
	case strings.Trim(after, blanks) != "":
		return "", errAfterQuote
	}
	return value, nil
}

func isName(name string) bool {
	for i, c := range []byte(name) {
		isLetter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !isLetter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// set replaces or adds a variable.
func (r *reader) set(v Var) error {
	i, found := slices.BinarySearchFunc(r.env, v.Name, func(a Var, name string) int { return strings.Compare(a.Name, name) })
	switch {
	case found && r.env[i] == v:
		return nil
	case found:
		r.env = slices.Clone(r.env)
		r.env[i] = v
	case len(r.env) == maxVars:
		return fmt.Errorf("is one variable more than the %d that a crontab may have", maxVars)
	default:
		r.env = slices.Insert(slices.Clone(r.env), i, v)
	}
	return nil
}
