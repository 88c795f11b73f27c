package checker

import (
	"slices"
	"strings"
	"testing"
)

// outage is without a majority, from second 25 to 62 of a story.
func (s *story) outage() { s.fault(FaultKill, 25, 62, "n1", "n2") }

// manual adds a run that a person asked for; op tells what was answered.
func (s *story) manual(id string, at float64) (op *Op) {
	s.addSuccess("job_1", id, second(at))
	s.Records[len(s.Records)-1].Trigger, s.Deliveries[len(s.Deliveries)-1].Trigger = triggerManual, triggerManual
	run := wrote(OpRun, at-0.01, 0, Change{})
	run.Execution = id
	s.Ops = append(s.Ops, *run)
	return &s.Ops[len(s.Ops)-1]
}

// fail makes the only attempt of a slot fail.
func (s *story) fail(at int, code string, status int) {
	r, d := s.record(at), s.request(at, 0)
	r.Result, r.ErrorCode, r.HTTPStatus, d.Status = resultFailed, code, status, status
	r.Attempts[0].ErrorCode, r.Attempts[0].HTTPStatus = code, status
}

func (s *story) dropRequests(at int) {
	s.Deliveries = slices.DeleteFunc(s.Deliveries, func(d Delivery) bool { return d.Execution == executionOf(at) })
}

