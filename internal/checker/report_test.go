package checker

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReport_CapsEachKind(t *testing.T) {
	t.Parallel()
	s := newStory(Change{IntervalSeconds: pointer(1)})
	report := Check(s.History, Limits{})
	if got := report.Counts[MissingSlot]; got <= PerKind {
		t.Fatalf("%d missing slots; the story should have more than %d", got, PerKind)
	}
	shown := 0
	for _, v := range report.Violations {
		if v.Kind == MissingSlot {
			shown++
		}
	}
	if shown != PerKind {
		t.Errorf("%d violations of one kind, want %d", shown, PerKind)
	}
	text := report.String()
	for _, want := range []string{"PROMISES WERE BROKEN", "missing slot: 107", "and 87 more", `job "j"`, "2026-03-26T16:00:02.000Z", "lateness p50 5ms"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
}

func TestReport_JSON(t *testing.T) {
	t.Parallel()
	s := newStory(Change{IntervalSeconds: pointer(1)})
	s.fault(FaultKill, 30, 40, "n1")
	report := Check(s.History, Limits{})
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, report) {
		t.Errorf("read back as\n%+v\nwant\n%+v", back, report)
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	s := newStory(Change{})
	s.fault(FaultKill, 45, 56, "n1", "n2")
	s.fault(FaultKill, 124, 124.5, "n3")
	s.miss(50, 50, 64)
	s.catchUp(60, 64)
	s.lose(40, "n1", 45, 57)
	s.skip(70, 70)
	s.Ops = append(s.Ops, Op{Kind: OpRun, Job: "j", Invoked: second(20), Returned: second(21), Outcome: Refused}, *wrote(OpUpdate, 80, 2, retrying))
	s.Jobs[0].Version = 2
	got := Check(s.History, Limits{}).Stats
	want := Stats{
		Jobs: 1, Slots: 12, Deliveries: 11, Late: got.Late, DoubledExcused: 1, Missed: 1, Skipped: 1, Catchup: 1, Lost: 1,
		Ops:      map[OpKind]map[Outcome]int{OpCreate: {OK: 1}, OpRun: {Refused: 1}, OpUpdate: {OK: 1}},
		WriteGap: 79 * time.Second,
		Resumed:  []Resumption{{Fault: s.Faults[0], After: 19 * time.Second}, {Fault: s.Faults[1], After: -1}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestSave_Load(t *testing.T) {
	t.Parallel()
	h := playToy(3, 4, time.Minute, "").h
	path := filepath.Join(t.TempDir(), "history.json.gz")
	if err := Save(path, &h); err != nil {
		t.Fatal(err)
	}
	back, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Records) == 0 || !reflect.DeepEqual(back, h) {
		t.Error("the history was not read as it was written")
	}
	before, after := Check(h, Limits{}), Check(back, Limits{})
	if !reflect.DeepEqual(before, after) {
		t.Errorf("the verdict was\n%s\nand is\n%s", before.String(), after.String())
	}
}

func TestLoad_Refusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte(`{"Name":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, filepath.Join(dir, "none")} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "load history") {
			t.Errorf("Load(%s): %v", path, err)
		}
	}
	if err := Save(filepath.Join(dir, "no", "such", "folder"), &History{}); err == nil {
		t.Error("Save into a folder that does not exist: want an error")
	}
}
