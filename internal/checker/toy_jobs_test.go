package checker

import (
	"fmt"
	"slices"
	"time"
)

// toyJob is a job of the toy.
type toyJob struct {
	name, id string
	version  uint64
	created  time.Time
	state    state
	next     time.Time // to be planned
	planned  time.Time // no slot is decided twice, whatever the clock says
	open     []*toyExec
	records  []*Record
	requests []*toyRequest
	isGone   bool

	hold     time.Duration // how long its target takes, at most
	failures int           // one in so many requests fails; zero: none
}

type toyPhase int

const (
	toyRunning toyPhase = iota
	toyPending          // until its retry is due
	toyWaiting          // until nothing is aborting
	toyBuffered
	toyAborting
	toyClosed
)

type toyExec struct {
	job      *toyJob
	record   *Record
	phase    toyPhase
	attempt  int
	failures int
	node     *toyNode
	life     int
	request  *toyRequest
}

type toyRequest struct {
	x        *toyExec
	attempt  int
	node     *toyNode
	life     int
	delivery int // in the history
	isOver   bool
	started  time.Time
}

// nextSlotOf is the slot of a toy job after an instant: an interval, or every so
// many minutes.
func nextSlotOf(s schedule, after time.Time) time.Time {
	every := int64(s.interval)
	if s.cron != "" {
		var minutes int64 = 1
		_, _ = fmt.Sscanf(s.cron, "*/%d", &minutes)
		every = minutes * 60
	}
	return time.Unix((after.Unix()/every+1)*every, 0).UTC()
}

// dueSlots are those from next up to now.
func (j *toyJob) dueSlots(now time.Time) []time.Time {
	var due []time.Time
	for s := j.next; !s.After(now); s = nextSlotOf(j.state.schedule, s) {
		due = append(due, s)
	}
	return due
}

// plan decides about the due slots of a job.
func (t *toy) plan(j *toyJob) {
	now := t.clock()
	if t.bug == "plans early" {
		now = now.Add(800 * time.Millisecond)
	}
	for j.state.isActive && !j.next.After(now) {
		if t.bug == "loses slots" && t.chance(100) && t.breaks("loses slots") {
			j.next = nextSlotOf(j.state.schedule, j.next)
			continue
		}
		if !t.planDue(j, now, j.dueSlots(now)) {
			return
		}
	}
}

// planDue makes one decision; false if the job has to wait.
func (t *toy) planDue(j *toyJob, now time.Time, due []time.Time) bool {
	first, latest := due[0], due[len(due)-1]
	late := now.Sub(first)
	isOld := func(s time.Time) bool { return now.Sub(s) > seconds(j.state.catchupSeconds) }
	grace := 10 * time.Second
	if t.bug == "gives up soon" {
		grace = 200 * time.Millisecond
	}
	fired := 1 // of the due slots are dealt with
	switch {
	case j.state.misfire == misfireFireAll:
		if old := slices.IndexFunc(due, func(s time.Time) bool { return !isOld(s) }); old != 0 && late > grace {
			if old < 0 {
				old = len(due)
			}
			fired = old
			t.miss(j, due[:old])
			break
		}
		if t.bug == "FIRE_ALL gives up" && late > grace && t.breaks("FIRE_ALL gives up") {
			t.miss(j, due[:1])
			break
		}
		trigger := triggerScheduled
		if late > 2*time.Second {
			if trigger = triggerCatchup; t.bug == "calls all SCHEDULED" && t.breaks("calls all SCHEDULED") {
				trigger = triggerScheduled
			}
			if t.mustPace(j) {
				return false
			}
			if t.bug == "FIRE_ALL fires the newest" && len(due) > 1 && late > grace && j.state.overlap != overlapAllow {
				t.hits++
				j.next = nextSlotOf(j.state.schedule, due[1])
				t.fire(j, due[1], trigger)
				t.until(func() bool {
					isFree := t.works() && len(j.open) == 0
					if isFree {
						t.fire(j, due[0], trigger)
					}
					return isFree
				})
				return true
			}
		}
		t.fire(j, first, trigger)
	case late <= grace:
		trigger := triggerScheduled
		if t.bug == "calls all CATCHUP" && t.breaks("calls all CATCHUP") {
			trigger = triggerCatchup
		}
		t.fire(j, first, trigger)
	case j.state.misfire == misfireSkip && t.bug != "SKIP fires":
		if t.chance(2) { // either is right
			fired = len(due)
		} else if fired = slices.IndexFunc(due, func(s time.Time) bool { return now.Sub(s) <= grace }); fired < 0 {
			fired = len(due)
		}
		t.miss(j, due[:fired])
	default:
		if j.state.misfire == misfireSkip {
			t.hits++
		}
		fired = len(due)
		t.fireOnce(j, due, isOld(latest))
	}
	j.planned = due[fired-1]
	j.next = nextSlotOf(j.state.schedule, j.planned)
	return true
}

