package node

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// TestSubmit_OldMember submits nothing that some member cannot read.
func TestSubmit_OldMember(t *testing.T) {
	t.Parallel()
	old := &submitter{version: func() int { return 2 }} // it would fail at raft, which it has not
	edited := func(edit func(*job.Spec)) job.PutJobs {
		s := job.DefaultSpec()
		edit(&s)
		return job.PutJobs{Jobs: []job.PutJob{{Job: job.Job{Spec: s}}}}
	}
	for i, d := range []job.Decision{
		edited(func(s *job.Spec) { s.Jitter = time.Second }),
		edited(func(s *job.Spec) { s.MaxRuns = 1 }),
		edited(func(s *job.Spec) { s.PauseAfterFailures = 1 }),
		edited(func(s *job.Spec) { s.ExternalID = "x" }),
		edited(func(s *job.Spec) { s.Tags = []job.Tag{{Key: "a", Value: "b"}} }),
		edited(func(s *job.Spec) { s.Schedule.RunAt = time.Unix(1, 0) }),
		job.PutJobs{Jobs: []job.PutJob{{Job: job.Job{Spec: job.DefaultSpec(), Hook: &job.Hook{}}}}},
		job.PutJobs{Jobs: []job.PutJob{{Delete: true}}},
		job.Backfill{}, job.PutKey{}, job.DeleteKey{}, job.Announce{}, job.TryHook{},
	} {
		t.Run(fmt.Sprintf("%T %d", d, i), func(t *testing.T) {
			t.Parallel()
			_, err := old.submit(t.Context(), d, anyTerm)
			var e *job.Error
			if !errors.As(err, &e) || e != job.ErrOldMember {
				t.Errorf("submitted, and answered with %v", err)
			}
		})
	}
}
