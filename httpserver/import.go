package httpserver

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	paramStyle     = "style"
	paramTargetURL = "targetUrl"
	fieldTargetURL = "targetUrl"
)

// importJobs is POST /jobs/import: it creates or replaces each job of the list that
// can be, and tells what is wrong with the others. A job without an external ID gets
// one that comes of what it says, so that the same list twice makes it once.
func (s *Server) importJobs(ctx context.Context, c *call) (*response, error) {
	q := parseQuery(c.query, []string{paramDryRun, paramFormat, paramStyle, paramTargetURL, fieldTimezone})
	done, err := s.admitList(c)
	if err != nil {
		return nil, err
	}
	defer done()
	a := &applying{server: s, call: c, dryRun: q.flag(paramDryRun)}
	crontab := s.crontabImport(q)
	format, err := c.listFormat(q, formatJSON, formatYAML, formatCrontab)
	switch {
	case err != nil:
	case format == formatCrontab:
		a.wanted, err = crontab.read(c.body)
	default:
		a.wanted, err = importList(c.body, format)
	}
	if err := a.allow(err); err != nil {
		return nil, err
	}
	refuseTwins(a.wanted)
	return a.serve(ctx)
}

// importList reads JSON or YAML.
func importList(body []byte, format listFormat) ([]wanted, error) {
	doc, err := parseList(body, format)
	if err != nil {
		return nil, err
	}
	list, err := doc.jobs()
	if err != nil {
		return nil, err
	}
	d := derived{}
	for i := range list {
		w := &list[i]
		if w.refused != nil {
			continue
		}
		if v, _ := w.patch.members.get(fieldExternalID); v == nil {
			w.externalID = d.id("import", identity(w.patch.members)...)
			w.patch.name(w.externalID)
		}
	}
	return list, nil
}

// identity is what tells a job without an external ID from others: its name, its
// schedule and what it calls. No secret is in it.
func identity(members object) []string {
	var parts []string
	for _, name := range []string{"name", fieldCron, fieldInterval, fieldRunAt, fieldTimezone, fieldTargetURL, "httpMethod", "body"} {
		v, _ := members.get(name)
		switch v := v.(type) {
		case string:
			parts = append(parts, v)
		case json.Number:
			parts = append(parts, v.String())
		default:
			parts = append(parts, "")
		}
	}
	return parts
}

// derived makes external IDs of what jobs say, and counts how often one was made.
type derived map[string]int

// idDigits is how much of a hash an ID has.
const idDigits = 32

func (d derived) id(kind string, parts ...string) string {
	hashed := [][]byte{[]byte(kind)}
	for _, p := range parts {
		hashed = append(hashed, []byte(p))
	}
	hash := digest(hashed...)
	id := kind + "-" + hex.EncodeToString(hash[:])[:idDigits]
	if d[id]++; d[id] > 1 {
		return fmt.Sprintf("%s-%d", id, d[id])
	}
	return id
}

// refuseTwins refuses the jobs whose external ID came before.
func refuseTwins(list []wanted) {
	first := map[string]*wanted{}
	for i := range list {
		w := &list[i]
		switch before := first[w.externalID]; {
		case w.refused != nil || w.externalID == "":
		case before != nil:
			w.refused = job.Invalid(addField(nil, fieldExternalID, "is that of %s too", before.at))
		default:
			first[w.externalID] = w
		}
	}
}