// fireOnce fires the latest of the due slots, unless it is too old.
func (t *toy) fireOnce(j *toyJob, due []time.Time, isOld bool) {
	trigger := triggerCatchup
	if t.bug == "calls all SCHEDULED" && t.breaks("calls all SCHEDULED") {
		trigger = triggerScheduled
	}
	n := len(due)
	switch {
	case isOld:
		t.miss(j, due)
	case t.bug == "FIRE_ONCE fires the oldest" && n > 1 && t.breaks("FIRE_ONCE fires the oldest"):
		t.fire(j, due[0], trigger)
		t.miss(j, due[1:])
	case t.bug == "FIRE_ONCE fires none" && t.breaks("FIRE_ONCE fires none"):
		t.miss(j, due)
	default:
		if n > 1 {
			t.miss(j, due[:n-1])
		}
		t.fire(j, due[n-1], trigger)
	}
}

// mustPace reports whether late slots of a FIRE_ALL job have to wait.
func (t *toy) mustPace(j *toyJob) bool {
	open := 0
	for _, x := range j.open {
		if x.record.Trigger == triggerCatchup {
			open++
		}
	}
	return open > 0 && j.state.overlap != overlapAllow || open >= 10
}

func (j *toyJob) executionID(slot time.Time) string {
	return fmt.Sprintf("ex_%s_%d", j.id, slot.UnixMilli())
}

// miss records a gap.
func (t *toy) miss(j *toyJob, slots []time.Time) {
	record := &Record{
		ID: j.executionID(slots[0]), JobID: j.id, Trigger: triggerCatchup, ScheduledAt: slots[0], FinishedAt: t.clock(),
		Result: resultMissed, MissedFrom: slots[0], MissedTo: slots[len(slots)-1], MissedCount: len(slots),
	}
	if t.bug == "miscounts gaps" && t.breaks("miscounts gaps") {
		record.MissedCount++
	}
	t.addRecord(j, record)
}

// addRecord keeps the newest records, and those that are open.
func (t *toy) addRecord(j *toyJob, record *Record) {
	j.records = append(j.records, record)
	if t.keep == 0 {
		return
	}
	slices.SortStableFunc(j.records, func(a, b *Record) int { return a.ScheduledAt.Compare(b.ScheduledAt) })
	over := len(j.records) - t.keep
	j.records = slices.DeleteFunc(j.records, func(r *Record) bool {
		if over <= 0 || !isTerminal(r.Result) {
			return false
		}
		over--
		return true
	})
}

