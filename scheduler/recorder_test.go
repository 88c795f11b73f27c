package scheduler

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cronraft/cronraft/internal/job"
)

// failingSubmit refuses the first decisions of one kind.
func failingSubmit[D job.Decision](count int32, err error) func(context.Context, job.Decision) error {
	var left atomic.Int32
	left.Store(count)
	return func(_ context.Context, d job.Decision) error {
		if _, ok := d.(D); ok && left.Add(-1) >= 0 {
			return err
		}
		return nil
	}
}

// retrying makes an execution run on n1, of a job with the given retries.
func (w *world) retrying(change func(s *job.Spec)) job.Open {
	j := w.jobs[1]
	change(&j.Spec)
	w.putJob(j)
	o := running("n1", 1)
	w.setOpen(o)
	return o
}

func TestReport_SuccessCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		term := w.start(t)
		o := running("n1", 1)
		w.setOpen(o)
		if err := term.Report(t.Context(), []job.Outcome{outcome(ref(o), nil)}); err != nil {
			t.Fatalf("Report = %v, want nil", err)
		}
		if got := w.results[o.Execution]; got != job.Success {
			t.Errorf("result = %v, want %v", got, job.Success)
		}
		if err := term.Report(t.Context(), []job.Outcome{outcome(ref(o), nil)}); err != nil {
			t.Errorf("Report of a stale outcome = %v, want nil: it is settled", err)
		}
	})
}

func TestReport_RetriesUntilNoneAreLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		begin := time.Now()
		term := w.start(t)
		w.endWith(t, term, &job.AttemptError{Code: job.ErrHTTPStatus, Msg: "HTTP 500"})
		o := w.retrying(func(s *job.Spec) { s.Retries, s.RetryDelay = 2, 10*time.Second })
		time.Sleep(time.Minute)
		begins := decisionsOf[job.Begin](w)
		if len(begins) != 2 {
			t.Fatalf("begins = %+v, want 2", begins)
		}
		for i, b := range begins {
			want := begin.Add(time.Duration(i+1) * 10 * time.Second)
			if !b.At.Equal(want) || b.Attempts[0].Attempt != i+2 {
				t.Errorf("begin %d is %+v, want attempt %d at %v", i, b, i+2, want)
			}
		}
		if got := w.results[o.Execution]; got != job.Failed {
			t.Errorf("result = %v, want %v", got, job.Failed)
		}
	})
}

func TestReport_WhatIsNotRetried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code   job.ErrorCode
		change func(w *world, o *job.Open)
		want   job.Result
	}{
		"cancelled":      {job.ErrCancelled, func(*world, *job.Open) {}, job.Failed},
		"blocked target": {job.ErrBlockedTarget, func(*world, *job.Open) {}, job.Failed},
		"aborting":       {job.ErrTimeout, func(_ *world, o *job.Open) { o.Phase = job.PhaseAborting }, job.Cancelled},
		"job deleted":    {job.ErrTimeout, func(w *world, _ *job.Open) { delete(w.jobs, 1) }, job.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorldWithJob("n1")
				term := w.start(t)
				o := w.retrying(func(s *job.Spec) { s.Retries = 5 })
				c.change(w, &o)
				w.setOpen(o)
				synctest.Wait()
				err := term.Report(t.Context(), []job.Outcome{outcome(ref(o), &job.AttemptError{Code: c.code})})
				if got := w.results[o.Execution]; err != nil || got != c.want {
					t.Errorf("Report = %v, result %v; want nil and %v", err, got, c.want)
				}
			})
		})
	}
}

func TestReport_RetryAfterLengthensThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		term := w.start(t)
		o := w.retrying(func(s *job.Spec) { s.Retries = 1 })
		out := outcome(ref(o), &job.AttemptError{Code: job.ErrHTTPStatus})
		out.RetryAfter = 5 * time.Minute
		if err := term.Report(t.Context(), []job.Outcome{out}); err != nil {
			t.Fatal(err)
		}
		if got, want := w.opens[o.Execution].RetryAt, job.Instant(time.Now().Add(5*time.Minute)); !got.Equal(want) {
			t.Errorf("retry at %v, want %v", got, want)
		}
	})
}

func TestReport_NodeLostCostsNoRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		term := w.start(t)
		o := w.retrying(func(s *job.Spec) { s.Retries = 0 })
		err := term.Report(t.Context(), []job.Outcome{outcome(ref(o), &job.AttemptError{Code: job.ErrNodeLost})})
		if err != nil || w.lostAt(ref(o)).IsZero() {
			t.Fatalf("Report = %v, lost at %v; want nil, and lost", err, w.lostAt(ref(o)))
		}
		synctest.Wait()
		if got := w.opens[o.Execution]; got.Attempt != 2 || got.Failures != 0 {
			t.Errorf("the execution is %+v, want its second attempt and no failures", got)
		}
	})
}

