package executor

import (
	"context"
	"log/slog"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// lease is the right to keep requests open. It counts from a moment at which this
// node answered a leader, and not from when a batch was read: a batch that lay in
// the socket of a stopped process, or on a slow network, is as old as it is.
type lease struct {
	given time.Time // the answer that the lease rests on
	until time.Time // zero if there is none, or it was found to have ended
}

// isOver reports whether there was a lease and it has ended. A node that never had
// one has nothing to lose.
func (l *lease) isOver(now time.Time) bool { return !l.until.IsZero() && !now.Before(l.until) }

// isHeld reports whether there is one that has not ended.
func (l *lease) isHeld(now time.Time) bool { return now.Before(l.until) }

// token names a reply that is given now: the nanoseconds of this life, from 1.
func (e *Executor) token(now time.Time) uint64 { return uint64(now.Sub(e.born)) + 1 }

// restsOn is when this node gave the reply that a batch rests on; false if it gave
// none such in this life. A batch of a program that knows no tokens counts as one
// that rests on a reply of this moment.
func (e *Executor) restsOn(b *job.Batch, now time.Time) (time.Time, bool) {
	switch {
	case !b.Fenced:
		return now, true
	case b.Incarnation != e.node.Incarnation || b.Token == 0 || b.Token > e.token(now):
		return time.Time{}, false
	default:
		return e.born.Add(time.Duration(b.Token - 1)), true
	}
}

// admit renews the lease as the batch says and reports whether its assignments
// may be taken. They may if the node holds a lease then, and the batch rests on
// no older reply than the lease does: such a one is a straggler, whatever it says.
// The caller holds e.mu and has let the lease expire.
func (e *Executor) admit(b *job.Batch, now time.Time) bool {
	given, ok := e.restsOn(b, now)
	if !ok || given.Before(e.lease.given) || b.Lease > 0 && now.Sub(given) >= b.Lease {
		return false
	}
	if b.Lease > 0 {
		e.renew(given, b.Lease)
	}
	return !b.Fenced || e.lease.isHeld(now)
}

// renew makes the lease end d after given. The caller holds e.mu.
func (e *Executor) renew(given time.Time, d time.Duration) {
	renewed := lease{given: given, until: given.Add(d)}
	sooner := e.lease.until.IsZero() || renewed.until.Before(e.lease.until)
	e.lease = renewed
	e.attempts.forgotten.keepFor(2 * d)
	if sooner {
		poke(e.leased)
	}
}

// expire ends the lease if its time is over, and with it every attempt that has
// not ended, which it counts. Whoever finds the lease over does it, since after a
// pause of the process the watch may well be the last to run. The caller holds
// e.mu and passes the result to expired without it.
func (e *Executor) expire(now time.Time) (aborted int, outcomes []job.Outcome) {
	if !e.lease.isOver(now) {
		return 0, nil
	}
	e.lease.until = time.Time{}
	return e.abortAll(errLeaseEnded)
}

// expired tells of what expire did.
func (e *Executor) expired(aborted int, outcomes []job.Outcome) {
	e.outbox.add(outcomes...)
	if aborted > 0 {
		e.cfg.Logger.Warn("lost contact with the leader: open attempts aborted", slog.Int("attempts", aborted))
	}
}

// watchLease ends the lease in time. Its timer is only ever early: a renewal that
// makes the lease longer need not wake it.
func (e *Executor) watchLease(ctx context.Context) error {
	for {
		var over <-chan time.Time
		if until := e.leaseEnd(); !until.IsZero() {
			over = time.After(time.Until(until))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.leased:
		case <-over:
			e.checkLease()
		}
	}
}

func (e *Executor) leaseEnd() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lease.until
}

// checkLease ends the lease if it was not renewed.
func (e *Executor) checkLease() {
	e.mu.Lock()
	aborted, outcomes := e.expire(time.Now())
	e.mu.Unlock()
	e.expired(aborted, outcomes)
}

// mayRequest is asked when a request is about to be written: errLeaseEnded if the
// lease is over and nobody has taken note yet, as after a pause of the process.
func (e *Executor) mayRequest() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lease.isOver(time.Now()) {
		return errLeaseEnded
	}
	return nil
}
