//go:build !race

package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// extrasNamespace keeps the extras out of the history, whose checker does not know
// what they have that other jobs have not.
const extrasNamespace = "extras"

const (
	extrasJitter   = 40 * time.Second
	extrasFailures = 3
	extrasRuns     = 5
)

// simExtras are jobs with jitter, a limit of runs, pauses of their own and backfills,
// and a webhook that is told of failures. They are checked by rules of their own.
type simExtras struct {
	c      *simCluster
	target *simTarget
	chance *rand.Rand

	shifted, limited, failing, filled, hook job.Job
	// backfills were acknowledged.
	backfills []simBackfill
	asked     byte // backfills that were asked for
	// calm is what the nodes had applied when everything was mended.
	calm uint64
}

type simBackfill struct {
	slots []time.Time
	ids   []job.ExecutionID
}

// begin makes the jobs and the webhook.
func (s *simExtras) begin(run simRun) {
	s.chance = run.chance(200)
	s.hook = s.create("hook", func(l *simLife, by job.APIKey, once *job.Idempotent[job.Job]) (job.Job, []byte, error) {
		spec := job.Spec{State: job.Active, Target: job.Target{URL: "http://extras:80/?job=hook&fail=2"}}
		return l.Webhooks().Create(s.c.t.Context(), by, spec, job.Hook{Events: []job.EventType{job.EventExecutionFailed}}, once)
	})
	scale := time.Duration(run.scale())
	s.shifted = s.createJob("shifted", func(j *job.Spec) { j.Jitter = extrasJitter })
	s.limited = s.createJob("limited", func(j *job.Spec) { j.MaxRuns = extrasRuns })
	s.failing = s.createJob("failing", func(j *job.Spec) {
		j.PauseAfterFailures = extrasFailures
		j.Target.URL += "&fail=9"
	})
	s.filled = s.createJob("filled", func(j *job.Spec) { j.Schedule.Interval = 24 * time.Hour * scale })
}

func (s *simExtras) createJob(name string, edit func(*job.Spec)) job.Job {
	spec := job.DefaultSpec()
	spec.Name, spec.Schedule.Interval, spec.Target.URL = name, time.Minute, "http://extras:80/?job="+name
	edit(&spec)
	return s.create(name, func(l *simLife, by job.APIKey, once *job.Idempotent[job.Job]) (job.Job, []byte, error) {
		return l.Jobs().Create(s.c.t.Context(), by, spec.Clone(), once)
	})
}

// create asks until it is answered.
func (s *simExtras) create(name string, ask func(*simLife, job.APIKey, *job.Idempotent[job.Job]) (job.Job, []byte, error)) (made job.Job) {
	s.c.t.Helper()
	key := [32]byte([]byte(fmt.Sprintf("%-32s", name)))
	for range 600 {
		if leaders := s.c.leaders(); len(leaders) > 0 {
			by := job.APIKey{Namespace: extrasNamespace, ID: s.rootID(leaders[0])}
			j, again, err := ask(leaders[0], by, idempotent(key, tellJob))
			if a, readErr := told(again, tellJob(j)); err == nil && readErr == nil {
				id, _ := job.ParseID(a.ID)
				return job.Job{ID: id, Spec: job.Spec{Name: name}, CreatedAt: time.Now()}
			}
		}
		time.Sleep(time.Second)
	}
	s.c.t.Fatalf("the job %s is never made", name)
	return job.Job{}
}

func (s *simExtras) rootID(l *simLife) string {
	by, err := l.Keys().Authenticate(s.c.t.Context(), rootKey)
	if err != nil {
		return ""
	}
	return by.ID
}

// run backfills, raises limits and resumes until it is told to stop.
func (s *simExtras) run(stop <-chan struct{}, pause time.Duration) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(soon(s.chance, 2*pause)):
		}
		switch s.chance.IntN(3) {
		case 0:
			s.backfill()
		case 1:
			s.edit(s.limited.ID, func(j *job.Spec) { j.MaxRuns += extrasRuns })
		case 2:
			s.edit(s.failing.ID, func(j *job.Spec) { j.State = job.Active })
		}
	}
}