func TestReport_SplitsAndCoalesces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		release := make(chan struct{})
		w.submit = func(context.Context, job.Decision) error {
			<-release
			return nil
		}
		term := w.start(t)
		reported := make(chan error)
		report := func(count int) {
			outcomes := make([]job.Outcome, count)
			for i := range outcomes {
				outcomes[i].Response = []byte(strings.Repeat("x", job.CaptureLimit))
			}
			reported <- term.Report(t.Context(), outcomes)
		}
		for range recorderWorkers { // all workers are busy
			go report(1)
			synctest.Wait()
		}
		for range 50 {
			go report(20)
		}
		synctest.Wait()
		close(release)
		for range recorderWorkers + 50 {
			if err := <-reported; err != nil {
				t.Errorf("Report = %v, want nil", err)
			}
		}
		total, records := 0, decisionsOf[job.Record](w)
		for _, r := range records {
			total += len(r.Outcomes)
			if size := len(r.Outcomes) * (job.CaptureLimit + outcomeOverhead); size > maxOutcomeBytes {
				t.Errorf("an entry of %d outcomes", len(r.Outcomes))
			}
		}
		if want := recorderWorkers + 1000; total != want || len(records) != recorderWorkers+3 {
			t.Errorf("%d outcomes in %d entries, want %d in %d", total, len(records), want, recorderWorkers+3)
		}
	})
}

func TestReport_ReturnsTheLogsError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		w.submit = failingSubmit[job.Record](1, job.ErrOutcomeUnknown)
		term := w.start(t)
		o := running("n1", 1)
		w.setOpen(o)
		outcomes := []job.Outcome{outcome(ref(o), nil)}
		if err := term.Report(t.Context(), outcomes); !errors.Is(err, job.ErrOutcomeUnknown) {
			t.Errorf("Report = %v, want %v", err, job.ErrOutcomeUnknown)
		}
		if err := term.Report(t.Context(), outcomes); err != nil {
			t.Errorf("Report again = %v, want nil", err)
		}
	})
}

func TestReport_AfterTheTerm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1")
		entered := make(chan struct{}, recorderWorkers)
		w.submit = func(ctx context.Context, d job.Decision) error {
			if _, ok := d.(job.Record); !ok {
				return nil
			}
			entered <- struct{}{}
			<-ctx.Done()
			return job.ErrOutcomeUnknown
		}
		term, stop := w.startTerm(t)
		outcomes := make([]job.Outcome, 1)
		reported := make(chan error)
		go func() { reported <- term.Report(t.Context(), outcomes) }()
		<-entered
		if err := stop(); err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if err := <-reported; !errors.Is(err, job.ErrOutcomeUnknown) {
			t.Errorf("Report under way = %v, want %v", err, job.ErrOutcomeUnknown)
		}
		if err := term.Report(t.Context(), outcomes); !errors.Is(err, job.ErrNotLeader) {
			t.Errorf("Report after the term = %v, want %v", err, job.ErrNotLeader)
		}
	})
}

func TestMetrics_CountWhatWasDecided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		w.addJobDueAt(1, everyMinute, time.Now().Add(-time.Hour))
		cfg := w.config()
		registry := prometheus.NewRegistry()
		cfg.Metrics = NewMetrics(registry)
		term := NewTerm(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- term.Run(ctx) }()
		w.succeed(t, term)
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		cancel()
		<-done
		want := map[string]float64{
			metricAttempts + " SUCCESS":             3,
			metricExecutions + " MISSED CATCHUP":    1,
			metricExecutions + " SUCCESS CATCHUP":   1,
			metricExecutions + " SUCCESS SCHEDULED": 2,
			metricMissed:                            60,
			metricLost:                              0,
		}
		if got := counters(t, registry); !maps.Equal(got, want) {
			t.Errorf("counted %v\nwant %v", got, want)
		}
	})
}

// TestMetrics_Deliveries: what webhooks deliver is no execution of a job.
func TestMetrics_Deliveries(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	delivery, scheduled := job.Open{Trigger: job.TriggerEvent}, job.Open{Trigger: job.TriggerScheduled}
	m.recorded(&job.Outcome{}, delivery, job.Retrying)
	m.recorded(&job.Outcome{}, delivery, job.Success)
	m.recorded(&job.Outcome{}, scheduled, job.Success)
	m.lostAttempts([]job.Item{{Result: job.Failed}}, []job.Trigger{job.TriggerEvent})
	want := map[string]float64{
		metricAttempts + " SUCCESS":             3,
		metricAttempts + " NODE_LOST":           1,
		metricDeliveries + " SUCCESS":           1,
		metricDeliveries + " FAILED":            1,
		metricExecutions + " SUCCESS SCHEDULED": 1,
		metricMissed:                            0,
		metricLost:                              1,
	}
	if got := counters(t, registry); !maps.Equal(got, want) {
		t.Errorf("counted %v\nwant %v", got, want)
	}
}

// counters gathers the counters, by name and label values.
func counters(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetCounter() == nil {
				continue
			}
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			values[key] = m.GetCounter().GetValue()
		}
	}
	return values
}
