package checker

import (
	"cmp"
	"slices"
	"time"
)

const (
	// lead is how long before a fault a slot may have been due that the fault
	// still kept from being planned, or an answer given that it kept from being
	// recorded.
	lead = time.Second

	// unknownSkew is how far off a clock may be of which nobody says.
	unknownSkew = 10 * time.Minute
)

// shadows is what the faults of a run excuse, and when.
type shadows struct {
	limits Limits
	// outages are when slots may not be planned: no majority, or a recovery.
	outages spans
	// headless are when surely nothing was planned: the processes of a majority
	// were gone, or stood still.
	headless spans
	// slow are when a single execution may be late, or lost.
	slow spans
	// erratic are when nobody can say whether the cluster works: from the first to
	// the last moment of a partition, a bad disk or a wrong clock.
	erratic spans
	// edges are when faults begin and end, each with its recovery.
	edges spans
	// frozen are, by node, when its process cannot close a connection: it stands
	// still, or just goes on. The empty name stands for any node.
	frozen map[string]spans
	// severed are, by node, when it was cut off from the targets.
	severed map[string]spans
	clocks  []clockFault
}

type clockFault struct {
	span
	skew time.Duration
}

func newShadows(h *History, l Limits) *shadows {
	s := &shadows{limits: l, frozen: map[string]spans{}, severed: map[string]spans{}}
	faults := slices.Clone(h.Faults)
	for i, f := range faults {
		if f.To.IsZero() || f.To.Before(f.From) {
			faults[i].To = later(h.Ended, f.From)
		}
		s.note(faults[i])
	}
	s.clouded(faults)
	members := membersOf(h)
	if len(members) > 0 {
		isVague := func(f Fault) bool { return len(f.Nodes) == 0 }
		s.headless = merge(withoutMajority(slices.DeleteFunc(slices.Clone(faults), isVague), members, FaultKill, FaultPause))
	}
	headless := append(withoutMajority(faults, members, FaultKill, FaultStop, FaultPause, FaultPartition, FaultDisk), s.clockSpans()...)
	s.edges = merge(s.widened(edgesOf(faults), 0))
	s.outages = merge(s.widened(slices.Concat(headless, edgesOf(faults)), 0))
	s.slow = merge(s.widened(slices.Concat(headless, s.erratic, edgesOf(faults)), l.NodeLost))
	return s
}

// membersOf are the members, if they were the same all the time: none else had an
// attempt or a fault.
func membersOf(h *History) []string {
	isOther := func(node string) bool { return node != "" && !slices.Contains(h.Nodes, node) }
	for i := range h.Faults {
		if slices.ContainsFunc(h.Faults[i].Nodes, isOther) {
			return nil
		}
	}
	for i := range h.Records {
		if slices.ContainsFunc(h.Records[i].Attempts, func(a Attempt) bool { return isOther(a.Node) }) {
			return nil
		}
	}
	return h.Nodes
}

// note keeps what a fault does to connections and clocks.
func (s *shadows) note(f Fault) {
	switch {
	case f.Kind == FaultPause:
		addSpan(s.frozen, f.Nodes, span{f.From.Add(-s.limits.ClockTolerance), f.To.Add(s.limits.AbortLag)})
	case f.Kind == FaultPartition && f.Targets:
		addSpan(s.severed, f.Nodes, span{f.From, f.To})
	case f.Kind == FaultClock:
		skew := cmp.Or(max(f.Skew, -f.Skew), unknownSkew)
		s.clocks = append(s.clocks, clockFault{span{f.From.Add(-skew), f.To.Add(skew)}, skew})
	}
}

// addSpan adds a stretch to those of some nodes, and of any.
func addSpan(to map[string]spans, nodes []string, s span) {
	for _, node := range append([]string{""}, nodes...) {
		to[node] = merge(append(to[node], s))
	}
}

