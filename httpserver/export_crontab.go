package httpserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/crontab"
	"github.com/cronraft/cronraft/internal/job"
)

// requestUser runs the lines of a system's crontab that are requests: they need no
// right.
const requestUser = "nobody"

// crontabExporter writes a line for each job, and a comment for what no line says. A
// variable cannot be taken back, so the lines that have fewer of them come first: it
// sees all jobs once for each number of variables.
type crontabExporter struct {
	writer crontab.Writer
	// vars is how many variables the lines of this time have; next is the least
	// number above it that was seen, zero for none.
	vars, next int
}

func (*crontabExporter) contentType() string { return contentText }

func (x *crontabExporter) begin(b []byte) []byte {
	b = append(b, "# The jobs of a cronraft cluster. CRON_TZ is the zone of the lines after it, for\n"+
		"# cronraft and for crons that know it; values of headers are hidden.\n"...)
	if x.writer.Style == crontab.StyleSystem {
		return append(b, "# * * * * * user-name command to be executed\n"...)
	}
	return b
}

func (*crontabExporter) end(b []byte) []byte { return b }

func (x *crontabExporter) again() bool {
	x.vars, x.next = x.next, 0
	return x.vars > 0
}

// isDue reports whether the line of a job with so many variables is to be written now,
// and remembers those that come later.
func (x *crontabExporter) isDue(vars int) bool {
	if vars > x.vars && (x.next == 0 || vars < x.next) {
		x.next = vars
	}
	return vars == x.vars
}

func (x *crontabExporter) job(b []byte, j *job.Job) ([]byte, error) {
	line, err := lineOf(j)
	vars := 0
	if err == nil {
		vars = len(line.entry.Env)
	}
	if !x.isDue(vars) {
		return b, nil
	}
	if err == nil {
		if line.isRequest && x.writer.Style == crontab.StyleSystem {
			line.entry.User = requestUser
		}
		if id := exported(j).ExternalID; id != (derived{}).id(derivedCrontab, lineIdentity(line.entry, line.entry.Zone)...) {
			line.entry.ID = id
		}
		var text []byte
		if text, err = x.writer.Append(nil, line.entry); err == nil {
			return append(appendComments(b, j, line), text...), nil
		}
	}
	if !errors.Is(err, crontab.ErrNotSayable) {
		return nil, err
	}
	reason := strings.TrimPrefix(err.Error(), crontab.ErrNotSayable.Error()+": ")
	b = appendComment(b, fmt.Sprintf("%s (%v)", j.Name, j.ID))
	return appendComment(b, "  is not in this crontab: "+reason), nil
}

// appendComments tells the name of a job, if the line does not, and what the line
// leaves out.
func appendComments(b []byte, j *job.Job, line *exportedLine) []byte {
	if j.Name != line.name {
		b = appendComment(b, j.Name)
	}
	if len(line.left) > 0 {
		b = appendComment(b, "  the line below leaves out: "+strings.Join(line.left, ", "))
	}
	return b
}

// appendComment writes one line, whatever the text has.
func appendComment(b []byte, text string) []byte {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if crontab.IsID("# " + clean) {
		clean = " " + clean
	}
	return append(b, "# "+clean+"\n"...)
}

// exportedLine is a job as a line of a crontab.
type exportedLine struct {
	entry crontab.Entry
	// name is what an import of the line would name the job.
	name string
	// left are the fields that the line cannot say.
	left      []string
	isRequest bool
}

// lineOf is the line of a job. Its error is [crontab.ErrNotSayable] if there is none.
func lineOf(j *job.Job) (*exportedLine, error) {
	schedule, zone, err := scheduleLine(j)
	if err != nil {
		return nil, err
	}
	line := &exportedLine{}
	said := []string{"name", fieldExternalID, fieldCron, fieldInterval, fieldTimezone, fieldTargetURL, "httpMethod", "body"}
	if e, ok := commandOf(&j.Spec); ok {
		line.entry = e
	} else {
		r := requestOf(&j.Spec)
		line.isRequest, line.name = true, requestName(&r)
		line.entry.Command = r.Curl()
		said = append(said, fieldHeaders, "timeoutSeconds", "retries", "retryDelaySeconds", "followRedirects")
	}
	line.entry.Schedule, line.entry.Zone = schedule, zone
	if !line.isRequest {
		line.name = commandName(line.entry)
	}
	for _, f := range define(&j.Spec) {
		if slices.Contains(said, f.name) {
			continue
		}
		value, err := encodeJSON(f.value)
		if err != nil {
			return nil, err
		}
		line.left = append(line.left, f.name+" "+strings.TrimSpace(string(value)))
	}
	return line, nil
}

