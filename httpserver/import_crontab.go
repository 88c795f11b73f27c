package httpserver

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cronraft/cronraft/internal/crontab"
	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxImportedName is how much of a command its job is named after.
	maxImportedName = 200
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
	if n := len(file.Entries) + len(file.Problems); n > MaxChanges {
		return nil, job.Errorf(job.CodePayloadTooLarge, "the crontab has %d lines that are no comments and no settings; send at most %d in one request", n, MaxChanges)
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
	w := wanted{index: e.Line, at: atLine(e.Line), name: nameOf(e.Command)}
	zone := e.Zone
	if zone == "" {
		zone = im.zone
	}
	members := object{{fieldCron, e.Schedule}, {fieldTimezone, zone}}
	request, isRequest := e.Request()
	switch {
	case isRequest:
		w.name = requestName(&request)
		w.externalID = im.ids.id(derivedCrontab, requestIdentity(e.Schedule, zone, &request)...)
		members = append(members, requestMembers(&request)...)
	case im.targetURL == "":
		w.refused = job.Invalid(addField(nil, paramTargetURL, "is required for this line: name the URL that gets the command, since it is no curl or wget of which every option can be kept"))
		return w, nil
	default:
		w.externalID = im.ids.id(derivedCrontab, "command", e.Schedule, zone, e.User, e.Command, e.Stdin)
		body, err := encodeCommand(e)
		if err != nil {
			return w, err
		}
		if im.size += len(body); im.size > MaxChangeBytes {
			return w, errBulkTooLarge
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

// nameOf makes one line of a command that is not too long for a name.
func nameOf(command string) string {
	name := strings.Join(strings.FieldsFunc(command, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if runes := []rune(name); len(runes) > maxImportedName {
		name = string(runes[:maxImportedName-1]) + "…"
	}
	if name == "" {
		return "command"
	}
	return name
}

// requestName leaves out the query, which may be long.
func requestName(r *crontab.Request) string {
	where, _, _ := strings.Cut(r.URL, "?")
	return nameOf(r.Method + " " + where)
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
