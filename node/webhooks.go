package node

import (
	"context"
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// Webhooks decides about subscriptions to events while this node leads.
type Webhooks struct{ n *Node }

// Webhooks is the service for webhooks. [Jobs.List] lists them, and
// [Executions.List] their deliveries.
func (n *Node) Webhooks() Webhooks { return Webhooks{n} }

func (s Webhooks) definitions() definitions { return definitions{n: s.n, hooks: true} }

// Create makes a webhook of the caller's namespace; only the root key's can be the
// whole cluster's. What the spec says about attempts does not count: it is the same
// for all webhooks. Again is as in [Jobs.Create].
func (s Webhooks) Create(ctx context.Context, by job.APIKey, spec job.Spec, h job.Hook, once *job.Idempotent[job.Job]) (j job.Job, again []byte, err error) {
	h.Cluster = h.Cluster && by.Root
	return s.definitions().create(ctx, job.Job{Namespace: homeOf(by), KeyID: by.ID, Spec: deliverySpec(spec), Hook: cloneHook(&h)}, once)
}

// deliverySpec is a webhook's spec: what its owner says of it, and how events are
// delivered. Those that cannot be are tried again for about nine hours.
func deliverySpec(of job.Spec) job.Spec {
	s := job.DefaultSpec()
	s.Name, s.Description, s.State, s.PauseReason = "webhook", of.Description, of.State, of.PauseReason
	s.Schedule = job.Schedule{}
	s.Target = job.Target{URL: of.Target.URL, Method: "POST", Headers: slices.Clone(of.Target.Headers)}
	s.Timeout, s.SignPayloads, s.Overlap = 15*time.Second, true, job.OverlapAllow
	s.Retries, s.RetryDelay, s.Backoff, s.RetryMaxDelay = 12, 5*time.Second, job.BackoffExponential, time.Hour
	return s
}

// Get is the webhook, if it is of the namespace; an empty one sees all.
func (s Webhooks) Get(_ context.Context, namespace string, id job.ID) (job.Job, error) {
	return s.definitions().get(namespace, id)
}

// Update is like [Jobs.Update].
func (s Webhooks) Update(ctx context.Context, namespace string, id job.ID, version uint64, edit func(*job.Spec, *job.Hook) error) (job.Job, error) {
	return s.definitions().update(ctx, revision{namespace: namespace, id: id, version: version, edit: func(j *job.Job) error {
		isCluster := j.Hook.Cluster
		err := edit(&j.Spec, j.Hook)
		j.Spec, j.Hook.Cluster = deliverySpec(j.Spec), isCluster
		return err
	}})
}

// Delete removes the webhook with its deliveries, and aborts what is under way.
func (s Webhooks) Delete(ctx context.Context, namespace string, id job.ID, version uint64) error {
	return s.definitions().delete(ctx, namespace, id, version)
}

// audience is the namespace of a webhook's test event, as Apply has it: none for one
// of the whole cluster.
func audience(hook job.Job) string {
	if hook.Hook.Cluster {
		return ""
	}
	return hook.Namespace
}

// Test delivers a test event. With once, the answer is made before the event has its
// ID. Again is as in [Jobs.Create].
func (s Webhooks) Test(ctx context.Context, namespace string, id job.ID, once *job.Idempotent[job.Execution]) (x job.Execution, again []byte, err error) {
	if !s.n.Leads() {
		return job.Execution{}, nil, job.ErrNotLeader
	}
	hook, err := s.definitions().find(ctx, namespace, id, 0)
	if err != nil {
		again, err = kept(ctx, s.n, once, err)
		return job.Execution{}, again, err
	}
	now := s.n.instant()
	execution := job.ManualExecution(id, now, uint16(randomBits(16)))
	d := job.TryHook{At: now, HistoryPerJob: s.n.cfg.History.PerJob, Namespace: namespace, Hook: id, Execution: execution}
	d.Once, err = onceOf(once, job.Execution{
		ID: execution, Trigger: job.TriggerEvent, ScheduledAt: now, DueAt: now, CreatedAt: now, Result: job.Running,
		Event: &job.Event{Type: job.EventTest, At: now, Namespace: audience(hook)},
	})
	if err != nil {
		return job.Execution{}, nil, err
	}
	return s.n.Executions().commit(ctx, execution, d)
}
