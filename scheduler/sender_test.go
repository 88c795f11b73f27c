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
			if len(calls) != 7 {
				t.Fatalf("%d calls to %s, want 7", len(calls), id)
			}
			// The first one rests on no reply, is refused, and sent again at once.
			if first := calls[0]; !first.at.Equal(begin) || first.batch.Incarnation != 0 || first.batch.Token != 0 {
				t.Errorf("the first call to %s is %+v, want one that rests on nothing at %v", id, first, begin)
			}
			previous := begin
			for i, c := range calls[1:] {
				want := begin.Add(time.Duration(i) * time.Second)
				token := uint64(previous.Sub(begin)) + 1
				previous = want
				if !c.at.Equal(want) || c.batch.Lease != 6*time.Second || c.batch.Incarnation != 1 || c.batch.Token != token {
					t.Errorf("call %d to %s is %+v, want a lease of 6 s at %v that rests on reply %d", i+1, id, c, want, token)
				}
				if c.batch.Term != 7 || c.batch.Leader != "n1" || !c.batch.Fenced {
					t.Errorf("call %d to %s is %+v, want it fenced, of n1's term 7", i+1, id, c)
				}
			}
		}
	})
}

func TestSender_TheFirstBatchCarriesAbortsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		run, abort := running("n1", 1), running("n1", 1)
		abort.Execution.Order++
		abort.Phase = job.PhaseAborting
		w.setOpen(run)
		w.setOpen(abort)
		begin := time.Now()
		w.start(t)
		calls := w.callsTo("n1")
		if first := calls[0].batch; len(first.Assignments) != 0 || len(first.Aborts) != 1 {
			t.Errorf("the first batch is %+v, want the abort and no assignment", first)
		}
		if second := calls[1]; len(second.batch.Assignments) != 1 || !second.at.Equal(begin) {
			t.Errorf("the second call is %+v, want the assignment at once", second)
		}
		if len(calls) != 2 {
			t.Errorf("%d calls, want 2", len(calls))
		}
	})
}

func TestSender_ARefusalSettlesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		w.start(t)
		w.node("n1", func(n *fakeNode) { n.refusing = true })
		o := running("n1", 1)
		w.setOpen(o)
		time.Sleep(500 * time.Millisecond)
		if tries := len(w.assignedTo("n1")); tries < 3 || tries > 6 {
			t.Errorf("sent %d times in half a second of refusals, want a few", tries)
		}
		w.node("n1", func(n *fakeNode) { n.refusing = false })
		time.Sleep(5 * time.Second)
		w.node("n1", func(n *fakeNode) {
			if !n.known[ref(o)] {
				t.Error("the node has not taken the attempt once it refuses no more")
			}
		})
		if at := w.lostAt(ref(o)); !at.IsZero() {
			t.Errorf("lost at %v: a refusal is an answer", at)
		}
	})
}

func TestSender_ANodeThatRefusesEverythingGetsNothingNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		w.node("n2", func(n *fakeNode) { n.refusing = true })
		w.addJob(1, everySecond)
		w.succeed(t, w.start(t))
		time.Sleep(10500 * time.Millisecond)
		if slices.ContainsFunc(w.planned(1), func(s job.PlannedSlot) bool { return s.Node.ID == "n2" }) {
			t.Errorf("planned %+v, want nothing for the node that refuses", w.planned(1))
		}
		if n := len(w.callsTo("n2")); n > 20 {
			t.Errorf("%d calls in ten seconds to a node that refuses them all", n)
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
		if aborts := w.abortedAt("n1"); len(aborts) != 1 || aborts[0] != ref(o) {
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
		w.restart("n1")
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
				unsent := running("n2", 1)
				w.setOpen(unsent)
				time.Sleep(30 * time.Second)
				var answered time.Time
				for _, c := range w.callsTo("n2") {
					if c.ok {
						answered = c.at
					}
				}
				if got, want := w.lostAt(ref(o)), answered.Add(10*time.Second); !got.Equal(want) {
					t.Errorf("lost at %v, want %v: 10 s after the last answer", got, want)
				}
				for _, c := range w.callsTo("n2") {
					if silence := c.at.Sub(answered); silence >= 6*time.Second && len(c.batch.Assignments) > 0 {
						t.Errorf("assigned after %v of silence, which is sure to be refused", silence)
					}
				}
			})
		})
	}
}

