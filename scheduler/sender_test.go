package scheduler

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// running makes an execution of job 1 that runs its first attempt.
func running(node string, incarnation uint64) job.Open {
	return job.Open{
		Execution: job.SlotExecution(1, time.Now()), Trigger: job.TriggerScheduled, ScheduledAt: job.Instant(time.Now()),
		Phase: job.PhaseRunning, Attempt: 1, Node: job.NodeRef{ID: node, Incarnation: incarnation},
	}
}

// newWorldWithJob has a job 1 that is never due.
func newWorldWithJob(nodes ...string) *world {
	w := newWorld(nodes...)
	w.addJobDueAt(1, everyMinute, time.Time{})
	return w
}

func TestSender_RenewsTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		begin := time.Now()
		w.start(t)
		time.Sleep(5500 * time.Millisecond)
		for _, id := range w.members {
			calls := w.callsTo(id)
			if len(calls) != 6 {
				t.Errorf("%d calls to %s, want 6", len(calls), id)
			}
			for i, c := range calls {
				want := begin.Add(time.Duration(i) * time.Second)
				if !c.at.Equal(want) || c.batch.Lease != 6*time.Second || c.batch.Term != 7 || c.batch.Leader != "n1" {
					t.Errorf("call %d to %s is %+v, want a lease of 6 s at %v", i, id, c, want)
				}
			}
		}
	})
}

func TestSender_SendsUntilAcknowledgedAndNotAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		w.start(t)
		w.node("n1", func(n *fakeNode) { n.down = true })
		o := running("n1", 1)
		w.setOpen(o)
		time.Sleep(500 * time.Millisecond)
		tries := len(w.assignedTo("n1"))
		if tries < 3 || tries > 5 {
			t.Errorf("sent %d times in half a second of failures, want a few", tries)
		}
		w.node("n1", func(n *fakeNode) { n.down = false })
		time.Sleep(10 * time.Second)
		refs := w.assignedTo("n1")
		acknowledged := 0
		for _, c := range w.callsTo("n1") {
			if c.ok {
				acknowledged += len(c.batch.Assignments)
			}
		}
		if acknowledged != 1 || slices.ContainsFunc(refs, func(r job.AttemptRef) bool { return r != ref(o) }) {
			t.Errorf("acknowledged %d times, sent %v; want once, %v only", acknowledged, refs, ref(o))
		}
	})
}

func TestSender_ForgetsWhatIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		w.start(t)
		w.node("n1", func(n *fakeNode) { n.down = true })
		o := running("n1", 1)
		w.setOpen(o)
		time.Sleep(100 * time.Millisecond)
		o.Phase = job.PhaseClosed
		w.setOpen(o)
		synctest.Wait()
		before := len(w.assignedTo("n1"))
		w.node("n1", func(n *fakeNode) { n.down = false })
		time.Sleep(5 * time.Second)
		if after := len(w.assignedTo("n1")); after != before {
			t.Errorf("sent %d times after the execution was closed", after-before)
		}
	})
}

func TestSender_BatchesAreBounded(t *testing.T) {
	t.Parallel()
	f := func(executions, bodySize, wantPerCall int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			w := newWorldWithJob("n1")
			body := strings.Repeat("x", bodySize)
			j := w.jobs[1]
			j.Target.Body = &body
			w.putJob(j)
			for i := range executions {
				o := running("n1", 1)
				o.Execution.Order += uint64(i)
				w.setOpen(o)
			}
			w.start(t)
			most := 0
			for _, c := range w.callsTo("n1") {
				most = max(most, len(c.batch.Assignments))
			}
			if sent := len(w.assignedTo("n1")); sent != executions || most != wantPerCall {
				t.Errorf("sent %d, %d at most in a call; want %d and %d", sent, most, executions, wantPerCall)
			}
		})
	}
	f(1200, 10, maxItemsPerBatch)
	f(10, 300<<10, 3)
	f(3, 2<<20, 1)
}

func TestSender_Aborts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		w.start(t)
		o := running("n1", 1)
		w.setOpen(o)
		synctest.Wait()
		o.Phase = job.PhaseAborting
		w.setOpen(o)
		synctest.Wait()
		time.Sleep(5 * time.Second)
		var aborts []job.AttemptRef
		for _, c := range w.callsTo("n1") {
			aborts = append(aborts, c.batch.Aborts...)
		}
		if len(aborts) != 1 || aborts[0] != ref(o) {
			t.Errorf("aborts sent: %v, want %v once", aborts, ref(o))
		}
	})
}

func TestSender_DeletedJobIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		w.start(t)
		w.setOpen(running("n1", 1))
		time.Sleep(5500 * time.Millisecond)
		if refs := w.assignedTo("n1"); len(refs) != 0 {
			t.Errorf("sent %v of a job that is gone", refs)
		}
	})
}

func TestSender_AnotherIncarnationLosesTheEarlierOnesAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		w.start(t)
		lost, kept := running("n1", 1), running("n2", 1)
		kept.Execution.Order++
		w.setOpen(lost)
		w.setOpen(kept)
		time.Sleep(3500 * time.Millisecond)
		restart := time.Now()
		w.node("n1", func(n *fakeNode) { n.incarnation = 2 })
		time.Sleep(time.Second)
		if at := w.lostAt(ref(lost)); at.IsZero() || at.Sub(restart) > time.Second {
			t.Errorf("lost at %v, want within a second of the restart at %v", at, restart)
		}
		if at := w.lostAt(ref(kept)); !at.IsZero() {
			t.Errorf("another node's attempt was lost at %v", at)
		}
		begins := decisionsOf[job.Begin](w)
		if len(begins) != 1 || begins[0].Attempts[0].Attempt != 2 {
			t.Errorf("begins = %+v, want the second attempt once", begins)
		}
	})
}

