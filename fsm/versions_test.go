package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// histories are whole logs as the last program wrote them that knew only a version:
// how many entries they have, and what they came to in that program, which is the
// hash of the state and the answer after each entry, hashed.
var histories = []struct {
	name    string
	entries int
	outcome string
}{
	{"history-1", 511, "fc49bf37320be1f41d92bc362117e0258effa79536e1051deb170e0454ab99c1"},
	{"history-2", 601, "534e0b5a40ee94ca3da0a67f4d0ea10e29c458ddbc04b0c6550f235ef72377ee"},
}

// TestHistories applies logs that earlier programs wrote, with the golden entries of
// version 1 among them: each entry comes to what it came to, and this program writes
// it the same.
func TestHistories(t *testing.T) {
	t.Parallel()
	for _, h := range histories {
		n, outcome := newNode(t), sha256.New()
		n.replay(h.name, func(a *job.Applied) {
			fmt.Fprintf(outcome, "%s %v", n.hash(), a.Next)
			if h.name != "history-1" {
				fmt.Fprintf(outcome, " %v %q", a.More, a.Answer)
			}
			for _, item := range a.Items {
				fmt.Fprintf(outcome, " %s", item.Result)
				if item.Err != nil {
					fmt.Fprintf(outcome, " %s", item.Err.Code)
				}
			}
			fmt.Fprintln(outcome)
		})
		equal(t, h.name+": entries", len(n.log), h.entries)
		equal(t, h.name+": outcome", hex.EncodeToString(outcome.Sum(nil)), h.outcome)
	}
}

// replay applies a log of testdata, entry by entry.
func (n *node) replay(name string, visit func(*job.Applied)) {
	n.Helper()
	log, err := os.ReadFile(filepath.Join(goldenDir, name+".log"))
	n.must(err)
	for len(log) > 0 {
		length, head := binary.Uvarint(log)
		entry := log[head : head+int(length)]
		log = log[head+int(length):]
		d, _, err := Decode(entry)
		n.must(err)
		visit(n.submit(d))
		if again := n.log[len(n.log)-1].Data; string(again) != string(entry) {
			n.Fatalf("%s, entry %d:\ngot  %x\nwant %x", name, len(n.log), again, entry)
		}
	}
}

// TestUpgrade goes on with the states of earlier versions: nothing changes before the
// version is raised, and then all that is new works with the jobs that are there.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, h := range histories {
		n := newNode(t)
		n.replay(h.name, func(*job.Applied) {})
		before, jobs := n.contents(), n.allJobs()
		n.must(n.Close())
		n.reopen()
		equal(t, h.name+": the state of an earlier version is opened as it is", n.contents(), before)
		equal(t, h.name+": there are jobs", len(jobs) > 0, true)
		n.do(job.RaiseVersion{Version: 3})
		n.do(hooked(hookA, job.EventExecutionSucceeded, job.EventJobCompleted))
		for _, j := range jobs {
			n.upgraded(j)
		}
		n.must(n.Close())
		n.reopen()
		other := newNode(t)
		other.restoreFrom(n)
		equal(t, h.name+": restored", other.hash(), n.hash())
	}
}

// upgraded runs an old job, and lets it have what version 3 brought.
func (n *node) upgraded(j job.Job) {
	n.Helper()
	const late = 400 * 24 * 60 * 60 // after all that has happened
	last := n.LastEvent()
	run := job.Run{At: at(late), HistoryPerJob: 200, Overlap: job.OverlapAllow, Execution: job.ManualExecution(j.ID, at(late), 9)}
	n.do(run)
	n.do(begin(late, ref(run.Execution, 1)))
	n.do(succeed(late, ref(run.Execution, 1)))
	events := n.since(last)
	if len(events) < 2 || events[0].JobName != j.Name || events[1].Type != job.EventExecutionSucceeded {
		n.Errorf("%v: got %+v", j.ID, events)
	}
	p := job.PutJob{Job: n.job(j.ID)}
	p.Job.State, p.Job.NextRunAt, p.Job.NextDueAt, p.Job.MaxRuns = job.Active, at(late+1), at(late+3), 1
	p.Job.ExternalID, p.Job.SignPayloads, p.Job.Overlap = j.ID.String(), true, job.OverlapAllow
	n.do(job.PutJobs{At: at(late), Jobs: []job.PutJob{p}})
	n.wantOwner(j.Namespace, j.ID.String(), j.ID)
	n.do(job.Plan{At: at(late + 3), HistoryPerJob: 200, Slots: []job.PlannedSlot{{
		Job: j.ID, Slot: at(late + 1), Next: at(late + 9), Node: n1, Fire: at(late + 1), FireDue: at(late + 3), Trigger: job.TriggerScheduled,
	}}})
	equal(n, "state after the only run", n.job(j.ID).State, job.Completed)
	if j.Namespace == job.DefaultNamespace {
		events := n.deliveries(hookA)
		equal(n, "the webhook is told", events[len(events)-1].Type, job.EventJobCompleted)
	}
}

