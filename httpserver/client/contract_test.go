package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	mismatch "github.com/pb33f/libopenapi-validator/errors"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/httpserver/client"
)

var someTime = time.Date(2030, 1, 2, 4, 5, 6, 0, time.FixedZone("CET", 3600))

// wholePatch sets each field of a job, and wholeSpec says each.
var (
	wholePatch = client.JobPatch{
		Name: client.To("n"), Description: client.To("d"), Tags: client.To(map[string]*string{"a": new("b"), "c": nil}), ExternalID: client.ToDefault[string](),
		CronExpression: client.ToDefault[string](), IntervalSeconds: client.To(60), RunAt: client.ToDefault[time.Time](), Timezone: client.To("UTC"),
		StartAt: client.To(someTime), EndAt: client.ToDefault[time.Time](), MaxRuns: client.To(3), JitterSeconds: client.To(0), State: client.To("ACTIVE"),
		PauseReason: client.ToDefault[string](), TargetURL: client.To("http://a"), HTTPMethod: client.To("POST"),
		Headers: client.To(map[string]*string{"A": new("***")}), Body: client.To(""), TimeoutSeconds: client.To(30),
		SuccessStatuses: client.To([]string{"204"}), FollowRedirects: client.To(false), SignPayloads: client.To(true), CaptureResponse: client.To("ALWAYS"),
		Retries: client.To(0), RetryDelaySeconds: client.To(0), RetryBackoff: client.To("FIXED"), RetryMaxDelaySeconds: client.To(60),
		OverlapPolicy: client.To("ALLOW"), MisfirePolicy: client.To("SKIP"), CatchupWindowSeconds: client.To(0), DeliveryGuarantee: client.To("AT_MOST_ONCE"),
		PauseAfterConsecutiveFailures: client.To(0),
	}
	wholeSpec = client.JobSpec{
		Name: "n", Description: "d", Tags: map[string]string{"a": "b"}, ExternalID: "e", CronExpression: "@daily", Timezone: "UTC",
		StartAt: someTime, EndAt: someTime.Add(time.Hour), MaxRuns: 3, JitterSeconds: 5, State: "PAUSED", PauseReason: "r", TargetURL: "http://a", HTTPMethod: "PUT",
		Headers: map[string]string{"A": "b"}, Body: new(""), TimeoutSeconds: 30, SuccessStatuses: []string{"204"}, FollowRedirects: true, SignPayloads: true,
		CaptureResponse: "ALWAYS", Retries: 3, RetryDelaySeconds: new(0), RetryBackoff: "FIXED", RetryMaxDelaySeconds: new(60), OverlapPolicy: "ALLOW",
		MisfirePolicy: "SKIP", CatchupWindowSeconds: new(0), DeliveryGuarantee: "AT_MOST_ONCE", PauseAfterConsecutiveFailures: 2,
	}
)

const (
	patchJSON = `{"name":"n","description":"d","tags":{"a":"b","c":null},"externalId":null,"cronExpression":null,"intervalSeconds":60,"runAt":null,"timezone":"UTC",` +
		`"startAt":"2030-01-02T04:05:06+01:00","endAt":null,"maxRuns":3,"jitterSeconds":0,"state":"ACTIVE","pauseReason":null,"targetUrl":"http://a","httpMethod":"POST",` +
		`"headers":{"A":"***"},"body":"","timeoutSeconds":30,"successStatuses":["204"],"followRedirects":false,"signPayloads":true,"captureResponse":"ALWAYS",` +
		`"retries":0,"retryDelaySeconds":0,"retryBackoff":"FIXED","retryMaxDelaySeconds":60,"overlapPolicy":"ALLOW","misfirePolicy":"SKIP","catchupWindowSeconds":0,` +
		`"deliveryGuarantee":"AT_MOST_ONCE","pauseAfterConsecutiveFailures":0}`
	specJSON = `{"name":"n","description":"d","tags":{"a":"b"},"externalId":"e","cronExpression":"@daily","timezone":"UTC","startAt":"2030-01-02T04:05:06+01:00",` +
		`"endAt":"2030-01-02T05:05:06+01:00","maxRuns":3,"jitterSeconds":5,"state":"PAUSED","pauseReason":"r","targetUrl":"http://a","httpMethod":"PUT","headers":{"A":"b"},` +
		`"body":"","timeoutSeconds":30,"successStatuses":["204"],"followRedirects":true,"signPayloads":true,"captureResponse":"ALWAYS","retries":3,"retryDelaySeconds":0,` +
		`"retryBackoff":"FIXED","retryMaxDelaySeconds":60,"overlapPolicy":"ALLOW","misfirePolicy":"SKIP","catchupWindowSeconds":0,"deliveryGuarantee":"AT_MOST_ONCE",` +
		`"pauseAfterConsecutiveFailures":2}`
)

