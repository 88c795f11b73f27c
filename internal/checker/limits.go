package checker

import (
	"cmp"
	"time"
)

// Limits are what a run promises in numbers. A zero field is the default, unless
// its comment says otherwise.
type Limits struct {
	// Grace is how late a slot may be planned as if it were on time; 10 s.
	Grace time.Duration
	// Late is how late a slot of a FIRE_ALL job may be and not be called CATCHUP;
	// 2 s.
	Late time.Duration
	// NodeLost is the silence after which a node's attempts are LOST; 10 s.
	NodeLost time.Duration
	// Recovery is how long after a fault began, or ended, the cluster may need to
	// fire again, an election and a start included; 8 s. A fault that leaves a
	// majority excuses no missed slot as long as this is less than Grace.
	Recovery time.Duration
	// MaxLateness is how long after its slot the first request may come where no
	// fault excuses more; zero: not checked.
	MaxLateness time.Duration
	// ClockTolerance is how far the clocks of nodes, clients and targets may
	// differ; 100 ms.
	ClockTolerance time.Duration
	// AbortLag is how long after an acknowledged cancel or delete a request may
	// come that was on its way, and how long a process that goes on after a pause
	// needs to close its requests; 500 ms.
	AbortLag time.Duration
	// HistoryPerJob is how many records of a job are kept, the newest; zero: all.
	HistoryPerJob int
	// HistoryAge is how long a record is kept; zero: for ever.
	HistoryAge time.Duration
}

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	l.Grace = cmp.Or(l.Grace, 10*time.Second)
	l.Late = cmp.Or(l.Late, 2*time.Second)
	l.NodeLost = cmp.Or(l.NodeLost, 10*time.Second)
	l.Recovery = cmp.Or(l.Recovery, 8*time.Second)
	l.ClockTolerance = cmp.Or(l.ClockTolerance, 100*time.Millisecond)
	l.AbortLag = cmp.Or(l.AbortLag, 500*time.Millisecond)
	return l
}
