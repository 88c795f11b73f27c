package job

import "time"

// JobQuery selects jobs: those that have everything that is not zero.
type JobQuery struct {
	Namespace  string // empty is any
	State      State
	LastResult Result
	Tags       []Tag
	NamePrefix string
	ExternalID string
	// Hooks selects webhooks, and nothing else; otherwise there are none in the list.
	Hooks bool
	// After is where the page before ended; zero begins.
	After JobPosition
	Limit int
}

// JobPosition is a place in a list of jobs: they are in the order of their IDs, or,
// selected by NamePrefix, of their names and then their IDs.
type JobPosition struct {
	Name string
	ID   ID
}

// JobPage is a page of jobs. It may have fewer than were asked for, or none, and
// still not be the last one: the work for one page is bounded. Next is where the
// next one begins; nil if this is the last.
type JobPage struct {
	Jobs []Job
	Next *JobPosition
}

// ExecutionQuery selects executions, newest first by the time in their IDs.
type ExecutionQuery struct {
	Namespace string // empty is any
	Job       ID     // zero is any that is no webhook
	Result    Result
	Trigger   Trigger
	// From and To bound the time in the ID, of which the first counts and the second
	// does not; zero for no bound.
	From, To time.Time
	// Before is the last of the page before; zero begins.
	Before ExecutionID
	Limit  int
}

// ExecutionPage is a page of executions; see [JobPage].
type ExecutionPage struct {
	Executions []Execution
	Next       *ExecutionID
}

// StatsQuery asks what became of the executions of a namespace, empty for all, that
// ended from From on and before To, in steps of Step: a whole number of minutes.
type StatsQuery struct {
	Namespace string
	From, To  time.Time
	Step      time.Duration
}

// Stats are the executions that ended within some time.
type Stats struct {
	At time.Time // its begin
	Counts
	Attempts int64
	Lateness Histogram
}

// Add adds the other one's numbers.
func (s *Stats) Add(other *Stats) {
	s.Success += other.Success
	s.Failed += other.Failed
	s.Skipped += other.Skipped
	s.Missed += other.Missed
	s.Cancelled += other.Cancelled
	s.Attempts += other.Attempts
	for i, n := range other.Lateness {
		s.Lateness[i] += n
	}
}

// LatenessBounds are the upper bounds of the buckets of a [Histogram]; the last
// bucket has none.
var LatenessBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second,
	10 * time.Second, 30 * time.Second, time.Minute,
	5 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour,
}

// Histogram counts lateness by bucket.
type Histogram [len(LatenessBounds) + 1]int64

// Note counts one.
func (h *Histogram) Note(late time.Duration) {
	for i, bound := range LatenessBounds {
		if late <= bound {
			h[i]++
			return
		}
	}
	h[len(h)-1]++
}

// Quantile is the bound below which a share of what was counted lies, between 0 and
// 1; false if nothing was counted. What is beyond the last bound is taken for it.
func (h *Histogram) Quantile(share float64) (time.Duration, bool) {
	var total int64
	for _, n := range h {
		total += n
	}
	if total == 0 {
		return 0, false
	}
	seen, wanted := int64(0), share*float64(total)
	for i, bound := range LatenessBounds {
		if seen += h[i]; float64(seen) >= wanted {
			return bound, true
		}
	}
	return LatenessBounds[len(LatenessBounds)-1], true
}

// SlotRecords are the records of the slots of a job in some time.
type SlotRecords struct {
	Records []Execution
	// Backfills are the executions, if they are still on record, that backfilled slots
	// of the MISSED gaps among Records: by slot, and the later ones of a slot last.
	Backfills []Execution
	// CompleteFrom is the time from which on no record was removed.
	CompleteFrom time.Time
	// More: there are further ones.
	More bool
}

// Upcoming is a slot that is to come.
type Upcoming struct {
	At time.Time
	// Local is the time on the clocks of the schedule's zone, in RFC 3339.
	Local string
	// Note says how a change of the clocks moved the slot; empty for others.
	Note string
}
