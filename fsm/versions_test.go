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

// firstOutcome is what history-1.log came to in the last program that knew only
// version 1: the hash of the state and the answer after each entry, hashed.
const firstOutcome = "fc49bf37320be1f41d92bc362117e0258effa79536e1051deb170e0454ab99c1"

// TestVersionOne applies a log of 511 entries that a program of version 1 wrote,
// the golden ones among them: each comes to what it came to, and this program
// writes it the same.
func TestVersionOne(t *testing.T) {
	t.Parallel()
	log, err := os.ReadFile(filepath.Join(goldenDir, "history-1.log"))
	if err != nil {
		t.Fatal(err)
	}
	n, outcome := newNode(t), sha256.New()
	for len(log) > 0 {
		length, head := binary.Uvarint(log)
		entry := log[head : head+int(length)]
		log = log[head+int(length):]
		d, _, err := Decode(entry)
		n.must(err)
		a := n.submit(d)
		if again := n.log[len(n.log)-1].Data; string(again) != string(entry) {
			t.Fatalf("entry %d:\ngot  %x\nwant %x", a.Index, again, entry)
		}
		fmt.Fprintf(outcome, "%s %v", n.hash(), a.Next)
		for _, item := range a.Items {
			fmt.Fprintf(outcome, " %s", item.Result)
			if item.Err != nil {
				fmt.Fprintf(outcome, " %s", item.Err.Code)
			}
		}
		fmt.Fprintln(outcome)
	}
	equal(t, "entries", len(n.log), 511)
	equal(t, "outcome", hex.EncodeToString(outcome.Sum(nil)), firstOutcome)
}

func TestVersionOf(t *testing.T) {
	t.Parallel()
	put := func(change func(*job.PutJob)) job.PutJobs {
		d := put(jobA, at(1), spec(job.OverlapSkip))
		d.Jobs = append(d.Jobs, d.Jobs[0])
		change(&d.Jobs[1])
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
		"cancel":            {job.Cancel{}, 2},
		"prune answers":     {job.PruneAnswers{}, 2},
		"dismiss":           {job.DismissNode{}, 2},
		"raise":             {job.RaiseVersion{Version: 1}, 2},
		"raise further":     {job.RaiseVersion{Version: 3}, 3},
		"plan":              {plan(1), 1},
	}
	for name, tc := range tests {
		equal(t, name, VersionOf(tc.d), tc.want)
	}
}

// TestDecode_RefusesWhatIsBeyondItsVersion: a member that knows only version 1
// would read past the new field, and go another way.
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
		e.Version = 1
		if b, err = proto.Marshal(&e); err != nil {
			t.Fatal(err)
		}
		_, _, err = Decode(b)
		refused := err != nil && strings.Contains(err.Error(), "holds what needs version 2")
		equal(t, name+" is refused as version 1", refused, strings.HasSuffix(name, "-2"))
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
