package scheduler

import (
	"context"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// BenchmarkPlan decides about 5000 jobs that are due in one second, and reports
// the time for each. The log costs nothing here.
func BenchmarkPlan(b *testing.B) {
	for name, schedule := range map[string]job.Schedule{"interval": everyMinute, "cron": cronMinute} {
		b.Run(name, func(b *testing.B) { benchmarkPlan(b, schedule) })
	}
}

func benchmarkPlan(b *testing.B, schedule job.Schedule) {
	const jobs = 5000
	w := newWorld("n1", "n2", "n3")
	var due []job.DueSlot
	slot := time.Now().Truncate(time.Minute).Add(time.Minute)
	for id := range job.ID(jobs) {
		w.addJobDueAt(id+1, schedule, slot)
		due = append(due, job.DueSlot{Job: id + 1, Slot: slot, Due: slot})
	}
	cfg := w.config()
	cfg.Log = discard{}
	r := newRoster(newPace(defaultNodeLostAfter))
	for _, id := range w.members {
		n, _ := r.node(id)
		n.setMember(true)
	}
	p := newPlanner(cfg.withDefaults(), r)
	for b.Loop() {
		for _, n := range r.all() {
			n.answer(job.BatchReply{Incarnation: 1}, time.Now(), 0)
		}
		for at := 0; at < jobs; at += maxSlotsPerEntry {
			if _, err := p.plan(b.Context(), due[at:min(at+maxSlotsPerEntry, jobs)]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/jobs, "ns/slot")
}

// discard is a log that forgets.
type discard struct{}

func (discard) Submit(_ context.Context, d job.Decision) (job.Applied, error) {
	return job.Applied{Items: make([]job.Item, len(d.(job.Plan).Slots))}, nil
}

func (discard) Confirm(context.Context) error { return nil }
