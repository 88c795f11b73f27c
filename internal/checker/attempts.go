package checker

import (
	"slices"
	"time"
)

// maxAttempts is how many attempts a record keeps, the newest.
const maxAttempts = 60

// endedByItself reports whether an attempt failed and counts against the retries.
func (a *Attempt) endedByItself() bool {
	return a.ErrorCode != "" && a.ErrorCode != errNodeLost && a.ErrorCode != errCancelled
}

// attempt is the record of an attempt by its number; nil if there is none.
func (x *execution) attempt(number int) *Attempt {
	i := slices.IndexFunc(x.record.Attempts, func(a Attempt) bool { return a.Number == number })
	if i < 0 {
		return nil
	}
	return &x.record.Attempts[i]
}

// request is the first request of an attempt; nil if there is none.
func (x *execution) request(number int) *Delivery {
	for _, d := range x.deliveries {
		if d.Attempt == number {
			return d
		}
	}
	return nil
}

// checkAttempts compares the requests of an execution with the attempts that its
// record has, and both with the job's retries and guarantee.
func (r *run) checkAttempts(x *execution) {
	r.checkTwice(x)
	if x.record == nil {
		return
	}
	r.checkNumbers(x)
	r.checkDuplicates(x)
	r.checkRetries(x)
	r.checkLosses(x)
	for i := range x.record.Attempts {
		a := &x.record.Attempts[i]
		r.checkAnswer(x, a)
		if i > 0 {
			r.checkPause(x, &x.record.Attempts[i-1], a)
		}
	}
}

// checkTwice wants each attempt to be requested once at most.
func (r *run) checkTwice(x *execution) {
	seen := map[int]bool{}
	for _, d := range x.deliveries {
		if seen[d.Attempt] {
			r.report.Stats.DoubledUnexcused++
			r.violate(SameAttemptTwice, x.job, x, x.slot(), "attempt %d came again at %s", d.Attempt, clock(d.Arrived))
			if r.isSurely(x, atMostOnce) {
				r.violate(AtMostOnceBroken, x.job, x, x.slot(), "attempt %d came again at %s", d.Attempt, clock(d.Arrived))
			}
		}
		seen[d.Attempt] = true
	}
}

// isSurely reports whether the job had the guarantee as long as the execution
// was open.
func (r *run) isSurely(x *execution, guarantee string) bool {
	tolerance := r.limits.ClockTolerance
	return x.job.timeline.all(x.slot().Add(-tolerance), r.lastSeen(x).Add(tolerance), func(s *state) bool { return s.guarantee == guarantee })
}

// checkNumbers wants attempts to be numbered without gaps, and requests to have
// the numbers of attempts. One that is under way, or was aborted, need not be
// recorded yet.
func (r *run) checkNumbers(x *execution) {
	attempts := x.record.Attempts
	for i, a := range attempts {
		if first := attempts[0].Number; a.Number != first+i || first != 1 && len(attempts) < maxAttempts {
			r.violate(AttemptGap, x.job, x, x.slot(), "the record has attempt %d in place %d", a.Number, i+1)
			return
		}
	}
	if !isTerminal(x.record.Result) {
		return
	}
	last := len(attempts)
	if last > 0 {
		last = attempts[last-1].Number
	}
	if x.record.Result == resultCancelled {
		last++
	}
	for _, d := range x.deliveries {
		if d.Attempt < 1 || d.Attempt > last {
			r.violate(UnknownAttempt, x.job, x, x.slot(), "a request came with attempt %d, and the record ends with %d", d.Attempt, last)
		}
	}
}

// checkDuplicates counts the further requests that are no retries: they are
// excused only if the attempt before was lost with its node.
func (r *run) checkDuplicates(x *execution) {
	if !isTerminal(x.record.Result) {
		return
	}
	for _, d := range x.deliveries {
		before := x.attempt(d.Attempt - 1)
		switch {
		case d.Attempt <= 1 || x.request(d.Attempt) != d: // the same one again counts elsewhere
		case before == nil:
			if len(x.record.Attempts) < maxAttempts {
				r.report.Stats.DoubledUnexcused++
				r.violate(DuplicateUnexcused, x.job, x, x.slot(), "attempt %d came, and the record has none before it", d.Attempt)
			}
		case before.endedByItself():
		case before.ErrorCode == errNodeLost:
			if x.request(before.Number) != nil {
				r.report.Stats.DoubledExcused++
			}
		default:
			r.report.Stats.DoubledUnexcused++
			r.violate(DuplicateUnexcused, x.job, x, x.slot(), "attempt %d came, and the one before was neither lost nor failed", d.Attempt)
		}
	}
}

