package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/scheduler"
)

// TestUpdate_Jitter changes when a slot is due, and nothing else, and then gives up a
// slot that has come and was not due yet: that is on record.
func TestUpdate_Jitter(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := startSingle(ctx, t)
	made := jobWithShare(ctx, s, time.Minute)
	update := func(what string, edit func(*job.Spec)) (after job.Job) {
		t.Helper()
		s.do(ctx, what, func() (err error) {
			after, err = s.Jobs().Update(ctx, "", made.ID, 0, func(s *job.Spec) error { edit(s); return nil })
			return err
		})
		return after
	}
	shifted := update("jitter", func(s *job.Spec) { s.Jitter = time.Hour })
	if share := shifted.NextDueAt.Sub(shifted.NextRunAt); !shifted.NextRunAt.Equal(made.NextRunAt) || share <= 0 || share >= time.Hour || shifted.Version != 2 {
		t.Errorf("next at %v, due at %v; it was %v", shifted.NextRunAt, shifted.NextDueAt, made.NextRunAt)
	}
	if renamed := update("a name", func(s *job.Spec) { s.Name = "x" }); !renamed.NextDueAt.Equal(shifted.NextDueAt) {
		t.Errorf("renamed, it is due at %v, not %v", renamed.NextDueAt, shifted.NextDueAt)
	}
	if records, err := newest(ctx, s.Node, made.ID, 10); err != nil || len(records) != 0 {
		t.Errorf("nothing was due, and there are %+v, %v", records, err)
	}
	s.ahead.Store(int64(time.Until(shifted.NextRunAt) + shifted.NextDueAt.Sub(shifted.NextRunAt)/2))
	update("a pause", func(s *job.Spec) { s.State = job.Paused })
	records, err := newest(ctx, s.Node, made.ID, 10)
	if err != nil || len(records) != 1 || records[0].Result != job.Missed || !records[0].MissedFrom.Equal(made.NextRunAt) || records[0].MissedCount != 1 {
		t.Errorf("the slot that was given up: %+v, %v", records, err)
	}
	gap, err := s.Executions().Slots(ctx, "", made.ID, made.NextRunAt, made.NextRunAt.Add(time.Hour), 10)
	if err != nil || len(gap.Records) != 1 || gap.More {
		t.Errorf("the slots of that time: %+v, %v", gap, err)
	}
	if _, err := s.Executions().Slots(ctx, "other", made.ID, made.NextRunAt, made.NextRunAt, 10); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("slots in another namespace: %v", err)
	}
}

// jobWithShare makes a job without jitter whose share of an hour of jitter is not less
// than least.
func jobWithShare(ctx context.Context, s *single, least time.Duration) job.Job {
	s.t.Helper()
	spec := secondJob()
	spec.Schedule.Interval = 2 * time.Hour
	for {
		made, _, err := s.Jobs().Create(ctx, root(ctx, s.t, s.Node), spec, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		shifted := made.Spec
		shifted.Jitter = time.Hour
		due, err := scheduler.DueAt(made.ID, &shifted, made.NextRunAt)
		if err != nil {
			s.t.Fatal(err)
		}
		if due.Sub(made.NextRunAt) >= least {
			return made
		}
	}
}
