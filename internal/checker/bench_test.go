package checker

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkCheck judges ten minutes of 300 jobs that fire every second, and a
// month of 20 jobs that fire every minute.
func BenchmarkCheck(b *testing.B) {
	for name, h := range map[string]History{
		"seconds": steadyHistory(300, 600, Change{IntervalSeconds: pointer(1)}, time.Second),
		"month":   steadyHistory(20, 30*24*60, Change{Cron: pointer("* * * * *"), Timezone: pointer("Europe/Berlin")}, time.Minute),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if r := Check(h, Limits{MaxLateness: time.Second}); !r.OK() || r.Stats.Slots == 0 {
					b.Fatal(r.String())
				}
			}
			b.ReportMetric(float64(len(h.Records)), "slots")
		})
	}
}

// steadyHistory is of jobs that are due every so often, so many times, without
// any trouble.
func steadyHistory(jobs, slots int, change Change, every time.Duration) History {
	began := time.Date(2026, 3, 1, 0, 0, 30, 0, time.UTC)
	h := History{Name: "steady", Began: began, Nodes: []string{"n1", "n2", "n3"}}
	first := began.Truncate(every).Add(every)
	h.Settled = first.Add(time.Duration(slots-1) * every)
	h.Ended = h.Settled.Add(every / 2)
	for i := range jobs {
		name, id := fmt.Sprintf("job-%d", i), fmt.Sprintf("job_%d", i)
		made := first.Add(-200 * time.Millisecond)
		h.Ops = append(h.Ops, Op{Kind: OpCreate, Job: name, Invoked: made, Returned: made.Add(time.Millisecond), Outcome: OK, Version: 1, Change: change})
		h.Jobs = append(h.Jobs, Final{ID: id, Name: name, Version: 1, State: stateActive, CreatedAt: made})
		for k := range slots {
			slot := first.Add(time.Duration(k) * every)
			h.addSuccess(id, fmt.Sprintf("ex_%d_%d", i, k), slot)
		}
	}
	return h
}

// addSuccess adds an execution that was requested once, at once, with success.
func (h *History) addSuccess(job, id string, slot time.Time) {
	at, took := slot.Add(5*time.Millisecond), 20*time.Millisecond
	h.Deliveries = append(h.Deliveries, Delivery{
		JobID: job, Execution: id, WebhookID: id, Trigger: triggerScheduled, Attempt: 1, ScheduledAt: slot, Arrived: at, Ended: at.Add(took), Status: 200,
	})
	h.Records = append(h.Records, Record{
		ID: id, JobID: job, Trigger: triggerScheduled, ScheduledAt: slot, StartedAt: at, FinishedAt: at.Add(took), Result: resultSuccess, HTTPStatus: 200, Attempt: 1,
		Attempts: []Attempt{{Number: 1, Node: "n1", StartedAt: at, DurationMs: took.Milliseconds(), HTTPStatus: 200}},
	})
}