// want is what a method sends: the method, the path below the base path with its query,
// and the body.
type want struct {
	line, body string
	call       func(context.Context, *client.Client) error
}

// second drops what a method returns beside its error.
func second[T any](_ T, err error) error { return err }

const (
	jobID  = "job_00000000000000f1"
	execID = "ex_00000000000000f10000000000000001"
	hookID = "wh_00000000000000f1"
)

var jobCalls = []want{
	{"POST /jobs", specJSON, func(ctx context.Context, c *client.Client) error { return second(c.CreateJob(ctx, wholeSpec)) }},
	{"GET /jobs/" + jobID + "?consistency=stale", "", func(ctx context.Context, c *client.Client) error { return second(c.Job(ctx, jobID, client.Stale())) }},
	{"GET /jobs/by-external-id/a%2Fb%20%3F%25?namespace=x", "", func(ctx context.Context, c *client.Client) error {
		return second(c.JobByExternalID(ctx, "a/b ?%", client.Namespace("x")))
	}},
	{"PUT /jobs/" + jobID, specJSON, func(ctx context.Context, c *client.Client) error { return second(c.ReplaceJob(ctx, jobID, wholeSpec)) }},
	{"PUT /jobs/by-external-id/e", specJSON, func(ctx context.Context, c *client.Client) error {
		return second(c.ReplaceJobByExternalID(ctx, "e", wholeSpec, client.Namespace("x")))
	}},
	{"PATCH /jobs/" + jobID, patchJSON, func(ctx context.Context, c *client.Client) error {
		return second(c.UpdateJob(ctx, jobID, wholePatch, client.IfMatch(4)))
	}},
	{"PATCH /jobs/" + jobID, `{"state":"PAUSED","pauseReason":"why"}`, func(ctx context.Context, c *client.Client) error { return second(c.PauseJob(ctx, jobID, "why")) }},
	{"PATCH /jobs/" + jobID, `{"state":"ACTIVE"}`, func(ctx context.Context, c *client.Client) error { return second(c.ResumeJob(ctx, jobID)) }},
	{"DELETE /jobs/" + jobID, "", func(ctx context.Context, c *client.Client) error { return c.DeleteJob(ctx, jobID, client.IfMatch(4)) }},
	{"GET /jobs?cursor=c&externalId=e&lastResult=FAILED&limit=7&namePrefix=p&namespace=x&state=ACTIVE&tag=a%3Ab&tag=c%3Ad%3Ae", "", func(ctx context.Context, c *client.Client) error {
		f := client.JobFilter{State: "ACTIVE", Tags: map[string]string{"c": "d:e", "a": "b"}, NamePrefix: "p", ExternalID: "e", LastResult: "FAILED", Limit: 7, Cursor: "c"}
		return second(c.JobPage(ctx, f, client.Namespace("x")))
	}},
	{"POST /jobs/bulk", `{"jobs":[{"name":"n","intervalSeconds":60,"targetUrl":"http://a"}]}`, func(ctx context.Context, c *client.Client) error {
		return second(c.CreateJobs(ctx, []client.JobSpec{{Name: "n", IntervalSeconds: 60, TargetURL: "http://a"}}))
	}},
	{"POST /jobs/apply?dryRun=true&prune=true", `{"jobs":[]}`, func(ctx context.Context, c *client.Client) error {
		return second(c.ApplyJobs(ctx, nil, client.ApplyOptions{Prune: true, DryRun: true}))
	}},
	{"POST /jobs/apply", "jobs: []\n", func(ctx context.Context, c *client.Client) error {
		return second(c.ApplyDocument(ctx, client.YAML, []byte("jobs: []\n"), client.ApplyOptions{}))
	}},
	{"POST /jobs/import?dryRun=true&style=user&targetUrl=http%3A%2F%2Fa&timezone=UTC", "@daily true\n", func(ctx context.Context, c *client.Client) error {
		how := client.ImportOptions{DryRun: true, Style: "user", TargetURL: "http://a", Timezone: "UTC"}
		return second(c.ImportDocument(ctx, client.Crontab, []byte("@daily true\n"), how))
	}},
	{"GET /jobs/export?state=PAUSED", "", func(ctx context.Context, c *client.Client) error {
		return second(c.ExportJobs(ctx, client.JobFilter{State: "PAUSED", Limit: 3}))
	}},
	{"GET /jobs/export?format=crontab", "", func(ctx context.Context, c *client.Client) error {
		r, err := c.ExportDocument(ctx, client.Crontab, client.JobFilter{})
		if err != nil {
			return err
		}
		return r.Close()
	}},
}

