package httpserver

import (
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	rootKey = "root-key-0123456789abcdef"
	teamKey = "team-key-0123456789abcdef"
	// defaultKey sees the namespace that the root key's jobs are in, and only that.
	defaultKey = "default-key-0123456789abcdef"
	// readerKey sees what teamKey does, and changes nothing.
	readerKey = "reader-key-0123456789abcdef"
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
	overlaps   []job.OverlapPolicy        // of the runs and backfills
	ring       keyRing
	// completeFrom is from when on no record was removed.
	completeFrom time.Time
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
	named     func(namespace, externalID string) (job.Job, error)
	backup    func() (Backup, error)
	authorize func(ctx context.Context, key string) (job.APIKey, error)
	// forgets makes [keyBackend.Knows] know none.
	forgets bool
}

// config is a server's configuration with all parts from b.
func (b *backend) config(node string) Config {
	return Config{
		NodeID: node, Jobs: jobBackend{b}, Executions: executionBackend{b}, Schedules: schedules{}, Keys: keyBackend{b},
		Webhooks: webhookBackend{b}, Events: &eventLog{}, Statistics: &statistics{},
		Consistency: b, Forwarder: b, Cluster: b, Backups: b,
	}
}

func (b *backend) Authenticate(ctx context.Context, key string) (job.APIKey, error) {
	switch {
	case b.authorize != nil:
		return b.authorize(ctx, key)
	case key == rootKey:
		return theRootKey, nil
	case key == teamKey:
		return job.APIKey{ID: "key_team", Namespace: "team", Role: job.RoleEditor}, nil
	case key == readerKey:
		return job.APIKey{ID: "key_reader", Namespace: "team", Role: job.RoleReader}, nil
	case key == defaultKey:
		return job.APIKey{ID: "key_default", Namespace: job.DefaultNamespace, Role: job.RoleEditor}, nil
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

func (b *backend) Backup(context.Context) (Backup, error) {
	if b.backup != nil {
		return b.backup()
	}
	return Backup{ReadCloser: io.NopCloser(strings.NewReader("the state")), ClusterID: "c1", Index: 41, At: now, Size: 9}, nil
}

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
	jobs, last := maps.Clone(b.jobs), b.lastID
	if v, err = do(); err != nil {
		return v, nil, err
	}
	if once != nil {
		kept := keptAnswer{request: once.Request}
		if kept.answer, err = once.Answer(v); err != nil {
			b.jobs, b.lastID = jobs, last // nothing was submitted
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

var errDisk = errors.New("disk on fire at /secret/path")
