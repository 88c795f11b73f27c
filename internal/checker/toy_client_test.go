package checker

import (
	"fmt"
	"slices"
	"time"
)

// toyClient writes one job, one operation after the other.
type toyClient struct {
	name string
	id   string // once it knows it
	runs []string
}

func (t *toy) startClient(i int) {
	c := &toyClient{name: fmt.Sprintf("job-%d", i)}
	t.after(t.between(0, 3*time.Second), func() { t.create(c) })
}

func pointer[T any](v T) *T { return &v }

func pickOne[T any](t *toy, from ...T) T { return from[t.rng.IntN(len(from))] }

// anySchedule sets a schedule that an execution fits into, or hardly.
func (t *toy) anySchedule(c *Change) {
	if t.chance(6) {
		c.Cron = pointer(pickOne(t, "* * * * *", "*/2 * * * *"))
		return
	}
	c.IntervalSeconds = pointer(1 + t.rng.IntN(7))
}

func (t *toy) anyPolicy(c *Change) {
	switch t.rng.IntN(5) {
	case 0:
		c.Overlap = pointer(pickOne(t, overlapSkip, overlapAllow, overlapBufferOne, overlapCancelPrevious))
	case 1:
		c.Misfire = pointer(pickOne(t, misfireFireOnce, misfireFireAll, misfireSkip))
	case 2:
		c.CatchupSeconds = pointer(pickOne(t, 5, 15, 60, 3600))
	case 3:
		c.Guarantee = pointer(pickOne(t, atLeastOnce, atMostOnce))
	case 4:
		c.Retries, c.RetrySeconds = pointer(t.rng.IntN(4)), pointer(t.rng.IntN(3))
	}
}

// create makes the client's job, and lets the client go on.
func (t *toy) create(c *toyClient) {
	op := Op{Kind: OpCreate, Job: c.name}
	t.anySchedule(&op.Change)
	for range 5 {
		t.anyPolicy(&op.Change)
	}
	j := &toyJob{name: c.name, id: fmt.Sprintf("job_%d", t.rng.Uint64()), hold: pickOne(t, 20*time.Millisecond, 300*time.Millisecond, 3*time.Second, 6*time.Second), failures: pickOne(t, 0, 2, 10)}
	t.do(op, func(op *Op) string {
		if t.bug == "loses creates" && t.chance(3) && t.breaks("loses creates") {
			op.Version, op.JobID = 1, j.id
			return ""
		}
		j.state, j.version, j.created = newState().with(&op.Change), 1, t.clock()
		j.next = nextSlotOf(j.state.schedule, t.clock())
		t.jobs = append(t.jobs, j)
		op.Version, op.JobID = 1, j.id
		if t.bug == "creates twice" && t.chance(5) && t.breaks("creates twice") {
			twin := *j
			twin.id += "_2"
			t.jobs = append(t.jobs, &twin)
		}
		return ""
	}, func(op *Op) {
		c.id = op.JobID
		if op.Outcome == Refused {
			t.after(t.between(time.Second, 5*time.Second), func() { t.create(c) })
			return
		}
		t.after(t.between(time.Second, 8*time.Second), func() { t.next(c) })
	})
}

// next does one thing after the other with the job.
func (t *toy) next(c *toyClient) {
	if t.isOver {
		return
	}
	goOn := func(*Op) { t.after(t.between(500*time.Millisecond, 9*time.Second), func() { t.next(c) }) }
	j := t.find(c)
	switch n := t.rng.IntN(100); {
	case j == nil && c.id == "":
		goOn(nil) // it never learned the ID
	case n < 20:
		t.do(Op{Kind: OpUpdate, Change: Change{State: pointer(pickOne(t, stateActive, stateActive, "PAUSED"))}, Job: c.name}, t.update(c), goOn)
	case n < 28:
		op := Op{Kind: OpUpdate, Job: c.name}
		t.anySchedule(&op.Change)
		t.do(op, t.update(c), goOn)
	case n < 45:
		op := Op{Kind: OpUpdate, Job: c.name}
		t.anyPolicy(&op.Change)
		t.do(op, t.update(c), goOn)
	case n < 47:
		t.do(Op{Kind: OpDelete, Job: c.name}, t.remove(c), goOn)
	case n < 70:
		op := Op{Kind: OpRun, Job: c.name}
		if t.chance(4) {
			op.Overlap = pickOne(t, overlapSkip, overlapAllow, overlapBufferOne, overlapCancelPrevious)
		}
		t.do(op, t.run(c), goOn)
	default:
		t.do(Op{Kind: OpCancel, Job: c.name, Execution: t.someExecution(j, c)}, t.cancelRun(c), goOn)
	}
}

func (t *toy) find(c *toyClient) *toyJob {
	i := slices.IndexFunc(t.jobs, func(j *toyJob) bool { return j.name == c.name })
	if i < 0 {
		return nil
	}
	return t.jobs[i]
}

func (t *toy) someExecution(j *toyJob, c *toyClient) string {
	if j != nil && len(j.open) > 0 {
		return j.open[t.rng.IntN(len(j.open))].record.ID
	}
	if len(c.runs) > 0 {
		return pickOne(t, c.runs...)
	}
	return "ex_none"
}

