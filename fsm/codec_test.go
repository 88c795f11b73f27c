package fsm

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// update writes the golden entries that do not exist yet. One that exists is in
// somebody's log: it is never written again.
var update = flag.Bool("update", false, "write the golden entries that are missing")

const goldenDir = "../testdata/log"

// goldenTerm is the term of the golden entries.
const goldenTerm = 7

// golden has a decision of each kind with every field set, by the name of its
// file: the kind and the version that it was written in.
func golden() map[string]job.Decision {
	body := `{"a":1}`
	everything := job.Spec{
		Name: "report", Description: "the daily one", PauseReason: "holidays", State: job.Paused, Overlap: job.OverlapCancelPrevious,
		Schedule: job.Schedule{Cron: "0 9 * * MON", Interval: 90 * time.Second, Timezone: "Europe/Berlin"},
		Target: job.Target{URL: "https://example.com/hook", Method: "PUT", Body: &body,
			Headers: []job.Header{{Name: "Authorization", Sealed: []byte{1, 2, 3}}}},
		Timeout: 45 * time.Second, SuccessStatuses: []string{"2XX", "304"}, FollowRedirects: true, SignPayloads: true,
		Capture: job.CaptureAlways, Retries: 3, RetryDelay: 20 * time.Second, Backoff: job.BackoffExponential, RetryMaxDelay: time.Minute,
		// Version 1 has no words for these, and means this.
		Misfire: job.MisfireFireOnce, CatchupWindow: 6 * time.Hour, Guarantee: job.AtLeastOnce,
	}
	second := everything
	second.Overlap, second.Misfire, second.CatchupWindow, second.Guarantee = job.OverlapBufferOne, job.MisfireFireAll, 90*time.Minute, job.AtMostOnce
	third := second
	third.Tags, third.ExternalID = []job.Tag{{Key: "team", Value: "a"}, {Key: "zone"}}, "billing/daily"
	third.Schedule.RunAt, third.Schedule.StartAt, third.Schedule.EndAt = at(60), at(1), at(600)
	third.MaxRuns, third.Jitter, third.PauseAfterFailures = 12, 30*time.Second, 5
	rotated := job.APIKey{
		ID: "key_1", Namespace: "team", Name: "ci", Role: job.RoleEditor, Secret: job.Secret{Hash: [32]byte{31: 8}, Sealed: []byte{6}},
		CreatedAt: epoch, ExpiresAt: at(900), RotatedAt: at(9), PreviousUntil: at(99),
		Previous: job.Secret{Hash: [32]byte{31: 7}, Sealed: []byte{5}},
	}
	failed := outcome(ref(slotID(1), 2), errStatus)
	failed.Timings = job.Timings{DNS: 1 * time.Millisecond, Connect: 2 * time.Millisecond, TLS: 3 * time.Millisecond, FirstByte: 4567 * time.Microsecond}
	failed.Response, failed.RetryAfter, failed.RetryAt = []byte("oops"), 3*time.Second, at(9)
	return map[string]job.Decision{
		"init-1": job.Init{ClusterID: "c1", RootKey: job.APIKey{
			ID: "root", Namespace: "default", Name: "the root key", Role: job.RoleAdmin, Root: true,
			Secret: job.Secret{Hash: [32]byte{31: 9}, Sealed: []byte{4, 5}}, CreatedAt: epoch,
		}},
		"take-office-1": job.TakeOffice{At: at(1), Node: n2},
		"put-jobs-1": job.PutJobs{At: at(1), Jobs: []job.PutJob{{KeepNextRun: true, Job: job.Job{
			ID: jobA, Namespace: "team", KeyID: "key", Version: 4, CreatedAt: epoch, Spec: everything, NextRunAt: at(60),
		}}}},
		"delete-job-1": job.DeleteJob{At: at(1), ID: jobA, Namespace: "team", Version: 5},
		"plan-1": job.Plan{At: at(1), HistoryPerJob: 200, Slots: []job.PlannedSlot{{
			Job: jobA, Version: 5, Slot: at(1), Next: at(4), Node: n1, Fire: at(3), Trigger: job.TriggerCatchup,
			Missed: job.Gap{From: at(1), To: at(2), Count: 2},
		}}},
		"run-1": job.Run{At: at(1), HistoryPerJob: 200, Namespace: "team",
			Execution: job.ManualExecution(jobA, at(1), 77), Overlap: job.OverlapAllow},
		"begin-1":     begin(1, ref(slotID(1), 2)),
		"record-1":    record(2, outcome(ref(slotID(1), 1), nil), failed),
		"mark-lost-1": job.MarkLost{At: at(1), Attempts: []job.AttemptRef{ref(slotID(1), 1), ref(slotID(2), 3)}},
		"prune-1":     job.Prune{Before: at(1), After: jobA, Jobs: 500},

		"put-jobs-2": job.PutJobs{At: at(1), Once: once(1, "made"), Jobs: []job.PutJob{{Job: job.Job{
			ID: jobA, Namespace: "team", KeyID: "key", Version: 4, CreatedAt: epoch, Spec: second, NextRunAt: at(60),
		}, Due: at(1), Missed: job.Gap{From: at(1), To: at(3), Count: 3}}}},
		"run-2": job.Run{At: at(1), HistoryPerJob: 200, Namespace: "team",
			Execution: job.ManualExecution(jobA, at(1), 77), Overlap: job.OverlapBufferOne, Once: once(2, "run")},
		"cancel-2": job.Cancel{At: at(1), Namespace: "team", Execution: slotID(1), Once: once(3, "cancelled")},
		"mark-lost-2": job.MarkLost{At: at(1), Attempts: []job.AttemptRef{ref(slotID(1), 1)},
			Final: []job.AttemptRef{ref(slotID(2), 3), ref(slotID(3), 1)}},
		"prune-answers-2": job.PruneAnswers{Before: at(1), Limit: 1000},
		"raise-version-2": job.RaiseVersion{Version: 2},
		"dismiss-node-2":  job.DismissNode{At: at(1), Node: n2},

		"init-3": job.Init{ClusterID: "c1", RootKey: rotated},
		"put-jobs-3": job.PutJobs{At: at(1), Whole: true, Once: once(1, "made"), Jobs: []job.PutJob{
			{Job: job.Job{ID: jobA, Namespace: "team", KeyID: "key", Version: 4, CreatedAt: epoch, Spec: third, NextRunAt: at(60), NextDueAt: at(75),
				Hook: &job.Hook{Events: []job.EventType{job.EventJobCompleted, job.EventNodeLost}, Tag: &job.Tag{Key: "team", Value: "a"}, Cluster: true}}},
			{Delete: true, Job: job.Job{ID: jobB, Namespace: "team", Version: 2, Spec: everything}},
		}},
		"plan-3": job.Plan{At: at(1), HistoryPerJob: 200, Slots: []job.PlannedSlot{{
			Job: jobA, Version: 5, Slot: at(1), Next: at(4), NextDue: at(6), Node: n1, Fire: at(3), FireDue: at(5), Trigger: job.TriggerCatchup,
			Missed: job.Gap{From: at(1), To: at(2), Count: 2},
		}}},
		"backfill-3": job.Backfill{At: at(9), HistoryPerJob: 200, Namespace: "team", Job: jobA, Overlap: job.OverlapAllow, Once: once(4, "queued"),
			Slots: []job.BackfillSlot{{Slot: at(1), Execution: job.ManualExecution(jobA, at(9), 1)}, {Slot: at(2), Execution: job.ManualExecution(jobA, at(9), 2)}}},
		"mark-lost-3": job.MarkLost{At: at(1), Attempts: []job.AttemptRef{ref(slotID(1), 1)},
			Unbegun: []job.AttemptRef{ref(slotID(2), 3), ref(slotID(4), 2)}, Final: []job.AttemptRef{ref(slotID(3), 1)}},
		"put-key-3":       job.PutKey{At: at(9), Key: rotated, Create: true, RotatedAt: at(8), Once: once(5, "sealed")},
		"delete-key-3":    job.DeleteKey{At: at(9), ID: "key_1", Namespace: "team", Force: true},
		"announce-3":      job.Announce{At: at(9), Type: job.EventNodeLost, NodeID: "n2"},
		"try-hook-3":      job.TryHook{At: at(9), HistoryPerJob: 200, Namespace: "team", Hook: jobB, Execution: job.ManualExecution(jobB, at(9), 3), Once: once(6, "tried")},
		"raise-version-3": job.RaiseVersion{Version: 3},
	}
}