func TestSender_SilenceLosesAttempts(t *testing.T) {
	t.Parallel()
	for name, hung := range map[string]bool{"refusing": false, "hung": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorldWithJob("n1", "n2")
				w.start(t)
				o := running("n2", 1)
				w.setOpen(o)
				time.Sleep(5500 * time.Millisecond)
				w.node("n2", func(n *fakeNode) { n.down, n.hung = !hung, hung })
				time.Sleep(30 * time.Second)
				checkLostInTime(t, w.callsTo("n2"), w.lostAt(ref(o)))
			})
		})
	}
}

// checkLostInTime checks the lease rule: no lease is granted once the node was
// silent for a quarter of NodeLostAfter, and it is lost NodeLostAfter after the
// last answer or grant.
func checkLostInTime(t *testing.T, calls []call, lost time.Time) {
	t.Helper()
	var answered, leased time.Time
	for _, c := range calls {
		if c.ok {
			answered = c.at
		}
		if c.batch.Lease > 0 {
			leased = c.at
		}
	}
	if silence := leased.Sub(answered); silence <= 0 || silence > 2500*time.Millisecond {
		t.Errorf("the last lease was granted after %v of silence, want at most 2.5 s", silence)
	}
	if want := leased.Add(10 * time.Second); !lost.Equal(want) {
		t.Errorf("lost at %v, want %v: 10 s after the last grant", lost, want)
	}
}

func TestSender_NeverHeardIsLostAfterTheTermsStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		w.node("n2", func(n *fakeNode) { n.down = true })
		o := running("n2", 1)
		w.setOpen(o)
		w.start(t)
		time.Sleep(30 * time.Second)
		calls := w.callsTo("n2")
		leased := calls[0].at
		for _, c := range calls {
			if c.batch.Lease > 0 {
				leased = c.at
			}
			if c.at.Sub(calls[0].at) > 2500*time.Millisecond && len(c.batch.Assignments) > 0 {
				t.Errorf("assigned at %v to a node that is not heard", c.at)
			}
		}
		if got, want := w.lostAt(ref(o)), leased.Add(10*time.Second); !got.Equal(want) {
			t.Errorf("lost at %v, want %v", got, want)
		}
	})
}

func TestSender_ShortSilenceLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		w.start(t)
		o := running("n2", 1)
		w.setOpen(o)
		time.Sleep(1500 * time.Millisecond)
		w.node("n2", func(n *fakeNode) { n.hung = true })
		time.Sleep(7500 * time.Millisecond)
		w.node("n2", func(n *fakeNode) { n.hung = false })
		time.Sleep(30 * time.Second)
		if at := w.lostAt(ref(o)); !at.IsZero() {
			t.Errorf("lost at %v, want never", at)
		}
		if calls := w.callsTo("n2"); calls[len(calls)-1].batch.Lease == 0 {
			t.Error("the lease is not renewed after the node answers again")
		}
	})
}

func TestSender_FormerMemberIsNotCalledAndLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		term := w.start(t)
		o := running("n2", 1)
		w.setOpen(o)
		time.Sleep(3500 * time.Millisecond)
		w.setMembers("n1")
		synctest.Wait()
		o.Phase = job.PhaseAborting // cancelled meanwhile: the lease still counts
		w.setOpen(o)
		synctest.Wait()
		calls := w.callsTo("n2")
		last := calls[len(calls)-1].at
		if nodes := term.Nodes(); len(nodes) != 1 || nodes[0].ID != "n1" {
			t.Errorf("Nodes = %+v, want n1 only", nodes)
		}
		time.Sleep(20 * time.Second)
		if n := len(w.callsTo("n2")); n != len(calls) {
			t.Errorf("%d calls to a node that is no member", n-len(calls))
		}
		if got, want := w.lostAt(ref(o)), last.Add(10*time.Second); !got.Equal(want) {
			t.Errorf("lost at %v, want %v", got, want)
		}
		w.setMembers("n1", "n2")
		time.Sleep(time.Second)
		if n := len(w.callsTo("n2")); n == len(calls) {
			t.Error("no calls to a node that is a member again")
		}
	})
}

func TestSender_LossesAreSubmittedUntilTheyAreCommitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		w.submit = failingSubmit[job.MarkLost](3, job.ErrOutcomeUnknown)
		w.start(t)
		o := running("n1", 99) // of an earlier life
		w.setOpen(o)
		began := time.Now()
		time.Sleep(4 * retryPause)
		if at := w.lostAt(ref(o)); !at.Equal(began.Add(3 * retryPause)) {
			t.Errorf("lost at %v, want after three pauses from %v", at, began)
		}
	})
}

func TestTerm_Nodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2", "n3")
		w.node("n3", func(n *fakeNode) { n.down = true })
		term := w.start(t)
		w.setOpen(running("n2", 1))
		time.Sleep(time.Second)
		states := func() []NodeState {
			var states []NodeState
			for _, n := range term.Nodes() {
				states = append(states, n.State)
			}
			return states
		}
		if got, want := states(), []NodeState{NodeAlive, NodeAlive, NodeSuspect}; !slices.Equal(got, want) {
			t.Errorf("states = %v, want %v", got, want)
		}
		if n2 := term.Nodes()[1]; n2.Open != 1 || n2.AppliedIndex != 42 || n2.LastHeard.IsZero() {
			t.Errorf("n2 is %+v, want one open attempt, index 42 and heard", n2)
		}
		time.Sleep(15 * time.Second)
		if got := states()[2]; got != NodeDead {
			t.Errorf("n3 is %v after 16 s of silence, want %v", got, NodeDead)
		}
	})
}
