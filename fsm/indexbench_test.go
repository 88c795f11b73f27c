package fsm

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// BenchmarkLists reads pages of a million jobs of ten namespaces, each of which has
// run twice, at random places. It reports the slowest but one of a hundred pages, in
// milliseconds, and how many pages came short because the looks were used up.
func BenchmarkLists(b *testing.B) {
	const count = 1_000_000
	n := benchLists(b, count)
	tag := func(k, v string) []job.Tag { return []job.Tag{{Key: k, Value: v}} }
	jobs := map[string]job.JobQuery{
		"all":                 {},
		"namespace":           {Namespace: "ns3"},
		"root/failed":         {LastResult: job.Failed},
		"failed":              {Namespace: "ns3", LastResult: job.Failed},
		"paused+success":      {Namespace: "ns3", State: job.Paused, LastResult: job.Success},
		"active+failed+tag":   {Namespace: "ns3", State: job.Active, LastResult: job.Failed, Tags: tag("env", "prod")},
		"never+meet":          {Namespace: "ns3", Tags: append(tag("even", "yes"), tag("even", "no")...)},
		"root/never+meet":     {Tags: append(tag("even", "yes"), tag("even", "no")...)},
		"rare tag":            {Namespace: "ns3", Tags: tag("rare", "yes")},
		"name":                {Namespace: "ns3", NamePrefix: "job-"},
		"root/name":           {NamePrefix: "job-"},
		"name+failed":         {Namespace: "ns3", NamePrefix: "job-", LastResult: job.Failed},
		"name+paused+failed":  {Namespace: "ns3", NamePrefix: "job-", LastResult: job.Failed, State: job.Paused},
		"root/name+never met": {NamePrefix: "job-", LastResult: job.Skipped},
	}
	for _, name := range sortedNames(jobs) {
		q := jobs[name]
		b.Run(fmt.Sprintf("jobs/%s", name), func(b *testing.B) {
			pages(b, func(i int) (int, bool) {
				q := q
				q.Limit = 50 + i%2*450
				q.After.ID = benchID(i * 7919 % count)
				if q.NamePrefix != "" {
					q.After.Name = benchName(i * 7919 % count)
				}
				page, err := n.Jobs(q)
				n.must(err)
				return q.Limit - len(page.Jobs), page.Next != nil
			})
		})
	}
	executions := map[string]job.ExecutionQuery{
		"all":              {},
		"namespace":        {Namespace: "ns3"},
		"failed":           {Namespace: "ns3", Result: job.Failed},
		"running":          {Namespace: "ns3", Result: job.Running},
		"scheduled":        {Namespace: "ns3", Trigger: job.TriggerScheduled},
		"catchup":          {Namespace: "ns3", Trigger: job.TriggerCatchup},
		"catchup+failed":   {Namespace: "ns3", Trigger: job.TriggerCatchup, Result: job.Failed},
		"root/missed+time": {Result: job.Missed, From: at(0), To: at(10)},
	}
	for _, name := range sortedNames(executions) {
		q := executions[name]
		b.Run(fmt.Sprintf("executions/%s", name), func(b *testing.B) {
			pages(b, func(i int) (int, bool) {
				q := q
				q.Limit = 50 + i%2*450
				q.Before = job.SlotExecution(benchID(i*7919%count), at(1+i%2))
				page, err := n.ExecutionList(q)
				n.must(err)
				return q.Limit - len(page.Executions), page.Next != nil
			})
		})
	}
}

func sortedNames[T any](m map[string]T) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// pages reads pages, and reports on them.
func pages(b *testing.B, page func(i int) (missing int, more bool)) {
	var times []time.Duration
	short, i := 0, 0
	for b.Loop() {
		began := time.Now()
		missing, more := page(i)
		times = append(times, time.Since(began))
		if missing > 0 && more {
			short++
		}
		i++
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(times[len(times)-1].Microseconds())/1000, "max-ms")
	b.ReportMetric(float64(short)/float64(i), "short/page")
}

func benchName(i int) string { return fmt.Sprintf("job-%07d", i*31%1_000_000) }

// benchLists is a node on disk with jobs that differ.
func benchLists(b *testing.B, jobs int) *node {
	b.Helper()
	n := &node{TB: b, cfg: Config{Dir: b.TempDir()}}
	n.reopen()
	b.Cleanup(func() { n.must(n.Close()) })
	n.applyNext(job.RaiseVersion{Version: 3})
	began := time.Now()
	for i := 0; i < jobs; {
		d := job.PutJobs{At: epoch}
		for ; i < jobs && len(d.Jobs) < 1000; i++ {
			d.Jobs = append(d.Jobs, job.PutJob{Job: benchListed(i)})
		}
		n.applyNext(d)
	}
	b.Logf("created: %v", time.Since(began).Round(time.Millisecond))
	for run := 1; run <= 2; run++ {
		began = time.Now()
		for i := 0; i < jobs; {
			p, r := job.Plan{At: at(run), HistoryPerJob: 200}, job.Record{At: at(run)}
			for ; i < jobs && len(p.Slots) < 500; i++ {
				id, slot := benchID(i), at(run)
				trigger := job.TriggerScheduled
				if i%1000 == 0 {
					trigger = job.TriggerCatchup
				}
				p.Slots = append(p.Slots, job.PlannedSlot{Job: id, Slot: slot, Next: slot.Add(time.Second), Fire: slot, Node: n1, Trigger: trigger})
				o := outcome(ref(job.SlotExecution(id, slot), 1), nil)
				if i%100 == 1 {
					o = outcome(ref(job.SlotExecution(id, slot), 1), errStatus)
				}
				if i%500 != 0 {
					r.Outcomes = append(r.Outcomes, o)
				}
			}
			n.applyNext(p)
			n.applyNext(r)
		}
		b.Logf("run: %v", time.Since(began).Round(time.Millisecond))
	}
	for i := 0; i < jobs; {
		d := job.PutJobs{At: at(3)}
		for ; i < jobs && len(d.Jobs) < 1000; i += 3 {
			j := benchListed(i)
			j.Version, j.State = 1, job.Paused
			d.Jobs = append(d.Jobs, job.PutJob{Job: j})
		}
		n.applyNext(d)
	}
	return n
}

func benchListed(i int) job.Job {
	s := spec(job.OverlapAllow)
	s.Name = benchName(i)
	even := []string{"yes", "no"}[i%2]
	s.Tags = []job.Tag{{Key: "env", Value: []string{"prod", "test"}[i%7%2]}, {Key: "even", Value: even}}
	if i%100_000 == 3 {
		s.Tags = append(s.Tags, job.Tag{Key: "rare", Value: "yes"})
	}
	s.State = job.Active
	return job.Job{ID: benchID(i), KeyID: "key", Spec: s, NextRunAt: at(1), Namespace: fmt.Sprintf("ns%d", i/3%10)}
}
