package checker

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// toy is a scheduler of a few hundred lines that keeps the promises, or breaks
// one on purpose: what the checker is tried on. It lives in simulated time, has
// three nodes and one client for each job, and is driven by a clock tick.
type toy struct {
	rng    *rand.Rand
	now    time.Time
	events events
	h      History

	nodes  []*toyNode
	leader *toyNode
	// electedAt is when the leader begins its office.
	electedAt time.Time
	jobs      []*toyJob
	gone      []*toyJob
	keep      int // records of a job
	serial    int
	sparse    bool // faults are far apart
	isOver    bool // no operations and faults any more

	// bug is the promise that is broken on purpose; hits counts how often.
	bug  string
	hits int
}

type toyNode struct {
	name   string
	life   int
	isDown bool // no process
	// isStill: stopped; isCut: off from the other nodes; isAway: from targets too.
	isStill, isCut, isAway bool
	isBusy                 bool // has a fault
	// silentSince is since when the others do not hear it; zero: they do.
	silentSince time.Time
	skew        time.Duration
}

func (n *toyNode) isReachable() bool { return !n.isDown && !n.isStill && !n.isCut }

type event struct {
	at    time.Time
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, k int) bool {
	if !e[i].at.Equal(e[k].at) {
		return e[i].at.Before(e[k].at)
	}
	return e[i].order < e[k].order
}
func (e events) Swap(i, k int) { e[i], e[k] = e[k], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

const (
	toyTick = 40 * time.Millisecond
	toyCalm = 60 * time.Second // after the last fault and the last operation
)

// toyLimits are what every correct run of the toy keeps.
func toyLimits(t *toy) Limits { return Limits{MaxLateness: time.Second, HistoryPerJob: t.keep} }

// playToy runs a toy for about so long and returns what was seen of it.
func playToy(seed uint64, jobs int, active time.Duration, bug string) *toy {
	t := &toy{rng: rand.New(rand.NewPCG(seed, 7)), bug: bug}
	t.now = time.Date(2026, 3, 26, 16, 0, 0, t.rng.IntN(1e9), time.UTC)
	t.h = History{Name: "toy", Seed: seed, Began: t.now}
	if t.chance(4) {
		t.keep = 25
	}
	t.sparse = t.chance(2)
	for i := range 3 {
		name := fmt.Sprintf("n%d", i+1)
		t.nodes = append(t.nodes, &toyNode{name: name})
		t.h.Nodes = append(t.h.Nodes, name)
	}
	t.leader = t.nodes[0]
	for i := range jobs {
		t.startClient(i)
	}
	t.after(t.between(5*time.Second, 15*time.Second), t.someFault)
	t.after(toyTick, t.tick)
	t.after(time.Second, t.readSomething)
	end := t.now.Add(active)
	t.runUntil(func() bool { return t.now.After(end) })
	t.isOver = true
	calm := t.now.Add(toyCalm)
	t.runUntil(func() bool { return t.now.After(calm) && !t.hasFault() })
	t.h.Settled = t.now
	last := t.now.Add(30 * time.Minute)
	t.runUntil(func() bool { return t.isSettled() || t.now.After(last) })
	t.finish()
	return t
}

func (t *toy) after(d time.Duration, do func()) {
	t.serial++
	heap.Push(&t.events, event{at: t.now.Add(d), order: t.serial, do: do})
}

func (t *toy) runUntil(done func() bool) {
	for !done() {
		e := heap.Pop(&t.events).(event)
		t.now = e.at
		e.do()
	}
}

// until repeats do until it is done.
func (t *toy) until(do func() (done bool)) {
	if !do() {
		t.after(50*time.Millisecond, func() { t.until(do) })
	}
}

func (t *toy) chance(n int) bool { return t.rng.IntN(n) == 0 }

func (t *toy) between(low, high time.Duration) time.Duration {
	return low + time.Duration(t.rng.Int64N(int64(high-low)))
}

// breaks reports whether the promise is to be broken now.
func (t *toy) breaks(bug string) bool {
	if t.bug == bug {
		t.hits++
		return true
	}
	return false
}

// clock is what the leader takes for now.
func (t *toy) clock() time.Time { return t.now.Add(t.leader.skew).Truncate(time.Millisecond) }

// works reports whether there is a leader with a majority.
func (t *toy) works() bool {
	reachable := 0
	for _, n := range t.nodes {
		if n.isReachable() {
			reachable++
		}
	}
	return reachable >= 2 && t.leader.isReachable() && !t.now.Before(t.electedAt)
}

// tick does what a leader does.
func (t *toy) tick() {
	t.after(toyTick, t.tick)
	if !t.leader.isReachable() {
		for _, n := range t.nodes {
			if n.isReachable() {
				t.leader = n
				t.electedAt = t.now.Add(t.between(300*time.Millisecond, 2*time.Second))
				break
			}
		}
	}
	if !t.works() {
		return
	}
	for _, j := range t.jobs {
		t.plan(j)
	}
}

// silence notes who is heard, after a fault has begun or ended.
func (t *toy) silence() {
	wasLed := t.works()
	for _, n := range t.nodes {
		switch {
		case n.isReachable():
			n.silentSince = time.Time{}
		case n.silentSince.IsZero():
			n.silentSince = t.now
			since := t.now
			t.after(10*time.Second, func() { t.until(func() bool { return t.loseSilent(n, since) }) })
			t.after(6*time.Second, func() { t.endLease(n, since) })
		}
	}
	if wasLed && t.chance(3) { // a majority that was just regained has to elect
		t.electedAt = t.now.Add(t.between(300*time.Millisecond, 2*time.Second))
	}
}

// loseSilent declares the attempts of a node lost that is not heard any more.
func (t *toy) loseSilent(n *toyNode, since time.Time) (done bool) {
	if !n.silentSince.Equal(since) {
		return true
	}
	if !t.works() {
		return false
	}
	t.loseAll(n, n.life)
	return true
}

// loseAll declares the attempts of a life of a node lost.
func (t *toy) loseAll(n *toyNode, life int) {
	for _, j := range append(append([]*toyJob(nil), t.jobs...), t.gone...) {
		for _, x := range append([]*toyExec(nil), j.open...) {
			if x.node == n && x.life <= life {
				t.markLost(x)
			}
		}
	}
}

// endLease closes the requests of a node that heard of no leader for too long. A
// stopped one does so when it goes on.
func (t *toy) endLease(n *toyNode, since time.Time) {
	if n.silentSince.Equal(since) && !n.isDown && !n.isStill {
		t.closeAll(n)
	}
}

// closeAll closes the requests of a node. If it lives, it reports them as lost.
func (t *toy) closeAll(n *toyNode) {
	for _, j := range append(append([]*toyJob(nil), t.jobs...), t.gone...) {
		for _, q := range j.requests {
			if q.node == n && !q.isOver {
				t.closeRequest(q)
				t.reportLost(q)
			}
		}
	}
}

func (t *toy) reportLost(q *toyRequest) {
	t.until(func() bool {
		if q.node.isDown || q.node.life != q.life {
			return true
		}
		if !q.node.isReachable() || !t.works() {
			return false
		}
		if x := q.x; x.attempt == q.attempt && x.node == q.node {
			t.markLost(x)
		}
		return true
	})
}

// closeRequest closes a connection. A target that the node is cut off from sees it
// later.
func (t *toy) closeRequest(q *toyRequest) {
	if q.isOver {
		return
	}
	q.isOver = true
	t.until(func() bool {
		if q.node.isAway {
			return false
		}
		t.after(t.between(0, 5*time.Millisecond), func() { t.h.Deliveries[q.delivery].Ended = t.now })
		return true
	})
}

// someFault does something to a node or two, and goes on doing so.
func (t *toy) someFault() {
	if t.isOver {
		return
	}
	if t.after(t.between(3*time.Second, 40*time.Second), t.someFault); t.sparse && !t.chance(4) {
		return
	}
	kinds := []FaultKind{FaultKill, FaultStop, FaultPause, FaultPartition, FaultKill, FaultPause, FaultPartition, FaultDisk, FaultClock}
	kind := kinds[t.rng.IntN(len(kinds))]
	d := t.between(300*time.Millisecond, 25*time.Second)
	if t.chance(6) {
		d = t.between(20*time.Second, 90*time.Second)
	}
	count := 1 + t.rng.IntN(2)
	targets := t.chance(3)
	for _, i := range t.rng.Perm(3)[:count] {
		if n := t.nodes[i]; !n.isBusy {
			t.fault(n, kind, d, targets)
			t.silence()
		}
	}
}

// fault does one thing to one node, and undoes it after d.
func (t *toy) fault(n *toyNode, kind FaultKind, d time.Duration, targets bool) {
	f := Fault{Kind: kind, Nodes: []string{n.name}, From: t.now, Targets: targets && kind == FaultPartition}
	n.isBusy = true
	switch kind {
	case FaultPause:
		n.isStill = true
	case FaultPartition:
		n.isCut, n.isAway = true, f.Targets
	case FaultClock:
		f.Skew = t.between(100*time.Millisecond, 20*time.Second)
		if n.skew = f.Skew; t.chance(2) {
			n.skew = -f.Skew
		}
	default:
		n.isDown = true
		t.closeAll(n)
	}
	t.after(d, func() {
		f.To = t.now
		t.h.Faults = append(t.h.Faults, f)
		t.heal(n, kind)
	})
}

func (t *toy) heal(n *toyNode, kind FaultKind) {
	silent := t.now.Sub(n.silentSince)
	isDead := n.isDown
	n.isBusy, n.isDown, n.isStill, n.isCut, n.isAway, n.skew = false, false, false, false, false, 0
	if kind == FaultPause && silent > 6*time.Second {
		t.after(t.between(0, 20*time.Millisecond), func() { t.closeAll(n) })
	}
	if isDead {
		life := n.life
		n.life++
		t.until(func() bool {
			if t.works() {
				t.loseAll(n, life)
			}
			return t.works()
		})
	}
	t.silence()
}

func (t *toy) hasFault() bool {
	for _, n := range t.nodes {
		if n.isBusy {
			return true
		}
	}
	return false
}

// isSettled reports whether everything that was due is over.
func (t *toy) isSettled() bool {
	for _, j := range t.jobs {
		if j.state.isActive && !j.next.After(t.h.Settled) {
			return false
		}
		for _, x := range j.open {
			if !x.record.ScheduledAt.After(t.h.Settled) {
				return false
			}
		}
	}
	return true
}

// readSomething reads a record, as clients do.
func (t *toy) readSomething() {
	t.after(t.between(50*time.Millisecond, 500*time.Millisecond), t.readSomething)
	if len(t.jobs) == 0 || !t.works() {
		return
	}
	j := t.jobs[t.rng.IntN(len(t.jobs))]
	if len(j.records) == 0 {
		return
	}
	record := j.records[t.rng.IntN(len(j.records))]
	t.h.Reads = append(t.h.Reads, Read{Asked: t.now, At: t.now.Add(time.Millisecond), JobID: j.id, ID: record.ID, Result: record.Result})
}

// finish tells what the API tells at the end.
func (t *toy) finish() {
	t.h.Ended = t.now
	for _, j := range t.jobs {
		final := Final{ID: j.id, Name: j.name, Version: j.version, State: "PAUSED", CreatedAt: j.created}
		if j.state.isActive {
			final.State = stateActive
		}
		t.h.Jobs = append(t.h.Jobs, final)
		for _, record := range j.records {
			t.h.Records = append(t.h.Records, *record)
		}
	}
	for _, n := range t.nodes {
		t.h.Hashes = append(t.h.Hashes, StateHash{Node: n.name, Index: 1000, Hash: "aa"})
	}
}
