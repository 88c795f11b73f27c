package httpserver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cronraft/cronraft/internal/crontab"
	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxImportedName is how much of a URL a job is named after, and maxProgram how long
	// the name of a program may be.
	maxImportedName = 200
	maxProgram      = 60
	// derivedCrontab begins the external IDs that lines of a crontab get.
	derivedCrontab = "crontab"
)

// crontabImport is how a crontab becomes jobs.
type crontabImport struct {
	style crontab.Style
	// targetURL gets the commands; empty if there is nothing that takes them.
	targetURL string
	// zone is that of the lines before the first CRON_TZ.
	zone string

	ids  derived
	size int // of the bodies so far
}

// commandBody is what the target of an imported command gets, as JSON. It is part of
// the API: receivers read it.
type commandBody struct {
	Command string            `json:"command"`
	User    *string           `json:"user"`
	Stdin   *string           `json:"stdin"`
	Env     map[string]string `json:"env,omitempty"`
}

// crontabImport reads the parameters.
func (s *Server) crontabImport(q *query) *crontabImport {
	im := &crontabImport{
		style:     oneOf(q, paramStyle, crontab.StyleAuto, crontab.StyleUser, crontab.StyleSystem),
		targetURL: q.values[paramTargetURL], zone: q.values[fieldTimezone], ids: derived{},
	}
	probe := job.DefaultSpec()
	if probe.Target.URL = im.targetURL; im.targetURL == "" {
		probe.Target.URL = "http://unused/"
	}
	if im.zone == "" {
		im.zone = probe.Schedule.Timezone
	}
	probe.Schedule.Timezone, probe.Schedule.Interval = im.zone, time.Hour
	for _, e := range append(probe.Validate(), s.config.Schedules.Check(probe.Schedule)...) {
		if e.Field == fieldTargetURL || e.Field == fieldTimezone {
			q.add(e.Field, "%s", e.Msg)
		}
	}
	return im
}

// read makes a job of each line with a command; a line that is wrong is refused.
func (im *crontabImport) read(body []byte) ([]wanted, error) {
	file := crontab.Parse(string(body), im.style)
	if n := len(file.Entries) + len(file.Problems); n > maxListJobs {
		return nil, job.Errorf(job.CodePayloadTooLarge, "the crontab has %d lines that are no comments and no settings; send at most %d in one request", n, maxListJobs)
	}
	list := make([]wanted, 0, len(file.Entries)+len(file.Problems))
	for _, p := range file.Problems {
		list = append(list, wanted{
			index: p.Line, at: atLine(p.Line), name: clip(p.Text),
			refused: job.Errorf(job.CodeValidation, "%s", p.Reason),
		})
	}
	for _, e := range file.Entries {
		w, err := im.job(e)
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	slices.SortStableFunc(list, func(a, b wanted) int { return a.index - b.index })
	return list, nil
}

func atLine(n int) string { return fmt.Sprintf("line %d", n) }

// job makes a job of a line. Its error is for all of the crontab.
func (im *crontabImport) job(e crontab.Entry) (wanted, error) {
	w := wanted{index: e.Line, at: atLine(e.Line), name: commandName(e), externalID: e.ID}
	zone := cmp.Or(e.Zone, im.zone)
	members := object{{fieldCron, e.Schedule}, {fieldTimezone, zone}}
	request, whyNot := e.Request()
	isRequest := whyNot == nil
	w.keep = func(found, spec *job.Spec) { keepUnsaid(found, spec, isRequest) }
	if !isRequest && im.targetURL == "" {
		w.refused = job.Invalid(addField(nil, paramTargetURL, "is required for this line: name the URL that gets the command, since %v", whyNot))
		return w, nil
	}
	if w.externalID == "" {
		w.externalID = im.ids.id(derivedCrontab, lineIdentity(e, zone)...)
	}
	switch {
	case isRequest:
		w.name = requestName(&request)
		members = append(members, requestMembers(&request)...)
	default:
		body, err := encodeCommand(e)
		if err != nil {
			return w, err
		}
		if im.size += len(body); im.size > maxListBytes {
			return w, job.Errorf(job.CodePayloadTooLarge, "the commands and their variables must have at most %d bytes together; send them in several requests", maxListBytes)
		}
		members = append(members, member{fieldTargetURL, im.targetURL}, member{"body", body})
	}
	members = append(members, member{"name", w.name}, member{fieldExternalID, w.externalID})
	w.patch = newJobPatch(members, false)
	return w, nil
}

func encodeCommand(e crontab.Entry) (string, error) {
	b := commandBody{Command: e.Command, User: optional(e.User), Stdin: optional(e.Stdin)}
	if len(e.Env) > 0 {
		b.Env = make(map[string]string, len(e.Env))
		for _, v := range e.Env {
			b.Env[v.Name] = v.Value
		}
	}
	text, err := encodeJSON(b)
	return strings.TrimSuffix(string(text), "\n"), err
}

// commandName is the program and the schedule of a line. Everyone reads the name of a
// job, and the rest of a command may have secrets in it.
func commandName(e crontab.Entry) string {
	return fmt.Sprintf("%s (%s)", programOf(e.Command), e.Schedule)
}

// programOf is the program that a command runs, as far as that can be told without
// reading it as a shell does: "command" if not.
func programOf(command string) string {
	for part := range strings.SplitSeq(command, "&&") {
		words := strings.Fields(part)
		for len(words) > 0 && isAssignment(words[0]) {
			words = words[1:]
		}
		switch {
		case len(words) == 0:
		case slices.Contains(preparing, words[0]) && !strings.ContainsAny(part, `"'`+"`\\"):
			continue
		default:
			if name := path.Base(words[0]); isProgram(name) {
				return name
			}
		}
		break
	}
	return "command"
}

// preparing are programs that commands begin with for the sake of the next one.
var preparing = []string{"cd", "test", "["}

// isAssignment tells a variable that a command begins with, whose value is one word.
func isAssignment(word string) bool {
	name, value, ok := strings.Cut(word, "=")
	return ok && name != "" && !strings.ContainsFunc(name, isNoWord) && !strings.ContainsAny(value, `"'$\`+"`(){}<>;|&")
}

// isProgram tells a plain name.
func isProgram(name string) bool {
	return len(name) <= maxProgram && !strings.ContainsFunc(name, isNoWord)
}

// isNoWord is for characters that are not in plain names.
func isNoWord(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._+-", r)
}

// requestName leaves out the query, which may be long and have secrets in it.
func requestName(r *crontab.Request) string {
	where, _, _ := strings.Cut(r.URL, "?")
	name := strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || unicode.IsControl(c) {
			return -1
		}
		return c
	}, where)
	if runes := []rune(name); len(runes) > maxImportedName {
		name = string(runes[:maxImportedName]) + "…"
	}
	return r.Method + " " + name
}

