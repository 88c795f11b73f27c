package guard

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// contractPage is the page that has a row for everything that users may rely on.
const contractPage = "docs/API.md"

// The sections of contractPage whose rows are names of one kind.
const (
	sectionCommands      = "Commands"
	sectionFlags         = "Flags"
	sectionCommon        = "Common rules"
	sectionAnswerHeaders = "Headers of answers"
	sectionCodes         = "Problem codes"
	sectionJob           = "Job"
	sectionExecution     = "Execution"
	sectionErrorCodes    = "Error codes"
	sectionTarget        = "What the target receives"
	sectionMetrics       = "Metrics"
)

// schemaSections says in which section of contractPage the fields and the words of a
// schema of openapi.yaml are. Endpoints and their parameters are in the one that is
// called as their tag.
var schemaSections = map[string]string{
	"Applied":               "Declarative",
	"Attempt":               sectionExecution,
	"Audit":                 "Schedules",
	"AuditClass":            "Schedules",
	"Backfill":              "Executions",
	"BulkResults":           "Declarative",
	"Cluster":               "Cluster",
	"Counts":                sectionJob,
	"Delivery":              "Webhooks",
	"DeliveryList":          "Webhooks",
	"Event":                 "Events",
	"EventType":             "Events",
	"Execution":             sectionExecution,
	"ExecutionDetail":       sectionExecution,
	"ExecutionError":        sectionExecution,
	"ExecutionList":         "Executions",
	"Job":                   sectionJob,
	"JobDeleted":            "Jobs",
	"JobFields":             sectionJob,
	"JobInput":              sectionJob,
	"JobList":               "Jobs",
	"JobState":              sectionJob,
	"Key":                   "API keys",
	"KeyInput":              "API keys",
	"KeyList":               "API keys",
	"KeyRevoked":            "API keys",
	"LeadershipTransferred": "Cluster",
	"Limits":                "API keys",
	"NewKey":                "API keys",
	"NextRuns":              "Schedules",
	"NodeRemoved":           "Cluster",
	"OverlapPolicy":         sectionJob,
	"PreviewInput":          "Schedules",
	"Problem":               sectionCommon,
	"Result":                sectionExecution,
	"Role":                  "API keys",
	"RotateInput":           "API keys",
	"Run":                   "Executions",
	"StateHash":             "Cluster",
	"Statistics":            "Events",
	"Stats":                 "Events",
	"Trigger":               sectionExecution,
	"Webhook":               "Webhooks",
	"WebhookDeleted":        "Webhooks",
	"WebhookEvent":          "Webhooks",
	"WebhookFields":         "Webhooks",
	"WebhookInput":          "Webhooks",
	"WebhookList":           "Webhooks",
}

// unnamed are names of rows that come from no source which the guard reads.
var unnamed = []string{"Allow", "Content-Type", "User-Agent", "X-API-KEY", "data", "status"}

// TestContract compares docs/API.md with what there is: openapi.yaml, the flags, the
// codes, the metrics, the headers of callbacks, and the tests that the page names.
func TestContract(t *testing.T) {
	t.Parallel()
	problems, err := checkContract(os.DirFS("../.."), schemaSections)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Error(problem)
	}
}

// promise is a name that users may rely on.
type promise struct {
	name string
	// sections are where the page may have it, as the name of a row. A word, such as
	// one of an enumeration, may be anywhere in a row.
	sections []string
	word     bool
	source   string
}

// checkContract compares the page with the promises in both directions, and its proofs
// with the tests.
func checkContract(root fs.FS, sections map[string]string) ([]string, error) {
	promises, problems, err := readPromises(root, sections)
	if err != nil {
		return nil, err
	}
	text, err := fs.ReadFile(root, contractPage)
	if err != nil {
		return nil, err
	}
	rows := parsePage(string(text))
	problems = append(problems, missingRows(promises, rows)...)
	problems = append(problems, idleRows(promises, rows)...)
	unproven, err := checkProofs(root, rows)
	return append(problems, unproven...), err
}

// missingRows finds what the page does not tell.
func missingRows(promises []promise, rows []pageRow) []string {
	var problems []string
	told := map[string]bool{}
	for _, p := range promises {
		if slices.ContainsFunc(rows, func(r pageRow) bool { return r.tells(p) }) {
			continue
		}
		what := "add a row for it, with the tests that prove it,"
		if p.word {
			what = "add it to the row that it belongs to,"
		}
		problem := fmt.Sprintf("%s lacks `%s` of %s: %s to the section %q", contractPage, p.name, p.source, what, p.sections[0])
		if !told[problem] {
			problems = append(problems, problem)
		}
		told[problem] = true
	}
	return problems
}

// tells reports whether the row is about the promise.
func (r pageRow) tells(p promise) bool {
	if !slices.ContainsFunc(p.sections, func(s string) bool { return slices.Contains(r.sections, s) }) {
		return false
	}
	return slices.Contains(r.names, p.name) || p.word && slices.Contains(r.words, p.name)
}

// idleRows finds rows about what is not there any more.
func idleRows(promises []promise, rows []pageRow) []string {
	var problems []string
	for _, r := range rows {
		for _, name := range r.names {
			known := slices.ContainsFunc(promises, func(p promise) bool {
				return p.name == name && r.tells(p)
			})
			if !known && !slices.Contains(unnamed, name) {
				problems = append(problems, fmt.Sprintf("%s, line %d: there is no `%s` that belongs to the section %q: remove it, or correct it",
					contractPage, r.line, name, strings.Join(r.sections, ", ")))
			}
		}
	}
	return problems
}

// idleSections finds schemas that are not there any more.
func idleSections(sections map[string]string, used map[string]bool) []string {
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		if !used[name] {
			problems = append(problems, fmt.Sprintf("schemaSections names %s, which %s has no fields or words of: remove it", name, openAPI))
		}
	}
	return problems
}
