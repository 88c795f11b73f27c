package checker

import (
	"fmt"
	"testing"
	"time"
)

// storyBegan is when every told run begins.
var storyBegan = time.Date(2026, 3, 26, 16, 0, 0, 0, time.UTC)

func second(n float64) time.Time { return storyBegan.Add(time.Duration(n * float64(time.Second))) }

func wrote(kind OpKind, at float64, version uint64, change Change) *Op {
	return &Op{Kind: kind, Job: "j", Invoked: second(at), Returned: second(at + 0.02), Outcome: OK, Version: version, Change: change}
}

func tried(kind OpKind, at float64, change Change) *Op {
	op := wrote(kind, at, 0, change)
	op.Outcome = Unknown
	return op
}

var (
	everySecond = Change{IntervalSeconds: pointer(1)}
	pausing     = Change{State: pointer("PAUSED")}
	resuming    = Change{State: pointer(stateActive)}
	retrying    = Change{Retries: pointer(1)}
)

func finally(version uint64, state string) *Final {
	return &Final{ID: "job_1", Name: "j", Version: version, State: state, CreatedAt: second(0.01)}
}

// TestCourse asks whether a slot is demanded (yes), allowed only (maybe) or
// neither (no), at some seconds of a run.
func TestCourse(t *testing.T) {
	t.Parallel()
	const yes, maybe, no = "yes", "maybe", "no"
	tests := map[string]struct {
		ops   []*Op
		final *Final
		want  map[float64]string
	}{
		"known writes": {
			ops: []*Op{
				wrote(OpCreate, 0, 1, everySecond), wrote(OpUpdate, 10, 2, pausing), wrote(OpUpdate, 20, 3, resuming), wrote(OpDelete, 30, 0, Change{}),
			},
			want: map[float64]string{1: yes, 9: yes, 10: maybe, 11: no, 19: no, 20: maybe, 21: yes, 29: yes, 30: maybe, 31: no},
		},
		"an unknown write that versions prove": {
			ops:   []*Op{wrote(OpCreate, 0, 1, everySecond), tried(OpUpdate, 10, pausing), wrote(OpUpdate, 30, 3, retrying)},
			final: finally(3, "PAUSED"),
			want:  map[float64]string{9: yes, 11: maybe, 29: maybe, 31: no},
		},
		"an unknown write that versions refute": {
			ops:   []*Op{wrote(OpCreate, 0, 1, everySecond), tried(OpUpdate, 10, pausing), wrote(OpUpdate, 30, 2, retrying)},
			final: finally(2, stateActive),
			want:  map[float64]string{9: yes, 11: yes, 29: yes, 31: yes},
		},
		"an unknown write that comes late": {
			ops:   []*Op{wrote(OpCreate, 0, 1, everySecond), tried(OpUpdate, 10, pausing), wrote(OpUpdate, 30, 2, retrying)},
			final: finally(3, "PAUSED"),
			want:  map[float64]string{9: yes, 11: yes, 29: yes, 31: maybe, 100: maybe},
		},
		"one of two unknown writes": {
			ops:   []*Op{wrote(OpCreate, 0, 1, everySecond), tried(OpUpdate, 10, pausing), tried(OpUpdate, 11, retrying)},
			final: finally(2, stateActive),
			want:  map[float64]string{9: yes, 12: yes, 100: yes},
		},
		"an unknown delete": {
			ops:  []*Op{wrote(OpCreate, 0, 1, everySecond), tried(OpDelete, 10, Change{})},
			want: map[float64]string{9: yes, 11: maybe, 100: maybe},
		},
		"an unknown delete before an answer": {
			ops:   []*Op{wrote(OpCreate, 0, 1, everySecond), tried(OpDelete, 10, Change{}), wrote(OpRun, 20, 0, Change{})},
			final: nil,
			want:  map[float64]string{19: yes, 21: maybe},
		},
		"an unknown run and an unknown cancel": {
			ops:   []*Op{wrote(OpCreate, 0, 1, everySecond), tried(OpRun, 10, Change{}), tried(OpCancel, 10, Change{}), tried(OpUpdate, 11, pausing)},
			final: finally(1, stateActive),
			want:  map[float64]string{12: yes},
		},
		"a version that nobody told": {
			ops:   []*Op{wrote(OpCreate, 0, 0, everySecond), wrote(OpUpdate, 10, 0, pausing)},
			final: finally(0, ""),
			want:  map[float64]string{9: yes, 11: no},
		},
		"an answer that never came": {
			ops: []*Op{
				wrote(OpCreate, 0, 1, everySecond),
				{Kind: OpUpdate, Job: "j", Invoked: second(10), Outcome: OK, Version: 2, Change: pausing},
			},
			final: finally(2, "PAUSED"),
			want:  map[float64]string{9: yes, 11: maybe},
		},
		"a job made by a clock that is off": {
			ops:   []*Op{wrote(OpCreate, 5, 1, everySecond)},
			final: finally(1, stateActive), // made at 0.01
			want:  map[float64]string{1: no, 5: maybe, 6: yes},
		},
		"a completed job": {
			ops:   []*Op{wrote(OpCreate, 0, 1, everySecond)},
			final: finally(1, stateCompleted),
			want:  map[float64]string{1: yes},
		},
		"an unknown create": {
			ops:  []*Op{tried(OpCreate, 0, everySecond)},
			want: map[float64]string{1: no, 100: no}, // a job that is not there in the end was never there
		},
		"an unknown create that the job dates": {
			ops:   []*Op{tried(OpCreate, 0, everySecond)},
			final: finally(1, stateActive),
			want:  map[float64]string{1: yes},
		},
		"another schedule": {
			ops:   []*Op{wrote(OpCreate, 0, 1, everySecond), wrote(OpUpdate, 10, 2, Change{IntervalSeconds: pointer(2)})},
			final: finally(2, stateActive),
			want:  map[float64]string{9: yes, 10: maybe, 11: no, 12: yes},
		},
		"a refused write": {
			ops: []*Op{
				wrote(OpCreate, 0, 1, everySecond),
				{Kind: OpUpdate, Job: "j", Invoked: second(10), Returned: second(11), Outcome: Refused, Change: pausing},
			},
			final: finally(1, stateActive),
			want:  map[float64]string{12: yes},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := Limits{}.withDefaults()
			r := &run{limits: l, almanac: &almanac{sets: map[schedule]*slotSet{}}}
			moments, conflict := newCourse(tt.ops, tt.final, &shadows{limits: l}).think()
			if conflict != nil {
				t.Fatalf("conflict: %s", conflict.text)
			}
			line := newTimeline(moments)
			for at, want := range tt.want {
				got := no
				slot := second(at)
				if line.any(slot, slot, func(s *state) bool { return s.isActive && r.isSlot(s, slot) }) {
					got = maybe
				}
				if s, ok := line.duty(slot, slot); ok && r.isSlot(&state{exists: true, schedule: s}, slot) {
					got = yes
				}
				if got != want {
					t.Errorf("at second %v: %s, want %s", at, got, want)
				}
			}
		})
	}
}