// scheduleLine is the schedule of a job, and its zone.
func scheduleLine(j *job.Job) (schedule, zone string, err error) {
	s := j.Schedule
	switch {
	case j.State == job.Paused:
		return "", "", notSayable("it is paused")
	case j.State == job.Completed:
		return "", "", notSayable("it is over")
	case !s.RunAt.IsZero():
		return "", "", notSayable("it runs once, at %s", s.RunAt.Format(time.RFC3339))
	case s.Interval != 0:
		expression, ok := divisor(s.Interval)
		if !ok || !s.StartAt.IsZero() {
			return "", "", notSayable("it runs every %d seconds, which no five fields say", seconds(s.Interval))
		}
		return expression, "UTC", nil
	}
	schedule = strings.Join(strings.Fields(s.Cron), " ")
	if err := crontab.CheckSchedule(schedule); err != nil {
		return "", "", notSayable("its schedule is %s, and %s", schedule, err)
	}
	return schedule, s.Timezone, nil
}

func notSayable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", crontab.ErrNotSayable, fmt.Sprintf(format, args...))
}

// divisor is the expression whose slots in UTC are the multiples of an interval; false
// if there is none.
func divisor(d time.Duration) (string, bool) {
	switch minutes, hours := int(d/time.Minute), int(d/time.Hour); {
	case d == time.Minute:
		return "* * * * *", true
	case d%time.Minute == 0 && minutes < 60 && 60%minutes == 0:
		return fmt.Sprintf("*/%d * * * *", minutes), true
	case d == time.Hour:
		return "0 * * * *", true
	case d%time.Hour == 0 && hours < 24 && 24%hours == 0:
		return fmt.Sprintf("0 */%d * * *", hours), true
	case d == 24*time.Hour:
		return "0 0 * * *", true
	case d == 7*24*time.Hour:
		return "0 0 * * 4", true // the Unix epoch was a Thursday
	}
	return "", false
}

// commandOf is the command of a job that an import made of one; false for any other.
func commandOf(s *job.Spec) (crontab.Entry, bool) {
	if s.Target.Body == nil || s.Target.Method != http.MethodPost {
		return crontab.Entry{}, false
	}
	var b commandBody
	if err := json.Unmarshal([]byte(*s.Target.Body), &b); err != nil || b.Command == "" {
		return crontab.Entry{}, false
	}
	e := crontab.Entry{Command: b.Command}
	if b.User != nil {
		e.User = *b.User
	}
	if b.Stdin != nil {
		e.Stdin = *b.Stdin
	}
	for _, name := range slices.Sorted(maps.Keys(b.Env)) {
		e.Env = append(e.Env, crontab.Var{Name: name, Value: b.Env[name]})
	}
	again, err := encodeCommand(e)
	return e, err == nil && again == *s.Target.Body
}

// requestOf is what the job's target gets, as far as curl can say it.
func requestOf(s *job.Spec) crontab.Request {
	fresh := job.DefaultSpec()
	r := crontab.Request{Method: s.Target.Method, URL: s.Target.URL, Body: s.Target.Body, Retries: s.Retries, Redirects: s.FollowRedirects}
	if s.Timeout != fresh.Timeout {
		r.Timeout = int(seconds(s.Timeout))
	}
	if s.RetryDelay != fresh.RetryDelay {
		r.RetryDelay = int(seconds(s.RetryDelay))
	}
	for _, h := range s.Target.Headers {
		r.Headers = append(r.Headers, crontab.HTTPHeader{Name: h.Name, Value: api.Hidden})
	}
	if r.Body != nil && findHeader(s.Target.Headers, headerContentType) == nil {
		media := contentText
		if json.Valid([]byte(*r.Body)) {
			media = mediaJSON
		}
		r.Headers = append(r.Headers, crontab.HTTPHeader{Name: headerContentType, Value: media})
	}
	return r
}

// styleFor is the style in which the jobs can be said: a system's if one of them has
// a user.
func styleFor(jobs []job.Job) crontab.Style {
	for i := range jobs {
		if e, ok := commandOf(&jobs[i].Spec); ok && e.User != "" {
			return crontab.StyleSystem
		}
	}
	return crontab.StyleUser
}