// edit asks once; whether it took effect shows in the job.
func (s *simExtras) edit(id job.ID, edit func(*job.Spec)) {
	leaders := s.c.leaders()
	if len(leaders) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(s.c.t.Context(), opPatience)
	defer cancel()
	leaders[0].Jobs().Update(ctx, extrasNamespace, id, 0, func(j *job.Spec) error { edit(j); return nil })
}

// backfill asks with an idempotency key until it is answered, or refused.
func (s *simExtras) backfill() {
	b := simBackfill{}
	first := time.Date(2026, 1, 1+s.chance.IntN(40), 0, 0, 0, 0, time.UTC)
	for i := range 1 + s.chance.IntN(12) {
		b.slots = append(b.slots, first.AddDate(0, 0, i))
	}
	overlap := pick(s.chance, overlaps)
	s.asked++
	once := idempotent([32]byte{'b', s.asked}, func(ids []job.ExecutionID) answer { return answer{ID: fmt.Sprint(ids)} })
	for range opTries {
		if leaders := s.c.leaders(); len(leaders) > 0 {
			ctx, cancel := context.WithTimeout(s.c.t.Context(), opPatience)
			l := leaders[0]
			ids, again, err := l.Executions().Backfill(ctx, extrasNamespace, s.filled.ID, b.slots, overlap, once)
			cancel()
			if err == nil && again == nil && !l.isDark() {
				b.ids = ids
				s.backfills = append(s.backfills, b)
			}
			if err == nil {
				return
			}
		}
		time.Sleep(opPause)
	}
}

// settled takes note of what the nodes have applied.
func (s *simExtras) settled() {
	for _, l := range s.c.lives() {
		s.calm = max(s.calm, l.Applied())
	}
}

// check looks at what has become of the extras, if there are any. The cluster is
// calm.
func (s *simExtras) check() {
	t := s.c.t
	t.Helper()
	if s.chance == nil {
		return
	}
	l := s.c.lives()[0]
	if err := l.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.checkShifted(l)
	s.checkLimited(l)
	s.checkFailing(l)
	s.checkBackfills(l)
	s.checkEvents()
}

// records are all executions of a job, oldest first.
func (s *simExtras) records(l *simLife, id job.ID) (out []job.Execution) {
	s.c.t.Helper()
	for before := new(job.ExecutionID); before != nil; {
		page, err := l.Executions().List(s.c.t.Context(), job.ExecutionQuery{Job: id, Before: *before, Limit: 1000})
		if err != nil {
			s.c.t.Fatal(err)
		}
		out, before = append(out, page.Executions...), page.Next
	}
	slices.Reverse(out)
	return out
}

// checkShifted looks for each slot since the first one: it has one record, and is due
// by the job's share of the jitter later.
func (s *simExtras) checkShifted(l *simLife) {
	t := s.c.t
	t.Helper()
	records := s.records(l, s.shifted.ID)
	if len(records) == 0 {
		t.Fatal("the job with jitter never ran")
	}
	next, share := records[0].ScheduledAt, time.Duration(-1)
	for _, x := range records {
		first, last := x.ScheduledAt, x.ScheduledAt
		if x.Result == job.Missed {
			first, last = x.MissedFrom, x.MissedTo
		} else if due := x.DueAt.Sub(x.ScheduledAt); share < 0 {
			share = due
		} else if due != share {
			t.Errorf("the slot %v is due %v later, and others %v", x.ScheduledAt, due, share)
		}
		if !first.Equal(next) {
			t.Errorf("after the slots before %v comes a record of %v", next, first)
		}
		next = last.Add(time.Minute)
	}
	if share < 0 || share >= extrasJitter {
		t.Errorf("slots are due %v later", share)
	}
	if late := time.Since(next); late > 2*time.Minute {
		t.Errorf("the last record is of %v before the end", late)
	}
}

