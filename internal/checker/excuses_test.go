package checker

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// story is a run of one job that is told by hand: due every ten seconds for two
// minutes, requested at once, and answered after 20 ms, but for what the test
// changes.
type story struct{ History }

func newStory(change Change) *story {
	if change.IntervalSeconds == nil {
		change.IntervalSeconds = pointer(10)
	}
	s := &story{History{Name: "story", Began: storyBegan, Nodes: []string{"n1", "n2", "n3"}, Settled: second(120), Ended: second(125)}}
	s.Ops = []Op{*wrote(OpCreate, 1, 1, change)}
	s.Jobs = []Final{*finally(1, stateActive)}
	s.Jobs[0].CreatedAt = second(1.01)
	for at := 10; at <= 120; at += 10 {
		s.addSuccess("job_1", executionOf(at), second(float64(at)))
	}
	return s
}

func executionOf(at int) string { return fmt.Sprintf("ex_%d", at) }

// record is that of a slot.
func (s *story) record(at int) *Record {
	i := slices.IndexFunc(s.Records, func(r Record) bool { return r.ID == executionOf(at) })
	return &s.Records[i]
}

// request is the n-th of a slot, from 0.
func (s *story) request(at, n int) *Delivery {
	for i := range s.Deliveries {
		if s.Deliveries[i].Execution == executionOf(at) {
			if n == 0 {
				return &s.Deliveries[i]
			}
			n--
		}
	}
	return nil
}

func (s *story) drop(from, to int) {
	for at := from; at <= to; at += 10 {
		s.Records = slices.DeleteFunc(s.Records, func(r Record) bool { return r.ID == executionOf(at) })
		s.Deliveries = slices.DeleteFunc(s.Deliveries, func(d Delivery) bool { return d.Execution == executionOf(at) })
	}
}

// miss makes a gap of slots, recorded at some second.
func (s *story) miss(from, to int, at float64) {
	s.drop(from, to)
	s.Records = append(s.Records, Record{
		ID: executionOf(from), JobID: "job_1", Trigger: triggerCatchup, ScheduledAt: second(float64(from)), FinishedAt: second(at), Result: resultMissed,
		MissedFrom: second(float64(from)), MissedTo: second(float64(to)), MissedCount: (to-from)/10 + 1,
	})
}

// catchUp makes the execution of a slot a late one.
func (s *story) catchUp(at int, began float64) {
	r, d := s.record(at), s.request(at, 0)
	r.Trigger, d.Trigger = triggerCatchup, triggerCatchup
	r.StartedAt, r.FinishedAt = second(began), second(began+0.02)
	r.Attempts[0].StartedAt = second(began)
	d.Arrived, d.Ended = second(began), second(began+0.02)
}

// lose makes the first attempt of a slot a lost one, open until a second, and
// adds the next one.
func (s *story) lose(at int, node string, until, again float64) {
	r, d := s.record(at), s.request(at, 0)
	d.Ended, d.Status, d.Node = second(until), 0, node
	next := *d
	next.Attempt, next.Arrived, next.Ended, next.Status, next.Node = 2, second(again), second(again+0.02), 200, "n2"
	s.Deliveries = append(s.Deliveries, next)
	r.Attempts = []Attempt{
		{Number: 1, Node: node, ErrorCode: errNodeLost},
		{Number: 2, Node: "n2", StartedAt: second(again), DurationMs: 20, HTTPStatus: 200},
	}
	r.Attempt, r.StartedAt, r.FinishedAt = 2, second(again), second(again+0.02)
}

func (s *story) skip(at int, decided float64) {
	r := s.record(at)
	s.Deliveries = slices.DeleteFunc(s.Deliveries, func(d Delivery) bool { return d.Execution == r.ID })
	*r = Record{ID: r.ID, JobID: r.JobID, Trigger: r.Trigger, ScheduledAt: r.ScheduledAt, FinishedAt: second(decided), Result: resultSkipped, ErrorCode: "OVERLAP"}
}

