package checker

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Stats is a run in numbers.
type Stats struct {
	Jobs int `json:"jobs"`
	// Undecided are the jobs about whose state nothing is known, because their
	// writes contradict each other or are too unclear.
	Undecided  int `json:"undecided"`
	Slots      int `json:"slots"` // that were surely due
	Missing    int `json:"missing"`
	Deliveries int `json:"deliveries"`
	// Late is how late the first requests of SCHEDULED slots came.
	Late Quantiles `json:"late"`
	// DoubledExcused are further requests after an attempt that was lost with its
	// node, DoubledUnexcused others that are no retries.
	DoubledExcused   int `json:"doubledExcused"`
	DoubledUnexcused int `json:"doubledUnexcused"`
	// OverlapsExcused are pairs of requests that were open at once because a node
	// could not close one.
	OverlapsExcused int `json:"overlapsExcused"`
	Missed          int `json:"missed"` // slots
	Skipped         int `json:"skipped"`
	Catchup         int `json:"catchup"`
	Lost            int `json:"lost"` // attempts
	// Ops counts operations by what became of them.
	Ops map[OpKind]map[Outcome]int `json:"ops"`
	// WriteGap is the longest time between two successful writes.
	WriteGap time.Duration `json:"writeGapNanos"`
	// Resumed tells of each fault how soon after its begin firing went on.
	Resumed []Resumption `json:"resumed"`
}

// Quantiles are of durations.
type Quantiles struct {
	P50 time.Duration `json:"p50Nanos"`
	P99 time.Duration `json:"p99Nanos"`
	Max time.Duration `json:"maxNanos"`
}

// Resumption is how soon after the begin of a fault the next execution was
// requested for the first time.
type Resumption struct {
	Fault Fault         `json:"fault"`
	After time.Duration `json:"afterNanos"` // negative: never
}

// measure completes the numbers.
func (r *run) measure() {
	s := &r.report.Stats
	s.Jobs, s.Deliveries = len(r.jobs), len(r.history.Deliveries)
	s.Late = r.lateness()
	s.Ops, s.WriteGap = r.countOps()
	firsts := r.firstRequests()
	for _, f := range r.history.Faults {
		after := time.Duration(-1)
		if i, _ := slices.BinarySearchFunc(firsts, f.From, time.Time.Compare); i < len(firsts) {
			after = firsts[i].Sub(f.From)
		}
		s.Resumed = append(s.Resumed, Resumption{Fault: f, After: after})
	}
}

func (r *run) lateness() Quantiles {
	var late []time.Duration
	for _, x := range r.executions {
		if len(x.deliveries) > 0 && x.trigger() == triggerScheduled {
			late = append(late, x.deliveries[0].Arrived.Sub(x.slot()))
		}
	}
	if len(late) == 0 {
		return Quantiles{}
	}
	slices.Sort(late)
	return Quantiles{P50: late[len(late)/2], P99: late[len(late)*99/100], Max: late[len(late)-1]}
}

func (r *run) countOps() (counts map[OpKind]map[Outcome]int, gap time.Duration) {
	counts = map[OpKind]map[Outcome]int{}
	var done []time.Time
	for i := range r.history.Ops {
		op := &r.history.Ops[i]
		if counts[op.Kind] == nil {
			counts[op.Kind] = map[Outcome]int{}
		}
		counts[op.Kind][op.Outcome]++
		if op.Outcome == OK {
			done = append(done, op.Returned)
		}
	}
	slices.SortFunc(done, time.Time.Compare)
	for i := 1; i < len(done); i++ {
		gap = max(gap, done[i].Sub(done[i-1]))
	}
	return counts, gap
}

// firstRequests are when executions were requested for the first time, ascending.
func (r *run) firstRequests() []time.Time {
	var firsts []time.Time
	for _, x := range r.executions {
		if len(x.deliveries) > 0 {
			firsts = append(firsts, x.deliveries[0].Arrived)
		}
	}
	slices.SortFunc(firsts, time.Time.Compare)
	return firsts
}

// String is the numbers for people.
func (s *Stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  jobs %d (%d undecided), slots %d, missing %d, deliveries %d\n", s.Jobs, s.Undecided, s.Slots, s.Missing, s.Deliveries)
	fmt.Fprintf(&b, "  lateness p50 %v, p99 %v, max %v\n", round(s.Late.P50), round(s.Late.P99), round(s.Late.Max))
	fmt.Fprintf(&b, "  doubled %d excused, %d not; overlaps excused %d\n", s.DoubledExcused, s.DoubledUnexcused, s.OverlapsExcused)
	fmt.Fprintf(&b, "  MISSED %d, SKIPPED %d, CATCHUP %d, LOST %d\n", s.Missed, s.Skipped, s.Catchup, s.Lost)
	for _, kind := range []OpKind{OpCreate, OpUpdate, OpDelete, OpRun, OpCancel} {
		if c := s.Ops[kind]; c != nil {
			fmt.Fprintf(&b, "  %s: %d ok, %d refused, %d unknown\n", kind, c[OK], c[Refused], c[Unknown])
		}
	}
	fmt.Fprintf(&b, "  longest time between successful writes %v\n", round(s.WriteGap))
	for _, f := range s.Resumed {
		after := "never"
		if f.After >= 0 {
			after = round(f.After).String()
		}
		fmt.Fprintf(&b, "  %s of %s at %s: next first delivery after %s\n", f.Fault.Kind, strings.Join(f.Fault.Nodes, ", "), clock(f.Fault.From), after)
	}
	return b.String()
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
