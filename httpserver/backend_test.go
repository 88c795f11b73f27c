package httpserver

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	rootKey = "root-key-0123456789abcdef"
	teamKey = "team-key-0123456789abcdef"
	// defaultKey sees the namespace that the root key's jobs are in, and only that.
	defaultKey = "default-key-0123456789abcdef"
)

var (
	now      = time.Date(2026, 3, 26, 16, 12, 30, 0, time.UTC)
	nextSlot = time.Date(2026, 3, 26, 16, 15, 0, 0, time.UTC)
)

// store is a whole cluster's state in memory.
type store struct {
	mu         sync.Mutex // guards all fields
	lastID     job.ID
	index      uint64
	jobs       map[job.ID]job.Job
	executions map[job.ID][]job.Execution // newest first
	answers    map[[32]byte]keptAnswer    // by idempotency key
	removed    []string                   // nodes
	overlaps   []job.OverlapPolicy        // of the runs
}

type keptAnswer struct {
	request [32]byte
	answer  []byte
}

func newStore() *store {
	return &store{
		lastID: 0x8e4f2a1b00000000, jobs: map[job.ID]job.Job{}, executions: map[job.ID][]job.Execution{},
		answers: map[[32]byte]keptAnswer{},
	}
}

// writes is how many log entries there were.
func (s *store) writes() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index
}

// backend is one node's view of a store. Its funcs, where set, replace what the store
// would do.
type backend struct {
	*store
	follower bool

	barrier     func(ctx context.Context) error
	waitApplied func(ctx context.Context, index uint64) error
	forward     func(ctx context.Context, request []byte) ([]byte, error)
	ready       func() error
	create      func(ctx context.Context, spec job.Spec) (job.Job, error)
	transfer    func(ctx context.Context, to string) (string, error)
	// committed sees what a create has committed, before it is returned.
	committed func(j *job.Job)
	get       func(ctx context.Context) (job.Job, error)
	update    func(version uint64) (job.Job, error)
	authorize func(ctx context.Context, key string) (job.APIKey, error)
}

// config is a server's configuration with all parts from b.
func (b *backend) config(node string) Config {
	return Config{
		NodeID: node, Jobs: jobBackend{b}, Executions: executionBackend{b}, Keys: b,
		Consistency: b, Forwarder: b, Cluster: b, CheckSchedule: checkSchedule,
	}
}

func checkSchedule(s job.Schedule) []job.FieldError {
	var errs []job.FieldError
	if s.Cron == "61 * * * *" {
		errs = append(errs, job.FieldError{Field: "cronExpression", Msg: "has a minute above 59"})
	}
	if s.Timezone == "Mars/Olympus" {
		errs = append(errs, job.FieldError{Field: "timezone", Msg: "is not known"})
	}
	return errs
}

func (b *backend) Authenticate(ctx context.Context, key string) (job.APIKey, error) {
	switch {
	case b.authorize != nil:
		return b.authorize(ctx, key)
	case key == rootKey:
		return job.APIKey{ID: "key_root", Namespace: job.DefaultNamespace, Role: job.RoleAdmin, Root: true}, nil
	case key == teamKey:
		return job.APIKey{ID: "key_team", Namespace: "team"}, nil
	case key == defaultKey:
		return job.APIKey{ID: "key_default", Namespace: job.DefaultNamespace}, nil
	}
	return job.APIKey{}, job.Errorf(job.CodeUnauthorized, "unknown")
}

func (b *backend) Barrier(ctx context.Context) error {
	if b.barrier != nil {
		return b.barrier(ctx)
	}
	return nil
}

func (b *backend) Applied() uint64 { return b.writes() }

func (b *backend) WaitApplied(ctx context.Context, index uint64) error {
	if b.waitApplied != nil {
		return b.waitApplied(ctx, index)
	}
	return nil
}

func (b *backend) Forward(ctx context.Context, request []byte) ([]byte, error) {
	if b.forward == nil {
		return nil, job.ErrNotLeader
	}
	return b.forward(ctx, request)
}

func (b *backend) Status(context.Context) (ClusterStatus, error) {
	behind := -1500600 * time.Microsecond
	return ClusterStatus{NodeID: "n1", LeaderID: "n2", Term: 7, Nodes: []ClusterNode{
		{ID: "n1", HTTPAddr: "127.0.0.1:8400", PeerAddr: "127.0.0.1:8401", Role: "FOLLOWER", State: "ALIVE", AppliedIndex: 41, OpenAttempts: 2, Version: "1.0.0", ClockSkew: &behind, ReadOnly: true},
		{ID: "n2", Role: "LEADER", State: "ALIVE"},
	}}, nil
}