// fire executes a slot as the overlap policy allows.
func (t *toy) fire(j *toyJob, slot time.Time, trigger string) {
	record := &Record{ID: j.executionID(slot), JobID: j.id, Trigger: trigger, ScheduledAt: slot, Result: resultRunning}
	if t.bug == "plans twice" && t.chance(60) && t.breaks("plans twice") {
		t.begin(j, &Record{ID: record.ID + "_2", JobID: j.id, Trigger: trigger, ScheduledAt: slot, Result: resultRunning}, overlapAllow)
	}
	isBlocked := j.state.overlap == overlapSkip && len(j.open) > 0 || j.state.overlap == overlapBufferOne && j.has(toyBuffered)
	switch {
	case t.bug == "skips for nothing" && j.state.overlap == overlapSkip && t.chance(30) && t.breaks("skips for nothing"):
		isBlocked = true
	case isBlocked && t.bug == "ignores SKIP" && j.state.overlap == overlapSkip && t.breaks("ignores SKIP"):
		t.begin(j, record, overlapAllow)
		return
	case isBlocked && t.bug == "SKIP waits" && j.state.overlap == overlapSkip && !j.has(toyBuffered) && t.breaks("SKIP waits"):
		t.begin(j, record, overlapBufferOne)
		return
	case isBlocked && t.bug == "buffers two" && j.state.overlap == overlapBufferOne && t.breaks("buffers two"):
		isBlocked = false
	}
	if isBlocked {
		record.Result, record.FinishedAt, record.ErrorCode = resultSkipped, t.clock(), "OVERLAP"
		t.addRecord(j, record)
		return
	}
	t.begin(j, record, j.state.overlap)
}

func (j *toyJob) has(phase toyPhase) bool {
	return slices.ContainsFunc(j.open, func(x *toyExec) bool { return x.phase == phase })
}

// begin opens an execution.
func (t *toy) begin(j *toyJob, record *Record, overlap string) {
	x := &toyExec{job: j, record: record, phase: toyPending}
	t.addRecord(j, record)
	switch {
	case overlap == overlapBufferOne && len(j.open) > 0:
		x.phase = toyBuffered
	case overlap == overlapCancelPrevious && t.bug == "cancels nothing" && len(j.open) > 0 && t.breaks("cancels nothing"):
		x.phase = toyBuffered
	case overlap == overlapCancelPrevious:
		for _, o := range slices.Clone(j.open) {
			t.cancel(o)
		}
		if j.has(toyAborting) && !(t.bug == "does not wait for aborts" && t.breaks("does not wait for aborts")) {
			x.phase = toyWaiting
		}
	}
	j.open = append(j.open, x)
	if x.phase == toyPending {
		t.assign(x)
	}
}

// cancel ends an execution, and aborts its request if there may be one.
func (t *toy) cancel(x *toyExec) {
	if x.phase == toyAborting {
		return
	}
	x.record.Result, x.record.FinishedAt, x.record.ErrorCode = resultCancelled, t.clock(), errCancelled
	t.abort(x)
}

func (t *toy) abort(x *toyExec) {
	if x.phase != toyRunning {
		t.close(x)
		return
	}
	x.phase = toyAborting
	t.until(func() bool {
		if x.phase != toyAborting {
			return true // lost meanwhile
		}
		if !t.works() || !x.node.isReachable() || x.node.life != x.life {
			return false
		}
		takes := t.between(time.Millisecond, 15*time.Millisecond)
		if t.chance(10) { // a busy node
			takes = t.between(100*time.Millisecond, time.Second)
		}
		t.after(takes, func() { t.aborted(x) })
		return true
	})
}

// aborted is the node's word that a request is over.
func (t *toy) aborted(x *toyExec) {
	if x.phase != toyAborting {
		return
	}
	a := Attempt{Number: x.attempt, Node: x.node.name, ErrorCode: errCancelled}
	if q := x.request; q != nil && q.attempt == x.attempt {
		t.closeRequest(q)
		a.StartedAt, a.DurationMs = q.started, t.now.Sub(q.started).Milliseconds()
	}
	t.addAttempt(x, a)
	t.close(x)
}