func TestCourse_Conflicts(t *testing.T) {
	t.Parallel()
	create := wrote(OpCreate, 0, 1, everySecond)
	tests := map[string]struct {
		ops   []*Op
		final *Final
		want  Kind
	}{
		"a version twice":          {[]*Op{create, wrote(OpUpdate, 1, 2, pausing), wrote(OpUpdate, 2, 2, resuming)}, finally(2, stateActive), WriteLost},
		"a version too high":       {[]*Op{create, wrote(OpUpdate, 1, 3, pausing)}, finally(3, "PAUSED"), WriteLost},
		"an older end":             {[]*Op{create, wrote(OpUpdate, 1, 2, pausing)}, finally(1, stateActive), WriteLost},
		"another state at the end": {[]*Op{create, wrote(OpUpdate, 1, 2, pausing)}, finally(2, stateActive), WriteLost},
		"an update after a delete": {[]*Op{create, wrote(OpDelete, 1, 0, Change{}), wrote(OpUpdate, 2, 2, pausing)}, nil, WriteLost},
		"gone":                     {[]*Op{create}, nil, JobLost},
		"back":                     {[]*Op{create, wrote(OpDelete, 1, 0, Change{})}, finally(1, stateActive), JobBack},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, conflict := newCourse(tt.ops, tt.final, &shadows{limits: Limits{}.withDefaults()}).think()
			if conflict == nil || conflict.kind != tt.want {
				t.Errorf("conflict = %+v, want %s", conflict, tt.want)
			}
		})
	}
}

