package checker

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// seeded is one broken promise: a bug of the toy, or something that is done to
// the history of a correct run.
type seeded struct {
	name string
	want Kind
	// mutate breaks a history, and reports whether it found something to break;
	// nil: the toy has a bug of the name.
	mutate func(*breaker) bool
}

// breaker is a history that is about to be broken.
type breaker struct {
	*History
	rng *rand.Rand
	run *run // of the history as it was
}

var seededFaults = []seeded{
	{name: "loses slots", want: MissingSlot},
	{name: "forgets due slots", want: MissingSlot},
	{name: "plans twice", want: DoubledSlot},
	{name: "plans early", want: FiredEarly},
	{name: "dawdles", want: TooLate},
	{name: "fires pauses", want: FiredWhilePaused},
	{name: "ignores pauses", want: WriteLost},
	{name: "goes on after deletes", want: FiredAfterDelete},
	{name: "calls all CATCHUP", want: WrongTrigger},
	{name: "calls all SCHEDULED", want: WrongTrigger},
	{name: "gives up soon", want: MissedUnexcused},
	{name: "miscounts gaps", want: MissedWrong},
	{name: "SKIP fires", want: MisfireBroken},
	{name: "FIRE_ONCE fires the oldest", want: MisfireBroken},
	{name: "FIRE_ONCE fires none", want: MisfireBroken},
	{name: "FIRE_ALL gives up", want: MisfireBroken},
	{name: "FIRE_ALL fires the newest", want: MisfireBroken},
	{name: "gives up AT_LEAST_ONCE", want: AtLeastOnceBroken},
	{name: "repeats AT_MOST_ONCE", want: AtMostOnceBroken},
	{name: "sends twice", want: SameAttemptTwice},
	{name: "skips attempt numbers", want: AttemptGap},
	{name: "retries too often", want: TooManyAttempts},
	{name: "retries at once", want: RetryTooSoon},
	{name: "retries successes", want: RetryAfterEnd},
	{name: "loses without a fault", want: LossUnexcused},
	{name: "ignores SKIP", want: Overlap},
	{name: "does not wait for aborts", want: Overlap},
	{name: "SKIP waits", want: OverlapPolicyBroken},
	{name: "cancels nothing", want: OverlapPolicyBroken},
	{name: "buffers two", want: BufferOverfull},
	{name: "skips for nothing", want: SkippedUnexcused},
	{name: "loses creates", want: JobLost},
	{name: "keeps deleted jobs", want: JobBack},
	{name: "creates twice", want: PhantomJob},
	{name: "loses writes", want: WriteLost},
	{name: "loses runs", want: RunLost},
	{name: "answers runs alike", want: RunTwice},
	{name: "runs twice", want: PhantomRun},
	{name: "ignores cancels", want: CancelLost},
	{name: "cancels without aborting", want: CancelIgnored},

	{name: "a record is gone", want: MissingSlot, mutate: func(b *breaker) bool { return b.dropRecord(b.slotRecord()) }},
	{name: "two records", want: DoubledSlot, mutate: func(b *breaker) bool {
		return b.addCopy(b.slotRecord(), func(r *Record) { r.ID += "_2" })
	}},
	{name: "two records of one ID", want: DoubledSlot, mutate: func(b *breaker) bool { return b.addCopy(b.slotRecord(), func(*Record) {}) }},
	{name: "a record between slots", want: PhantomRecord, mutate: func(b *breaker) bool {
		return b.addCopy(b.slotRecord(), func(r *Record) {
			r.ID, r.ScheduledAt, r.Result = "ex_x", r.ScheduledAt.Add(time.Millisecond), resultSkipped
		})
	}},
	{name: "a gap between slots", want: PhantomRecord, mutate: func(b *breaker) bool {
		return b.addCopy(b.slotRecord(), func(r *Record) {
			at := r.ScheduledAt.Add(time.Millisecond)
			r.ID, r.Result, r.ScheduledAt, r.MissedFrom, r.MissedTo, r.MissedCount = "ex_x", resultMissed, at, at, at, 1
		})
	}},
	{name: "a gap for an executed slot", want: DoubledSlot, mutate: func(b *breaker) bool {
		return b.addCopy(b.slotRecord(), func(r *Record) {
			r.ID, r.Result, r.MissedFrom, r.MissedTo, r.MissedCount = "ex_x", resultMissed, r.ScheduledAt, r.ScheduledAt, 1
		})
	}},
	{name: "a request without a record", want: PhantomDelivery, mutate: func(b *breaker) bool {
		return b.addDelivery(b.slotRecord(), func(d *Delivery) { d.Execution, d.WebhookID = "ex_x", "ex_x" })
	}},
	{name: "a request early", want: FiredEarly, mutate: func(b *breaker) bool {
		return b.onDelivery(b.slotRecord(), func(d *Delivery) { d.Arrived = d.ScheduledAt.Add(-150 * time.Millisecond) })
	}},
	{name: "a request says CATCHUP", want: WrongTrigger, mutate: func(b *breaker) bool {
		return b.onDelivery(b.slotRecord(), func(d *Delivery) { d.Trigger = triggerCatchup })
	}},
	{name: "another webhook-id", want: WrongWebhookID, mutate: func(b *breaker) bool {
		return b.onDelivery(b.slotRecord(), func(d *Delivery) { d.WebhookID += "x" })
	}},
	{name: "another slot", want: WrongScheduledAt, mutate: func(b *breaker) bool {
		return b.onDelivery(b.slotRecord(), func(d *Delivery) { d.ScheduledAt = d.ScheduledAt.Add(time.Millisecond) })
	}},
	{name: "no request", want: NoDelivery, mutate: func(b *breaker) bool {
		record := b.slotRecord()
		before := len(b.Deliveries)
		b.Deliveries = slices.DeleteFunc(b.Deliveries, func(d Delivery) bool { return record != nil && d.Execution == record.ID })
		return len(b.Deliveries) < before
	}},
	{name: "another answer", want: WrongResult, mutate: func(b *breaker) bool {
		return b.onDelivery(b.slotRecord(), func(d *Delivery) { d.Status = 503 })
	}},
	{name: "a request too many", want: UnknownAttempt, mutate: func(b *breaker) bool {
		return b.addDelivery(b.slotRecord(), func(d *Delivery) { d.Attempt += 3 })
	}},
	{name: "a retry of a success", want: DuplicateUnexcused, mutate: func(b *breaker) bool {
		return b.addDelivery(b.slotRecord(), func(d *Delivery) { d.Attempt++ })
	}},
	{name: "two requests open", want: Overlap, mutate: func(b *breaker) bool {
		record := b.record(func(r *Record) bool { return b.isPlain(r) && len(b.deliveriesOf(r)) == 1 && b.isCalm(r.ScheduledAt) })
		return b.onDelivery(record, func(d *Delivery) {
			again := *d
			again.Attempt, again.Arrived, again.Ended = d.Attempt+1, d.Arrived.Add(time.Second), d.Arrived.Add(2*time.Second)
			d.Ended = d.Arrived.Add(3 * time.Second)
			b.Deliveries = append(b.Deliveries, again)
		})
	}},
	{name: "an AT_MOST_ONCE attempt twice", want: AtMostOnceBroken, mutate: func(b *breaker) bool {
		record := b.record(func(r *Record) bool { return b.isPlain(r) && b.run.isSurely(b.run.executions[r.ID], atMostOnce) })
		return b.addDelivery(record, func(*Delivery) {})
	}},
	{name: "never over", want: LeftOpen, mutate: func(b *breaker) bool {
		return b.onRecord(b.slotRecord(), func(r *Record) { r.Result = resultRunning })
	}},
	{name: "cancelled by nobody", want: CancelledForNothing, mutate: func(b *breaker) bool {
		record := b.record(func(r *Record) bool {
			x := b.run.executions[r.ID]
			isReplaceable := func(s *state) bool { return s.overlap == overlapCancelPrevious }
			mayCancel := func(op *Op) bool { return op.Execution == r.ID || op.Overlap == overlapCancelPrevious }
			return b.isPlain(r) && !x.job.timeline.any(r.ScheduledAt.Add(-time.Second), b.Ended, isReplaceable) && !slices.ContainsFunc(x.job.ops, mayCancel)
		})
		return b.onRecord(record, func(r *Record) { r.Result = resultCancelled })
	}},
	{name: "a read of another result", want: ResultChanged, mutate: func(b *breaker) bool {
		return b.onRead(func(r *Read) bool {
			return isTerminal(r.Result) && b.run.executions[r.ID] != nil && b.run.executions[r.ID].record != nil
		},
			func(r *Read) { r.Result = "OTHER" })
	}},
	{name: "a read of a result that came back", want: ResultChanged, mutate: func(b *breaker) bool {
		return b.onRead(func(r *Read) bool { return isTerminal(r.Result) && r.Result != resultMissed }, func(r *Read) {
			b.Reads = append(b.Reads, Read{Asked: r.At.Add(time.Millisecond), At: r.At.Add(time.Second), JobID: r.JobID, ID: r.ID, Result: resultRunning})
		})
	}},
	{name: "a read record is gone", want: RecordVanished, mutate: func(b *breaker) bool {
		return b.onRead(func(r *Read) bool {
			return isTerminal(r.Result) && slices.ContainsFunc(b.Records, func(o Record) bool { return o.ID == r.ID })
		}, func(r *Read) {
			b.Records = slices.DeleteFunc(b.Records, func(o Record) bool { return o.ID == r.ID })
		})
	}},
	{name: "hashes differ", want: HashesDiffer, mutate: func(b *breaker) bool {
		b.Hashes[1].Hash = "bb"
		return true
	}},
	{name: "an older version", want: WriteLost, mutate: func(b *breaker) bool {
		for i := range b.Jobs {
			j := b.run.byID[b.Jobs[i].ID]
			n := len(j.ops) - 1
			last := slices.IndexFunc(j.ops, func(op *Op) bool { return op.Outcome == OK && op.Version == b.Jobs[i].Version })
			if last >= 0 && last <= n && b.Jobs[i].Version > 1 {
				b.Jobs[i].Version--
				return true
			}
		}
		return false
	}},
	{name: "a schedule that is none", want: BadSchedule, mutate: func(b *breaker) bool {
		for i := range b.Ops {
			if op := &b.Ops[i]; op.Kind == OpCreate && op.Outcome == OK {
				op.Change.Cron, op.Change.IntervalSeconds = pointer("61 * * * *"), nil
				return true
			}
		}
		return false
	}},
	{name: "a request of no job", want: PhantomDelivery, mutate: func(b *breaker) bool {
		b.Deliveries = append(b.Deliveries, Delivery{JobID: "job_x", Execution: "ex_x", WebhookID: "ex_x", Trigger: triggerScheduled, Attempt: 1, Arrived: b.Ended, ScheduledAt: b.Ended})
		return !slices.ContainsFunc(b.run.jobs, func(j *job) bool { return j.final == nil && j.id == "" })
	}},
}