func (t *toy) addAttempt(x *toyExec, a Attempt) {
	x.record.Attempts = append(x.record.Attempts, a)
	if !a.StartedAt.IsZero() && x.record.StartedAt.IsZero() {
		x.record.StartedAt = a.StartedAt
	}
	x.record.HTTPStatus = a.HTTPStatus
}

// close takes an execution out, and lets others go on.
func (t *toy) close(x *toyExec) {
	j := x.job
	x.phase = toyClosed
	j.open = slices.DeleteFunc(j.open, func(o *toyExec) bool { return o == x })
	t.release(j)
}

// release lets those begin that waited for others.
func (t *toy) release(j *toyJob) {
	for _, o := range j.open {
		isAlone := !slices.ContainsFunc(j.open, func(other *toyExec) bool { return other.phase != toyBuffered })
		if o.phase == toyWaiting && !j.has(toyAborting) || o.phase == toyBuffered && isAlone {
			o.phase = toyPending
			t.assign(o)
		}
	}
}

// unbuffer lets what is buffered begin, since the job's policy is ALLOW now.
func (t *toy) unbuffer(j *toyJob) {
	for _, o := range j.open {
		if o.phase == toyBuffered {
			o.phase = toyWaiting
		}
	}
	t.release(j)
}

// pick chooses a node that is not known to be gone.
func (t *toy) pick() *toyNode {
	for {
		n := t.nodes[t.rng.IntN(len(t.nodes))]
		if n.silentSince.IsZero() || t.now.Sub(n.silentSince) < 2500*time.Millisecond {
			return n
		}
	}
}

// assign gives the next attempt to a node, once there is a leader.
func (t *toy) assign(x *toyExec) {
	if x.phase != toyPending {
		return
	}
	if !t.works() {
		t.after(toyTick, func() { t.assign(x) })
		return
	}
	x.attempt++
	if t.bug == "skips attempt numbers" && x.attempt == 2 && t.breaks("skips attempt numbers") {
		x.attempt++
	}
	x.phase, x.node = toyRunning, t.pick()
	x.life = x.node.life
	x.record.Result, x.record.Attempt = resultRunning, x.attempt
	attempt := x.attempt
	late := time.Duration(0)
	if t.bug == "dawdles" && t.chance(50) && t.breaks("dawdles") {
		late = 2 * time.Second
	}
	t.after(late+t.between(time.Millisecond, 20*time.Millisecond), func() {
		t.until(func() bool { return t.send(x, attempt) })
	})
}

// send makes the request, once its node can be reached.
func (t *toy) send(x *toyExec, attempt int) (done bool) {
	if x.phase != toyRunning || x.attempt != attempt || x.node.life != x.life {
		return true
	}
	if !t.works() || !x.node.isReachable() {
		return false
	}
	t.request(x)
	if t.bug == "loses without a fault" && t.chance(50) && len(t.h.Faults) == 0 && !t.hasFault() && t.breaks("loses without a fault") {
		t.markLost(x)
		return true
	}
	if t.bug == "sends twice" && t.chance(100) && t.breaks("sends twice") {
		t.request(x)
	}
	return true
}

func (t *toy) request(x *toyExec) {
	q := &toyRequest{x: x, attempt: x.attempt, node: x.node, life: x.life, delivery: len(t.h.Deliveries), started: t.now.Truncate(time.Millisecond)}
	x.request = q
	x.job.requests = append(x.job.requests, q)
	d := Delivery{
		JobID: x.job.id, Execution: x.record.ID, WebhookID: x.record.ID, Trigger: x.record.Trigger, Attempt: x.attempt,
		ScheduledAt: x.record.ScheduledAt, Arrived: t.now.Add(time.Millisecond),
	}
	if t.chance(2) {
		d.Job = x.job.name
	}
	if t.chance(2) {
		d.Node = x.node.name
	}
	t.h.Deliveries = append(t.h.Deliveries, d)
	hold := t.between(2*time.Millisecond, x.job.hold)
	t.after(hold, func() { t.answer(q) })
}