// lineIdentity is what tells a line from others.
func lineIdentity(e crontab.Entry, zone string) []string {
	if request, err := e.Request(); err == nil {
		return requestIdentity(e.Schedule, zone, &request)
	}
	return []string{"command", e.Schedule, zone, e.User, e.Command, e.Stdin}
}

// keepUnsaid makes a spec, which is what a line says, that of the job which it is about:
// what no line can say stays as it is.
func keepUnsaid(found, spec *job.Spec, isRequest bool) {
	line := *spec
	*spec = found.Clone()
	spec.ExternalID = line.ExternalID
	spec.Schedule.Cron, spec.Schedule.Timezone = line.Schedule.Cron, line.Schedule.Timezone
	spec.Schedule.Interval, spec.Schedule.RunAt = 0, time.Time{}
	spec.Target.URL, spec.Target.Method, spec.Target.Body = line.Target.URL, line.Target.Method, line.Target.Body
	if isRequest {
		spec.Target.Headers, spec.FollowRedirects = line.Target.Headers, line.FollowRedirects
		spec.Timeout, spec.Retries, spec.RetryDelay = line.Timeout, line.Retries, line.RetryDelay
	}
}

// requestIdentity is what tells a line with a request from others; the values of
// headers are secret.
func requestIdentity(schedule, zone string, r *crontab.Request) []string {
	parts := []string{"request", schedule, zone, r.Method, r.URL}
	if r.Body != nil {
		parts = append(parts, *r.Body)
	}
	var names []string
	for _, h := range r.Headers {
		names = append(names, strings.ToLower(h.Name))
	}
	slices.Sort(names)
	return append(append(parts, ""), names...)
}

// requestMembers are the fields of a job that makes the request.
func requestMembers(r *crontab.Request) object {
	number := func(n int) json.Number { return json.Number(strconv.Itoa(n)) }
	o := object{{fieldTargetURL, r.URL}, {"httpMethod", r.Method}, {"followRedirects", r.Redirects}}
	if r.Body != nil {
		o = append(o, member{"body", *r.Body})
	}
	if len(r.Headers) > 0 {
		headers := object{}
		for _, h := range r.Headers {
			headers = append(headers, member{h.Name, h.Value})
		}
		o = append(o, member{fieldHeaders, headers})
	}
	if r.Timeout > 0 {
		o = append(o, member{"timeoutSeconds", number(r.Timeout)})
	}
	if r.Retries > 0 {
		o = append(o, member{"retries", number(r.Retries)})
	}
	if r.RetryDelay > 0 {
		o = append(o, member{"retryDelaySeconds", number(r.RetryDelay)})
	}
	return o
}