// isPlain reports whether a record is of a slot that was surely due, and was
// executed once, with success.
func (b *breaker) isPlain(r *Record) bool {
	x := b.run.executions[r.ID]
	if r.Trigger != triggerScheduled || r.Result != resultSuccess || r.ScheduledAt.After(b.Settled) || x == nil || x.job == nil || x.record == nil {
		return false
	}
	_, isDue := x.job.timeline.duty(r.ScheduledAt, r.ScheduledAt)
	return isDue && !x.job.isCut(r.ScheduledAt) && b.run.shadows.tolerance(r.ScheduledAt) == b.run.limits.ClockTolerance
}

// isCalm reports whether no fault keeps a node from closing connections.
func (b *breaker) isCalm(t time.Time) bool {
	from, to := t.Add(-time.Second), t.Add(5*time.Second)
	return !b.run.shadows.frozen[""].touches(from, to) && !b.run.shadows.severed[""].touches(from, to)
}

func (b *breaker) slotRecord() *Record { return b.record(b.isPlain) }

// record is any that is as asked for; nil if there is none.
func (b *breaker) record(is func(*Record) bool) *Record {
	for _, i := range b.rng.Perm(len(b.Records)) {
		if is(&b.Records[i]) {
			return &b.Records[i]
		}
	}
	return nil
}

