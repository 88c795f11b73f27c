package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/internal/job"
)

func TestTerm_EndsWhenTheLogSaysSo(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(w *world, term *Term){
		"planner": func(w *world, _ *Term) { w.addJob(1, everySecond) },
		"dispatcher": func(w *world, _ *Term) {
			w.setOpen(job.Open{Execution: job.ExecutionID{Job: 1}, Phase: job.PhasePending})
		},
		"losses":   func(w *world, _ *Term) { w.setOpen(running("n1", 99)) },
		"recorder": func(_ *world, term *Term) { _ = term.Report(context.Background(), make([]job.Outcome, 1)) },
		"pruner":   func(*world, *Term) {},
		"announcer": func(_ *world, term *Term) {
			term.announcer.add(job.EventNodeLost, "n2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld("n1", "n2")
				w.submit = func(_ context.Context, d job.Decision) error {
					if a, ok := d.(job.Announce); ok && a.Type == job.EventLeaderChanged {
						return nil
					}
					return job.ErrNotLeader
				}
				cfg := w.config()
				cfg.HistoryMaxAge = 24 * time.Hour
				term := NewTerm(cfg)
				go begin(w, term)
				if err := term.Run(t.Context()); !errors.Is(err, job.ErrNotLeader) {
					t.Errorf("Run = %v, want %v", err, job.ErrNotLeader)
				}
			})
		})
	}
}

func TestTerm_EndsWhenItIsNotInOffice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		began := time.Now()
		w.confirm = func(context.Context) error {
			if time.Since(began) < 5*time.Second {
				return nil
			}
			return job.ErrNotLeader
		}
		term := NewTerm(w.config())
		if err := term.Run(t.Context()); !errors.Is(err, job.ErrNotLeader) || time.Since(began) > 5*time.Second {
			t.Errorf("Run = %v after %v, want %v as soon as it is known", err, time.Since(began), job.ErrNotLeader)
		}
	})
}

func TestTerm_StopsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		w.addJob(2, everySecond)
		w.node("n2", func(n *fakeNode) { n.hung = true })
		cfg, log := w.config(), &logged{}
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
		_, stop := w.runTerm(t, cfg)
		w.setOpen(running("n2", 1))
		time.Sleep(1500 * time.Millisecond)
		began := time.Now()
		if err := stop(); err != nil || time.Since(began) > 0 {
			t.Errorf("Run = %v, %v after it was stopped; want nil at once", err, time.Since(began))
		}
		if len(log.lines) != 0 {
			t.Errorf("logged %q, want nothing about calls that its end has cut short", log.lines)
		}
	})
}

func TestTerm_GoesOnWithWhatItFinds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		run := running("n1", 1)
		abort := running("n2", 1)
		abort.Execution.Order++
		abort.Phase = job.PhaseAborting
		retry := running("n2", 1)
		retry.Execution.Order += 2
		retry.Phase, retry.RetryAt = job.PhasePending, time.Now().Add(3*time.Second)
		wait := running("n2", 1)
		wait.Execution.Order += 3
		wait.Phase = job.PhaseWaiting
		queued := running("n2", 1)
		queued.Execution.Order += 4
		queued.Trigger, queued.Phase = job.TriggerBackfill, job.PhaseQueued
		for _, o := range []job.Open{run, abort, retry, wait, queued} {
			w.setOpen(o)
		}
		w.start(t)
		if refs := w.assignedTo("n1"); len(refs) != 1 || refs[0] != ref(run) {
			t.Errorf("assigned to n1: %v, want %v", refs, ref(run))
		}
		if first := w.callsTo("n2")[0].batch; len(first.Aborts) != 1 || first.Aborts[0] != ref(abort) {
			t.Errorf("first batch to n2: %+v, want the abort", first)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		begins := decisionsOf[job.Begin](w)
		if len(begins) != 1 || begins[0].Attempts[0].Execution != retry.Execution || !begins[0].At.Equal(retry.RetryAt) {
			t.Errorf("begins = %+v, want the retry at %v", begins, retry.RetryAt)
		}
	})
}