var executionCalls = []want{
	{"POST /jobs/" + jobID + "/run", `{"overlapPolicy":"ALLOW"}`, func(ctx context.Context, c *client.Client) error {
		return second(c.RunJob(ctx, jobID, client.RunOptions{OverlapPolicy: "ALLOW"}))
	}},
	{"POST /jobs/" + jobID + "/backfill", `{"from":"2030-01-02T04:05:06+01:00","to":"2030-01-02T05:05:06+01:00","dryRun":true}`, func(ctx context.Context, c *client.Client) error {
		return second(c.BackfillJob(ctx, jobID, client.Backfill{From: someTime, To: someTime.Add(time.Hour), DryRun: true}))
	}},
	{"GET /jobs/" + jobID + "/executions?from=2030-01-02T03%3A05%3A06Z&limit=100&result=FAILED&trigger=MANUAL", "", func(ctx context.Context, c *client.Client) error {
		for _, err := range c.Executions(ctx, client.ExecutionFilter{JobID: jobID, Result: "FAILED", Trigger: "MANUAL", From: someTime}) {
			return err
		}
		return nil
	}},
	{"GET /executions?namespace=x&to=2030-01-02T03%3A05%3A06Z", "", func(ctx context.Context, c *client.Client) error {
		return second(c.ExecutionPage(ctx, client.ExecutionFilter{To: someTime}, client.Namespace("x")))
	}},
	{"GET /executions/" + execID, "", func(ctx context.Context, c *client.Client) error { return second(c.Execution(ctx, execID)) }},
	{"POST /executions/" + execID + "/cancel", "", func(ctx context.Context, c *client.Client) error { return second(c.CancelExecution(ctx, execID)) }},
	{"GET /jobs/" + jobID + "/next-runs?count=3", "", func(ctx context.Context, c *client.Client) error { return second(c.NextRuns(ctx, jobID, 3)) }},
	{"GET /jobs/" + jobID + "/audit?from=2030-01-02T03%3A05%3A06Z&lateAfterMs=0&limit=100", "", func(ctx context.Context, c *client.Client) error {
		for _, err := range c.Audit(ctx, jobID, client.AuditFilter{From: someTime, LateAfter: new(time.Duration(0))}) {
			return err
		}
		return nil
	}},
	{"POST /schedules/preview", `{"cronExpression":"@daily","timezone":"UTC","from":"2030-01-02T04:05:06+01:00","count":3}`, func(ctx context.Context, c *client.Client) error {
		return second(c.PreviewSchedule(ctx, client.Preview{CronExpression: "@daily", Timezone: "UTC", From: someTime, Count: 3}))
	}},
}