// checkRetries wants no attempt after one that ended the execution, and not more
// failures than the retries allow.
func (r *run) checkRetries(x *execution) {
	attempts, failed, lost := x.record.Attempts, 0, 0
	for i := range attempts {
		a := &attempts[i]
		if isLast := i+1 == len(attempts); !isLast && !a.endedByItself() && a.ErrorCode != errNodeLost {
			r.violate(RetryAfterEnd, x.job, x, x.slot(), "attempt %d ended the execution, and there are %d", a.Number, len(attempts))
		}
		if a.endedByItself() {
			failed++
		}
		if a.ErrorCode == errNodeLost {
			lost++
		}
	}
	retries, _, ok := x.job.timeline.bounds(x.slot().Add(-r.limits.ClockTolerance), r.lastSeen(x), func(s *state) int { return s.retries })
	if !ok || len(attempts) >= maxAttempts {
		return
	}
	numbers := map[int]bool{}
	for _, d := range x.deliveries {
		numbers[d.Attempt] = true
	}
	if failed > retries+1 || len(numbers) > retries+1+lost && isTerminal(x.record.Result) {
		r.violate(TooManyAttempts, x.job, x, x.slot(), "%d failures and %d requested attempts, with %d retries and %d lost", failed, len(numbers), retries, lost)
	}
}

// checkLosses asks whether attempts that are recorded as lost may have been, and
// what came of it.
func (r *run) checkLosses(x *execution) {
	for i := range x.record.Attempts {
		a := &x.record.Attempts[i]
		if a.ErrorCode != errNodeLost {
			continue
		}
		r.report.Stats.Lost++
		wasRequested := !a.StartedAt.IsZero() || x.request(a.Number) != nil
		if wasRequested && !r.shadows.slow.touches(x.slot(), r.lastSeen(x)) {
			r.violate(LossUnexcused, x.job, x, x.slot(), "attempt %d was lost with %s, and no fault was near", a.Number, a.Node)
		}
		isRepeated := i+1 < len(x.record.Attempts) || x.request(a.Number+1) != nil
		if wasRequested && isRepeated && r.isSurely(x, atMostOnce) {
			r.violate(AtMostOnceBroken, x.job, x, x.slot(), "attempt %d was requested and lost, and there was another", a.Number)
		}
	}
}

// checkAnswer compares what an attempt was answered with what the target says.
func (r *run) checkAnswer(x *execution, a *Attempt) {
	if a.HTTPStatus == 0 {
		return
	}
	d := x.request(a.Number)
	switch {
	case d == nil:
		r.violate(NoDelivery, x.job, x, x.slot(), "attempt %d was answered %d, and the target saw no such request", a.Number, a.HTTPStatus)
	case d.Status != 0 && d.Status != a.HTTPStatus:
		r.violate(WrongResult, x.job, x, x.slot(), "attempt %d was answered %d, and its record says %d", a.Number, d.Status, a.HTTPStatus)
	}
}

// checkPause wants a retry to come after its delay. The end of an attempt is told
// by the target that answered it, or else by the node.
func (r *run) checkPause(x *execution, a, b *Attempt) {
	if !a.endedByItself() || b.ErrorCode == errCancelled && b.StartedAt.IsZero() {
		return
	}
	var ended, began time.Time
	if !a.StartedAt.IsZero() {
		ended = a.StartedAt.Add(time.Duration(a.DurationMs) * time.Millisecond)
	}
	if d := x.request(a.Number); d != nil && d.Status != 0 {
		ended = d.Ended
	}
	began = b.StartedAt
	if d := x.request(b.Number); d != nil {
		began = d.Arrived
	}
	if ended.IsZero() || began.IsZero() {
		return
	}
	tolerance := r.shadows.toleranceIn(x.slot(), began)
	_, delay, ok := x.job.timeline.bounds(ended.Add(-tolerance), began, func(s *state) int { return s.retrySeconds })
	if pause := began.Sub(ended); ok && pause < seconds(delay)-tolerance {
		r.violate(RetryTooSoon, x.job, x, x.slot(), "attempt %d came %v after the failure of %d, the delay is %d s", b.Number, pause, a.Number, delay)
	}
}