// TestCheck_BrokenStories tells of one broken promise each, which has to be found
// for the right reason.
func TestCheck_BrokenStories(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change Change
		tell   func(*story)
		want   Kind
		text   string
	}{
		"a further attempt without the one before": {Change{}, func(s *story) {
			s.request(50, 0).Attempt = 2
			s.record(50).Attempts[0].Number, s.record(50).Attempt = 2, 2
		}, DuplicateUnexcused, "the record has none before it"},
		"an answer that nobody gave": {Change{Retries: pointer(1), RetrySeconds: pointer(1)}, func(s *story) {
			failed := Attempt{Number: 1, Node: "n1", StartedAt: second(48), DurationMs: 5, HTTPStatus: 500, ErrorCode: "HTTP_STATUS"}
			s.request(50, 0).Attempt = 2
			s.record(50).Attempts[0].Number, s.record(50).Attempt = 2, 2
			s.record(50).Attempts = append([]Attempt{failed}, s.record(50).Attempts...)
		}, NoDelivery, "attempt 1 was answered 500"},
		"an attempt after one that was aborted": {Change{}, func(s *story) {
			r := s.record(50)
			r.Attempts = append([]Attempt{{Number: 1, Node: "n1", ErrorCode: errCancelled}}, r.Attempts...)
			r.Attempts[1].Number, s.request(50, 0).Attempt = 2, 2
		}, RetryAfterEnd, "attempt 1 ended the execution"},
		"an attempt after the success": {Change{}, func(s *story) {
			again := *s.request(50, 0)
			again.Attempt = 2
			s.Deliveries = append(s.Deliveries, again)
		}, UnknownAttempt, "attempt 2, and the record ends with 1"},
		"an attempt without a number": {Change{}, func(s *story) {
			again := *s.request(50, 0)
			again.Attempt = 0
			s.Deliveries = append(s.Deliveries, again)
		}, UnknownAttempt, "attempt 0"},
		"a lost AT_MOST_ONCE attempt that only its node knows of": {Change{Guarantee: pointer(atMostOnce)}, func(s *story) {
			s.fault(FaultKill, 49, 58, "n1")
			s.lose(50, "n1", 50.5, 52)
			s.record(50).Attempts[0].StartedAt = second(50)
			s.Deliveries = slices.DeleteFunc(s.Deliveries, func(d Delivery) bool { return d.Execution == executionOf(50) && d.Attempt == 1 })
		}, AtMostOnceBroken, "attempt 1 was requested and lost"},
		"a lost AT_MOST_ONCE attempt that the record ends with": {Change{Guarantee: pointer(atMostOnce)}, func(s *story) {
			s.fault(FaultKill, 49, 58, "n1")
			s.lose(50, "n1", 50.5, 52)
			r := s.record(50)
			r.Result, r.ErrorCode, r.Attempts = resultFailed, errNodeLost, r.Attempts[:1]
		}, AtMostOnceBroken, "attempt 1 was requested and lost"},
		"a lost AT_MOST_ONCE attempt with another that nobody saw": {Change{Guarantee: pointer(atMostOnce)}, func(s *story) {
			s.fault(FaultKill, 49, 58, "n1")
			s.lose(50, "n1", 50.5, 52)
			r := s.record(50)
			r.Result, r.ErrorCode, r.Attempts[1].HTTPStatus, r.Attempts[1].ErrorCode = resultFailed, "CONNECT", 0, "CONNECT"
			s.Deliveries = slices.DeleteFunc(s.Deliveries, func(d Delivery) bool { return d.Execution == executionOf(50) && d.Attempt == 2 })
		}, AtMostOnceBroken, "attempt 1 was requested and lost"},
		"a retry too soon that only nodes know of": {Change{Retries: pointer(1)}, func(s *story) {
			s.fail(50, "CONNECT", 0)
			s.dropRequests(50)
			r := s.record(50)
			r.Attempts = append(r.Attempts, r.Attempts[0])
			r.Attempts[1].Number, r.Attempt, r.Attempts[1].StartedAt = 2, 2, second(55)
		}, RetryTooSoon, "the delay is 10 s"},
		"more failures than retries": {Change{RetrySeconds: pointer(0)}, func(s *story) {
			s.fail(50, "CONNECT", 0)
			s.dropRequests(50)
			r := s.record(50)
			r.Attempts = append(r.Attempts, r.Attempts[0])
			r.Attempts[1].Number, r.Attempt = 2, 2
		}, TooManyAttempts, "2 failures and 0 requested attempts, with 0 retries and 0 lost"},
		"more requests than retries": {Change{RetrySeconds: pointer(0)}, func(s *story) {
			r := s.record(50)
			again := *s.request(50, 0)
			again.Attempt, again.Arrived, again.Ended = 2, second(50.5), second(50.52)
			s.Deliveries = append(s.Deliveries, again)
			r.Attempts = append(r.Attempts, r.Attempts[0])
			r.Attempts[0].ErrorCode, r.Attempts[0].HTTPStatus = "TIMEOUT", 0
			r.Attempts[1].Number, r.Attempt = 2, 2
			r.Attempts[1].StartedAt = second(50.5)
		}, TooManyAttempts, "1 failures and 2 requested attempts, with 0 retries and 0 lost"},
		"a request for another job": {Change{}, func(s *story) { s.request(50, 0).JobID = "job_2" }, PhantomDelivery, "names the job job_2"},
		"a request after the delete": {Change{}, func(s *story) {
			s.Ops[0].JobID = "job_1"
			s.Ops = append(s.Ops, *wrote(OpDelete, 115, 0, Change{}))
			s.Jobs, s.Records = nil, nil
			s.drop(120, 120)
			s.request(110, 0).Arrived, s.request(110, 0).Ended = second(117), second(117.1)
		}, FiredAfterDelete, "after the delete was acknowledged"},
		"a slot after the delete": {Change{}, func(s *story) {
			s.Ops[0].JobID = "job_1"
			s.Ops = append(s.Ops, *wrote(OpDelete, 115, 0, Change{}))
			s.Jobs, s.Records = nil, nil
		}, FiredAfterDelete, "after the job's end"},
		"a skipped slot that was requested": {Change{}, func(s *story) {
			d := *s.request(60, 0)
			s.skip(60, 60)
			s.Deliveries = append(s.Deliveries, d)
		}, WrongResult, "SKIPPED, and requested"},
		"a success without attempts": {Change{}, func(s *story) { s.record(50).Attempts = nil }, NoDelivery, "SUCCESS without an attempt"},
		"a success that failed": {Change{}, func(s *story) {
			s.record(50).Attempts[0].HTTPStatus, s.request(50, 0).Status = 500, 500
		}, WrongResult, "SUCCESS, and the last attempt ended with status 500"},
		"a success that nobody saw": {Change{}, func(s *story) {
			s.dropRequests(50)
			s.record(50).Attempts[0].HTTPStatus = 0
		}, NoDelivery, "which the target did not see"},
		"a failure that succeeded": {Change{}, func(s *story) { s.record(50).Result = resultFailed }, WrongResult, "FAILED, and the last attempt succeeded"},
		"a failure that nobody tried": {Change{}, func(s *story) {
			s.dropRequests(50)
			s.record(50).Result, s.record(50).Attempts = resultFailed, nil
		}, AtLeastOnceBroken, "the target saw none"},
		"a failure by the loss of a node": {Change{}, func(s *story) {
			s.fail(50, errNodeLost, 0)
			s.fault(FaultKill, 50, 55, "n1")
		}, AtLeastOnceBroken, "given up because a node was lost"},
		"a slot that is too old to catch up on": {Change{CatchupSeconds: pointer(5)}, func(s *story) {
			s.miss(30, 40, 74)
			s.catchUp(50, 74)
			s.skip(50, 74)
			s.miss(60, 70, 74)
			s.fault(FaultKill, 25, 73, "n1", "n2")
		}, MisfireBroken, "with a window of 5 s"},
		"not the latest slot": {Change{}, func(s *story) {
			s.outage()
			s.miss(30, 40, 63)
			s.catchUp(50, 63)
			s.catchUp(60, 63.5)
		}, MisfireBroken, "though the next one"},
		"one slot after the other in one outage": {Change{IntervalSeconds: pointer(30)}, func(s *story) {
			s.Records, s.Deliveries = nil, nil
			for _, at := range []int{30, 60, 90, 120} {
				s.addSuccess("job_1", executionOf(at), second(float64(at)))
			}
			s.fault(FaultKill, 35, 119, "n1", "n2")
			s.catchUp(60, 119.4)
			s.catchUp(90, 119.5)
		}, MisfireBroken, "in one outage"},
		"the oldest slot": {Change{}, func(s *story) {
			s.outage()
			s.catchUp(30, 63)
			s.miss(40, 60, 63)
		}, MisfireBroken, "did not fire the latest slot"},
		"a slot that SKIP fires": {Change{Misfire: pointer(misfireSkip)}, func(s *story) {
			s.outage()
			s.miss(30, 50, 63)
			s.catchUp(60, 63)
		}, MisfireBroken, "SKIP fired a late slot"},
		"a slot that FIRE_ALL gives up": {Change{Misfire: pointer(misfireFireAll)}, func(s *story) {
			s.outage()
			s.miss(30, 50, 63)
			s.catchUp(60, 63)
		}, MisfireBroken, "FIRE_ALL gave up"},
		"FIRE_ALL in disorder": {Change{Misfire: pointer(misfireFireAll)}, func(s *story) {
			s.outage()
			s.catchUp(30, 63)
			s.catchUp(40, 64)
			s.catchUp(50, 63.5)
			s.catchUp(60, 65)
		}, MisfireBroken, "before the older one"},
		"two attempts of one execution at once": {Change{Overlap: pointer(overlapAllow)}, func(s *story) {
			s.fault(FaultKill, 49, 58, "n1")
			s.lose(50, "n1", 53, 52)
		}, Overlap, "while attempt 1 of ex_50 was open"},
		"an execution between the attempts of another": {Change{Retries: pointer(1), RetrySeconds: pointer(12)}, func(s *story) {
			r, d := s.record(50), s.request(50, 0)
			again := *d
			again.Attempt, again.Arrived, again.Ended = 2, second(62.1), second(62.12)
			s.Deliveries = append(s.Deliveries, again)
			r.Attempts = append(r.Attempts, r.Attempts[0])
			r.Attempts[0].HTTPStatus, r.Attempts[0].ErrorCode = 500, "HTTP_STATUS"
			s.request(50, 0).Status = 500
			r.Attempts[1].Number, r.Attempts[1].StartedAt, r.Attempt, r.FinishedAt = 2, second(62.1), 2, second(62.12)
		}, Overlap, "between requests of"},
		"a result that is another at the end": {Change{}, func(s *story) {
			s.Reads = []Read{{At: second(51), ID: executionOf(50), Result: resultFailed}}
		}, ResultChanged, "SUCCESS at the end"},
		"a result that is another one in between": {Change{}, func(s *story) {
			s.Reads = []Read{{At: second(51), ID: executionOf(50), Result: resultSuccess}, {At: second(52), ID: executionOf(50), Result: resultFailed}}
		}, ResultChanged, "SUCCESS at 2026-03-26T16:00:51.000Z, and FAILED at"},
		"a gap that is gone": {Change{}, func(s *story) {
			s.Reads = []Read{{At: second(51), JobID: "job_1", ID: "ex_gap", Result: resultMissed}}
		}, RecordVanished, "the gap ex_gap"},
		"a run that was answered with nothing": {Change{}, func(s *story) { s.manual("ex_run", 55).Execution = "" }, RunLost, "without an execution"},
		"a run that was answered with a slot":  {Change{}, func(s *story) { s.manual("ex_run", 55).Execution = executionOf(50) }, RunLost, "not its own"},
		"a run of no job":                      {Change{}, func(s *story) { s.manual("ex_run", 55).Job = "other" }, RunLost, "not its own"},
		"a trigger that is none": {Change{}, func(s *story) {
			s.record(50).Trigger, s.request(50, 0).Trigger = "WHIM", "WHIM"
		}, WrongTrigger, `the trigger is "WHIM"`},
		"two gaps in one": {Change{}, func(s *story) {
			s.outage()
			s.miss(30, 50, 63)
			s.miss(40, 50, 63)
			s.catchUp(60, 63)
		}, DoubledSlot, "overlap"},
		"skipped by a policy that never skips": {Change{Overlap: pointer(overlapAllow)}, func(s *story) { s.skip(60, 60) }, SkippedUnexcused, "never skips"},
		"skipped while nobody waited": {Change{Overlap: pointer(overlapBufferOne)}, func(s *story) {
			s.request(50, 0).Ended = second(60.5)
			s.skip(60, 60)
		}, SkippedUnexcused, "none waited"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(tt.change)
			tt.tell(s)
			report := Check(s.History, Limits{})
			isWanted := func(v Violation) bool { return v.Kind == tt.want && strings.Contains(v.Text, tt.text) }
			if !slices.ContainsFunc(report.Violations, isWanted) {
				t.Errorf("no %q that says %q:\n%s", tt.want, tt.text, report.String())
			}
		})
	}
}
