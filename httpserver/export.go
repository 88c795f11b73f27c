package httpserver

import (
	"cmp"
	"context"
	"io"
	"net/http"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/crontab"
	"github.com/cronraft/cronraft/internal/job"
)

const contentYAML = "application/yaml"

// exporter writes jobs in one format.
type exporter interface {
	contentType() string
	// begin, job and end append to b what comes before the first job, for each job,
	// and after the last.
	begin(b []byte) []byte
	job(b []byte, j *job.Job) ([]byte, error)
	end(b []byte) []byte
	// again, after the last job, says whether it wants to see all of them once more.
	again() bool
}

// exportJobs is GET /jobs/export: all jobs that the filters select, page by page,
// however many there are.
func (s *Server) exportJobs(ctx context.Context, c *call) (*response, error) {
	q := parseQuery(c.query, []string{
		paramNamespace, paramState, paramLastResult, paramTag, paramNamePrefix, paramExternalID,
		paramConsistency, paramFormat, paramStyle,
	})
	namespace, err := c.listed(q)
	if err != nil {
		return nil, err
	}
	ask := q.jobs()
	ask.Namespace, ask.Limit = namespace, maxLimit
	format := oneOf(q, paramFormat, formatJSON, formatYAML, formatCrontab)
	style := oneOf(q, paramStyle, crontab.StyleAuto, crontab.StyleUser, crontab.StyleSystem)
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	first, err := s.config.Jobs.List(ctx, ask)
	if err != nil {
		return nil, err
	}
	to := newExporter(format, style, first.Jobs)
	return &response{status: http.StatusOK, contentType: to.contentType(), stream: func(ctx context.Context, w io.Writer) error {
		return s.export(ctx, w, to, ask, first)
	}}, nil
}

func newExporter(format listFormat, style crontab.Style, first []job.Job) exporter {
	switch format {
	case formatYAML:
		return &yamlExporter{}
	case formatCrontab:
		if style != crontab.StyleUser && style != crontab.StyleSystem {
			style = styleFor(first)
		}
		return &crontabExporter{writer: crontab.Writer{Style: style}}
	}
	return &jsonExporter{}
}

// export writes the first page and those after it, each at once, as often as the
// exporter wants.
func (s *Server) export(ctx context.Context, w io.Writer, to exporter, ask job.JobQuery, page job.JobPage) error {
	b, start := to.begin(nil), ask
	for {
		for i := range page.Jobs {
			var err error
			if b, err = to.job(b, &page.Jobs[i]); err != nil {
				return err
			}
		}
		switch {
		case page.Next != nil:
			ask.After = *page.Next
		case to.again():
			ask = start
		default:
			_, err := w.Write(to.end(b))
			return err
		}
		if len(b) > 0 {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if page, err = s.config.Jobs.List(ctx, ask); err != nil {
			return err
		}
	}
}

// exported is the definition of a job with a name that an import knows it by again: its
// external ID, or else its own ID.
func exported(j *job.Job) *job.Spec {
	spec := j.Spec
	spec.ExternalID = cmp.Or(j.ExternalID, j.ID.String())
	return &spec
}

// jsonExporter writes the envelope and in it a list that apply and import take.
type jsonExporter struct{ some bool }

func (*jsonExporter) contentType() string { return contentJSON }

func (*jsonExporter) begin(b []byte) []byte {
	return append(b, `{"status":"`+api.StatusOK+`","data":{"`+fieldJobs+`":[`...)
}

func (x *jsonExporter) job(b []byte, j *job.Job) ([]byte, error) {
	if x.some {
		b = append(b, ',')
	}
	x.some = true
	b = append(b, "\n{"...)
	for i, f := range define(exported(j)) {
		if i > 0 {
			b = append(b, ',')
		}
		value, err := encodeJSON(f.value)
		if err != nil {
			return nil, err
		}
		b = append(b, `"`+f.name+`":`...)
		b = append(b, value[:len(value)-1]...) // without its newline
	}
	return append(b, '}'), nil
}

func (*jsonExporter) again() bool { return false }

func (*jsonExporter) end(b []byte) []byte { return append(b, "\n]}}\n"...) }

// yamlExporter writes an object with the list.
type yamlExporter struct{ some bool }

func (*yamlExporter) contentType() string { return contentYAML }

func (*yamlExporter) begin(b []byte) []byte { return append(b, fieldJobs+":"...) }

func (x *yamlExporter) job(b []byte, j *job.Job) ([]byte, error) {
	if !x.some {
		b = append(b, '\n')
	}
	x.some = true
	item, err := encodeYAML(define(exported(j)))
	return append(b, item...), err
}

func (*yamlExporter) again() bool { return false }

func (x *yamlExporter) end(b []byte) []byte {
	if !x.some {
		b = append(b, " []\n"...)
	}
	return b
}
