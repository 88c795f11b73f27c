package executor

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// TestRandom_EachAttemptOnce lets a leader that forgets what it has sent, rests on
// any reply that it ever got, aborts at random and now and then falls silent talk
// to an executor whose reports get lost, and that may be told to stop. Each attempt
// is requested once at most, never if it is reported as NODE_LOST and not begun,
// and in the end has an outcome.
func TestRandom_EachAttemptOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			const executions = 60
			chance := rand.New(rand.NewPCG(seed, 0))
			b := startBubble(t, Config{Concurrency: 1 + chance.IntN(8)})
			b.report = loseSome(rand.New(rand.NewPCG(seed, 1)))
			leader := randomLeader{chance: chance, executions: executions, fenced: seed%3 != 0}
			for n := range 300 {
				leader.say(t, b.Executor)
				if seed%2 == 0 && n == 200 {
					ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
					_ = b.Drain(ctx) // whatever is lost by it has an outcome
					cancel()
				}
			}
			leader.sayAll(t, b.Executor)
			time.Sleep(time.Minute)
			expectEachOnce(t, b, executions)
		})
	}
}

// loseSome is the report of a leader that often does not get the message.
func loseSome(chance *rand.Rand) func([]job.Outcome) error {
	lock := make(chan struct{}, 1) // senders report at once
	return func([]job.Outcome) error {
		lock <- struct{}{}
		defer func() { <-lock }()
		if chance.IntN(3) == 0 {
			return job.ErrOutcomeUnknown
		}
		return nil
	}
}

type randomLeader struct {
	chance     *rand.Rand
	executions int
	fenced     bool
	replies    []job.BatchReply
}

// say sends a batch, and waits a little.
func (l *randomLeader) say(t *testing.T, e *Executor) {
	t.Helper()
	batch := l.batch()
	for range l.chance.IntN(4) {
		a := assignment(l.chance.IntN(l.executions), []string{quick, hold}[l.chance.IntN(2)])
		a.Timeout = time.Duration(1+l.chance.IntN(1000)) * time.Millisecond
		batch.Assignments = append(batch.Assignments, a)
	}
	if l.chance.IntN(4) == 0 {
		batch.Aborts = append(batch.Aborts, ref(l.chance.IntN(l.executions), 1))
	}
	l.replies = append(l.replies, accept(t, e, batch))
	time.Sleep(time.Duration(l.chance.IntN(400)) * time.Millisecond)
}

// batch rests on the last reply, on any, or on none.
func (l *randomLeader) batch() job.Batch {
	batch := job.Batch{Term: 1, Fenced: l.fenced, Lease: time.Duration(l.chance.IntN(1000)) * time.Millisecond}
	if n := len(l.replies); n > 0 && l.chance.IntN(10) > 0 {
		on := l.replies[n-1-l.chance.IntN(min(n, 3))]
		batch.Incarnation, batch.Token = on.Incarnation, on.Token
	}
	return batch
}

// sayAll assigns whatever has not been.
func (l *randomLeader) sayAll(t *testing.T, e *Executor) {
	t.Helper()
	batch := on(firstReply(t, e), time.Hour)
	for n := range l.executions {
		batch.Assignments = append(batch.Assignments, assignment(n, quick))
	}
	take(t, e, batch)
}

func expectEachOnce(t *testing.T, b *bubble, executions int) {
	t.Helper()
	if n := b.OpenCount(); n != 0 {
		t.Errorf("%d attempts open, want 0", n)
	}
	reported, neverBegun := map[string]bool{}, map[string]bool{}
	for len(b.got) > 0 {
		o := <-b.got
		id := o.Execution.String()
		reported[id] = true
		if o.Err != nil && o.Err.Code == job.ErrNodeLost && o.StartedAt.IsZero() {
			neverBegun[id] = true
		}
	}
	requested := map[string]int{}
	b.target.mu.Lock()
	defer b.target.mu.Unlock()
	for _, id := range b.target.began {
		requested[id]++
	}
	for n := range executions {
		id := ref(n, 1).Execution.String()
		if requested[id] > 1 {
			t.Errorf("%s was requested %d times", id, requested[id])
		}
		if neverBegun[id] && requested[id] > 0 {
			t.Errorf("%s was reported as never begun, and was requested", id)
		}
		if !reported[id] {
			t.Errorf("%s has no outcome", id)
		}
	}
}
