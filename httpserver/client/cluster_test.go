package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/httpserver/client"
	"github.com/cronraft/cronraft/internal/localcluster"
)

// startCluster starts three servers of this tree's program, and a client of all.
func startCluster(t *testing.T) (context.Context, *localcluster.Cluster, *client.Client) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "cronraft")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/cronraft")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	cluster, err := localcluster.Start(ctx, localcluster.Config{Binary: binary, Dir: t.TempDir(), Nodes: 3})
	if cluster != nil {
		t.Cleanup(func() {
			cluster.Close()
			if t.Failed() && testing.Verbose() {
				t.Log(cluster.Logs())
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	var servers []string
	for i := range cluster.Len() {
		servers = append(servers, cluster.Node(i).HTTP)
	}
	c, err := client.New(client.Config{Servers: servers, APIKey: localcluster.RootKey, RetryFor: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return ctx, cluster, c
}

// collect is all of a list.
func collect[T any](t *testing.T, list func(func(T, error) bool)) []T {
	t.Helper()
	var all []T
	for v, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// ok fails the test for an error.
func ok[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func until(ctx context.Context, t *testing.T, cluster *localcluster.Cluster, condition func() bool) {
	t.Helper()
	if err := cluster.Until(ctx, condition); err != nil {
		t.Fatal(err)
	}
}

// TestCluster uses the client with real servers.
func TestCluster(t *testing.T) {
	t.Parallel()
	ctx, cluster, c := startCluster(t)
	t.Run("jobs", func(t *testing.T) { testJobs(ctx, t, c) })
	t.Run("batches", func(t *testing.T) { testBatches(ctx, t, c) })
	t.Run("executions", func(t *testing.T) { testExecutions(ctx, t, cluster, c) })
	t.Run("keys", func(t *testing.T) { testKeys(ctx, t, cluster, c) })
	t.Run("cluster", func(t *testing.T) { testClusterCalls(ctx, t, c) })
	t.Run("crashes", func(t *testing.T) { testCrashes(ctx, t, cluster, c) })
}

func testJobs(ctx context.Context, t *testing.T, c *client.Client) {
	spec := client.JobSpec{
		Name: "first", ExternalID: "a/b ?%", IntervalSeconds: 3600, TargetURL: "http://127.0.0.1:9/", RetryDelaySeconds: new(0),
		Tags: map[string]string{"suite": "jobs"}, Headers: map[string]string{"Authorization": "secret"},
	}
	var m client.Meta
	j := ok(c.CreateJob(ctx, spec, client.IdempotencyKey("the-first"), client.WithMeta(&m)))(t)
	again := ok(c.CreateJob(ctx, spec, client.IdempotencyKey("the-first"), client.WithMeta(&m)))(t)
	if again.JobID != j.JobID || !m.Replayed || m.Node == "" || m.AppliedIndex == 0 {
		t.Errorf("the repetition made %s, the first was %s: %+v", again.JobID, j.JobID, m)
	}
	if j.RetryDelaySeconds != 0 || j.RetryMaxDelaySeconds != 3600 || j.Timezone != "UTC" {
		t.Errorf("created %+v", j)
	}
	if found := ok(c.JobByExternalID(ctx, "a/b ?%"))(t); found.JobID != j.JobID {
		t.Errorf("by its external ID there is %s", found.JobID)
	}
	changed := client.SpecOf(j)
	changed.Name = "second"
	j2 := ok(c.ReplaceJob(ctx, j.JobID, changed, client.IfMatch(j.Version)))(t)
	if j2.Name != "second" || j2.Headers["Authorization"] != client.Hidden || j2.RetryDelaySeconds != 0 {
		t.Errorf("replaced: %+v", j2)
	}
	if _, err := c.UpdateJob(ctx, j.JobID, client.JobPatch{Name: client.To("x")}, client.IfMatch(j.Version)); !errors.Is(err, client.ErrPreconditionFailed) {
		t.Errorf("an old version: %v", err)
	}
	j3 := ok(c.UpdateJob(ctx, j.JobID, client.JobPatch{
		RunAt: client.To(time.Now().Add(time.Hour)), Tags: client.To(map[string]*string{"suite": new("other"), "x": nil}), ExternalID: client.ToDefault[string](),
	}))(t)
	if j3.IntervalSeconds != nil || j3.RunAt == nil || j3.Tags["suite"] != "other" || j3.ExternalID != nil {
		t.Errorf("patched: %+v", j3)
	}
	if p := ok(c.PauseJob(ctx, j.JobID, "why"))(t); p.State != "PAUSED" || *p.PauseReason != "why" {
		t.Errorf("paused: %+v", p)
	}
	var e *client.Error
	if _, err := c.CreateJob(ctx, client.JobSpec{CronExpression: "61 * * * *"}); !errors.As(err, &e) || e.Code != client.CodeValidation || len(e.Fields) < 3 || e.RequestID == "" {
		t.Errorf("an invalid job: %v", err)
	}
	if err := c.DeleteJob(ctx, j.JobID); err != nil {
		t.Error(err)
	}
	if _, err := c.Job(ctx, j.JobID); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("after its deletion: %v", err)
	}
}

func testBatches(ctx context.Context, t *testing.T, c *client.Client) {
	var specs []client.JobSpec
	for i := range 250 {
		specs = append(specs, client.JobSpec{
			Name: "b" + string(rune('a'+i%26)), ExternalID: "batch-" + strings.Repeat("i", i), IntervalSeconds: 3600, TargetURL: "http://127.0.0.1:9/",
			Tags: map[string]string{"suite": "batches"},
		})
	}
	specs[249].ExternalID = "other"
	specs[7].TargetURL = "nowhere"
	results := ok(c.CreateJobs(ctx, specs))(t)
	for i, r := range results {
		if err := client.ProblemError(r.Problem); (err == nil) != (i != 7) || (i == 7) != errors.Is(err, client.ErrValidation) {
			t.Errorf("job %d: %v", i, err)
		}
	}
	filter := client.JobFilter{Tags: map[string]string{"suite": "batches"}}
	if got := len(collect(t, c.Jobs(ctx, filter))); got != 249 {
		t.Errorf("%d jobs are listed, want 249", got)
	}
	exported := ok(c.ExportJobs(ctx, filter))(t)
	if same := ok(c.ApplyJobs(ctx, exported, client.ApplyOptions{}))(t); len(exported) != 249 || same.Unchanged != 249 {
		t.Errorf("%d exported jobs applied: %+v", len(exported), same)
	}
	r := ok(c.ExportDocument(ctx, client.YAML, filter))(t)
	document, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if same := ok(c.ApplyDocument(ctx, client.YAML, document, client.ApplyOptions{DryRun: true}))(t); same.Unchanged != 249 || !same.DryRun {
		t.Errorf("the YAML applied: %+v", same)
	}
	if pruned := ok(c.ApplyJobs(ctx, nil, client.ApplyOptions{Prune: true}))(t); pruned.Deleted != 249 {
		t.Errorf("pruned: %+v", pruned)
	}
	imported := ok(c.ImportDocument(ctx, client.Crontab, []byte("@daily curl -fsS http://127.0.0.1:9/\n"), client.ImportOptions{DryRun: true}))(t)
	if imported.Created != 1 {
		t.Errorf("imported: %+v", imported)
	}
}

func testExecutions(ctx context.Context, t *testing.T, cluster *localcluster.Cluster, c *client.Client) {
	verified := make(chan error, 10)
	target, err := localcluster.StartTarget(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = client.VerifySignature(localcluster.RootKey, r.Header, body)
		}
		verified <- err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	hook := ok(c.CreateWebhook(ctx, client.WebhookSpec{URL: target.URL + "/hook", Events: []string{"job.completed"}}))(t)
	delivery := ok(c.TestWebhook(ctx, hook.WebhookID))(t)
	j := ok(c.CreateJob(ctx, client.JobSpec{Name: "run me", CronExpression: "* * * * *", TargetURL: target.URL, SignPayloads: true, Body: new("{}"), OverlapPolicy: "ALLOW"}))(t)
	run := ok(c.RunJob(ctx, j.JobID, client.RunOptions{}))(t)
	for range 2 {
		select {
		case err := <-verified:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the job and the webhook did not both call their target")
		}
	}
	until(ctx, t, cluster, func() bool {
		return ok(c.Execution(ctx, run.ExecutionID))(t).Result == "SUCCESS"
	})
	if list := collect(t, c.Executions(ctx, client.ExecutionFilter{JobID: j.JobID, Trigger: "MANUAL"})); len(list) != 1 || list[0].ExecutionID != run.ExecutionID {
		t.Errorf("listed: %+v", list)
	}
	if list := collect(t, c.Deliveries(ctx, hook.WebhookID, client.DeliveryFilter{})); len(list) != 1 || list[0].DeliveryID != delivery.DeliveryID {
		t.Errorf("deliveries: %+v", list)
	}
	if _, err := c.CancelExecution(ctx, run.ExecutionID); !errors.Is(err, client.ErrConflict) {
		t.Errorf("to cancel what has ended: %v", err)
	}
	to := time.Now().Truncate(time.Minute)
	filled := ok(c.BackfillJob(ctx, j.JobID, client.Backfill{From: to.Add(-3 * time.Minute), To: to}))(t)
	if filled.Count != 3 || len(filled.Executions) != 3 || filled.Executions[0].ExecutionID == nil {
		t.Errorf("backfilled: %+v", filled)
	}
	often := ok(c.CreateJob(ctx, client.JobSpec{Name: "often", IntervalSeconds: 1, TargetURL: "http://127.0.0.1:9/"}))(t)
	until(ctx, t, cluster, func() bool {
		return len(collect(t, c.Audit(ctx, often.JobID, client.AuditFilter{Limit: 1}))) >= 2
	})
	if err := c.DeleteJob(ctx, often.JobID); err != nil {
		t.Error(err)
	}
	next, preview := ok(c.NextRuns(ctx, j.JobID, 3))(t), ok(c.PreviewSchedule(ctx, client.Preview{CronExpression: "* * * * *", Count: 3}))(t)
	if len(next) != 3 || len(preview) != 3 || time.Until(next[0].At.Time) > time.Minute {
		t.Errorf("coming: %+v and %+v", next, preview)
	}
	if s := ok(c.Stats(ctx, client.StatsFilter{Window: time.Hour}))(t); s.Total.Success == 0 {
		t.Errorf("statistics: %+v", s.Total)
	}
	paused := ok(c.UpdateWebhook(ctx, hook.WebhookID, client.WebhookPatch{State: client.To("PAUSED")}, client.IfMatch(hook.Version)))(t)
	if err := c.DeleteWebhook(ctx, hook.WebhookID, client.IfMatch(paused.Version)); err != nil {
		t.Error(err)
	}
	if err := c.DeleteJob(ctx, j.JobID); err != nil {
		t.Error(err)
	}
}

func testKeys(ctx context.Context, t *testing.T, cluster *localcluster.Cluster, root *client.Client) {
	made := ok(root.CreateKey(ctx, client.KeySpec{Name: "k", Role: client.RoleEditor, ExpiresAt: time.Now().Add(time.Hour)}, client.Namespace("team")))(t)
	c := newKeyClient(t, cluster, made.APIKey)
	j := ok(c.CreateJob(ctx, client.JobSpec{Name: "theirs", IntervalSeconds: 3600, TargetURL: "http://127.0.0.1:9/", SignPayloads: true}))(t)
	if list := collect(t, root.Jobs(ctx, client.JobFilter{}, client.Namespace("team"))); len(list) != 1 || list[0].JobID != j.JobID {
		t.Errorf("the namespace has %+v", list)
	}
	if _, err := c.CreateKey(ctx, client.KeySpec{Name: "k2", Role: client.RoleReader}); !errors.Is(err, client.ErrForbidden) {
		t.Errorf("an editor made a key: %v", err)
	}
	rotated := ok(root.RotateKey(ctx, made.KeyID, client.Rotation{OverlapSeconds: new(0)}))(t)
	if ok(root.Key(ctx, made.KeyID))(t).RotatedAt == nil {
		t.Error("the rotation is not told")
	}
	if _, err := newKeyClient(t, cluster, rotated.APIKey).Job(ctx, j.JobID); err != nil {
		t.Error(err)
	}
	if err := root.RevokeKey(ctx, made.KeyID, false); !errors.Is(err, client.ErrInUse) {
		t.Errorf("a key that signs was revoked: %v", err)
	}
	if err := root.RevokeKey(ctx, made.KeyID, true); err != nil {
		t.Error(err)
	}
	for _, k := range collect(t, root.Keys(ctx)) {
		if k.KeyID == made.KeyID {
			t.Error("the key is still listed")
		}
	}
}

func newKeyClient(t *testing.T, cluster *localcluster.Cluster, key string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Servers: []string{cluster.Node(0).HTTP}, APIKey: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func testClusterCalls(ctx context.Context, t *testing.T, c *client.Client) {
	status := ok(c.Cluster(ctx))(t)
	if len(status.Nodes) != 3 || status.LeaderID == nil {
		t.Fatalf("got %+v", status)
	}
	if h := ok(c.StateHash(ctx, client.Stale()))(t); h.Hash == "" {
		t.Errorf("got %+v", h)
	}
	if l := ok(c.Limits(ctx))(t); l.MaxBulkJobs != 1000 {
		t.Errorf("got %+v", l)
	}
	for _, n := range status.Nodes {
		if n.NodeID != *status.LeaderID {
			if leader := ok(c.TransferLeadership(ctx, n.NodeID))(t); leader != n.NodeID {
				t.Errorf("%s leads, not %s", leader, n.NodeID)
			}
			break
		}
	}
	if err := c.RemoveNode(ctx, "n9"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
