package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestUndelivered_ADownNodesAttemptsGoElsewhereAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		w.start(t)
		time.Sleep(500 * time.Millisecond)
		w.node("n2", func(n *fakeNode) { n.gone = true })
		o := running("n2", 1)
		began := time.Now()
		w.setOpen(o)
		time.Sleep(100 * time.Millisecond)
		if at := w.lostAt(ref(o)); !at.Equal(began) {
			t.Errorf("lost at %v, want %v: it was never delivered", at, began)
		}
		if !w.lostUnbegun(ref(o)) {
			t.Error("the log does not know that it was never begun")
		}
		next := job.AttemptRef{Execution: o.Execution, Attempt: 2}
		if refs := w.assignedTo("n1"); len(refs) != 1 || refs[0] != next {
			t.Errorf("assigned to n1: %v, want %v", refs, next)
		}
		if refs := w.assignedTo("n2"); len(refs) != 1 {
			t.Errorf("assigned to n2: %v, want one try", refs)
		}
	})
}

// What a node may have got is not given up before its lease has ended for
// certain.
func TestUndelivered_NotIfItMayHaveArrived(t *testing.T) {
	t.Parallel()
	gone := func(n *fakeNode) { n.down, n.hung, n.gone = false, false, true }
	for name, deliver := range map[string]func(w *world, o job.Open){
		"acknowledged": func(w *world, o job.Open) {
			w.setOpen(o)
			synctest.Wait()
		},
		"the connection broke": func(w *world, o job.Open) {
			w.node("n2", func(n *fakeNode) { n.down = true })
			w.setOpen(o)
			synctest.Wait()
		},
		"no answer came": func(w *world, o job.Open) {
			w.node("n2", func(n *fakeNode) { n.hung = true })
			w.setOpen(o)
			synctest.Wait()
		},
		"told again by the feed": func(w *world, o job.Open) {
			w.setOpen(o)
			synctest.Wait()
			w.node("n2", gone)
			w.setOpen(o)
			synctest.Wait()
		},
		"cancelled after it was acknowledged": func(w *world, o job.Open) {
			w.setOpen(o)
			synctest.Wait()
			o.Phase = job.PhaseAborting
			w.node("n2", gone)
			w.setOpen(o)
			synctest.Wait()
		},
		"cancelled while it was under way": func(w *world, o job.Open) {
			w.node("n2", func(n *fakeNode) { n.hung = true })
			w.setOpen(o)
			synctest.Wait()
			o.Phase = job.PhaseAborting
			w.setOpen(o)
			synctest.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorldWithJob("n1", "n2")
				w.start(t)
				begin := time.Now()
				o := running("n2", 1)
				deliver(w, o)
				w.node("n2", gone)
				time.Sleep(20 * time.Second)
				if got := w.lostAt(ref(o)).Sub(begin); got != 10*time.Second || w.lostUnbegun(ref(o)) {
					t.Errorf("lost after %v, want 10s; as never begun: %t", got, w.lostUnbegun(ref(o)))
				}
			})
		})
	}
}

func TestUndelivered_WhatNoCallCarried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		begin := time.Now()
		w.start(t)
		w.node("n2", func(n *fakeNode) { n.hung = true })
		time.Sleep(1500 * time.Millisecond) // the call at 1 s hangs until 3.5 s
		o := running("n2", 1)
		w.setOpen(o)
		time.Sleep(5 * time.Second)
		if got := w.lostAt(ref(o)).Sub(begin); got != 3500*time.Millisecond {
			t.Errorf("lost after %v, want 3.5s: when the call ended that came before it", got)
		}
	})
}

func TestUndelivered_AnAbortedOneIsOverAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		w.submit = failingSubmit[job.MarkLost](1, job.ErrOutcomeUnknown)
		w.start(t)
		w.node("n2", func(n *fakeNode) { n.gone = true })
		o := running("n2", 1)
		w.setOpen(o)
		synctest.Wait()
		o.Phase = job.PhaseAborting // before the loss is committed
		w.setOpen(o)
		time.Sleep(2 * retryPause)
		if got := w.result(o.Execution); got != job.Cancelled {
			t.Errorf("result = %q, want %q", got, job.Cancelled)
		}
	})
}

func TestUndelivered_PlannedForAnEarlierLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		w.edit(1, func(s *job.Spec) { s.Guarantee = job.AtMostOnce })
		w.start(t)
		w.restart("n2")
		time.Sleep(1500 * time.Millisecond)
		o := running("n2", 1) // planned before the leader knew
		w.setOpen(o)
		time.Sleep(time.Second)
		if got := w.openOf(o.Execution); got.Attempt != 2 || got.Phase != job.PhaseRunning {
			t.Errorf("the execution is %+v, want its second attempt: nobody got the first", got)
		}
	})
}

