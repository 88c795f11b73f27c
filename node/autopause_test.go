package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// TestAutoPause_OfAJobThatCatchesUp: a job that fires each of the slots that it has
// missed, and pauses itself on the way, has a record of every slot; also if it is
// resumed at once, with another schedule.
func TestAutoPause_OfAJobThatCatchesUp(t *testing.T) {
	for name, resume := range map[string]func(*job.Spec) error{
		"left alone": nil,
		"resumed": func(s *job.Spec) error {
			s.State, s.PauseAfterFailures, s.Schedule.Interval = job.Active, 0, time.Hour
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s := startSingle(ctx, t)
			made := pausedOnTheWay(ctx, s)
			if resume != nil {
				if _, err := s.Jobs().Update(ctx, "", made.ID, 0, resume); err != nil {
					t.Fatal(err)
				}
			}
			var records []job.Execution
			poll(ctx, t, "what it gave up", func() bool {
				list, err := s.Executions().Slots(ctx, "", made.ID, made.NextRunAt, made.NextRunAt.Add(99*time.Minute), 500)
				if err != nil {
					t.Fatal(err)
				}
				records = list.Records
				return len(records) > 0 && records[len(records)-1].Result == job.Missed && records[len(records)-1].MissedTo.After(made.NextRunAt.Add(90*time.Minute))
			})
			next, failed := made.NextRunAt, 0
			for _, x := range records {
				if !x.ScheduledAt.Equal(next) {
					t.Fatalf("a record of the slot %v, want %v", x.ScheduledAt, next)
				}
				next = next.Add(time.Minute)
				if x.Result == job.Missed {
					next = next.Add(time.Duration(x.MissedCount-1) * time.Minute)
				} else {
					failed++
				}
			}
			j, err := s.Jobs().Get(ctx, "", made.ID)
			if want := map[bool]job.State{true: job.Paused, false: job.Active}[resume == nil]; err != nil || j.State != want || failed != 3 {
				t.Errorf("%s after %d failures: %v", j.State, failed, err)
			}
		})
	}
}

// pausedOnTheWay is a job of each minute, 100 slots behind, as it has just paused
// itself: the third of those that it caught up with has failed.
func pausedOnTheWay(ctx context.Context, s *single) (made job.Job) {
	s.t.Helper()
	spec := secondJob() // nobody answers
	spec.Misfire, spec.Retries, spec.PauseAfterFailures = job.MisfireFireAll, 0, 3
	spec.Schedule.Interval = time.Minute
	s.do(ctx, "a job", func() (err error) {
		made, _, err = s.Jobs().Create(ctx, root(ctx, s.t, s.Node), spec, nil)
		return err
	})
	s.ahead.Store(int64(100 * time.Minute))
	poll(ctx, s.t, "the pause", func() bool {
		j, err := s.Jobs().Get(ctx, "", made.ID)
		return err == nil && j.State == job.Paused
	})
	return made
}
