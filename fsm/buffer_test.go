package fsm

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// withBuffered makes a node whose job A runs slot 1 and has slot 2 buffered.
func withBuffered(t *testing.T) *node {
	t.Helper()
	n := withJob(t, job.OverlapBufferOne)
	n.do(plan(1))
	n.do(plan(2))
	equal(t, "second", n.phase(slotID(2)), job.PhaseBuffered)
	return n
}

// edit gives job A another overlap policy.
func (n *node) edit(seconds int, overlap job.OverlapPolicy) {
	n.Helper()
	d := put(jobA, at(seconds+1), spec(overlap))
	d.At = at(seconds)
	d.Jobs[0].Job.Version = n.job(jobA).Version
	n.do(d)
}

func TestBufferOne(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapBufferOne)
	equal(t, "first", n.do(plan(1)), job.Running)
	equal(t, "first begins at once", n.phase(slotID(1)), job.PhaseRunning)
	equal(t, "second", n.do(plan(2)), job.Running)
	open, _ := n.OpenExecution(slotID(2))
	equal(t, "second waits", open, job.Open{
		Execution: slotID(2), Trigger: job.TriggerScheduled, ScheduledAt: at(2), Phase: job.PhaseBuffered,
	})
	equal(t, "its node", n.execution(slotID(2)).NodeID, "")
	equal(t, "last run", n.job(jobA).LastRunAt, plan(2).At)
	equal(t, "running", n.job(jobA).Running, 2)
	equal(t, "third", n.do(plan(3)), job.Skipped)
	equal(t, "error of the third", n.execution(slotID(3)).Err.Code, job.ErrOverlap)

	for _, d := range []job.Decision{
		begin(3, ref(slotID(2), 1)),
		succeed(3, ref(slotID(2), 0)),
		job.MarkLost{At: at(3), Attempts: []job.AttemptRef{ref(slotID(2), 0)}},
	} {
		n.refused(job.ErrStale, d)
	}
	n.do(succeed(4, ref(slotID(1), 1)))
	open, _ = n.OpenExecution(slotID(2))
	equal(t, "second begins", open.Phase, job.PhasePending)
	equal(t, "when", open.RetryAt, at(4))
	n.do(begin(4, ref(slotID(2), 1)))
	equal(t, "fourth", n.do(plan(4)), job.Running)
	equal(t, "fourth waits", n.phase(slotID(4)), job.PhaseBuffered)
	n.do(succeed(5, ref(slotID(2), 1)))
	equal(t, "counts", n.job(jobA).Counts, job.Counts{Success: 2, Skipped: 1})
}

// TestBufferOne_WhateverClosesTheLast: each way in which an execution ends lets
// the buffered one begin, and each way in which it goes on does not.
func TestBufferOne_WhateverClosesTheLast(t *testing.T) {
	t.Parallel()
	retry := outcome(ref(slotID(1), 1), errStatus)
	retry.RetryAt = at(30)
	lost := []job.AttemptRef{ref(slotID(1), 1)}
	tests := map[string]struct {
		decisions []job.Decision
		want      job.Phase
	}{
		"success":              {[]job.Decision{succeed(9, ref(slotID(1), 1))}, job.PhasePending},
		"failure":              {[]job.Decision{record(9, outcome(ref(slotID(1), 1), errStatus))}, job.PhasePending},
		"failure, and a retry": {[]job.Decision{record(9, retry)}, job.PhaseBuffered},
		"the last retry":       {[]job.Decision{record(8, retry), begin(8, ref(slotID(1), 2)), succeed(9, ref(slotID(1), 2))}, job.PhasePending},
		"loss":                 {[]job.Decision{job.MarkLost{At: at(9), Attempts: lost}}, job.PhaseBuffered},
		"final loss":           {[]job.Decision{job.MarkLost{At: at(9), Final: lost}}, job.PhasePending},
		"cancel":               {[]job.Decision{cancel(8, slotID(1))}, job.PhaseBuffered},
		"cancel, aborted":      {[]job.Decision{cancel(8, slotID(1)), succeed(9, ref(slotID(1), 1))}, job.PhasePending},
		"cancel, lost":         {[]job.Decision{cancel(8, slotID(1)), job.MarkLost{At: at(9), Attempts: lost}}, job.PhasePending},
		"cancel of a retry":    {[]job.Decision{record(8, retry), cancel(9, slotID(1))}, job.PhasePending},
		"its own cancel":       {[]job.Decision{cancel(8, slotID(2))}, job.PhaseClosed},
		"delete":               {[]job.Decision{job.DeleteJob{At: at(9), ID: jobA}}, job.PhaseClosed},
	}
	for name, tc := range tests {
		n := withBuffered(t)
		for _, d := range tc.decisions {
			n.do(d)
		}
		open, _ := n.OpenExecution(slotID(2))
		equal(t, name, open.Phase, tc.want)
		if tc.want == job.PhasePending {
			equal(t, name+": begins", open.RetryAt, at(9))
		}
	}
}

