package fsm

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/job"
)

// BenchmarkApplyPlanRecord plans a batch of slots and records their outcomes, as
// a cluster does for each run of a job, with histories that are full or not. One
// operation is one run.
func BenchmarkApplyPlanRecord(b *testing.B) {
	for _, version := range []int{2, 3} {
		for _, keep := range []int{200, 3} {
			b.Run(fmt.Sprintf("version=%d/keep=%d", version, keep), func(b *testing.B) { benchmarkPlanRecord(b, version, keep) })
		}
	}
}

func benchmarkPlanRecord(b *testing.B, version, keep int) {
	const jobs, batch = 20_000, 500
	n := benchNode(b, jobs, job.RaiseVersion{Version: version})
	slots := map[job.ID]time.Time{}
	b.ReportAllocs()
	next := 0
	for b.Loop() {
		if next++; next%batch != 0 {
			continue
		}
		p := job.Plan{At: epoch, HistoryPerJob: keep}
		r := job.Record{At: epoch}
		for i := next - batch; i < next; i++ {
			id := benchID(i % jobs)
			slot, ok := slots[id]
			if !ok {
				slot = at(1)
			}
			slots[id] = slot.Add(time.Second)
			p.Slots = append(p.Slots, job.PlannedSlot{Job: id, Slot: slot, Next: slots[id], Fire: slot, Node: n1, Trigger: job.TriggerScheduled})
			r.Outcomes = append(r.Outcomes, outcome(ref(job.SlotExecution(id, slot), 1), nil))
		}
		n.applyNext(p)
		n.applyNext(r)
	}
}

// benchID spreads jobs over the keys, as random IDs do.
func benchID(i int) job.ID { return job.ID(uint64(i+1) * 0x9e3779b97f4a7c15) }

// benchNode is a node on disk with so many jobs that have a body of 300 bytes.
func benchNode(b *testing.B, jobs int, first ...job.Decision) *node {
	b.Helper()
	n := &node{TB: b, cfg: Config{Dir: b.TempDir()}}
	n.reopen()
	b.Cleanup(func() { n.must(n.Close()) })
	for _, d := range first {
		n.applyNext(d)
	}
	body := fmt.Sprintf("%0300d", 1)
	s := spec(job.OverlapSkip)
	s.Target.Body = &body
	for i := 0; i < jobs; {
		d := job.PutJobs{At: epoch}
		for ; i < jobs && len(d.Jobs) < 1000; i++ {
			d.Jobs = append(d.Jobs, job.PutJob{Job: job.Job{ID: benchID(i), KeyID: "key", Spec: s, NextRunAt: at(1)}})
		}
		n.applyNext(d)
	}
	return n
}

// applyNext applies a decision without keeping it.
func (n *node) applyNext(d job.Decision) {
	n.Helper()
	b, err := Encode(d, 0)
	n.must(err)
	n.Apply(&raft.Log{Index: n.Applied() + 1, Type: raft.LogCommand, Data: b})
}

// BenchmarkOpen opens a store of a million jobs.
func BenchmarkOpen(b *testing.B) {
	n := benchNode(b, 1_000_000)
	for b.Loop() {
		b.StopTimer()
		n.must(n.Close())
		b.StartTimer()
		n.reopen()
	}
}