var otherCalls = []want{
	{"POST /webhooks", `{"url":"http://a","events":["execution.failed"],"tag":"a:b"}`, func(ctx context.Context, c *client.Client) error {
		return second(c.CreateWebhook(ctx, client.WebhookSpec{URL: "http://a", Events: []string{"execution.failed"}, Tag: "a:b"}))
	}},
	{"GET /webhooks?limit=100", "", func(ctx context.Context, c *client.Client) error {
		for _, err := range c.Webhooks(ctx) {
			return err
		}
		return nil
	}},
	{"GET /webhooks/" + hookID, "", func(ctx context.Context, c *client.Client) error { return second(c.Webhook(ctx, hookID)) }},
	{"PUT /webhooks/" + hookID, `{"url":"http://a","events":["*"]}`, func(ctx context.Context, c *client.Client) error {
		return second(c.ReplaceWebhook(ctx, hookID, client.WebhookSpec{URL: "http://a", Events: []string{"*"}}))
	}},
	{"PATCH /webhooks/" + hookID, `{"url":"http://a","events":["job.completed"],"tag":null,"description":"d","headers":{"A":null},"state":"PAUSED"}`, func(ctx context.Context, c *client.Client) error {
		return second(c.UpdateWebhook(ctx, hookID, client.WebhookPatch{
			URL: client.To("http://a"), Events: client.To([]string{"job.completed"}), Tag: client.ToDefault[string](), Description: client.To("d"),
			Headers: client.To(map[string]*string{"A": nil}), State: client.To("PAUSED"),
		}))
	}},
	{"DELETE /webhooks/" + hookID, "", func(ctx context.Context, c *client.Client) error { return c.DeleteWebhook(ctx, hookID) }},
	{"POST /webhooks/" + hookID + "/test", "", func(ctx context.Context, c *client.Client) error { return second(c.TestWebhook(ctx, hookID)) }},
	{"GET /webhooks/" + hookID + "/deliveries?limit=100&result=FAILED", "", func(ctx context.Context, c *client.Client) error {
		for _, err := range c.Deliveries(ctx, hookID, client.DeliveryFilter{Result: "FAILED"}) {
			return err
		}
		return nil
	}},
	{"POST /api-keys", `{"name":"n","namespace":"x","role":"READER","expiresAt":"2030-01-02T04:05:06+01:00"}`, func(ctx context.Context, c *client.Client) error {
		return second(c.CreateKey(ctx, client.KeySpec{Name: "n", Namespace: "x", Role: client.RoleReader, ExpiresAt: someTime}))
	}},
	{"GET /api-keys?limit=100", "", func(ctx context.Context, c *client.Client) error {
		for _, err := range c.Keys(ctx) {
			return err
		}
		return nil
	}},
	{"GET /api-keys/key_1", "", func(ctx context.Context, c *client.Client) error { return second(c.Key(ctx, "key_1")) }},
	{"POST /api-keys/key_1/rotate", `{"overlapSeconds":0}`, func(ctx context.Context, c *client.Client) error {
		return second(c.RotateKey(ctx, "key_1", client.Rotation{OverlapSeconds: new(0)}))
	}},
	{"DELETE /api-keys/key_1?force=true", "", func(ctx context.Context, c *client.Client) error { return c.RevokeKey(ctx, "key_1", true) }},
	{"GET /cluster", "", func(ctx context.Context, c *client.Client) error { return second(c.Cluster(ctx)) }},
	{"GET /cluster/state-hash", "", func(ctx context.Context, c *client.Client) error { return second(c.StateHash(ctx)) }},
	{"GET /cluster/backup", "", func(ctx context.Context, c *client.Client) error {
		if _, err := c.Backup(ctx, io.Discard); !errors.Is(err, client.ErrUnexpected) { // the fake sends none
			return fmt.Errorf("got %w, want an unexpected answer", err)
		}
		return nil
	}},
	{"POST /cluster/transfer-leadership", `{"nodeId":"n2"}`, func(ctx context.Context, c *client.Client) error { return second(c.TransferLeadership(ctx, "n2")) }},
	{"DELETE /cluster/nodes/n2", "", func(ctx context.Context, c *client.Client) error { return c.RemoveNode(ctx, "n2") }},
	{"GET /limits", "", func(ctx context.Context, c *client.Client) error { return second(c.Limits(ctx)) }},
	{"GET /stats?namespace=x&step=5m&window=120m", "", func(ctx context.Context, c *client.Client) error {
		return second(c.Stats(ctx, client.StatsFilter{Window: 2 * time.Hour, Step: 5 * time.Minute}, client.Namespace("x")))
	}},
	{"GET /events?types=job.created", "", func(ctx context.Context, c *client.Client) error {
		for _, err := range c.Events(ctx, client.EventFilter{Types: []string{"job.created"}}) {
			if errors.Is(err, client.ErrUnexpected) { // the fake sends no stream
				return nil
			}
			return err
		}
		return errors.New("no error")
	}},
}