func TestVersionOf(t *testing.T) {
	t.Parallel()
	put := func(change func(*job.PutJob)) job.PutJobs {
		d := put(jobA, at(1), spec(job.OverlapSkip))
		d.Jobs = append(d.Jobs, d.Jobs[0])
		change(&d.Jobs[1])
		return d
	}
	planned := func(change func(*job.PlannedSlot)) job.Plan {
		d := plan(1)
		change(&d.Slots[0])
		return d
	}
	once := once(1, "answer")
	tests := map[string]struct {
		d    job.Decision
		want int
	}{
		"an old definition": {put(func(p *job.PutJob) { p.KeepNextRun = true }), 1},
		"BUFFER_ONE":        {put(func(p *job.PutJob) { p.Job.Overlap = job.OverlapBufferOne }), 2},
		"misfire":           {put(func(p *job.PutJob) { p.Job.Misfire = job.MisfireSkip }), 2},
		"window":            {put(func(p *job.PutJob) { p.Job.CatchupWindow = 0 }), 2},
		"guarantee":         {put(func(p *job.PutJob) { p.Job.Guarantee = job.AtMostOnce }), 2},
		"due":               {put(func(p *job.PutJob) { p.Due = at(1) }), 2},
		"missed":            {put(func(p *job.PutJob) { p.Missed.Count = 1 }), 2},
		"put once":          {job.PutJobs{Once: once}, 2},
		"an old run":        {runNow(1, 1, job.OverlapCancelPrevious), 1},
		"run BUFFER_ONE":    {runNow(1, 1, job.OverlapBufferOne), 2},
		"run once":          {job.Run{Once: once}, 2},
		"an old loss":       {job.MarkLost{Attempts: []job.AttemptRef{{}}}, 1},
		"a final loss":      {job.MarkLost{Final: []job.AttemptRef{{}}}, 2},
		"an unbegun loss":   {job.MarkLost{Unbegun: []job.AttemptRef{{}}}, 3},
		"cancel":            {job.Cancel{}, 2},
		"prune answers":     {job.PruneAnswers{}, 2},
		"dismiss":           {job.DismissNode{}, 2},
		"raise":             {job.RaiseVersion{Version: 1}, 2},
		"raise further":     {job.RaiseVersion{Version: 3}, 3},
		"plan":              {plan(1), 1},

		"a slot that is due when it is": {put(func(p *job.PutJob) { p.Job.NextDueAt = p.Job.NextRunAt }), 1},
		"a later due time":              {put(func(p *job.PutJob) { p.Job.NextDueAt = at(2) }), 3},
		"tags":                          {put(func(p *job.PutJob) { p.Job.Tags = []job.Tag{{}} }), 3},
		"external ID":                   {put(func(p *job.PutJob) { p.Job.ExternalID = "x" }), 3},
		"runAt":                         {put(func(p *job.PutJob) { p.Job.Schedule.RunAt = at(1) }), 3},
		"startAt":                       {put(func(p *job.PutJob) { p.Job.Schedule.StartAt = at(1) }), 3},
		"endAt":                         {put(func(p *job.PutJob) { p.Job.Schedule.EndAt = at(1) }), 3},
		"maxRuns":                       {put(func(p *job.PutJob) { p.Job.MaxRuns = 1 }), 3},
		"jitter":                        {put(func(p *job.PutJob) { p.Job.Jitter = time.Second }), 3},
		"pause after failures":          {put(func(p *job.PutJob) { p.Job.PauseAfterFailures = 1 }), 3},
		"webhook":                       {put(func(p *job.PutJob) { p.Job.Hook = &job.Hook{} }), 3},
		"delete of many":                {put(func(p *job.PutJob) { p.Delete = true }), 3},
		"whole":                         {job.PutJobs{Whole: true, Once: once}, 3},
		"next due":                      {planned(func(p *job.PlannedSlot) { p.NextDue = p.Next.Add(1e6) }), 3},
		"next due at the slot":          {planned(func(p *job.PlannedSlot) { p.NextDue, p.FireDue = p.Next, p.Fire }), 1},
		"fire due":                      {planned(func(p *job.PlannedSlot) { p.FireDue = p.Fire.Add(1e6) }), 3},
		"a new trigger":                 {planned(func(p *job.PlannedSlot) { p.Trigger = job.TriggerBackfill }), 3},
		"a root key":                    {job.Init{RootKey: job.APIKey{Secret: job.Secret{Sealed: []byte{1}}}}, 1},
		"a root key that expires":       {job.Init{RootKey: job.APIKey{ExpiresAt: at(1)}}, 3},
		"a root key with another":       {job.Init{RootKey: job.APIKey{Previous: job.Secret{Hash: [32]byte{1}}}}, 3},
		"backfill":                      {job.Backfill{}, 3},
		"put key":                       {job.PutKey{}, 3},
		"delete key":                    {job.DeleteKey{}, 3},
		"announce":                      {job.Announce{}, 3},
		"try a hook":                    {job.TryHook{}, 3},
	}
	for name, tc := range tests {
		equal(t, name, VersionOf(tc.d), tc.want)
	}
}