// checkLimited counts the runs of the job that may have only so many.
func (s *simExtras) checkLimited(l *simLife) {
	t := s.c.t
	t.Helper()
	runs := 0
	for _, x := range s.records(l, s.limited.ID) {
		if x.Result != job.Missed && x.Result != job.Skipped {
			runs++
		}
	}
	j, err := l.Jobs().Get(t.Context(), extrasNamespace, s.limited.ID)
	if err != nil || j.Runs != runs || runs > j.MaxRuns || (runs == j.MaxRuns) != (j.State == job.Completed) {
		t.Errorf("%d executions, %d runs of %d, %s: %v", runs, j.Runs, j.MaxRuns, j.State, err)
	}
}

// checkFailing looks whether the job that always fails has paused itself, and whether
// the webhook was told of each failure.
func (s *simExtras) checkFailing(l *simLife) {
	t := s.c.t
	t.Helper()
	j, err := l.Jobs().Get(t.Context(), extrasNamespace, s.failing.ID)
	if err != nil || j.State != job.Paused || j.ConsecutiveFailures < extrasFailures || !strings.HasPrefix(j.PauseReason, "paused by itself") {
		t.Errorf("after %d failures in a row the job is %s, %q: %v", j.ConsecutiveFailures, j.State, j.PauseReason, err)
	}
	told := map[job.ExecutionID]job.Execution{}
	for _, d := range s.records(l, s.hook.ID) {
		if d.Event == nil {
			t.Fatalf("the delivery %v has no event", d.ID)
		}
		if _, twice := told[d.Event.Execution]; twice {
			t.Errorf("the failure of %v makes two deliveries", d.Event.Execution)
		}
		told[d.Event.Execution] = d
	}
	heard := s.heard()
	failures := 0
	for _, x := range s.records(l, s.failing.ID) {
		if x.Result != job.Failed {
			continue
		}
		failures++
		d, ok := told[x.ID]
		if !ok || d.Result != job.Success && d.Result.Terminal() || d.Result == job.Success && !heard[d.ID.String()] {
			t.Errorf("the delivery of the failure %v is %+v", x.ID, d)
		}
	}
	t.Logf("extras: %d failures, %d deliveries, %d backfills", failures, len(told), len(s.backfills))
}

// heard are the executions that the target answered with success.
func (s *simExtras) heard() map[string]bool {
	heard := map[string]bool{}
	for _, d := range s.target.log() {
		if d.Status == 200 {
			heard[d.Execution] = true
		}
	}
	return heard
}

// checkBackfills looks whether each slot that was asked for was run.
func (s *simExtras) checkBackfills(l *simLife) {
	t := s.c.t
	t.Helper()
	heard := s.heard()
	for _, b := range s.backfills {
		for i, id := range b.ids {
			x, err := l.Executions().Get(t.Context(), extrasNamespace, id)
			if err != nil || x.Result != job.Success || x.Trigger != job.TriggerBackfill || !x.ScheduledAt.Equal(b.slots[i]) || !heard[id.String()] {
				t.Errorf("the backfill of %v is %+v: %v", b.slots[i], x, err)
			}
		}
	}
}

// checkEvents compares what the nodes tell since the cluster is calm.
func (s *simExtras) checkEvents() {
	t := s.c.t
	t.Helper()
	from := job.EventID{Index: s.calm + 1}
	var first []job.EventID
	for _, l := range s.c.lives() {
		var ids []job.EventID
		for last := from; ; {
			events, _, complete := l.Events().Since(last)
			if !complete || len(events) == 0 {
				break
			}
			for _, e := range events {
				ids = append(ids, e.ID)
			}
			last = ids[len(ids)-1]
		}
		if first == nil {
			first = ids
		}
		if n := min(len(first), len(ids)); n == 0 || !slices.Equal(first[:n], ids[:n]) {
			t.Errorf("%s tells other events than another node: %v, not %v", l.owner.id, ids, first)
		}
	}
}