// TestRequests compares what each method sends with what it is to send and with
// openapi.yaml, of which each operation has a method.
func TestRequests(t *testing.T) {
	t.Parallel()
	document, err := libopenapi.NewDocument(api.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	check := validator.NewValidatorFromV3Model(&model.Model, config.WithStrictServerMatching(), config.WithFormatAssertions())
	check.SetDocument(document)
	left := operations(&model.Model)
	for _, w := range slices.Concat(jobCalls, executionCalls, otherCalls) {
		a := newFake(t, data(200, struct{}{}))
		c := newClient(t, soon, a.URL)
		if err := w.call(t.Context(), c); err != nil {
			t.Errorf("%s: %v", w.line, err)
			continue
		}
		r := a.seen()[0]
		line := r.method + " " + strings.TrimPrefix(r.uri, "/api/cron-service")
		if line != w.line || r.body != w.body || len(a.seen()) != 1 {
			t.Errorf("got  %s %s\nwant %s %s", line, r.body, w.line, w.body)
		}
		request := httptest.NewRequestWithContext(t.Context(), r.method, "http://cron.test"+r.uri, io.NopCloser(strings.NewReader(r.body)))
		request.Header = r.header
		if _, errs := check.ValidateHttpRequestSync(request); len(errs) > 0 {
			t.Errorf("%s is not what openapi.yaml says: %v", w.line, reasons(errs))
		}
		delete(left, operationOf(left, w.line))
		if r.method == http.MethodPost && !strings.Contains(r.uri, "preview") && !strings.Contains(r.uri, "transfer") {
			onceKeys(t, r)
		}
	}
	for _, o := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("no method, or none that is tested, calls %s", o)
	}
}

// operations are those below the base path, "GET /jobs/{jobId}".
func operations(m *v3.Document) map[string]bool {
	all := map[string]bool{}
	for path, item := range m.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			if len(item.Servers) == 0 {
				all[strings.ToUpper(method)+" "+path] = true
			}
		}
	}
	return all
}

// operationOf is the one of a line; those without an open part come first.
func operationOf(all map[string]bool, line string) string {
	path, _, _ := strings.Cut(line, "?")
	if all[path] {
		return path
	}
	parts := strings.Split(path, "/")
	for o := range all {
		pattern := strings.Split(o, "/")
		same := len(pattern) == len(parts)
		for i := range pattern {
			same = same && (strings.HasPrefix(pattern[i], "{") || pattern[i] == parts[i])
		}
		if same {
			return o
		}
	}
	return ""
}

func reasons(errs []*mismatch.ValidationError) error {
	var all []error
	for _, e := range errs {
		all = append(all, fmt.Errorf("%s: %s", e.Message, e.Reason))
		for _, s := range e.SchemaValidationErrors {
			all = append(all, fmt.Errorf("at %s: %s", s.FieldPath, s.Reason))
		}
	}
	return errors.Join(all...)
}
