package fsm

import (
	"testing"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/job"
)

// runOnce asks for a run by hand under an Idempotency-Key.
func runOnce(seconds int, key byte, answer string) job.Run {
	d := runNow(seconds, 1, job.OverlapAllow)
	d.Once = once(key, answer)
	return d
}

// repeated applies a decision that must change nothing, and be answered.
func (n *node) repeated(want string, d job.Decision) {
	n.Helper()
	before := n.contents()
	a := n.submit(d)
	equal(n, "answer", string(a.Answer), want)
	equal(n, "items", len(a.Items), 0)
	equal(n, "state", n.contents(), before)
}

func TestOnce(t *testing.T) {
	t.Parallel()
	created := put(jobB, at(1), spec(job.OverlapSkip))
	created.Once = once(1, "created")
	cancelled := cancel(2, slotID(1))
	cancelled.Once = once(2, "cancelled")
	for name, d := range map[string]job.Decision{"put": created, "cancel": cancelled, "run": runOnce(2, 3, "run")} {
		n := withJob(t, job.OverlapSkip)
		n.do(plan(1))
		a := n.submit(d)
		equal(t, name+": items", len(a.Items), 1)
		equal(t, name+": refusal", a.Items[0].Err, nil)
		equal(t, name+": answer", string(a.Answer), "")
		n.repeated(string(repeatableOf(d).Answer), d)
		n.must(n.Close())
		n.reopen()
		n.repeated(string(repeatableOf(d).Answer), d)
	}
}

func TestOnce_GivesTheFirstAnswer(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	n.do(runOnce(1, 1, "first"))
	n.do(runOnce(2, 2, "another"))
	n.repeated("first", runOnce(3, 1, "second")) // another leader made another execution of it
	n.repeated("another", runOnce(3, 2, "second"))
	equal(t, "executions", len(n.history()), 2)
}

func TestOnce_AnotherRequest(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	n.do(runOnce(1, 1, "first"))
	other := runOnce(2, 1, "first")
	other.Once.Request[0]++
	n.refused(job.ErrIdempotencyMismatch, other)

	many := put(jobB, at(1), spec(job.OverlapSkip))
	many.Jobs = append(many.Jobs, many.Jobs[0])
	many.Once = other.Once
	a := n.submit(many)
	equal(t, "items", len(a.Items), 2)
	for _, item := range a.Items {
		equal(t, "code", job.CodeOf(item.Err), job.CodeIdempotencyMismatch)
	}
	equal(t, "jobs", n.JobCount(), 1)
}

func TestOnce_KeepsNoRefusal(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapSkip)
	n.do(plan(1))
	d := runOnce(2, 1, "run")
	d.Overlap = ""
	n.refused(job.Errorf(job.CodeOverlap, ""), d)
	n.do(succeed(2, ref(slotID(1), 1)))
	equal(t, "after the refusal", n.do(d), job.Running)

	// One part of two is refused: the other takes effect, and is not answered again.
	many := put(jobA, at(1), spec(job.OverlapSkip))
	many.Jobs = append(many.Jobs, put(jobB, at(1), spec(job.OverlapSkip)).Jobs...)
	many.Once = once(2, "made")
	for range 2 {
		a := n.submit(many)
		equal(t, "items", len(a.Items), 2)
	}
	equal(t, "jobs", n.JobCount(), 2)
}

func TestOnce_ForADay(t *testing.T) {
	t.Parallel()
	const day = 24 * 60 * 60
	for name, tc := range map[string]struct {
		seconds int
		again   bool
	}{
		"before the first":   {-9, false}, // the leader's clock is behind
		"a day later":        {1 + day, false},
		"a day and a second": {2 + day, true},
	} {
		n := withJob(t, job.OverlapAllow)
		n.do(runOnce(1, 1, "first"))
		if d := runOnce(tc.seconds, 1, "second"); tc.again {
			n.do(d)
			n.repeated("second", d)
			d.Once.Request[0]++
			n.refused(job.ErrIdempotencyMismatch, d)
			equal(t, name+": answers", n.answers(), 1)
		} else {
			n.repeated("first", d)
		}
	}
	// Nor does another request matter that long ago.
	n := withJob(t, job.OverlapAllow)
	n.do(runOnce(1, 1, "first"))
	other := runOnce(2+day, 1, "second")
	other.Once.Request[0]++
	n.do(other)
}

// answers is how many answers are kept, which the index has to know all of.
func (n *node) answers() int {
	n.Helper()
	count := func(prefix string) (found int) {
		n.must(n.state.scan(prefix, anyLength, func(_, _ []byte) error { found++; return nil }))
		return found
	}
	kept := count(answerPrefix)
	equal(n, "answers in the index", count(answerTimePrefix), kept)
	return kept
}

func TestPruneAnswers(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	for i := range 5 {
		n.do(runOnce(5-i, byte(i), "run")) // the newest first
	}
	before := at(3) // two are older
	equal(t, "more", n.submit(job.PruneAnswers{Before: before, Limit: 1}).More, true)
	equal(t, "one is removed", n.answers(), 4)
	n.repeated("run", runOnce(9, 3, "run"))                         // of second 2
	equal(t, "the oldest", n.do(runOnce(6, 4, "run")), job.Running) // of second 1
	equal(t, "more", n.submit(job.PruneAnswers{Before: before, Limit: 1}).More, false)
	equal(t, "the other is removed", n.answers(), 4)
	equal(t, "more", n.submit(job.PruneAnswers{Before: before, Limit: 9}).More, false)
	equal(t, "the rest stays", n.answers(), 4)
	a := n.submit(job.PruneAnswers{Before: at(99), Limit: 4})
	equal(t, "more", a.More, false)
	equal(t, "items", len(a.Items), 0)
	equal(t, "all are removed", n.answers(), 0)
}

func TestPruneAnswers_MakesProgressWithoutALimit(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	n.do(runOnce(1, 1, "run"))
	n.do(runOnce(2, 2, "run"))
	equal(t, "more", n.submit(job.PruneAnswers{Before: at(9)}).More, true)
	equal(t, "answers", n.answers(), 1)
}

// TestOnce_InOneBatch: a repeated write may be in the log beside the first.
func TestOnce_InOneBatch(t *testing.T) {
	t.Parallel()
	n := withJob(t, job.OverlapAllow)
	first, again := n.entry(runOnce(1, 1, "first")), n.entry(runOnce(2, 1, "second"))
	answers := n.ApplyBatch([]*raft.Log{first, again})
	equal(t, "items of the first", len(answers[0].(*job.Applied).Items), 1)
	equal(t, "answer of the second", string(answers[1].(*job.Applied).Answer), "first")
	equal(t, "answers", n.answers(), 1)
}