func (b *breaker) onRecord(r *Record, do func(*Record)) bool {
	if r != nil {
		do(r)
	}
	return r != nil
}

func (b *breaker) dropRecord(r *Record) bool {
	if r != nil {
		id := r.ID
		b.Records = slices.DeleteFunc(b.Records, func(o Record) bool { return o.ID == id })
	}
	return r != nil
}

func (b *breaker) addCopy(r *Record, change func(*Record)) bool {
	if r == nil {
		return false
	}
	other := *r
	change(&other)
	b.Records = append(b.Records, other)
	return true
}

func (b *breaker) deliveriesOf(r *Record) []*Delivery { return b.run.executions[r.ID].deliveries }

// onDelivery changes the request that a record ended with.
func (b *breaker) onDelivery(r *Record, do func(*Delivery)) bool {
	if r == nil {
		return false
	}
	i := slices.IndexFunc(b.Deliveries, func(d Delivery) bool { return d.Execution == r.ID && d.Attempt == r.Attempt })
	do(&b.Deliveries[i])
	return true
}

func (b *breaker) addDelivery(r *Record, change func(*Delivery)) bool {
	return b.onDelivery(r, func(d *Delivery) {
		other := *d
		change(&other)
		b.Deliveries = append(b.Deliveries, other)
	})
}

