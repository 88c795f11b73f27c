package fsm

import (
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// givenUpPlan records the slots from one second to another as missed; left is the
// first that is left of them, zero for none.
func givenUpPlan(from, to, left int) job.Plan {
	p := gapPlan(from, to)
	s := &p.Slots[0]
	s.Fire, s.Next, s.Node = time.Time{}, time.Time{}, job.NodeRef{}
	if left != 0 {
		s.Next = at(left)
	}
	return p
}

// pausedLate is a node whose job A has paused itself at second 10, when the slots from
// second 2 on had not been planned.
func pausedLate(t *testing.T) *node {
	t.Helper()
	n := raised(t, func(s *job.Spec) { s.Overlap, s.PauseAfterFailures = job.OverlapAllow, 1 })
	n.do(plan(1))
	n.do(fail(10, ref(slotID(1), 1)))
	equal(t, "state after the failure", n.job(jobA).State, job.Paused)
	equal(t, "next run", n.job(jobA).NextRunAt, time.Time{})
	return n
}

// wantGivenUp checks that the slots from second 2 to 10 have their record.
func (n *node) wantGivenUp() {
	n.Helper()
	if got, want := n.history(), []job.Result{job.Failed, job.Missed}; !slices.Equal(got, want) {
		n.Fatalf("history: got %v, want %v", got, want)
	}
	gap := n.execution(slotID(2))
	equal(n, "from", gap.MissedFrom, at(2))
	equal(n, "to", gap.MissedTo, at(10))
	equal(n, "count", gap.MissedCount, 9)
	equal(n, "missed", n.job(jobA).Counts.Missed, 9)
	equal(n, "given up", n.job(jobA).GivenUp, job.Period{})
}

// TestPauseAfterFailures_GivesUpWhatIsDue: slots that had come when a job paused itself
// wait in the agenda, on every node, until they have a record.
func TestPauseAfterFailures_GivesUpWhatIsDue(t *testing.T) {
	t.Parallel()
	n := pausedLate(t)
	n.must(n.Close())
	n.reopen()
	equal(t, "given up", n.job(jobA).GivenUp, job.Period{From: at(2), Until: at(10)})
	equal(t, "in the agenda", slices.Equal(n.Due(at(10), 9, nil), []job.DueSlot{{Job: jobA, Slot: at(2), Due: at(2)}}), true)
	n.refused(job.ErrStale, plan(2))
	n.refused(job.ErrStale, givenUpPlan(3, 10, 0))
	old := givenUpPlan(2, 10, 0)
	old.Slots[0].Version = 1
	n.refused(job.ErrStale, old)

	n.do(givenUpPlan(2, 10, 0))
	n.wantGivenUp()
	n.wantState("after the record", job.Paused, time.Time{})
	equal(t, "agenda", n.AgendaLen(), 0)
	n.refused(job.ErrStale, givenUpPlan(2, 10, 0))
}

// TestPauseAfterFailures_GivesUpInParts: a long gap takes several plans.
func TestPauseAfterFailures_GivesUpInParts(t *testing.T) {
	t.Parallel()
	n := pausedLate(t)
	n.do(givenUpPlan(2, 5, 6))
	equal(t, "left", n.job(jobA).GivenUp, job.Period{From: at(6), Until: at(10)})
	n.do(givenUpPlan(6, 10, 0))
	equal(t, "left at the end", n.job(jobA).GivenUp, job.Period{})
	equal(t, "missed", n.job(jobA).Counts.Missed, 9)
}

// TestPauseAfterFailures_GivesUpNothing that is still to come.
func TestPauseAfterFailures_GivesUpNothing(t *testing.T) {
	t.Parallel()
	n := raised(t, func(s *job.Spec) { s.PauseAfterFailures = 1 })
	n.failing(1)
	n.wantState("paused", job.Paused, time.Time{})
	equal(t, "given up", n.job(jobA).GivenUp, job.Period{})
	equal(t, "agenda", n.AgendaLen(), 0)
}

// TestPauseAfterFailures_EditsGiveUp: an edit that comes first records what the job has
// given up, since the schedule may not be the same afterwards.
func TestPauseAfterFailures_EditsGiveUp(t *testing.T) {
	t.Parallel()
	n := pausedLate(t)
	edit := job.PutJob{Job: n.job(jobA), KeepNextRun: true}
	resume := edit
	resume.KeepNextRun, resume.Job.State, resume.Job.NextRunAt = false, job.Active, at(12)
	for _, p := range []job.PutJob{edit, resume} {
		n.refused(job.ErrStale, job.PutJobs{At: at(11), Jobs: []job.PutJob{p}})
	}
	resume.Due, resume.Missed = at(2), job.Gap{From: at(2), To: at(10), Count: 9}
	n.do(job.PutJobs{At: at(11), Jobs: []job.PutJob{resume}})
	n.wantGivenUp()
	n.wantState("resumed", job.Active, at(12))
	n.do(plan(12))
}

func TestPauseAfterFailures_DeletedMeanwhile(t *testing.T) {
	t.Parallel()
	n := pausedLate(t)
	n.do(job.DeleteJob{At: at(11), ID: jobA})
	equal(t, "agenda", n.AgendaLen(), 0)
	n.refused(job.ErrStale, givenUpPlan(2, 10, 0))
}