func (s *story) fault(kind FaultKind, from, to float64, nodes ...string) *Fault {
	s.Faults = append(s.Faults, Fault{Kind: kind, Nodes: nodes, From: second(from), To: second(to)})
	return &s.Faults[len(s.Faults)-1]
}

func (s *story) wrote(op *Op, final Final) {
	s.Ops = append(s.Ops, *op)
	final.CreatedAt = s.Jobs[0].CreatedAt
	s.Jobs[0] = final
}

// TestCheck_Excuses tells each story twice: as it may be, and without its excuse,
// or just beyond it.
func TestCheck_Excuses(t *testing.T) {
	t.Parallel()
	allow := Change{Overlap: pointer(overlapAllow)}
	majority := func(s *story, from, to float64) { s.fault(FaultKill, from, to, "n1", "n2") }
	tests := map[string]struct {
		change Change
		tell   func(*story)
		excuse func(*story)
		want   Kind // without the excuse
		limits Limits
	}{
		"slots missed without a majority": {
			tell:   func(s *story) { s.miss(30, 50, 63); s.catchUp(60, 63) },
			excuse: func(s *story) { majority(s, 25, 62) },
			want:   MissedUnexcused,
		},
		"slots missed while one node was down": {
			tell:   func(s *story) { s.miss(30, 50, 63); s.catchUp(60, 63); s.fault(FaultKill, 25, 62, "n1") },
			excuse: func(s *story) { s.fault(FaultPause, 25, 62, "n3") },
			want:   MissedUnexcused,
		},
		"a slot that an edit gave up": {
			change: Change{},
			tell:   func(s *story) { s.miss(30, 30, 30.2) },
			excuse: func(s *story) { s.wrote(wrote(OpUpdate, 30.19, 2, pausing), *finally(2, "PAUSED")); s.drop(40, 120) },
			want:   MissedUnexcused,
		},
		"a late request near a kill": {
			tell:   func(s *story) { s.request(50, 0).Arrived, s.request(50, 0).Ended = second(55), second(55.02) },
			excuse: func(s *story) { s.fault(FaultKill, 49, 56, "n1") },
			want:   TooLate,
			limits: Limits{MaxLateness: time.Second},
		},
		"a second request after a loss": {
			tell:   func(s *story) { s.lose(50, "n1", 51, 60); s.skip(60, 60) },
			excuse: func(s *story) { s.fault(FaultKill, 51, 56, "n1") },
			want:   LossUnexcused,
		},
		"two requests open, and the node of one stands still": {
			tell:   func(s *story) { s.lose(50, "n1", 63, 60.5); s.request(50, 1).Ended = second(62); s.skip(60, 60) },
			excuse: func(s *story) { s.fault(FaultPause, 50.01, 62.9, "n1") },
			want:   Overlap,
		},
		"two requests open after the node went on": {
			tell: func(s *story) {
				s.lose(50, "n1", 66, 60.5)
				s.request(50, 1).Ended = second(66)
				s.record(50).Attempts[1].DurationMs = 5500
				s.skip(60, 60)
			},
			excuse: func(s *story) { s.fault(FaultPause, 50.01, 66, "n1") },
			want:   Overlap,
		},
		"two requests open, and one cannot be closed": {
			tell: func(s *story) {
				s.lose(50, "n1", 75, 60.5)
				s.request(50, 1).Ended = second(62)
				s.skip(60, 60)
				s.skip(70, 70)
			},
			excuse: func(s *story) { s.fault(FaultPartition, 50.01, 66, "n1").Targets = true },
			want:   Overlap,
		},
		"a request that was about to be sent": {
			tell: func(s *story) {
				s.lose(50, "n1", 62.1, 60.5)
				s.request(50, 0).Arrived = second(61.1)
				s.request(50, 1).Ended = second(63)
				s.record(50).Attempts[1].DurationMs = 2500
				s.skip(60, 60)
			},
			excuse: func(s *story) { s.fault(FaultPause, 50, 62, "n1") },
			want:   Overlap,
		},
		"an attempt that never came to its node": {
			tell: func(s *story) { s.lose(50, "n1", 51, 51.5) },
			excuse: func(s *story) {
				s.Deliveries = slices.DeleteFunc(s.Deliveries, func(d Delivery) bool { return d.Execution == executionOf(50) && d.Attempt == 1 })
			},
			want: LossUnexcused,
		},
		"a request that comes from a closed connection": {
			tell: func(s *story) {
				s.fault(FaultKill, 50, 50, "n1")
				s.lose(50, "n1", 61.3, 60.1)
				s.request(50, 0).Arrived = second(61.1)
				s.request(50, 1).Ended = second(62)
				s.record(50).Attempts[1].DurationMs = 1900
				s.skip(60, 60)
			},
			excuse: func(s *story) { s.request(50, 0).Ended = second(61.101) },
			want:   Overlap,
		},
		"two requests open of a job that allows it": {
			tell:   func(s *story) { s.request(50, 0).Ended = second(61) },
			excuse: func(s *story) { s.Ops[0].Change.Overlap = allow.Overlap },
			want:   Overlap,
		},
		"two requests open because a run asked for it": {
			tell: func(s *story) {
				s.request(50, 0).Ended = second(57)
				s.addSuccess("job_1", "ex_run", second(55.01))
				s.Records[len(s.Records)-1].Trigger, s.Deliveries[len(s.Deliveries)-1].Trigger = triggerManual, triggerManual
				run := wrote(OpRun, 55, 0, Change{})
				run.Execution = "ex_run"
				s.Ops = append(s.Ops, *run)
			},
			excuse: func(s *story) { s.Ops[1].Overlap = overlapAllow },
			want:   Overlap,
		},
		"skipped while one was open": {
			tell:   func(s *story) { s.skip(60, 60) },
			excuse: func(s *story) { s.request(50, 0).Ended = second(60.5) },
			want:   SkippedUnexcused,
		},
		"skipped while an outcome was on its way": {
			tell:   func(s *story) { s.skip(60, 60) },
			excuse: func(s *story) { s.request(50, 0).Ended = second(58) },
			want:   SkippedUnexcused,
		},
		"slots missed while members came and went": {
			tell:   func(s *story) { s.miss(30, 50, 63); s.catchUp(60, 63); s.fault(FaultKill, 25, 62, "n1") },
			excuse: func(s *story) { s.record(10).Attempts[0].Node = "n4" },
			want:   MissedUnexcused,
		},
		"skipped while the node of one was gone": {
			tell:   func(s *story) { s.skip(60, 60) },
			excuse: func(s *story) { s.fault(FaultPartition, 49, 65, "n1") },
			want:   SkippedUnexcused,
		},
		"a slot that a bad disk kept from being planned": {
			tell: func(s *story) {
				s.request(50, 0).Ended = second(65)
				s.record(50).Attempts[0].DurationMs, s.record(50).FinishedAt = 15_000, second(65)
				s.request(60, 0).Arrived, s.request(60, 0).Ended = second(66), second(66.02)
			},
			excuse: func(s *story) { s.fault(FaultDisk, 59, 66, "n1") },
			want:   OverlapPolicyBroken,
		},
		"a run that waits, beside slots that need not": {
			change: allow,
			tell: func(s *story) {
				s.manual("ex_run", 55).Overlap = overlapSkip
				s.request(50, 0).Ended = second(57)
			},
			excuse: func(s *story) { s.Ops[1].Overlap = overlapBufferOne },
			want:   Overlap,
		},
		"a run that an unknown answer may have allowed": {
			tell: func(s *story) {
				s.request(50, 0).Ended = second(57)
				s.manual("ex_run", 55)
				s.manual("ex_other", 95).Overlap = overlapAllow
				s.Ops[1].Outcome, s.Ops[1].Execution = Unknown, ""
			},
			excuse: func(s *story) { s.Ops[1].Overlap = overlapAllow },
			want:   Overlap,
		},
		"fired early by a clock that is ahead": {
			tell: func(s *story) {
				d := s.request(50, 0)
				d.Arrived, d.Ended = second(47), second(47.02)
			},
			excuse: func(s *story) { s.fault(FaultClock, 40, 55, "n1").Skew = -3 * time.Second },
			want:   FiredEarly,
		},
		"an execution near the pause": {
			tell:   func(s *story) { s.drop(60, 120) },
			excuse: func(s *story) { s.wrote(wrote(OpUpdate, 60, 2, pausing), *finally(2, "PAUSED")) },
			want:   MissingSlot,
		},
		"old records": {
			tell: func(s *story) {
				for at := 10; at <= 30; at += 10 {
					s.Records = slices.DeleteFunc(s.Records, func(r Record) bool { return r.ID == executionOf(at) })
				}
			},
			excuse: func(*story) {},
			want:   MissingSlot,
			limits: Limits{HistoryPerJob: 9},
		},
		"a request after the cancel that was on its way": {
			tell: func(s *story) {
				r, d := s.record(50), s.request(50, 0)
				r.Result, r.ErrorCode, r.FinishedAt = resultCancelled, errCancelled, second(50.3)
				r.Attempts[0].ErrorCode, r.Attempts[0].HTTPStatus = errCancelled, 0
				d.Arrived, d.Ended, d.Status = second(51.2), second(51.3), 0
				cancel := wrote(OpCancel, 50.28, 0, Change{})
				cancel.Execution = executionOf(50)
				s.Ops = append(s.Ops, *cancel)
			},
			excuse: func(s *story) { s.request(50, 0).Arrived = second(50.5) },
			want:   CancelIgnored,
		},
		"an execution that waits for others that never end": {
			change: allow,
			tell: func(s *story) {
				s.Records = append(s.Records, Record{ID: "ex_run", JobID: "job_1", Trigger: triggerManual, ScheduledAt: second(35), Result: resultRunning})
				run := wrote(OpRun, 34.99, 0, Change{})
				run.Execution, run.Overlap = "ex_run", overlapBufferOne
				s.Ops = append(s.Ops, *run)
			},
			excuse: func(s *story) {
				for at := 30; at <= 120; at += 10 {
					s.request(at, 0).Ended = second(float64(at) + 11)
				}
			},
			want: LeftOpen,
		},
		"a read before the end": {
			tell: func(s *story) {
				s.Reads = []Read{{Asked: second(50.05), At: second(50.06), ID: executionOf(50), Result: resultSuccess}}
				s.Reads = append(s.Reads, Read{Asked: second(50.07), At: second(50.08), ID: executionOf(50), Result: resultRunning})
			},
			excuse: func(s *story) { s.Reads[1].Asked = second(50.05) },
			want:   ResultChanged,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := newStory(tt.change)
			tt.tell(plain)
			limits := tt.limits
			limits.HistoryPerJob = 0
			report := Check(plain.History, limits)
			if kinds := slices.Collect(maps.Keys(report.Counts)); !slices.Contains(kinds, tt.want) {
				t.Errorf("without its excuse: found %v, want %q", kinds, tt.want)
			}
			excused := newStory(tt.change)
			tt.tell(excused)
			tt.excuse(excused)
			report = Check(excused.History, tt.limits)
			if !report.OK() {
				t.Errorf("with its excuse:\n%s", report.String())
			}
		})
	}
}

func TestCheck_PlainStory(t *testing.T) {
	t.Parallel()
	report := Check(newStory(Change{}).History, Limits{MaxLateness: time.Second})
	if !report.OK() || report.Stats.Slots != 12 || report.Stats.Late.Max != 5*time.Millisecond {
		t.Errorf("want 12 slots, 5 ms late at most:\n%s", report.String())
	}
}