func TestSender_NeverHeardIsLostAfterTheTermsStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		w.node("n2", func(n *fakeNode) { n.gone = true })
		o := running("n2", 1) // of an earlier term, which may have delivered it
		w.setOpen(o)
		begin := time.Now()
		w.start(t)
		time.Sleep(30 * time.Second)
		if refs := w.assignedTo("n2"); len(refs) != 0 {
			t.Errorf("assigned %v to a node that was never heard", refs)
		}
		if got, want := w.lostAt(ref(o)), begin.Add(10*time.Second); !got.Equal(want) {
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

func TestSender_FormerMemberEndsInPeace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		w.addJob(2, everySecond)
		term := w.start(t)
		o := running("n2", 1)
		w.setOpen(o)
		time.Sleep(3500 * time.Millisecond)
		w.setMembers("n1")
		synctest.Wait()
		before, planned := len(w.callsTo("n2")), len(w.planned(2))
		if nodes := term.Nodes(); len(nodes) != 1 || nodes[0].ID != "n1" {
			t.Errorf("Nodes = %+v, want n1 only", nodes)
		}
		time.Sleep(20 * time.Second)
		calls := w.callsTo("n2")[before:]
		if len(calls) < 19 || slices.ContainsFunc(calls, func(c call) bool { return c.batch.Lease == 0 }) {
			t.Errorf("%d calls to a node that has an attempt of ours, want 20 that renew its lease", len(calls))
		}
		if at := w.lostAt(ref(o)); !at.IsZero() {
			t.Errorf("lost at %v, though the node answers", at)
		}
		for _, s := range w.planned(2)[planned:] {
			if s.Node.ID == "n2" {
				t.Fatalf("planned %+v for a node that is no member", s)
			}
		}
		o.Phase = job.PhaseAborting
		w.setOpen(o)
		synctest.Wait()
		if aborts := w.abortedAt("n2"); len(aborts) != 1 || aborts[0] != ref(o) {
			t.Errorf("aborts sent: %v, want %v", aborts, ref(o))
		}
		for _, left := range w.OpenOf(2) { // what was planned for it before it left
			left.Phase = job.PhaseClosed
			w.setOpen(left)
		}
		o.Phase = job.PhaseClosed
		w.setOpen(o)
		synctest.Wait()
		before = len(w.callsTo("n2"))
		time.Sleep(5 * time.Second)
		if n := len(w.callsTo("n2")); n != before {
			t.Errorf("%d calls to a node that is no member and has nothing open", n-before)
		}
		w.setMembers("n1", "n2")
		synctest.Wait()
		if n := len(w.callsTo("n2")); n == before {
			t.Error("no calls to a node that is a member again")
		}
	})
}

func TestSender_FormerMemberIsLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		leave func(w *world)
		after time.Duration // the call at 3 s is the last before it leaves
	}{
		"silent":    {func(w *world) { w.node("n2", func(n *fakeNode) { n.down = true }) }, 13 * time.Second},
		"restarted": {func(w *world) { w.restart("n2") }, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorldWithJob("n1", "n2")
				begin := time.Now()
				w.start(t)
				o := running("n2", 1)
				o.Phase = job.PhaseAborting // cancelled: the lease still counts
				w.setOpen(o)
				time.Sleep(3500 * time.Millisecond)
				w.setMembers("n1")
				c.leave(w)
				time.Sleep(20 * time.Second)
				if got := w.lostAt(ref(o)).Sub(begin); got != c.after {
					t.Errorf("lost after %v, want %v", got, c.after)
				}
			})
		})
	}
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