// TestGolden reads entries as earlier versions of the program wrote them: each
// means what it meant, and this version writes it the same.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, want := range golden() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entry := goldenEntry(t, name, want)
			got, term, err := Decode(entry)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "term", term, goldenTerm)
			equal(t, "version in the name", name[strings.LastIndex(name, "-")+1:], strconv.Itoa(VersionOf(want)))
			if !reflect.DeepEqual(got, want) {
				t.Errorf("decoded:\ngot  %+v\nwant %+v", got, want)
			}
			again, err := Encode(got, term)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again, entry) {
				t.Errorf("encoded:\ngot  %x\nwant %x", again, entry)
			}
		})
	}
}

func goldenEntry(t *testing.T, name string, d job.Decision) []byte {
	t.Helper()
	path := filepath.Join(goldenDir, name+".bin")
	entry, err := os.ReadFile(path)
	if *update && errors.Is(err, fs.ErrNotExist) {
		if entry, err = Encode(d, goldenTerm); err == nil {
			err = os.WriteFile(path, entry, 0o644)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// TestGolden_Complete: no golden entry is without its test, and no kind of
// decision without its entry.
func TestGolden_Complete(t *testing.T) {
	t.Parallel()
	decisions := golden()
	kinds := map[string]bool{}
	for _, d := range decisions {
		kinds[reflect.TypeOf(d).Name()] = true
	}
	oneof := (&logpb.Entry{}).ProtoReflect().Descriptor().Oneofs().ByName("decision").Fields()
	equal(t, "kinds", len(kinds), oneof.Len())
	files, err := filepath.Glob(filepath.Join(goldenDir, "*.bin"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".bin")
		if decisions[name] == nil {
			t.Errorf("there is no decision for %s", file)
		}
	}
}

func TestEncode_Refuses(t *testing.T) {
	t.Parallel()
	plain := put(jobA, at(1), spec(job.OverlapSkip))
	plain.Jobs[0].Job.Target.Headers = []job.Header{{Name: "X-A", Value: "secret"}}
	text := put(jobA, at(1), spec(job.OverlapSkip))
	text.Jobs[0].Job.Name = "\xff"
	overlap := put(jobA, at(1), spec("SOMETIMES"))
	misfire := put(jobA, at(1), spec(job.OverlapSkip))
	misfire.Jobs[0].Job.Misfire = ""
	silent := runNow(1, 1, "")
	silent.Once = once(1, "")
	tests := map[string]struct {
		d    job.Decision
		want string
	}{
		"a header that is not sealed": {plain, "not sealed"},
		"text that is not UTF-8":      {text, "UTF-8"},
		"an unknown word":             {overlap, "SOMETIMES"},
		"no word":                     {misfire, `no job.MisfirePolicy ""`},
		"an unknown decision":         {unknown{}, "no entry"},
		"an answer that is empty":     {silent, "empty"},
		"a version below all":         {job.RaiseVersion{Version: 0}, "no version 0"},
		"a version above its own":     {job.RaiseVersion{Version: Version + 1}, "writes 3 at most"},
		"an execution of another job": {job.Backfill{Job: jobA, Slots: []job.BackfillSlot{{Slot: at(1), Execution: job.ManualExecution(jobB, at(1), 1)}}}, "not one of job"},
		"a delivery of another hook":  {job.TryHook{Hook: jobA, Execution: job.ManualExecution(jobB, at(1), 1)}, "not one of webhook"},
	}
	for name, tc := range tests {
		_, err := Encode(tc.d, 0)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

type unknown struct{ job.Decision }

func TestEncode_MessagesOfTargetsBecomeText(t *testing.T) {
	t.Parallel()
	o := outcome(ref(slotID(1), 1), &job.AttemptError{Code: job.ErrProtocol, Msg: "got \"\xff\""})
	b, err := Encode(record(1, o), 0)
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "message", d.(job.Record).Outcomes[0].Err.Msg, "got \"\uFFFD\"")
}

// FuzzDecode: what is decoded is encoded to what decodes the same.
func FuzzDecode(f *testing.F) {
	for _, d := range golden() {
		b, err := Encode(d, goldenTerm)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, term, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Encode(d, term)
		if err != nil {
			t.Fatalf("%+v was decoded and cannot be encoded: %v", d, err)
		}
		d2, term2, err := Decode(again)
		if err != nil || term != term2 || !reflect.DeepEqual(d, d2) {
			t.Fatalf("decoded %+v, then %+v, %v", d, d2, err)
		}
	})
}
