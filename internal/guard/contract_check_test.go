package guard

import (
	"strings"
	"testing"
	"testing/fstest"
)

// smallContract is a program with little of everything, and its page.
var smallContract = map[string]string{
	openAPI: `
paths:
  /jobs/{jobId}:
    post:
      tags: [Jobs]
      parameters: [{$ref: '#/components/parameters/Limit'}, {name: jobId, in: path}]
      requestBody: {content: {application/json: {schema: {type: object, properties: {force: {type: boolean}}}}}}
      responses: {'200': {headers: {ETag: {$ref: '#/components/headers/ETag'}}}}
components:
  parameters:
    Limit: {name: limit, in: query}
  schemas:
    Job:
      type: object
      properties:
        state: {type: string, enum: [ON, OFF]}
        counts: {type: object, properties: {failed: {type: integer}}}
`,
	serverFlags:                 "package main\n\nfunc (o *options) register(f *pflag.FlagSet) { f.StringVar(&o.id, \"node-id\", \"\", \"its name\") }\n",
	commandFolder + "/run.go":   "package main\n\nvar root, run = &cobra.Command{Use: \"cronraft\"}, &cobra.Command{Use: \"run [flags]\"}\n",
	problemCodes:                "package job\n\nconst CodeX Code = \"bad_x\"\n",
	attemptCodes:                "package job\n\nconst (\n\tErrX ErrorCode = \"X\"\n\tOn Trigger = \"ON\"\n)\n",
	targetHeaders:               "package executor\n\nconst headerX = \"X-Cron-X\"\n",
	"node/" + metricsFile:       "package node\n\nconst (\n\tmetricX = \"cronraft_x_total\"\n\thelp = \"x\"\n)\n",
	"httpserver/server_test.go": "package httpserver\n\nfunc TestJobs(t *testing.T) { t.Run(\"empty\", nil); t.Run(\"empty_\"+\"list\", nil) }\n",
	contractPage: `# The page

| title | of a table |
| --- | --- |

## Commands
| name | meaning | proved by |
| --- | --- | --- |
| ` + "`cronraft run`" + ` | runs | ` + "`httpserver.TestJobs`" + ` |
## Flags
| ` + "`--node-id`" + ` | its name | ` + "`httpserver.TestJobs`" + ` |
## Common rules
| Without a name | a rule | ` + "`httpserver.TestJobs`" + ` |
### Query parameters
| ` + "`limit`" + ` | how many | ` + "`httpserver.TestJobs`" + ` |
### Headers of answers
| ` + "`ETag`" + ` | version | ` + "`httpserver.TestJobs`" + ` |
### Problem codes
| ` + "`bad_x`" + ` | bad | ` + "`httpserver.TestJobs`" + ` |
## Job
### Fields
| ` + "`state`" + ` | ` + "`ON`" + ` \| ` + "`OFF`" + ` | ` + "`httpserver.TestJobs/empty`" + ` |
| ` + "`counts` `failed`" + ` | numbers | ` + "`httpserver.TestJobs`" + ` |
## Execution
### Error codes
| ` + "`X`" + ` | x | ` + "`httpserver.TestJobs`" + ` |
## What the target receives
| ` + "`X-Cron-X`" + ` | x | ` + "`httpserver.TestJobs`" + ` |
## Endpoints
### Jobs
| ` + "`POST /jobs/{jobId}` `force`" + ` | force it | ` + "`httpserver.TestJobs`" + ` |
## Metrics
| ` + "`cronraft_x_total`" + ` | x | ` + "`httpserver.TestJobs`" + ` |
`,
}

