package fsm

import (
	"reflect"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/cronraft/cronraft/internal/job"
)

// TestStats compares statistics with what is counted beside them, execution by
// execution, whatever becomes of their records.
func TestStats(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := newNodeOn(t, vfs.NewMem())
		defer func() { n.must(n.Close()) }()
		g := &generator{rt: rt, node: n}
		c := &counter{node: n, over: map[job.ExecutionID]bool{}, minutes: map[string]map[time.Time]*job.Stats{}}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch d := g.decision().(type) {
			case job.DeleteJob: // an ID is not used again
			case job.PutJobs:
				for i := range d.Jobs {
					d.Jobs[i].Delete = false
				}
				n.submit(d)
			case job.Plan:
				d.HistoryPerJob = 0
				n.submit(d)
			case job.Run: // what it cancels must be seen before it is removed
				d.HistoryPerJob = 0
				n.submit(d)
			case job.Backfill:
				d.HistoryPerJob = 0
				n.submit(d)
			default:
				n.submit(d)
			}
			c.count()
		}
		step := time.Duration(rapid.IntRange(1, 90).Draw(rt, "step")) * time.Minute
		for _, namespace := range []string{"", job.DefaultNamespace, "none"} {
			q := job.StatsQuery{Namespace: namespace, From: epoch.Add(-time.Hour), To: at(g.now + 3600), Step: step}
			got, err := n.Stats(q)
			n.must(err)
			want := c.stats(q)
			equal(t, "steps", len(got), len(want))
			for i := range want {
				if !reflect.DeepEqual(got[i], want[i]) {
					rt.Errorf("%+v: got\n%+v\nwant\n%+v", q, got[i], want[i])
				}
			}
		}
	})
}

// counter counts the ends of executions.
type counter struct {
	*node
	over    map[job.ExecutionID]bool
	minutes map[string]map[time.Time]*job.Stats
}

// count finds those that ended since the last call.
func (c *counter) count() {
	for _, x := range c.everyExecution() {
		if !x.Result.Terminal() || c.over[x.ID] {
			continue
		}
		c.over[x.ID] = true
		if j := c.job(x.ID.Job); j.Hook == nil && c.LogVersion() >= 3 {
			c.add("", x)
			c.add(j.Namespace, x)
		}
	}
}

func (c *counter) add(namespace string, x job.Execution) {
	if c.minutes[namespace] == nil {
		c.minutes[namespace] = map[time.Time]*job.Stats{}
	}
	minute := x.FinishedAt.Truncate(time.Minute)
	s := c.minutes[namespace][minute]
	if s == nil {
		s = &job.Stats{}
		c.minutes[namespace][minute] = s
	}
	one := map[job.Result]*int64{
		job.Success: &s.Success, job.Failed: &s.Failed, job.Skipped: &s.Skipped, job.Cancelled: &s.Cancelled,
	}[x.Result]
	if x.Result == job.Missed {
		s.Missed += int64(x.MissedCount)
	} else {
		*one++
	}
	s.Attempts += int64(len(x.Attempts))
	if late, ok := x.Lateness(); ok && x.Trigger == job.TriggerScheduled {
		s.Lateness.Note(late)
	}
}

func (c *counter) stats(q job.StatsQuery) []job.Stats {
	var list []job.Stats
	for from := q.From; from.Before(q.To); from = from.Add(q.Step) {
		s := job.Stats{At: from}
		for at, of := range c.minutes[q.Namespace] {
			if !at.Before(from) && at.Before(from.Add(q.Step)) && at.Before(q.To) {
				s.Add(of)
			}
		}
		list = append(list, s)
	}
	return list
}

func (n *node) minutes(namespace string) int {
	n.Helper()
	count := 0
	n.must(n.state.scan(string(namedKeys(statsPrefix, namespace)), anyLength, func(_, _ []byte) error { count++; return nil }))
	return count
}

func TestStats_Pruned(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.submit(job.RaiseVersion{Version: 3})
	for i, namespace := range []string{"a", "b"} {
		for minute := range 5 {
			d := put(job.ID(10*i+minute+1), at(60*minute), spec(job.OverlapSkip))
			d.Jobs[0].Job.Namespace = namespace
			n.do(d)
			n.do(job.Plan{At: at(60 * minute), Slots: []job.PlannedSlot{{
				Job: d.Jobs[0].Job.ID, Slot: at(60 * minute), Missed: job.Gap{From: at(60 * minute), To: at(60 * minute), Count: 3},
			}}})
		}
	}
	equal(t, "minutes", n.minutes("a"), 5)
	n.submit(job.Prune{Before: at(60 * 5), Jobs: 100}) // records are another matter
	equal(t, "minutes", n.minutes("a"), 5)
	prune := func(before time.Time) {
		n.submit(job.PruneAnswers{Before: before.Add(job.StatsFor - job.OnceFor), Limit: 9})
	}
	prune(at(60*3 + 59))
	for _, namespace := range []string{"", "a", "b"} {
		equal(t, "minutes of "+namespace, n.minutes(namespace), 2)
	}
	prune(at(60 * 3))
	got, err := n.Stats(job.StatsQuery{From: at(0), To: at(60 * 5), Step: 5 * time.Minute})
	n.must(err)
	equal(t, "steps", len(got), 1)
	equal(t, "missed slots", got[0].Missed, 12)
}

func TestStats_Refused(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for _, q := range []job.StatsQuery{
		{From: at(0), To: at(60)},
		{From: at(0), To: at(60), Step: 90 * time.Second},
		{To: at(60), Step: time.Minute},
	} {
		if _, err := n.Stats(q); job.CodeOf(err) != job.CodeValidation {
			t.Errorf("%+v: got %v", q, err)
		}
	}
	got, err := n.Stats(job.StatsQuery{From: at(60), To: at(60), Step: time.Minute})
	n.must(err)
	equal(t, "steps of no time", len(got), 0)
}

// TestStats_WrongClocks: a node whose clock is wrong ends no execution before it was
// made, nor after its end was told.
func TestStats_WrongClocks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		started, want time.Time
	}{
		"right":  {at(2), at(2).Add(40 * time.Millisecond)},
		"behind": {at(-3600), at(1).Add(5 * time.Millisecond)},
		"ahead":  {at(3600), at(3)},
	} {
		n := raised(t)
		n.do(plan(1))
		o := outcome(ref(slotID(1), 1), nil)
		o.StartedAt = tc.started
		n.do(record(3, o))
		equal(t, name, n.execution(slotID(1)).FinishedAt, tc.want)
	}
	old := withJob(t, job.OverlapSkip)
	old.do(plan(1))
	o := outcome(ref(slotID(1), 1), nil)
	o.StartedAt = at(3600)
	old.do(record(3, o))
	equal(t, "before version 3", old.execution(slotID(1)).FinishedAt, at(3600).Add(40*time.Millisecond))
}

// TestStats_OnlySlotsAreLate: who asks for a run, or for an old slot, is not told that
// it was late.
func TestStats_OnlySlotsAreLate(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(runNow(1, 1, ""))
	n.complete(job.ManualExecution(jobA, at(1), 1))
	n.do(backfill("", 1))
	n.complete(backfilled(0))
	n.do(plan(1))
	n.do(succeed(2, ref(slotID(1), 1)))
	got, err := n.Stats(job.StatsQuery{From: at(0), To: at(86400), Step: 24 * time.Hour})
	n.must(err)
	equal(t, "successes", got[0].Success, 3)
	noted := int64(0)
	for _, count := range got[0].Lateness {
		noted += int64(count)
	}
	equal(t, "noted", noted, 1)
}