func (b *backend) TransferLeadership(ctx context.Context, to string) (string, error) {
	switch {
	case b.follower:
		return "", job.ErrNotLeader
	case b.transfer != nil:
		return b.transfer(ctx, to)
	case to == "":
		return "n3", nil
	case to == "n2", to == "n3":
		return to, nil
	}
	return "", job.Errorf(job.CodeNotFound, "there is no node %q", to)
}

func (b *backend) RemoveNode(_ context.Context, id string) error {
	return b.change(func() error {
		switch id {
		case "n1":
			return job.Errorf(job.CodeConflict, "node n1 leads the cluster")
		case "n2", "n3":
			b.removed = append(b.removed, id)
			return nil
		}
		return job.Errorf(job.CodeNotFound, "there is no node %q", id)
	})
}

func (b *backend) StateHash(context.Context) (uint64, string, error) { return 41, "c0ffee", nil }

func (b *backend) Ready(context.Context) error {
	if b.ready != nil {
		return b.ready()
	}
	return nil
}

// change makes a write if this node leads.
func (b *backend) change(do func() error) error {
	if b.follower {
		return job.ErrNotLeader
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := do(); err != nil {
		return err
	}
	b.index++
	return nil
}

// changeOnce is change for a write that may come again.
func changeOnce[T any](b *backend, once *job.Idempotent[T], do func() (T, error)) (v T, again []byte, err error) {
	if b.follower {
		return v, nil, job.ErrNotLeader
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if once != nil {
		if kept, used := b.answers[once.Key]; used && kept.request != once.Request {
			return v, nil, job.ErrIdempotencyMismatch
		} else if used {
			return v, kept.answer, nil
		}
	}
	if v, err = do(); err != nil {
		return v, nil, err
	}
	if once != nil {
		kept := keptAnswer{request: once.Request}
		if kept.answer, err = once.Answer(v); err != nil {
			return v, nil, err
		}
		b.answers[once.Key] = kept
	}
	b.index++
	return v, nil, nil
}

func (s *store) visible(namespace string, id job.ID) (job.Job, error) {
	j, ok := s.jobs[id]
	if !ok || namespace != "" && j.Namespace != namespace {
		return job.Job{}, job.ErrNotFound
	}
	return j, nil
}

type jobBackend struct{ *backend }

func (b jobBackend) Create(ctx context.Context, by job.APIKey, spec job.Spec, once *job.Idempotent[job.Job]) (job.Job, []byte, error) {
	if b.create != nil {
		j, err := b.create(ctx, spec)
		return j, nil, err
	}
	j, again, err := changeOnce(b.backend, once, func() (job.Job, error) {
		b.lastID++
		j := job.Job{ID: b.lastID, Namespace: by.Namespace, KeyID: by.ID, Version: 1, CreatedAt: now, UpdatedAt: now, Spec: sealed(spec)}
		if spec.State == job.Active {
			j.NextRunAt = nextSlot
		}
		b.jobs[j.ID] = j
		return j, nil
	})
	if b.committed != nil {
		b.committed(&j)
	}
	return j, again, err
}

// sealed is a stored spec: "sealing" only turns the value around.
func sealed(spec job.Spec) job.Spec {
	spec = spec.Clone()
	for i, h := range spec.Target.Headers {
		if h.Sealed == nil {
			h.Sealed = []byte(h.Value)
			slices.Reverse(h.Sealed)
		}
		h.Value = ""
		spec.Target.Headers[i] = h
	}
	return spec
}

func (b jobBackend) Get(ctx context.Context, namespace string, id job.ID) (job.Job, error) {
	if b.get != nil {
		return b.get(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.visible(namespace, id)
}

func (b jobBackend) List(_ context.Context, namespace string, after job.ID, limit int) ([]job.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []job.Job
	for _, j := range b.jobs {
		if j.ID > after && (namespace == "" || j.Namespace == namespace) {
			list = append(list, j)
		}
	}
	slices.SortFunc(list, func(x, y job.Job) int { return bytes.Compare([]byte(x.ID.String()), []byte(y.ID.String())) })
	return list[:min(limit, len(list))], nil
}

var errVersion = job.Errorf(job.CodePreconditionFailed, "another version")

func (b jobBackend) Update(_ context.Context, namespace string, id job.ID, version uint64, edit func(*job.Spec) error) (job.Job, error) {
	if b.update != nil {
		return b.update(version)
	}
	var after job.Job
	err := b.change(func() error {
		before, err := b.visible(namespace, id)
		if err != nil {
			return err
		}
		if version != 0 && version != before.Version {
			return errVersion
		}
		for range 2 { // an edit may run several times
			after = before
			after.Spec = before.Clone()
			if err := edit(&after.Spec); err != nil {
				return err
			}
		}
		after.Spec = sealed(after.Spec)
		after.Version++
		after.NextRunAt = time.Time{}
		if after.State == job.Active {
			after.NextRunAt = nextSlot
		}
		b.jobs[id] = after
		return nil
	})
	if err != nil {
		return job.Job{}, err
	}
	return after, nil
}

func (b jobBackend) Delete(_ context.Context, namespace string, id job.ID, version uint64) error {
	return b.change(func() error {
		before, err := b.visible(namespace, id)
		if err != nil {
			return err
		}
		if version != 0 && version != before.Version {
			return errVersion
		}
		delete(b.jobs, id)
		return nil
	})
}

type executionBackend struct{ *backend }

func (b executionBackend) List(_ context.Context, namespace string, id job.ID, before job.ExecutionID, limit int) ([]job.Execution, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.visible(namespace, id); err != nil {
		return nil, err
	}
	var list []job.Execution
	for _, x := range b.executions[id] {
		if before.IsZero() || x.ID.Order < before.Order {
			list = append(list, x)
		}
	}
	return list[:min(limit, len(list))], nil
}

func (b executionBackend) Get(_ context.Context, namespace string, id job.ExecutionID) (job.Execution, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.visible(namespace, id.Job); err != nil {
		return job.Execution{}, err
	}
	for _, x := range b.executions[id.Job] {
		if x.ID == id {
			return x, nil
		}
	}
	return job.Execution{}, job.ErrNotFound
}

func (b executionBackend) Run(_ context.Context, namespace string, id job.ID, overlap job.OverlapPolicy, once *job.Idempotent[job.Execution]) (job.Execution, []byte, error) {
	return changeOnce(b.backend, once, func() (job.Execution, error) {
		j, err := b.visible(namespace, id)
		if err != nil {
			return job.Execution{}, err
		}
		if overlap == "" {
			overlap = j.Overlap
		}
		if j.Running > 0 && overlap == job.OverlapSkip {
			return job.Execution{}, job.Errorf(job.CodeOverlap, "an execution is running")
		}
		at := now.Add(15*time.Minute + 15*time.Second)
		salt := uint16(4 + len(b.executions[id]))
		x := job.Execution{ID: job.ManualExecution(id, at, salt), Trigger: job.TriggerManual, ScheduledAt: at, DueAt: at, CreatedAt: at, Result: job.Running}
		j.Running++
		b.jobs[id] = j
		b.executions[id] = append([]job.Execution{x}, b.executions[id]...)
		b.overlaps = append(b.overlaps, overlap)
		return x, nil
	})
}

func (b executionBackend) Cancel(_ context.Context, namespace string, id job.ExecutionID, once *job.Idempotent[job.Execution]) (job.Execution, []byte, error) {
	return changeOnce(b.backend, once, func() (job.Execution, error) {
		j, err := b.visible(namespace, id.Job)
		if err != nil {
			return job.Execution{}, err
		}
		i := slices.IndexFunc(b.executions[id.Job], func(x job.Execution) bool { return x.ID == id })
		if i < 0 {
			return job.Execution{}, job.ErrNotFound
		}
		x := &b.executions[id.Job][i]
		switch {
		case x.Result == job.Cancelled:
			return *x, nil
		case x.Result.Terminal():
			return job.Execution{}, job.Errorf(job.CodeConflict, "the execution has ended as %s", x.Result)
		}
		x.Result, x.FinishedAt = job.Cancelled, x.CreatedAt.Add(time.Second)
		x.Err = &job.AttemptError{Code: job.ErrCancelled, Msg: "cancelled by a request"}
		j.Running--
		b.jobs[id.Job] = j
		return *x, nil
	})
}

var errDisk = errors.New("disk on fire at /secret/path")
