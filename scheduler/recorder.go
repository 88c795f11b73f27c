package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	// recorderWorkers is how many entries of outcomes are under way at a time.
	recorderWorkers = 4

	maxOutcomesPerEntry = 500
	maxOutcomeBytes     = 512 << 10

	// outcomeOverhead is a generous guess at what an outcome takes beside its
	// texts.
	outcomeOverhead = 512
)

// recorder commits outcomes. Reports wait in one queue; whenever a worker is
// free it takes what has gathered.
type recorder struct {
	cfg  *Config
	work chan struct{}

	mu     sync.Mutex // guards the fields below and every report's
	queue  []entry
	closed bool
}

// entry is one outcome of a report.
type entry struct {
	outcome *job.Outcome
	report  *report
}

// report is a caller of [Term.Report].
type report struct {
	open int   // outcomes that are not settled
	err  error // the first
	done chan struct{}
}

func newRecorder(cfg *Config) *recorder {
	return &recorder{cfg: cfg, work: make(chan struct{}, 1)}
}

func (r *recorder) report(ctx context.Context, outcomes []job.Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	rep := &report{open: len(outcomes), done: make(chan struct{})}
	if !r.enqueue(rep, outcomes) {
		return job.ErrNotLeader
	}
	select {
	case <-rep.done:
		return rep.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enqueue adds a report; false after the term.
func (r *recorder) enqueue(rep *report, outcomes []job.Outcome) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	for i := range outcomes {
		r.queue = append(r.queue, entry{outcome: &outcomes[i], report: rep})
	}
	poke(r.work)
	return true
}

// close turns away what was not taken, and whatever comes. The workers have
// ended.
func (r *recorder) close() {
	r.mu.Lock()
	r.closed = true
	left := r.queue
	r.queue = nil
	r.mu.Unlock()
	r.settle(left, job.ErrNotLeader)
}

// settle tells the reporters what became of entries.
func (r *recorder) settle(entries []entry, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range entries {
		if e.report.err == nil {
			e.report.err = err
		}
		if e.report.open--; e.report.open == 0 {
			close(e.report.done)
		}
	}
}

// run is one worker. It works until the term ends.
func (r *recorder) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.work:
		}
		for entries := r.take(); len(entries) > 0; entries = r.take() {
			if err := r.commit(ctx, entries); isOver(err) {
				return err
			}
		}
	}
}

// take returns as many outcomes as fit into one entry, and wakes another worker
// if some are left.
func (r *recorder) take() []entry {
	most := r.cfg.parts(maxOutcomesPerEntry)
	r.mu.Lock()
	defer r.mu.Unlock()
	n, size := 0, 0
	for n < len(r.queue) && n < most {
		if size += outcomeSize(r.queue[n].outcome); size > maxOutcomeBytes && n > 0 {
			break
		}
		n++
	}
	taken := r.queue[:n:n]
	if r.queue = r.queue[n:]; len(r.queue) == 0 {
		r.queue = nil // lets the array go
	} else {
		poke(r.work)
	}
	return taken
}

func outcomeSize(o *job.Outcome) int {
	size := outcomeOverhead + len(o.Response)
	if o.Err != nil {
		size += len(o.Err.Msg)
	}
	return size
}

// commit decides about entries, submits the decisions and settles the entries.
// It returns the first error.
func (r *recorder) commit(ctx context.Context, entries []entry) error {
	var lost, ended []entry
	for _, e := range entries {
		isLoss, err := r.isLoss(e.outcome)
		switch {
		case err != nil:
			r.settle(entries, err)
			return err
		case isLoss:
			lost = append(lost, e)
		default:
			ended = append(ended, e)
		}
	}
	errLost := r.markLost(ctx, lost)
	r.settle(lost, errLost)
	errEnded := r.record(ctx, ended)
	r.settle(ended, errEnded)
	return errors.Join(errLost, errEnded)
}

// isLoss reports whether an attempt is to be made again that its own node gave
// up, as it does when its lease ends. If the request was begun and the job wants
// that at most once, it is an outcome like others.
func (r *recorder) isLoss(o *job.Outcome) (bool, error) {
	if o.Err == nil || o.Err.Code != job.ErrNodeLost {
		return false, nil
	}
	if o.StartedAt.IsZero() {
		return true, nil
	}
	once, err := isAtMostOnce(r.cfg.Jobs, o.Execution.Job)
	return !once, err
}

// markLost commits attempts that their own node gave up: they cost the user no
// retry.
func (r *recorder) markLost(ctx context.Context, entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	d := job.MarkLost{At: r.cfg.instant()}
	var triggers, unbegun []job.Trigger // of d.Attempts and d.Unbegun
	for _, e := range entries {
		open, _ := r.cfg.Jobs.Open(e.outcome.Execution)
		if e.outcome.StartedAt.IsZero() {
			d.Unbegun, unbegun = append(d.Unbegun, e.outcome.AttemptRef), append(unbegun, open.Trigger)
		} else {
			d.Attempts, triggers = append(d.Attempts, e.outcome.AttemptRef), append(triggers, open.Trigger)
		}
	}
	applied, err := submitLost(ctx, r.cfg.Log, d)
	if err != nil {
		return err
	}
	r.cfg.Metrics.lostAttempts(applied.Items, append(triggers, unbegun...))
	return nil
}

// record commits outcomes. One that looks stale is submitted too: only the log
// can tell, for a deposed leader may know less than the reporter.
func (r *recorder) record(ctx context.Context, entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	now := r.cfg.Now()
	d := job.Record{At: job.Instant(now)}
	opens := make([]job.Open, len(entries))
	for i, e := range entries {
		opens[i], _ = r.cfg.Jobs.Open(e.outcome.Execution)
		at, err := r.retryAt(e.outcome, opens[i], now)
		if err != nil {
			return err
		}
		d.Outcomes = append(d.Outcomes, job.RecordedOutcome{Outcome: *e.outcome, RetryAt: at})
	}
	applied, err := r.cfg.Log.Submit(ctx, d)
	if err != nil {
		return fmt.Errorf("submit outcomes: %w", err)
	}
	for i, item := range applied.Items {
		if item.Err == nil {
			r.cfg.Metrics.recorded(entries[i].outcome, opens[i], item.Result)
		}
	}
	return nil
}

// retryAt is when the execution gets another attempt; zero if it is over.
func (r *recorder) retryAt(o *job.Outcome, open job.Open, now time.Time) (time.Time, error) {
	if !retryable(o.Err) || open.Phase != job.PhaseRunning {
		return time.Time{}, nil
	}
	j, err := r.cfg.Jobs.Job(o.Execution.Job)
	if errors.Is(err, job.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read job %v: %w", o.Execution.Job, err)
	}
	delay, ok := retryDelay(&j.Spec, open.Failures, o.RetryAfter)
	if !ok {
		return time.Time{}, nil
	}
	return job.Instant(now.Add(delay)), nil
}
