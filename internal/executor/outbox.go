package executor

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	senders = 3 // reports under way at once

	maxReportCount = 500
	maxReportBytes = 512 << 10

	reportTimeout  = 5 * time.Second
	minReportPause = 50 * time.Millisecond
	maxReportPause = time.Second

	// outcomeBytes is about what an outcome takes on the wire without the response
	// and the error's message.
	outcomeBytes = 160
)

// outbox keeps outcomes until they are acknowledged. Each of its senders takes
// what has gathered, as one batch, and sends it until it arrives; while all of
// them are busy the next batches grow.
type outbox struct {
	reporter     Reporter
	acknowledged func([]job.Outcome) // called without mu
	log          *slog.Logger

	// ready says that there may be something to send.
	ready chan struct{}

	// mu guards what follows.
	mu      sync.Mutex
	pending []job.Outcome
	hurry   chan struct{} // closed and replaced to end the senders' pauses
}

func newOutbox(r Reporter, acknowledged func([]job.Outcome), log *slog.Logger) *outbox {
	return &outbox{
		reporter:     r,
		acknowledged: acknowledged,
		log:          log,
		ready:        make(chan struct{}, 1),
		hurry:        make(chan struct{}),
	}
}

func (o *outbox) add(outcomes ...job.Outcome) {
	if len(outcomes) == 0 {
		return
	}
	o.mu.Lock()
	o.pending = append(o.pending, outcomes...)
	o.mu.Unlock()
	poke(o.ready)
}

// retryNow makes every sender that pauses after an error try again at once.
func (o *outbox) retryNow() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.hurry)
	o.hurry = make(chan struct{})
}

// send is the life of one sender.
func (o *outbox) send(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.ready:
		}
		for batch := o.take(); len(batch) > 0; batch = o.take() {
			if err := o.deliver(ctx, batch); err != nil {
				return err
			}
		}
	}
}

// take is the next batch; empty if there is none. If more is left, another sender
// is woken for it.
func (o *outbox) take() []job.Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, size := 0, 0
	for n < len(o.pending) && n < maxReportCount {
		size += outcomeSize(&o.pending[n])
		if n > 0 && size > maxReportBytes {
			break
		}
		n++
	}
	batch := o.pending[:n:n]
	if o.pending = o.pending[n:]; len(o.pending) > 0 {
		poke(o.ready)
	} else {
		o.pending = nil
	}
	return batch
}

func outcomeSize(o *job.Outcome) int {
	size := outcomeBytes + len(o.Response)
	if o.Err != nil {
		size += len(o.Err.Msg)
	}
	return size
}

// deliver sends one batch until it is acknowledged; the error is ctx's.
func (o *outbox) deliver(ctx context.Context, batch []job.Outcome) error {
	for pause := minReportPause; ; pause = min(2*pause, maxReportPause) {
		hurry := o.hurried()
		err := o.report(ctx, batch)
		if err == nil {
			o.acknowledged(batch)
			return nil
		}
		o.log.LogAttrs(ctx, slog.LevelDebug, "outcomes not acknowledged, sending them again",
			slog.Int("outcomes", len(batch)), slog.Duration("pause", pause), slog.Any("err", err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-hurry:
			pause = minReportPause
		case <-time.After(pause):
		}
	}
}

func (o *outbox) report(ctx context.Context, batch []job.Outcome) error {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	return o.reporter.Report(ctx, batch)
}

func (o *outbox) hurried() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.hurry
}

// poke says "look again" on a channel of size one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
