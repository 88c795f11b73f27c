package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

// result is what one scenario came to.
type result struct {
	scenario scenario
	leftOut  string // why it was not run
	numbers  numbers
	ops      opCounts
	writeGap time.Duration
	firsts   []time.Duration
	// stood is the longest time that this process did not run in: what it measured
	// cannot be better than that.
	stood time.Duration
	// diskStood is when the disk of all nodes stood still by itself.
	diskStood []checker.Fault
	// problems are what is wrong, in words.
	problems []string
	history  string // path of the file, if it is kept
}

// numbers are what the checker counted.
type numbers struct {
	slots int // that were surely due
	// called are the slots whose target was called, skipped and missed those with
	// a record that says so, missing those without any record.
	called, skipped, missed, missing int
	excused, unexcused               int // requests doubled
	undecided                        int // jobs
	// late is how late slots were called of jobs whose target answers at once: of no
	// others can be said that only the cluster made them wait.
	late checker.Quantiles
}

func (r *result) fail(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// keptHistory is --history-per-job of servers that are not started with default
// flags.
const keptHistory = 5000

// limits are what the checker holds a run of the scenario to: the servers' flags.
func (sc scenario) limits() checker.Limits {
	l := checker.Limits{Grace: 10 * time.Second, NodeLost: 10 * time.Second, HistoryPerJob: keptHistory}
	if sc.isDefault {
		l.HistoryPerJob = 200
	}
	return l
}

// judge adds to a result what the checker says of the history.
func (r *result) judge(h checker.History, isStrict bool) {
	report := checker.Check(h, r.scenario.limits())
	s := report.Stats
	r.numbers = numbers{
		slots: s.Slots, called: calledSlots(h.Deliveries), skipped: s.Skipped, missed: s.Missed, missing: s.Missing,
		excused: s.DoubledExcused, unexcused: s.DoubledUnexcused, undecided: s.Undecided, late: lateness(h.Deliveries),
	}
	for _, v := range report.Violations {
		r.fail("%v", v)
	}
	for kind, n := range report.Counts {
		if n > checker.PerKind {
			r.fail("%s: %d more", kind, n-checker.PerKind)
		}
	}
	r.checkCounts()
	if isStrict {
		r.checkTimes()
	}
	slices.Sort(r.problems)
	r.problems = slices.Compact(r.problems)
}

// checkCounts finds what makes a run worthless or breaks a promise about numbers.
func (r *result) checkCounts() {
	if r.numbers.slots == 0 || r.numbers.called == 0 {
		r.fail("nothing was measured: %d slots, %d called", r.numbers.slots, r.numbers.called)
	}
	if r.ops.ok == 0 {
		r.fail("no client could write")
	}
	if doubled := r.numbers.excused + r.numbers.unexcused; r.scenario.isSmooth && (r.numbers.missing > 0 || doubled > 0) {
		r.fail("nothing may be missing or doubled: slots missing: %d, requests doubled: %d", r.numbers.missing, doubled)
	}
}

// checkTimes holds what was measured to its limits.
func (r *result) checkTimes() {
	if limit := r.scenario.latest; limit > 0 && r.numbers.late.Max > limit {
		r.fail("a slot was %v late, the limit is %v", r.numbers.late.Max, limit)
	}
	if limit := r.scenario.resumes; limit > 0 && median(r.firsts) > limit {
		r.fail("the first callback came after %v in the median, the limit is %v", median(r.firsts), limit)
	}
}

// lateness is of the first requests for slots that were not caught up on.
func lateness(deliveries []checker.Delivery) checker.Quantiles {
	first := map[string]time.Duration{}
	for _, d := range deliveries {
		late := d.Arrived.Sub(d.ScheduledAt)
		if before, seen := first[d.Execution]; d.Trigger == "SCHEDULED" && strings.HasSuffix(d.Job, "-"+behaveOK) && (!seen || late < before) {
			first[d.Execution] = late
		}
	}
	if len(first) == 0 {
		return checker.Quantiles{}
	}
	late := slices.Sorted(maps.Values(first))
	return checker.Quantiles{P50: late[len(late)/2], P99: late[len(late)*99/100], Max: late[len(late)-1]}
}

// calledSlots counts the executions of slots that a target was called for.
func calledSlots(deliveries []checker.Delivery) int {
	seen := map[string]bool{}
	for _, d := range deliveries {
		if d.Trigger != "MANUAL" {
			seen[d.Execution] = true
		}
	}
	return len(seen)
}