// answer is the target's, which the node may not live to report.
func (t *toy) answer(q *toyRequest) {
	if q.isOver {
		return
	}
	d := &t.h.Deliveries[q.delivery]
	if q.node.isAway { // the target notices nothing, and answers into the void
		t.after(50*time.Millisecond, func() { t.answer(q) })
		return
	}
	status := 200
	if q.x.job.failures > 0 && t.chance(q.x.job.failures) {
		status = 500
	}
	q.isOver = true
	d.Ended, d.Status = t.now, status
	a := Attempt{Number: q.attempt, Node: q.node.name, StartedAt: q.started, DurationMs: t.now.Sub(q.started).Milliseconds() + 1, HTTPStatus: status}
	if status == 500 {
		a.ErrorCode = "HTTP_STATUS"
	}
	t.after(2*time.Millisecond, func() {
		t.until(func() bool {
			if q.node.life != q.life || q.node.isDown {
				return true
			}
			if !q.node.isReachable() || !t.works() {
				return false
			}
			t.record(q, a)
			return true
		})
	})
}

// record commits an outcome, unless the log has moved on.
func (t *toy) record(q *toyRequest, a Attempt) {
	x := q.x
	switch {
	case x.attempt != q.attempt:
	case x.phase == toyAborting:
		t.addAttempt(x, a)
		t.close(x)
	case x.phase != toyRunning:
	case a.ErrorCode == "" && t.bug == "retries successes" && t.chance(50) && t.breaks("retries successes"):
		t.addAttempt(x, a)
		t.retry(x, 0)
	case a.ErrorCode == "":
		t.addAttempt(x, a)
		t.end(x, resultSuccess, "")
	default:
		t.addAttempt(x, a)
		t.fail(x, a)
	}
}

func (t *toy) fail(x *toyExec, a Attempt) {
	x.failures++
	retries, delay := x.job.state.retries, seconds(x.job.state.retrySeconds)
	if t.bug == "retries too often" && t.breaks("retries too often") {
		retries += 2
	}
	if t.bug == "retries at once" && delay > 0 && t.breaks("retries at once") {
		delay = 0
	}
	if x.failures <= retries {
		t.retry(x, delay)
		return
	}
	t.end(x, resultFailed, a.ErrorCode)
}

func (t *toy) end(x *toyExec, result, code string) {
	x.record.Result, x.record.ErrorCode = result, code
	last := x.record.Attempts[len(x.record.Attempts)-1]
	x.record.FinishedAt = last.StartedAt.Add(time.Duration(last.DurationMs) * time.Millisecond)
	t.close(x)
}

func (t *toy) retry(x *toyExec, delay time.Duration) {
	x.record.Result, x.phase, x.node = resultRetrying, toyPending, nil
	t.after(delay, func() { t.assign(x) })
}

// markLost takes an attempt from a node that is gone.
func (t *toy) markLost(x *toyExec) {
	a := Attempt{Number: x.attempt, Node: x.node.name, ErrorCode: errNodeLost}
	switch x.phase {
	case toyAborting:
		t.addAttempt(x, a)
		t.close(x)
	case toyRunning:
		t.addAttempt(x, a)
		isFinal := x.job.state.guarantee == atMostOnce
		if isFinal && t.bug == "repeats AT_MOST_ONCE" && t.breaks("repeats AT_MOST_ONCE") {
			isFinal = false
		}
		if !isFinal && t.bug == "gives up AT_LEAST_ONCE" && x.job.state.guarantee == atLeastOnce && t.breaks("gives up AT_LEAST_ONCE") {
			isFinal = true
		}
		if !isFinal {
			t.retry(x, 0)
			return
		}
		x.record.Result, x.record.ErrorCode, x.record.FinishedAt = resultFailed, errNodeLost, t.clock()
		t.close(x)
	}
}