// TestDecode_RefusesWhatIsBeyondItsVersion: a member that knows only the version
// before would read past the new field, and go another way.
func TestDecode_RefusesWhatIsBeyondItsVersion(t *testing.T) {
	t.Parallel()
	for name, d := range golden() {
		b, err := Encode(d, 0)
		if err != nil {
			t.Fatal(err)
		}
		var e logpb.Entry
		if err := proto.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		version := e.GetVersion()
		if version == 1 {
			continue
		}
		e.Version--
		if b, err = proto.Marshal(&e); err != nil {
			t.Fatal(err)
		}
		_, _, err = Decode(b)
		if want := fmt.Sprintf("holds what needs version %d", version); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestDecode_RefusesDamagedOnce(t *testing.T) {
	t.Parallel()
	hash := make([]byte, 32)
	for want, once := range map[string]*logpb.Once{
		"the hash of an Idempotency-Key has 0 bytes": {Request: hash, Answer: hash},
		"the hash of a request has 31 bytes":         {Key: hash, Request: hash[1:], Answer: hash},
		"is empty":                                   {Key: hash, Request: hash},
	} {
		b, err := proto.Marshal(&logpb.Entry{Version: 2, Decision: &logpb.Entry_Cancel{Cancel: &logpb.Cancel{Once: once}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Decode(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestRaiseVersion(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	equal(t, "at first", n.LogVersion(), 1)
	before := n.contents()
	n.do(job.RaiseVersion{Version: 1})
	equal(t, "nothing is written for the first version", n.contents(), before)
	n.do(job.RaiseVersion{Version: 2})
	equal(t, "raised", n.LogVersion(), 2)
	n.do(job.RaiseVersion{Version: 1})
	equal(t, "it does not go down", n.LogVersion(), 2)
	n.must(n.Close())
	n.reopen()
	equal(t, "after a restart", n.LogVersion(), 2)
	other := newNode(t)
	other.restoreFrom(n)
	equal(t, "restored", other.LogVersion(), 2)
}

// TestOpen_RefusesAStateBeyondItsVersion: what this program has no words for may
// be anywhere in such a state.
func TestOpen_RefusesAStateBeyondItsVersion(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	tx := n.begin()
	tx.put(versionKey, &logpb.LogVersion{Version: Version + 1})
	n.commit(tx, 2)
	n.must(n.Close())
	if _, err := Open(n.cfg); err == nil || !strings.Contains(err.Error(), "upgrade this node") {
		t.Errorf("got %v", err)
	}
}

func TestDismissNode(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	equal(t, "at first", n.Dismissed("n2"), 0)
	n.do(job.DismissNode{At: at(1), Node: n2})
	n.do(job.DismissNode{At: at(2), Node: job.NodeRef{ID: "n3", Incarnation: 9}})
	equal(t, "dismissed", n.Dismissed("n2"), n2.Incarnation)
	equal(t, "another", n.Dismissed("n3"), 9)
	equal(t, "a stranger", n.Dismissed("n"), 0)
	n.do(job.DismissNode{At: at(3), Node: job.NodeRef{ID: "n3", Incarnation: 4}}) // its clock was set back
	equal(t, "the last one", n.Dismissed("n3"), 4)
	n.must(n.Close())
	n.reopen()
	equal(t, "after a restart", n.Dismissed("n2"), n2.Incarnation)
	other := newNode(t)
	other.restoreFrom(n)
	equal(t, "restored", other.Dismissed("n3"), 4)
}

func TestPutJobs_KeepsThePolicies(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	s := spec(job.OverlapBufferOne)
	s.Misfire, s.CatchupWindow, s.Guarantee = job.MisfireFireAll, 0, job.AtMostOnce
	n.do(put(jobA, at(1), s))
	got := n.job(jobA)
	equal(t, "overlap", got.Overlap, job.OverlapBufferOne)
	equal(t, "misfire", got.Misfire, job.MisfireFireAll)
	equal(t, "window", got.CatchupWindow, time.Duration(0))
	equal(t, "guarantee", got.Guarantee, job.AtMostOnce)
}