// checkSmall checks smallContract after one replacement in each file that edits names.
func checkSmall(t *testing.T, edits map[string][2]string, sections map[string]string) []string {
	t.Helper()
	root := fstest.MapFS{}
	for file, text := range smallContract {
		if edit, ok := edits[file]; ok {
			if !strings.Contains(text, edit[0]) {
				t.Fatalf("%s has no %q", file, edit[0])
			}
			text = strings.Replace(text, edit[0], edit[1], 1)
		}
		root[file] = &fstest.MapFile{Data: []byte(text)}
	}
	problems, err := checkContract(root, sections)
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

// TestCheckContract breaks the page, and then the program.
func TestCheckContract(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ file, old, new, want string }{
		"nothing":              {contractPage, "runs", "runs it", ""},
		"endpoint":             {contractPage, "`POST /jobs/{jobId}` ", "", "lacks `POST /jobs/{jobId}`"},
		"field":                {contractPage, "`counts` ", "", "lacks `counts` of the schema Job: add a row for it, with the tests that prove it, to the section \"Job\""},
		"field of a field":     {contractPage, " `failed`", "", "lacks `failed`"},
		"field of a body":      {contractPage, " `force`", "", "lacks `force` of the body of POST /jobs/{jobId}"},
		"word":                 {contractPage, "`OFF`", "off", "lacks `OFF` of the schema Job: add it to the row"},
		"parameter":            {contractPage, "`limit`", "limit", "lacks `limit` of POST /jobs/{jobId}"},
		"header of answers":    {contractPage, "`ETag`", "ETag", "lacks `ETag`"},
		"flag":                 {contractPage, "`--node-id`", "the name", "lacks `--node-id` of " + serverFlags},
		"command":              {contractPage, "`cronraft run`", "run", "lacks `cronraft run`"},
		"problem code":         {contractPage, "`bad_x`", "x", "lacks `bad_x`"},
		"error code":           {contractPage, "| `X`", "| x", "lacks `X`"},
		"header of callbacks":  {contractPage, "`X-Cron-X`", "x", "lacks `X-Cron-X`"},
		"metric":               {contractPage, "`cronraft_x_total`", "x", "lacks `cronraft_x_total`"},
		"no test":              {contractPage, "its name | `httpserver.TestJobs`", "its name | ", "has no test"},
		"no column":            {contractPage, "its name | `httpserver.TestJobs` |", "its name |", "has no test"},
		"no such test":         {contractPage, "its name | `httpserver.TestJobs`", "its name | `httpserver.TestJob`", "no function TestJob"},
		"no such package":      {contractPage, "its name | `httpserver.TestJobs`", "its name | `http.TestJobs`", "the tests of http have no function"},
		"no such subtest":      {contractPage, "TestJobs/empty", "TestJobs/full", `no subtest "full"`},
		"subtest of two texts": {contractPage, "TestJobs/empty", "TestJobs/empty_list", ""},
		"no name of a test":    {contractPage, "its name | `httpserver.TestJobs`", "its name | `TestJobs`", "is no name of a test"},
		"gone from the API":    {openAPI, "failed: {type: integer}", "", "line 23: there is no `failed`"},
		"gone flag":            {serverFlags, "node-id", "node", "lacks `--node`;there is no `--node-id`"},
		"new schema":           {openAPI, "  schemas:", "  schemas:\n    Hook: {type: object, properties: {url: {}}}", "say in schemaSections"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems := checkSmall(t, map[string][2]string{tt.file: {tt.old, tt.new}}, map[string]string{"Job": sectionJob})
			if both := strings.Split(tt.want, ";"); len(both) == 2 && len(problems) == 2 {
				expectProblem(t, problems[:1], both[0])
				expectProblem(t, problems[1:], both[1])
				return
			}
			expectProblem(t, problems, tt.want)
		})
	}
}

func TestCheckContract_OtherSection(t *testing.T) {
	t.Parallel()
	problems := checkSmall(t, map[string][2]string{contractPage: {"## Flags", "## Knobs"}}, map[string]string{"Job": sectionJob})
	if len(problems) != 2 {
		t.Errorf("a row in another section: got %q, want that it is missing in one and idle in the other", problems)
	}
}

func TestCheckContract_IdleSection(t *testing.T) {
	t.Parallel()
	expectProblem(t, checkSmall(t, nil, map[string]string{"Job": sectionJob, "Gone": sectionJob}), "schemaSections names Gone")
}
