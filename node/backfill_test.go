package node_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// TestBackfill runs slots of the past, in their order, one after the other, and once, as
// soon as the job is not paused.
func TestBackfill(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, called := startSingle(ctx, t), newTarget(t)
	spec := calling(called.URL)
	spec.State, spec.Schedule = job.Paused, job.Schedule{Cron: "0 0 29 2 *", Timezone: "UTC"}
	made, _, err := s.Jobs().Create(ctx, root(ctx, t, s.Node), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 3, 26, 0, 0, 0, 0, time.UTC)
	slots := []time.Time{day.Add(2 * time.Hour), day, day.Add(time.Hour), day}
	var ids []job.ExecutionID
	s.do(ctx, "backfill", func() (err error) {
		ids, _, err = s.Executions().Backfill(ctx, "", made.ID, slots, "", once(1, 1, func(ids []job.ExecutionID) string { return fmt.Sprint(ids) }))
		return err
	})
	if len(ids) != 3 || !slices.IsSortedFunc(ids, func(a, b job.ExecutionID) int { return int(a.Order) - int(b.Order) }) {
		t.Fatalf("the executions are %v", ids)
	}
	_, again, err := s.Executions().Backfill(ctx, "", made.ID, slots, "", once(1, 1, func(ids []job.ExecutionID) string { return fmt.Sprint(ids) }))
	if err != nil || string(again) != fmt.Sprint(ids) {
		t.Errorf("again: %q, %v", again, err)
	}
	none := func([]job.ExecutionID) string { return "none" }
	if got, again, err := s.Executions().Backfill(ctx, "", made.ID, nil, "", once(1, 1, none)); err != nil || string(again) != fmt.Sprint(ids) || len(got) > 0 {
		t.Errorf("again, when the schedule has no slot there any more: %v, again %q, %v", got, again, err)
	}
	if got, again, err := s.Executions().Backfill(ctx, "", made.ID, nil, "", once(2, 1, none)); err != nil || again != nil || len(got) > 0 {
		t.Errorf("without slots: %v, again %q, %v", got, again, err)
	}
	if j, err := s.Jobs().Get(ctx, "", made.ID); err != nil || j.Running != 3 || len(called.callbacks()) > 0 {
		t.Errorf("while the job is paused, %d are running and %d were called: %v", j.Running, len(called.callbacks()), err)
	}
	s.do(ctx, "resume", func() error {
		_, err := s.Jobs().Update(ctx, "", made.ID, 0, func(s *job.Spec) error { s.State = job.Active; return nil })
		return err
	})
	poll(ctx, t, "the callbacks", func() bool { return len(called.callbacks()) == 3 })
	for i, got := range called.callbacks() {
		if at := day.Add(time.Duration(i) * time.Hour).Format(time.RFC3339); got.Get("X-Cron-Scheduled-At") != at || got.Get("X-Cron-Trigger") != "BACKFILL" ||
			got.Get("X-Cron-Execution-Id") != ids[i].String() {
			t.Errorf("callback %d of %s is %v", i, at, got.Header)
		}
	}
	if _, _, err := s.Executions().Backfill(ctx, "other", made.ID, slots, "", nil); job.CodeOf(err) != job.CodeNotFound {
		t.Errorf("backfilled from another namespace: %v", err)
	}
	if _, _, err := s.Executions().Backfill(ctx, "", made.ID, slices.Repeat([]time.Time{day}, 10001), "", nil); err != nil {
		t.Errorf("the same slot over and over is one: %v", err)
	}
	many := make([]time.Time, 10001)
	for i := range many {
		many[i] = day.Add(time.Duration(i) * time.Second)
	}
	if _, _, err := s.Executions().Backfill(ctx, "", made.ID, many, "", nil); job.CodeOf(err) != job.CodeValidation {
		t.Errorf("too many slots: %v", err)
	}
}

// TestMaxRuns lets a job end after two runs, and go on when it may have one more.
func TestMaxRuns(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, called := startSingle(ctx, t), newTarget(t)
	spec := calling(called.URL)
	spec.MaxRuns = 2
	var made job.Job
	s.do(ctx, "create", func() (err error) {
		made, _, err = s.Jobs().Create(ctx, root(ctx, t, s.Node), spec, nil)
		return err
	})
	completes := func(runs int) {
		t.Helper()
		poll(ctx, t, fmt.Sprintf("the end after %d runs", runs), func() bool {
			j, err := s.Jobs().Get(ctx, "", made.ID)
			return err == nil && j.State == job.Completed && j.Runs == runs && len(called.callbacks()) == runs
		})
	}
	completes(2)
	_, err := s.Jobs().Update(ctx, "", made.ID, 0, func(s *job.Spec) error { s.State = job.Active; return nil })
	if job.CodeOf(err) != job.CodeValidation {
		t.Errorf("made ACTIVE though it has had its runs: %v", err)
	}
	after, err := s.Jobs().Update(ctx, "", made.ID, 0, func(s *job.Spec) error { s.MaxRuns = 3; return nil })
	if err != nil || after.State != job.Active || after.NextRunAt.IsZero() {
		t.Fatalf("with one more run: %+v, %v", after, err)
	}
	completes(3)
}