func TestTerm_BeginsAgainAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		w.submit = failingSubmit[job.Begin](3, job.ErrOutcomeUnknown)
		o := running("n1", 1)
		o.Phase, o.Attempt = job.PhasePending, 0
		w.setOpen(o)
		w.start(t)
		time.Sleep(4 * retryPause)
		if begins := decisionsOf[job.Begin](w); len(begins) != 1 {
			t.Errorf("begins %+v, want one", begins)
		}
		if refs := w.assignedTo("n1"); len(refs) != 1 || refs[0].Attempt != 1 {
			t.Errorf("assigned %v, want attempt 1 once", refs)
		}
	})
}

func TestTerm_ReachesPlanned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		w.setOpen(running("n1", 1)) // an earlier term planned it
		w.addJob(2, everyMinute)
		cfg := w.config()
		var reached atomic.Int32
		cfg.Reached = func(p crashpoint.Point) {
			reached.Add(1)
			if open, sent := w.OpenOf(2), w.assignedTo("n1"); p != crashpoint.Planned || len(open) != 1 || len(sent) != 1 {
				t.Errorf("at %q: %+v is open, sent %v; want it planned and not sent", p, open, sent)
			}
		}
		w.runTerm(t, cfg)
		time.Sleep(61 * time.Second)
		if got, sent := reached.Load(), w.assignedTo("n1"); got != 1 || len(sent) != 2 {
			t.Errorf("reached %d times, sent %v; want once, and both sent", got, sent)
		}
	})
}

func TestPruner_WalksAllJobsEveryHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		cfg := w.config()
		cfg.HistoryMaxAge = 24 * time.Hour
		pages := &pagedLog{Log: cfg.Log, pages: 3}
		begin := time.Now()
		pages.during(t, cfg, 2*time.Hour)
		if len(pages.prunes) != 6 {
			t.Fatalf("%d pages pruned in two hours, want 6", len(pages.prunes))
		}
		for i, p := range pages.prunes {
			if want := job.ID(i % 3 * 1000); p.After != want || p.Jobs != pruneJobs {
				t.Errorf("page %d is %+v, want %d jobs after %d", i, p, pruneJobs, want)
			}
		}
		if got, want := pages.prunes[2].Before, begin.Add(firstPrune-24*time.Hour); !got.Equal(want) {
			t.Errorf("pruned before %v, want %v for all pages", got, want)
		}
	})
}

func TestPruner_RemovesOldAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		cfg := w.config() // without a maximal age of records
		pages := &pagedLog{Log: cfg.Log, pages: 3}
		begin := time.Now()
		pages.during(t, cfg, 2*time.Hour)
		if len(pages.prunes) != 0 || len(pages.answers) != 6 {
			t.Fatalf("%d pages of records and %d of answers pruned in two hours, want 0 and 6", len(pages.prunes), len(pages.answers))
		}
		for _, p := range pages.answers[:3] {
			if want := (job.PruneAnswers{Before: begin.Add(firstPrune - 24*time.Hour).UTC(), Limit: pruneAnswers}); p != want {
				t.Errorf("pruned %+v, want %+v", p, want)
			}
		}
	})
}

func TestPruner_OldMembersHaveNoAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		cfg := w.config()
		log := &logged{}
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
		pages := &pagedLog{Log: cfg.Log, pages: 3, answersErr: job.ErrOldMember}
		pages.during(t, cfg, 2*time.Hour)
		if len(pages.answers) != 2 || len(log.lines) != 0 {
			t.Errorf("%d tries in two hours, logged %q; want two, and no warning", len(pages.answers), log.lines)
		}
	})
}

// pagedLog answers prunes with a next page until there are no more.
type pagedLog struct {
	Log
	pages      int
	answersErr error
	prunes     []job.Prune
	answers    []job.PruneAnswers
}

// during runs a term on the log.
func (l *pagedLog) during(t *testing.T, cfg Config, d time.Duration) {
	t.Helper()
	cfg.Log = l
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := NewTerm(cfg).Run(ctx); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

func (l *pagedLog) Submit(ctx context.Context, d job.Decision) (job.Applied, error) {
	switch d := d.(type) {
	case job.Prune:
		l.prunes = append(l.prunes, d)
		if len(l.prunes)%l.pages == 0 {
			return job.Applied{}, nil
		}
		return job.Applied{Next: d.After + 1000}, nil
	case job.PruneAnswers:
		l.answers = append(l.answers, d)
		return job.Applied{More: len(l.answers)%l.pages != 0}, l.answersErr
	default:
		return l.Log.Submit(ctx, d)
	}
}