func TestBufferOne_WaitsForAll(t *testing.T) {
	t.Parallel()
	n := withBuffered(t)
	n.do(runNow(3, 1, job.OverlapAllow))
	manual := job.ManualExecution(jobA, at(3), 1)
	n.do(begin(3, ref(manual, 1)))
	n.do(succeed(4, ref(slotID(1), 1)))
	equal(t, "after one of two", n.phase(slotID(2)), job.PhaseBuffered)
	n.do(succeed(5, ref(manual, 1)))
	equal(t, "after both", n.phase(slotID(2)), job.PhasePending)
}

func TestBufferOne_WaitsForAbortsOfADeletedJob(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	n.do(job.DeleteJob{At: at(2), ID: jobA})
	n.do(put(jobA, at(2), spec(job.OverlapBufferOne)))
	n.do(plan(2))
	equal(t, "while the old request may be open", n.phase(slotID(2)), job.PhaseBuffered)
	n.do(succeed(3, ref(slotID(1), 1)))
	equal(t, "after it", n.phase(slotID(2)), job.PhasePending)
}

func TestBufferOne_Run(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapBufferOne)
	manual := func(seconds int) job.ExecutionID { return job.ManualExecution(jobA, at(seconds), 1) }
	n.do(runNow(1, 1, ""))
	equal(t, "with nothing open", n.phase(manual(1)), job.PhasePending)
	n.do(runNow(2, 1, ""))
	open, _ := n.OpenExecution(manual(2))
	equal(t, "behind another", open, job.Open{
		Execution: manual(2), Trigger: job.TriggerManual, ScheduledAt: at(2), Phase: job.PhaseBuffered,
	})
	n.refused(job.Errorf(job.CodeOverlap, ""), runNow(3, 1, ""))
	if got := n.item(runNow(3, 1, "")).Err.Msg; !strings.Contains(got, "BUFFER_ONE") {
		t.Errorf("the refusal says %q", got)
	}
	n.refused(job.Errorf(job.CodeOverlap, ""), runNow(3, 1, job.OverlapSkip))
	n.do(runNow(3, 1, job.OverlapCancelPrevious))
	equal(t, "cancelled", n.execution(manual(2)).Result, job.Cancelled)
	equal(t, "closed", n.phase(manual(2)), job.PhaseClosed)
	equal(t, "the newer one", n.phase(manual(3)), job.PhasePending)

	skip := withJob(t, job.OverlapSkip)
	skip.do(plan(1))
	skip.do(runNow(2, 1, job.OverlapBufferOne))
	equal(t, "in the place of SKIP", skip.phase(manual(2)), job.PhaseBuffered)
}

func TestBufferOne_PolicyIsEdited(t *testing.T) {
	t.Parallel()
	for _, policy := range []job.OverlapPolicy{job.OverlapSkip, job.OverlapCancelPrevious, job.OverlapBufferOne} {
		n := withBuffered(t)
		n.edit(3, policy)
		equal(t, string(policy)+" at once", n.phase(slotID(2)), job.PhaseBuffered)
		n.do(succeed(4, ref(slotID(1), 1)))
		equal(t, string(policy)+" in the end", n.phase(slotID(2)), job.PhasePending)
	}
	n := withBuffered(t)
	n.edit(3, job.OverlapSkip)
	equal(t, "SKIP: the next slot", n.do(plan(4)), job.Skipped)

	n = withBuffered(t)
	n.edit(3, job.OverlapCancelPrevious)
	n.do(plan(4))
	equal(t, "CANCEL_PREVIOUS: the buffered one", n.execution(slotID(2)).Result, job.Cancelled)
	equal(t, "CANCEL_PREVIOUS: the next slot", n.phase(slotID(4)), job.PhaseWaiting)
}

