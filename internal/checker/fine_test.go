package checker

import (
	"slices"
	"testing"
)

// TestCheck_FineStories tells what looks odd and is right.
func TestCheck_FineStories(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change Change
		tell   func(*story)
	}{
		"a record that keeps its newest attempts": {Change{RetrySeconds: pointer(0)}, func(s *story) {
			s.fault(FaultKill, 49, 60, "n1")
			r := s.record(50)
			last := r.Attempts[0]
			r.Attempts = nil
			for number := 5; number < 64; number++ {
				r.Attempts = append(r.Attempts, Attempt{Number: number, Node: "n1", ErrorCode: errNodeLost})
			}
			last.Number, r.Attempt, s.request(50, 0).Attempt = 64, 64, 64
			r.Attempts = append(r.Attempts, last)
			first := *s.request(50, 0)
			first.Attempt, first.Status, first.Ended = 4, 0, first.Arrived
			s.Deliveries = append(s.Deliveries, first)
		}},
		"a cancelled attempt that is not recorded yet": {Change{}, func(s *story) {
			r, d := s.record(110), s.request(110, 0)
			r.Result, r.ErrorCode, r.Attempts, r.FinishedAt = resultCancelled, errCancelled, nil, second(110.1)
			d.Status, d.Ended = 0, second(110.2)
			cancel := wrote(OpCancel, 110.09, 0, Change{})
			cancel.Execution = r.ID
			s.Ops = append(s.Ops, *cancel)
		}},
		"as many attempts as nodes were lost": {Change{}, func(s *story) {
			s.fault(FaultKill, 49, 58, "n1")
			s.lose(50, "n1", 50.5, 52)
			r := s.record(50)
			third := *s.request(50, 1)
			third.Attempt, third.Arrived, third.Ended = 3, second(54), second(54.02)
			s.request(50, 1).Status, s.request(50, 1).Ended = 0, second(52.5)
			s.Deliveries = append(s.Deliveries, third)
			r.Attempts[1].ErrorCode, r.Attempts[1].HTTPStatus = errNodeLost, 0
			r.Attempts = append(r.Attempts, Attempt{Number: 3, Node: "n2", StartedAt: second(54), DurationMs: 20, HTTPStatus: 200})
			r.Attempt, r.FinishedAt = 3, second(54.02)
		}},
		"an AT_MOST_ONCE attempt that was lost before it was requested": {Change{Guarantee: pointer(atMostOnce)}, func(s *story) {
			s.fault(FaultKill, 49, 58, "n1")
			s.lose(50, "n1", 50.5, 52)
			s.Deliveries = slices.DeleteFunc(s.Deliveries, func(d Delivery) bool { return d.Execution == executionOf(50) && d.Attempt == 1 })
		}},
		"an AT_MOST_ONCE attempt that was lost and is the last": {Change{Guarantee: pointer(atMostOnce)}, func(s *story) {
			s.fault(FaultKill, 49, 58, "n1")
			s.lose(50, "n1", 50.5, 52)
			r := s.record(50)
			r.Result, r.ErrorCode, r.Attempts, r.Attempt = resultFailed, errNodeLost, r.Attempts[:1], 1
			s.Deliveries = slices.DeleteFunc(s.Deliveries, func(d Delivery) bool { return d.Execution == executionOf(50) && d.Attempt == 2 })
		}},
		"a target that the answer did not leave": {Change{}, func(s *story) { s.request(50, 0).Status = 0 }},
		"a retry that was cancelled before it began": {Change{Retries: pointer(1)}, func(s *story) {
			s.fail(50, "HTTP_STATUS", 500)
			r := s.record(50)
			r.Attempts = append(r.Attempts, Attempt{Number: 2, Node: "n2", ErrorCode: errCancelled})
			r.Result, r.ErrorCode, r.Attempt, r.FinishedAt = resultCancelled, errCancelled, 2, second(51)
			cancel := wrote(OpCancel, 50.99, 0, Change{})
			cancel.Execution = r.ID
			s.Ops = append(s.Ops, *cancel)
		}},
		"a retry after a lost one": {Change{Retries: pointer(1)}, func(s *story) {
			s.fault(FaultKill, 49, 69, "n2")
			s.fail(50, "HTTP_STATUS", 500)
			s.skip(60, 60)
			r := s.record(50)
			again := *s.request(50, 0)
			again.Attempt, again.Arrived, again.Ended, again.Status = 3, second(69), second(69.02), 200
			s.Deliveries = append(s.Deliveries, again)
			r.Attempts = append(r.Attempts, Attempt{Number: 2, Node: "n2", ErrorCode: errNodeLost},
				Attempt{Number: 3, Node: "n1", StartedAt: second(69), DurationMs: 20, HTTPStatus: 200})
			r.Result, r.ErrorCode, r.Attempt, r.FinishedAt = resultSuccess, "", 3, second(69.02)
		}},
		"an execution that is open because it came last": {Change{}, func(s *story) {
			s.Settled = second(115)
			s.lose(120, "n1", 120.5, 121)
			r := s.record(120)
			r.Result, r.Attempts, r.Attempt = resultRunning, nil, 1
		}},
		"an execution without a record that came after all was read": {Change{}, func(s *story) {
			s.Settled = second(115)
			s.Records = s.Records[:len(s.Records)-1]
		}},
		"a run beside a slot that waits for an abort": {Change{Overlap: pointer(overlapCancelPrevious)}, func(s *story) {
			r, d := s.record(50), s.request(50, 0)
			r.Result, r.ErrorCode, r.FinishedAt, r.HTTPStatus = resultCancelled, "OVERLAP", second(60), 0
			r.Attempts[0].ErrorCode, r.Attempts[0].HTTPStatus = errCancelled, 0
			d.Ended, d.Status = second(60.6), 0
			s.manual("ex_run", 60.2).Overlap = overlapAllow
			s.Deliveries[len(s.Deliveries)-1].Ended = second(62)
			s.request(60, 0).Arrived, s.request(60, 0).Ended = second(60.7), second(60.8)
		}},
		"two requests of an execution that stood still": {Change{Overlap: pointer(overlapAllow)}, func(s *story) {
			s.fault(FaultPause, 50.01, 62.9, "n1")
			s.lose(50, "n1", 63, 60.5)
			s.request(50, 1).Ended = second(62)
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(tt.change)
			tt.tell(s)
			if report := Check(s.History, Limits{}); !report.OK() {
				t.Error(report.String())
			}
		})
	}
}

func TestStats_Doubled(t *testing.T) {
	t.Parallel()
	s := newStory(Change{})
	s.fault(FaultKill, 49, 58, "n1")
	s.lose(50, "n1", 50.5, 52)
	s.Deliveries = append(s.Deliveries, *s.request(50, 1))
	got := Check(s.History, Limits{}).Stats
	if got.DoubledExcused != 1 || got.DoubledUnexcused != 1 {
		t.Errorf("doubled %d excused, %d not; want one each: a further request after a loss, and the same again", got.DoubledExcused, got.DoubledUnexcused)
	}
}
