package httpserver

import (
	"reflect"
	"testing"

	"github.com/cronraft/cronraft/internal/crontab"
	"github.com/cronraft/cronraft/internal/job"
)

// FuzzListDecode reads lists of jobs in JSON and YAML: an accepted job is exported, in
// both, to what reads as the same job.
func FuzzListDecode(f *testing.F) {
	for _, seed := range []string{
		"[" + fullJob + "]", bulkOf(fullJob, `{}`, `7`), `{"status":"OK","data":{"jobs":[{"name":"n","externalId":"x"}]}}`, `[[],null]`, `{"jobs":[],"x":1}`,
		"- name: n\n  intervalSeconds: 5\n  targetUrl: http://t.test/\n  tags: {a: 'yes', b: \"1\"}\n", "a: &a [*a]\n", "jobs:\n- &x {name: \"\\u2028\\0\", body: |\n    a\n\n  }\n- *x\n",
		"- <<: [{name: a}, {name: b}]\n", "[[[[[[[[[[", "? [a]\n: b\n", "- !!binary aGk=\n",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, isYAML bool) {
		format := formatJSON
		if isYAML {
			format = formatYAML
		}
		doc, err := parseList(body, format)
		if err != nil {
			isRefusal(t, err)
			return
		}
		if n := values(doc.value); n > maxValues {
			t.Fatalf("%d values", n)
		}
		list, err := doc.jobs()
		if err != nil {
			isRefusal(t, err)
			return
		}
		if len(list) > MaxChanges {
			t.Fatalf("%d jobs", len(list))
		}
		checkExternalIDs(list)
		for _, w := range list {
			if spec, ok := wantedSpec(t, &w); ok && len(spec.Target.Headers) == 0 { // their values are not exported
				exportsAsItself(t, spec, formatJSON, &jsonExporter{})
				exportsAsItself(t, spec, formatYAML, &yamlExporter{})
			}
		}
	})
}

// values counts those of a document, itself among them.
func values(v any) int {
	n := 1
	switch v := v.(type) {
	case array:
		for _, item := range v {
			n += values(item)
		}
	case object:
		for _, m := range v {
			n += values(m.value)
		}
	}
	return n
}

// wantedSpec is the new job that an entry of a list asks for; false if it is refused.
func wantedSpec(t *testing.T, w *wanted) (job.Spec, bool) {
	t.Helper()
	if w.refused != nil {
		isRefusal(t, w.refused)
		return job.Spec{}, false
	}
	spec, patch := job.DefaultSpec(), *w.patch
	patch.creating, patch.whole = true, true
	if errs := patch.apply(&spec, checkSchedule); len(errs) > 0 {
		isRefusal(t, asError(errs))
		return job.Spec{}, false
	}
	if broken := spec.Validate(); len(broken) > 0 {
		t.Fatalf("a job that breaks rules is accepted: %v", broken)
	}
	return spec, true
}

// exportsAsItself exports a job and reads it again.
func exportsAsItself(t *testing.T, spec job.Spec, format listFormat, to exporter) {
	t.Helper()
	text, err := to.job(to.begin(nil), &job.Job{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	text = to.end(text)
	doc, err := parseList(text, format)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	list, err := doc.jobs()
	if err != nil || len(list) != 1 {
		t.Fatalf("%s has %d jobs (%v)", text, len(list), err)
	}
	again, ok := wantedSpec(t, &list[0])
	if !ok || !reflect.DeepEqual(plainHeaders(spec), plainHeaders(again)) {
		t.Fatalf("%s\nwas %+v\nis  %+v", text, spec, again)
	}
}

// FuzzImportCrontab makes jobs of a crontab: each has an external ID of its own, and is
// valid or refused.
func FuzzImportCrontab(f *testing.F) {
	for _, seed := range []string{
		"* * * * * true\n", "CRON_TZ=Europe/Berlin\n@daily curl -fsS -H 'A: b' http://t.test/\n0 0 * * * wget -qO- http://t.test/ # x\n", "@reboot x\n\xff\n\x00\nA=b\n* * * * * a%b%c\n",
		"* * * * * root x\n* * * * * root x\n", "* * * * * curl -X TRACE http://t.test/\n* * * * * curl -m 99999 --retry 99 http://t.test/",
	} {
		f.Add(seed, "http://t.test/", "style=user")
		f.Add(seed, "", "timezone=Europe/Paris")
	}
	s := &Server{config: Config{Schedules: schedules{}}}
	f.Fuzz(func(t *testing.T, body, target, parameters string) {
		q := parseQuery(parameters, []string{paramStyle, fieldTimezone})
		if target != "" {
			q.values[paramTargetURL] = target
		}
		im := s.crontabImport(q)
		if err := q.err(); err != nil {
			isRefusal(t, err)
			return
		}
		list, err := im.read([]byte(body))
		if err != nil {
			isRefusal(t, err)
			return
		}
		seen := map[string]bool{}
		for _, w := range list {
			spec, ok := wantedSpec(t, &w)
			if w.refused == nil && (w.externalID == "" || seen[w.externalID]) {
				t.Fatalf("%s: the external ID %q", w.at, w.externalID)
			}
			seen[w.externalID] = true
			if ok && (spec.ExternalID != w.externalID || spec.Schedule.Cron == "") {
				t.Fatalf("%s: %+v", w.at, spec)
			}
		}
		file := crontab.Parse(body, im.style)
		if len(file.Entries)+len(file.Problems) != len(list) {
			t.Fatalf("%d of %d lines", len(list), len(file.Entries)+len(file.Problems))
		}
	})
}