func (b *breaker) onRead(is func(*Read) bool, do func(*Read)) bool {
	for _, i := range b.rng.Perm(len(b.Reads)) {
		r := b.Reads[i]
		if is(&r) {
			do(&b.Reads[i])
			return true
		}
	}
	return false
}

// TestCheck_SeededFaults breaks each promise in several runs.
func TestCheck_SeededFaults(t *testing.T) {
	t.Parallel()
	for _, s := range seededFaults {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if s.mutate != nil {
				checkMutation(t, s)
			} else {
				checkBug(t, s)
			}
		})
	}
}

// wanted is in how many runs each broken promise has to be found.
const wanted = 3

// checkBug wants the toy's bug to be found in several of the runs in which it had
// an effect. Not every effect can be told from what is excused.
func checkBug(t *testing.T, s seeded) {
	t.Helper()
	found, hit := 0, 0
	for seed := uint64(1); found < wanted && seed <= 40; seed++ {
		toy := playToy(seed, 10, 2*time.Minute, s.name)
		if s.name == "plans early" || s.name == "gives up soon" {
			toy.hits = 1 // all the time
		}
		if toy.hits == 0 {
			continue
		}
		hit++
		report := Check(toy.h, toyLimits(toy))
		if report.Counts[s.want] > 0 {
			found++
		}
	}
	if found < wanted {
		t.Errorf("found as %q in %d of %d runs", s.want, found, hit)
	}
}

// checkMutation wants what was done to a history to be found each time.
func checkMutation(t *testing.T, s seeded) {
	t.Helper()
	found := 0
	for seed := uint64(1); found < wanted && seed <= 40; seed++ {
		toy := playToy(seed, 6, 90*time.Second, "")
		limits := toyLimits(toy)
		if limits.HistoryPerJob > 0 {
			continue // nobody knows what else is gone
		}
		b := &breaker{History: &toy.h, rng: toy.rng, run: newRun(&toy.h, limits.withDefaults())}
		if !s.mutate(b) {
			continue
		}
		report := Check(toy.h, limits)
		if report.Counts[s.want] == 0 {
			t.Errorf("seed %d: not found as %q:\n%s", seed, s.want, report.String())
			return
		}
		found++
	}
	if found < wanted {
		t.Errorf("there was something to break in %d runs", found)
	}
}

// TestKinds_EachIsSeeded wants a seeded fault for each kind of violation.
func TestKinds_EachIsSeeded(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds {
		if !slices.ContainsFunc(seededFaults, func(s seeded) bool { return s.want == kind }) {
			t.Errorf("no seeded fault breaks the promise of %q", kind)
		}
	}
}
