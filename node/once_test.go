package node_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
)

// once is the wish of a caller whose answer is a job's or an execution's ID.
func once[T any](key, request byte, answer func(T) string) *job.Idempotent[T] {
	return &job.Idempotent[T]{
		Key: [32]byte{key}, Request: [32]byte{request},
		Answer: func(made T) ([]byte, error) { return []byte(answer(made)), nil },
	}
}

// TestOnce repeats a create, a run and a cancel: each takes effect once, also
// after the node was killed and started again.
func TestOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := node.Config{ID: "alone", DataDir: t.TempDir(), RootKey: rootKey}
	n := realNode(ctx, t, cfg)
	defer func() { n.Kill() }()
	untilReady(ctx, t, n)
	by, err := n.Keys().Authenticate(ctx, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	jobID := func(j job.Job) string { return j.ID.String() }
	if _, _, err := n.Jobs().Create(ctx, by, pausedJob(), once(1, 1, jobID)); err != nil {
		t.Fatal(err)
	}
	page, err := n.Jobs().List(ctx, job.JobQuery{Limit: 10})
	if err != nil || len(page.Jobs) != 1 {
		t.Fatalf("%d jobs: %v", len(page.Jobs), err)
	}
	made := page.Jobs[0]
	executionID := func(x job.Execution) string { return x.ID.String() + string(x.Result) }
	x, _, err := n.Executions().Run(ctx, "", made.ID, "", once(2, 1, executionID))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	n = realNode(ctx, t, cfg)
	untilReady(ctx, t, n)

	_, again, err := n.Jobs().Create(ctx, by, pausedJob(), once(1, 1, jobID))
	if err != nil || !bytes.Equal(again, []byte(made.ID.String())) {
		t.Errorf("the create again: %q, %v", again, err)
	}
	if _, _, err := n.Jobs().Create(ctx, by, pausedJob(), once(1, 2, jobID)); !errors.Is(err, job.ErrIdempotencyMismatch) {
		t.Errorf("the key with another create: %v", err)
	}
	_, again, err = n.Executions().Run(ctx, "", made.ID, "", once(2, 1, executionID))
	if err != nil || !bytes.Equal(again, []byte(x.ID.String()+"RUNNING")) {
		t.Errorf("the run again: %q, %v", again, err)
	}
	if page, err := n.Jobs().List(ctx, job.JobQuery{Limit: 10}); err != nil || len(page.Jobs) != 1 {
		t.Errorf("%d jobs: %v", len(page.Jobs), err)
	}
	if list, err := newest(ctx, n, made.ID, 10); err != nil || len(list) != 1 {
		t.Errorf("%d executions: %v", len(list), err)
	}
}

func pausedJob() job.Spec {
	s := secondJob()
	s.State = job.Paused
	return s
}