func TestBufferOne_EditedToAllow(t *testing.T) {
	t.Parallel()
	n := withBuffered(t)
	n.edit(3, job.OverlapAllow)
	open, _ := n.OpenExecution(slotID(2))
	equal(t, "begins", open.Phase, job.PhasePending)
	equal(t, "when", open.RetryAt, at(3))

	n = withBuffered(t)
	n.do(cancel(2, slotID(1)))
	n.edit(3, job.OverlapAllow)
	equal(t, "while a request is aborted", n.phase(slotID(2)), job.PhaseWaiting)
	n.do(runNow(4, 1, ""))
	n.do(succeed(5, ref(slotID(1), 1)))
	equal(t, "afterwards, beside another", n.phase(slotID(2)), job.PhasePending)

	// A run that asked to wait for its turn does so until the policy changes.
	n = withJob(t, job.OverlapAllow)
	n.do(plan(1))
	n.do(runNow(2, 1, job.OverlapBufferOne))
	n.edit(3, job.OverlapAllow)
	equal(t, "ALLOW as before", n.phase(job.ManualExecution(jobA, at(2), 1)), job.PhaseBuffered)
}

func TestBufferOne_RecordIsKept(t *testing.T) {
	t.Parallel()
	n := withBuffered(t)
	for i := 3; i < 9; i++ {
		d := plan(i)
		d.HistoryPerJob = 1
		n.do(d)
	}
	equal(t, "records", len(n.history()), 2)
	n.submit(job.Prune{Before: at(99), Jobs: 9})
	equal(t, "buffered", n.execution(slotID(2)).Result, job.Running)
}

func TestBufferOne_SurvivesARestart(t *testing.T) {
	t.Parallel()
	n := withBuffered(t)
	before, _ := n.OpenExecution(slotID(2))
	n.must(n.Close())
	n.reopen()
	after, _ := n.OpenExecution(slotID(2))
	equal(t, "buffered", after, before)
	feed := n.Watch()
	defer feed.Close()
	feed.Drain()
	n.do(succeed(4, ref(slotID(1), 1)))
	var phases []job.Phase
	for _, x := range feed.Drain() {
		phases = append(phases, x.Phase)
	}
	if want := []job.Phase{job.PhaseClosed, job.PhasePending}; !reflect.DeepEqual(phases, want) {
		t.Errorf("the feed tells %v, want %v", phases, want)
	}
}

func TestOpenOf(t *testing.T) {
	t.Parallel()
	n := withBuffered(t)
	n.do(put(jobB, at(1), spec(job.OverlapSkip)))
	first, _ := n.OpenExecution(slotID(1))
	second, _ := n.OpenExecution(slotID(2))
	if got, want := n.OpenOf(jobA), []job.Open{first, second}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	equal(t, "of another", len(n.OpenOf(jobB)), 0)
}

// TestAllow_TooManyOpen: a target that does not answer does not fill the memory.
func TestAllow_TooManyOpen(t *testing.T) {
	t.Parallel()
	n := raised(t, func(s *job.Spec) { s.Overlap = job.OverlapAllow })
	for i := range job.OpenLimit {
		equal(t, "result", n.do(plan(i+1)), job.Running)
	}
	equal(t, "one more", n.do(plan(job.OpenLimit+1)), job.Skipped)
	equal(t, "why", *n.execution(slotID(job.OpenLimit + 1)).Err,
		job.AttemptError{Code: job.ErrOverlap, Msg: "1000 executions of the job were open, and there may be no more"})
	n.refused(&job.Error{Code: job.CodeOverlap}, runNow(5, 1, ""))
	n.do(succeed(job.OpenLimit+2, ref(slotID(500), 1)))
	equal(t, "after the end of one", n.do(plan(job.OpenLimit+2)), job.Running)
	equal(t, "running", n.job(jobA).Running, job.OpenLimit)

	old := withJob(t, job.OverlapAllow)
	for i := range job.OpenLimit + 1 {
		equal(t, "before version 3", old.do(plan(i+1)), job.Running)
	}
}