func TestAtMostOnce_Losses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose func(w *world, o job.Open)
		want job.Result // empty: another attempt
	}{
		"silence":   {func(w *world, _ job.Open) { w.node("n2", func(n *fakeNode) { n.hung = true }) }, job.Failed},
		"a restart": {func(w *world, _ job.Open) { w.restart("n2") }, job.Failed},
		"never delivered": {func(w *world, o job.Open) {
			w.node("n2", func(n *fakeNode) { n.gone = true })
			o.Attempt++
			w.setOpen(o)
		}, ""},
		"cancelled, and silence": {func(w *world, o job.Open) {
			w.node("n2", func(n *fakeNode) { n.hung = true })
			o.Phase = job.PhaseAborting
			w.setOpen(o)
		}, job.Cancelled},
	} {
		for _, guarantee := range []job.Guarantee{job.AtMostOnce, job.AtLeastOnce, ""} {
			t.Run(name+" "+string(guarantee), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorldWithJob("n1", "n2")
					w.edit(1, func(s *job.Spec) { s.Guarantee, s.Retries = guarantee, 5 })
					w.start(t)
					o := running("n2", 1)
					w.setOpen(o)
					synctest.Wait()
					c.lose(w, o)
					time.Sleep(15 * time.Second)
					want := c.want
					if guarantee != job.AtMostOnce && want == job.Failed {
						want = ""
					}
					if got := w.result(o.Execution); got != want {
						t.Errorf("result = %q, want %q", got, want)
					}
					if got := w.openOf(o.Execution); (got.Phase == job.PhaseRunning && got.Attempt > o.Attempt) != (want == "") {
						t.Errorf("the execution is %+v, want a further attempt: %t", got, want == "")
					}
				})
			})
		}
	}
}

func TestReport_NodeLostAtMostOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		started bool
		want    job.Result
	}{
		"requested":       {true, job.Failed},
		"never requested": {false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorldWithJob("n1")
				term := w.start(t)
				o := w.retrying(func(s *job.Spec) { s.Retries, s.Guarantee = 5, job.AtMostOnce })
				lost := outcome(ref(o), &job.AttemptError{Code: job.ErrNodeLost})
				if !c.started {
					lost.StartedAt = time.Time{}
				}
				if err := term.Report(t.Context(), []job.Outcome{lost}); err != nil {
					t.Fatalf("Report = %v, want nil", err)
				}
				synctest.Wait()
				if got := w.result(o.Execution); got != c.want {
					t.Errorf("result = %q, want %q", got, c.want)
				}
				if records := decisionsOf[job.Record](w); c.started &&
					(len(records) != 1 || !records[0].Outcomes[0].StartedAt.Equal(lost.StartedAt)) {
					t.Errorf("records = %+v, want the outcome with its start", records)
				}
				if got := w.openOf(o.Execution); !c.started && (got.Attempt != 2 || !w.lostUnbegun(ref(o))) {
					t.Errorf("the execution is %+v, want its second attempt, and the first lost as never begun", got)
				}
			})
		})
	}
}

// TestUndelivered_OldMembers: while some member cannot read that an attempt was never
// begun, it is lost like any other.
func TestUndelivered_OldMembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		w.submit = func(_ context.Context, d job.Decision) error {
			if lost, ok := d.(job.MarkLost); ok && len(lost.Unbegun) > 0 {
				return job.ErrOldMember
			}
			return nil
		}
		term := w.start(t)
		w.node("n2", func(n *fakeNode) { n.gone = true })
		o := running("n2", 1)
		w.setOpen(o)
		time.Sleep(100 * time.Millisecond)
		if w.lostAt(ref(o)).IsZero() || w.lostUnbegun(ref(o)) {
			t.Errorf("lost at %v, as never begun: %t", w.lostAt(ref(o)), w.lostUnbegun(ref(o)))
		}
		again := w.openOf(o.Execution)
		given := outcome(ref(again), &job.AttemptError{Code: job.ErrNodeLost})
		given.StartedAt = time.Time{}
		if err := term.Report(t.Context(), []job.Outcome{given}); err != nil || w.lostAt(ref(again)).IsZero() {
			t.Errorf("Report = %v, lost at %v", err, w.lostAt(ref(again)))
		}
	})
}
