package checker

import (
	"fmt"
	"time"
)

// Check decides which promises a run broke. What it cannot decide, because a
// write has an unknown outcome or a fault excuses it, it does not report.
func Check(h History, l Limits) Report {
	r := newRun(&h, l.withDefaults())
	for _, j := range r.jobs {
		r.checkSlots(j)
		r.checkGaps(j)
		r.checkCatchups(j)
		r.checkOverlap(j)
		r.checkSkips(j)
		r.checkRuns(j)
		for _, x := range j.executions {
			r.checkRequests(x)
			r.checkTiming(x)
			r.checkAttempts(x)
			r.checkEnd(x)
		}
	}
	r.checkOrphans()
	r.checkCancels()
	r.checkReads()
	r.checkHashes()
	r.measure()
	return *r.report
}

// violate notes a violation. The execution may be nil, and the job too.
func (r *run) violate(kind Kind, j *job, x *execution, slot time.Time, format string, args ...any) {
	v := Violation{Kind: kind, Slot: slot, Text: fmt.Sprintf(format, args...)}
	if j != nil {
		v.Job = j.name
	}
	if x != nil {
		v.Execution = x.id
		if slot.IsZero() {
			v.Slot = x.slot()
		}
	}
	r.report.add(v)
}
