package transport

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// BenchmarkAssign sends batches of 200 ordinary assignments over loopback TLS.
func BenchmarkAssign(b *testing.B) {
	from, to := pair(b, fakeHandler{assign: func(context.Context, job.Batch) (job.BatchReply, error) {
		return job.BatchReply{Incarnation: 1}, nil
	}})
	body := `{"report":"daily","tenant":"a3f1"}`
	batch := job.Batch{Term: 7, Leader: "n1", Lease: 5 * time.Second}
	for i := range 200 {
		batch.Assignments = append(batch.Assignments, job.Assignment{
			AttemptRef:  job.AttemptRef{Execution: job.SlotExecution(job.ID(i+1), time.UnixMilli(1700000000000)), Attempt: 1},
			Trigger:     job.TriggerScheduled,
			ScheduledAt: time.UnixMilli(1700000000000),
			Target: job.Target{
				URL: fmt.Sprintf("https://example.com/hooks/%d", i), Method: "POST", Body: &body,
				Headers: []job.Header{{Name: "Content-Type", Value: "application/json"}},
			},
			Timeout:         30 * time.Second,
			SuccessStatuses: []string{"2XX"},
			Capture:         job.CaptureOnFailure,
			SigningKeys:     []string{"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"},
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := from.Assign(b.Context(), to.addr, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
}

// BenchmarkReadIndex is the smallest call, many at a time.
func BenchmarkReadIndex(b *testing.B) {
	from, to := pair(b, fakeHandler{readIndex: index})
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := from.ReadIndex(b.Context(), to.addr); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
