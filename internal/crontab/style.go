package crontab

import (
	"slices"
	"strings"
)

// accounts are users that systems have and whose names are no commands.
var accounts = []string{
	"root", "daemon", "nobody", "www-data", "apache", "nginx", "http", "postgres", "mysql", "redis", "mongodb",
	"ubuntu", "debian", "admin", "ec2-user", "vagrant", "deploy", "jenkins", "git", "gitlab", "logcheck", "munin", "smmsp",
	"amavis", "clamav", "debian-spamd", "mailman", "postfix", "exim", "Debian-exim", "nagios", "icinga", "zabbix", "prometheus",
}

// detect tells which style the lines have: the system's if each entry has a name
// after its schedule, and one of them is a well-known account's, or a comment says
// that there is such a column. In doubt it is a user's.
func detect(lines []string) Style {
	named, told := false, false
	for _, line := range lines {
		line = strings.Trim(line, blanks+"\r")
		if strings.HasPrefix(line, "#") {
			told = told || strings.Contains(line, "* user-name")
			continue
		}
		user, isEntry := userColumn(line)
		switch {
		case !isEntry:
		case user == "":
			return StyleUser
		default:
			named = named || slices.Contains(accounts, user)
		}
	}
	if named || told {
		return StyleSystem
	}
	return StyleUser
}

// userColumn is the word after the schedule of an entry, if it may be a user and a
// command follows it.
func userColumn(line string) (user string, isEntry bool) {
	if line == "" || isSetting(line) {
		return "", false
	}
	rest := line
	if strings.HasPrefix(line, "@") {
		_, rest = word(line)
	} else {
		for range fields {
			_, rest = word(rest)
		}
	}
	first, command := word(rest)
	if command == "" || !isUser(first) {
		return "", true
	}
	return first, true
}