// TestCourse_TooUnclear wants a job to be given up, and quickly, whose writes
// allow too much.
func TestCourse_TooUnclear(t *testing.T) {
	t.Parallel()
	for _, count := range []int{40, 100} {
		ops := []*Op{wrote(OpCreate, 0, 1, everySecond)}
		for i := range count {
			ops = append(ops, tried(OpUpdate, float64(i+1), Change{Retries: pointer(i)}))
		}
		moments, conflict := newCourse(ops, finally(uint64(count/2), stateActive), &shadows{limits: Limits{}.withDefaults()}).think()
		if moments != nil || conflict != nil {
			t.Errorf("%d unknown writes: %d moments, %v; want none of both", count, len(moments), conflict)
		}
	}
}

func TestShadows_Majority(t *testing.T) {
	t.Parallel()
	nodes := []string{"n1", "n2", "n3"}
	fault := func(kind FaultKind, from, to float64, nodes ...string) Fault {
		return Fault{Kind: kind, Nodes: nodes, From: second(from), To: second(to)}
	}
	tests := map[string]struct {
		nodes  []string
		faults []Fault
		want   string // seconds of 0 to 100, in tens, in which no slot may be planned
	}{
		"nothing":                   {nodes, nil, ".........."},
		"one of three":              {nodes, []Fault{fault(FaultKill, 10, 90, "n1")}, ".x.......x"},
		"two of three":              {nodes, []Fault{fault(FaultKill, 10, 80, "n1"), fault(FaultKill, 30, 60, "n2")}, ".x.xxxx.x."},
		"one twice":                 {nodes, []Fault{fault(FaultKill, 10, 80, "n1"), fault(FaultPause, 30, 60, "n1")}, ".x.x..x.x."},
		"two in one":                {nodes, []Fault{fault(FaultPartition, 10, 60, "n1", "n2")}, ".xxxxxx..."},
		"a clock":                   {nodes, []Fault{{Kind: FaultClock, Nodes: []string{"n1"}, From: second(20), To: second(40), Skew: 10 * time.Second}}, ".xxxxx...."},
		"of members nobody knows":   {nil, []Fault{fault(FaultKill, 10, 60, "n1")}, ".xxxxxx..."},
		"of nobody in particular":   {nodes, []Fault{fault(FaultDisk, 10, 60)}, ".xxxxxx..."},
		"one that was never undone": {nodes, []Fault{{Kind: FaultKill, Nodes: []string{"n1", "n2"}, From: second(50)}}, ".....xxxxx"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &History{Nodes: tt.nodes, Faults: tt.faults, Ended: second(100)}
			s := newShadows(h, Limits{}.withDefaults())
			got := ""
			for i := range 10 {
				at := second(float64(i*10 + 5))
				if s.outages.touches(at, at) {
					got += "x"
				} else {
					got += "."
				}
			}
			if got != tt.want {
				t.Errorf("outages %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	s := merge([]span{{second(5), second(7)}, {second(1), second(2)}, {second(2), second(3)}})
	if got, want := fmt.Sprint(len(s)), "2"; got != want {
		t.Fatalf("%s stretches, want %s", got, want)
	}
	if !s.covers(second(1), second(3)) || s.covers(second(1), second(5)) || s.covers(second(0), second(2)) {
		t.Error("covers: want 1 to 3, and neither 1 to 5 nor 0 to 2")
	}
	if !s.touches(second(3), second(4)) || s.touches(second(3.5), second(4)) || s.touches(second(8), second(9)) {
		t.Error("touches: want 3 to 4, and neither 3.5 to 4 nor 8 to 9")
	}
	if !s.after(second(6)).Equal(second(7)) || !s.after(second(4)).Equal(second(4)) {
		t.Error("after: want the end of the stretch, or the instant itself")
	}
}