// do sends an operation. Apply commits it, and returns the code of a refusal; it
// may be called late, or never, if the outcome is unknown.
func (t *toy) do(op Op, apply func(*Op) string, then func(*Op)) {
	op.Invoked, op.Node = t.now, pickOne(t, t.nodes...).name
	answer := func(outcome Outcome) {
		op.Outcome = outcome
		t.after(t.between(time.Millisecond, 20*time.Millisecond), func() {
			op.Returned = t.now
			t.h.Ops = append(t.h.Ops, op)
			then(&op)
		})
	}
	late := op // what takes effect after the client has given up is not its answer
	t.after(t.between(time.Millisecond, 30*time.Millisecond), func() {
		switch {
		case !t.works() && t.chance(2):
			op.Code = "no_leader"
			answer(Refused)
		case !t.works() || t.chance(25):
			answer(Unknown)
			if t.chance(2) {
				t.after(t.between(0, 8*time.Second), func() { t.until(func() bool { return t.works() && t.applied(apply, &late) }) })
			}
		default:
			op.Code = apply(&op)
			switch {
			case op.Code != "":
				answer(Refused)
			case t.chance(25):
				op.Version, op.JobID, op.Execution = 0, "", late.Execution
				answer(Unknown)
			default:
				answer(OK)
			}
		}
	})
}

func (t *toy) applied(apply func(*Op) string, op *Op) bool {
	apply(op)
	return true
}

func (t *toy) update(c *toyClient) func(*Op) string {
	return func(op *Op) string {
		j := t.find(c)
		if j == nil {
			return "not_found"
		}
		j.version++
		op.Version, op.JobID = j.version, j.id
		if t.bug == "loses writes" && t.chance(5) && t.breaks("loses writes") {
			j.version--
			return ""
		}
		before := j.state
		j.state = before.with(&op.Change)
		if before.schedule != j.state.schedule || before.isActive != j.state.isActive {
			t.reschedule(j, before)
		}
		if before.overlap != j.state.overlap && j.state.overlap == overlapAllow {
			t.unbuffer(j)
		}
		return ""
	}
}

// reschedule gives up what is due and not planned, and goes on from now.
func (t *toy) reschedule(j *toyJob, before state) {
	now := t.clock()
	if before.isActive {
		after := j.state
		j.state = before
		due := j.dueSlots(now)
		j.state = after
		if len(due) > 0 && !(t.bug == "forgets due slots" && t.breaks("forgets due slots")) {
			t.miss(j, due)
			j.planned = due[len(due)-1]
		}
	}
	if !before.isActive && t.bug == "fires pauses" && t.breaks("fires pauses") {
		return
	}
	if t.bug == "ignores pauses" && t.breaks("ignores pauses") {
		j.state.isActive = true
		return
	}
	j.next = nextSlotOf(j.state.schedule, later(now, j.planned))
}

func (t *toy) remove(c *toyClient) func(*Op) string {
	return func(op *Op) string {
		j := t.find(c)
		if j == nil {
			return "not_found"
		}
		op.JobID = j.id
		if t.bug == "keeps deleted jobs" && t.breaks("keeps deleted jobs") {
			return ""
		}
		t.jobs = slices.DeleteFunc(t.jobs, func(o *toyJob) bool { return o == j })
		t.gone = append(t.gone, j)
		if t.bug == "goes on after deletes" && t.breaks("goes on after deletes") {
			t.goOn(j)
			return ""
		}
		j.isGone = true
		for _, x := range slices.Clone(j.open) {
			t.abort(x)
		}
		return ""
	}
}

// goOn fires a job that is gone a few times.
func (t *toy) goOn(j *toyJob) {
	for i := range 4 {
		t.after(time.Duration(i)*time.Second, func() { t.plan(j) })
	}
}

func (t *toy) run(c *toyClient) func(*Op) string {
	return func(op *Op) string {
		j := t.find(c)
		if j == nil {
			return "not_found"
		}
		overlap := j.state.overlap
		if op.Overlap != "" {
			overlap = op.Overlap
		}
		isStarved := overlap == overlapBufferOne && j.state.overlap == overlapAllow // it might wait for ever
		if isStarved || overlap == overlapSkip && len(j.open) > 0 || overlap == overlapBufferOne && j.has(toyBuffered) {
			return "overlap"
		}
		t.serial++
		record := &Record{ID: fmt.Sprintf("ex_%s_run_%d", j.id, t.serial), JobID: j.id, Trigger: triggerManual, ScheduledAt: t.clock(), Result: resultRunning}
		op.Execution, op.JobID = record.ID, j.id
		switch {
		case t.bug == "loses runs" && t.chance(3) && t.breaks("loses runs"):
			return ""
		case t.bug == "answers runs alike" && len(c.runs) > 0 && t.breaks("answers runs alike"):
			op.Execution = c.runs[0]
		}
		c.runs = append(c.runs, op.Execution)
		t.begin(j, record, overlap)
		if t.bug == "runs twice" && t.chance(3) && t.breaks("runs twice") {
			again := *record
			again.ID += "_2"
			t.begin(j, &again, overlapAllow)
		}
		return ""
	}
}

func (t *toy) cancelRun(c *toyClient) func(*Op) string {
	return func(op *Op) string {
		j := t.find(c)
		if j == nil {
			return "not_found"
		}
		for _, x := range j.open {
			if x.record.ID == op.Execution {
				switch {
				case t.bug == "ignores cancels" && t.breaks("ignores cancels"):
				case t.bug == "cancels without aborting" && t.breaks("cancels without aborting"):
					t.cancelInName(x)
				default:
					t.cancel(x)
				}
				return ""
			}
		}
		for _, record := range j.records {
			if record.ID == op.Execution {
				if record.Result == resultCancelled {
					return ""
				}
				return "conflict"
			}
		}
		return "not_found"
	}
}

// cancelInName gives an execution its result and requests it once more.
func (t *toy) cancelInName(x *toyExec) {
	t.cancel(x)
	again := *x
	again.phase, again.attempt = toyRunning, x.attempt+1
	t.after(3*time.Second, func() {
		again.node = t.pick()
		again.life = again.node.life
		t.request(&again)
	})
}