// clouded keeps when faults are under way whose effect may come and go.
func (s *shadows) clouded(faults []Fault) {
	erratic := s.clockSpans()
	for _, f := range faults {
		if f.Kind == FaultPartition || f.Kind == FaultDisk {
			erratic = append(erratic, span{f.From, f.To})
		}
	}
	s.erratic = merge(erratic)
}

func (s *shadows) clockSpans() []span {
	var list []span
	for _, c := range s.clocks {
		list = append(list, c.span)
	}
	return list
}

// edgesOf are the begins and ends of faults.
func edgesOf(faults []Fault) []span {
	var edges []span
	for _, f := range faults {
		edges = append(edges, span{f.From, f.From}, span{f.To, f.To})
	}
	return edges
}

// widened adds to each time of trouble what comes before it, its recovery, and
// more.
func (s *shadows) widened(list []span, more time.Duration) []span {
	var wide []span
	for _, t := range list {
		wide = append(wide, span{t.from.Add(-lead), t.to.Add(s.limits.Recovery + more)})
	}
	return wide
}

// headCount follows how many nodes are hit by at least one fault.
type headCount struct {
	members int // zero: not known
	hits    map[string]int
	down    int
}

// add counts one fault more or less for a node; the empty name stands for all.
func (c *headCount) add(node string, by int) {
	was := c.hits[node] > 0
	c.hits[node] += by
	switch is := c.hits[node] > 0; {
	case is && !was:
		c.down++
	case was && !is:
		c.down--
	}
}

// isHeadless reports whether the untouched nodes are no majority. If the members
// are not known, any fault counts.
func (c *headCount) isHeadless() bool {
	if c.members == 0 || c.hits[""] > 0 {
		return c.down > 0
	}
	return c.members-c.down < c.members/2+1
}

// withoutMajority is when the nodes were no majority that no fault of the kinds
// had touched.
func withoutMajority(faults []Fault, members []string, kinds ...FaultKind) []span {
	type edge struct {
		at   time.Time
		node string
		by   int
	}
	var edges []edge
	for _, f := range faults {
		nodes := f.Nodes
		if !slices.Contains(kinds, f.Kind) {
			continue
		}
		if len(nodes) == 0 {
			nodes = []string{""}
		}
		for _, node := range nodes {
			edges = append(edges, edge{f.From, node, 1}, edge{f.To, node, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(b.by, a.by)) })
	var headless []span
	count := headCount{members: len(members), hits: map[string]int{}}
	for _, e := range edges {
		was := count.isHeadless()
		count.add(e.node, e.by)
		switch is := count.isHeadless(); {
		case is && !was:
			headless = append(headless, span{from: e.at})
		case was && !is:
			headless[len(headless)-1].to = e.at
		}
	}
	return headless
}

// tolerance is how far clocks may differ around t.
func (s *shadows) tolerance(t time.Time) time.Duration { return s.toleranceIn(t, t) }

// toleranceIn is how far clocks may differ between two instants.
func (s *shadows) toleranceIn(a, b time.Time) time.Duration {
	from, to := earlier(a, b), later(a, b)
	tolerance := s.limits.ClockTolerance
	for _, c := range s.clocks {
		if !to.Before(c.from) && !from.After(c.to) {
			tolerance = max(tolerance, s.limits.ClockTolerance+c.skew)
		}
	}
	return tolerance
}

// steady reports whether from one instant to another nothing changed: what the
// cluster could do at its begin, it could do at its end.
func (s *shadows) steady(from, to time.Time) bool {
	return !s.edges.touches(from, to) && !s.erratic.touches(from, to)
}

// standsStill reports whether the node, if named, or any, could not close its
// connections from one instant to another.
func (s *shadows) standsStill(node string, from, to time.Time) bool {
	return s.frozen[node].covers(from, to)
}

// isSevered reports whether the node, if named, or any, was cut off from the
// targets at any time from one instant to another.
func (s *shadows) isSevered(node string, from, to time.Time) bool {
	return s.severed[node].touches(from, to)
}
