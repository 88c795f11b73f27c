package executor

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// TestRandom_EachAttemptOnce lets a leader that forgets what it has sent, aborts
// at random and now and then falls silent talk to an executor whose reports get
// lost. Each attempt is requested once at most, and in the end has an outcome.
func TestRandom_EachAttemptOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			const executions = 60
			chance := rand.New(rand.NewPCG(seed, 0))
			b := startBubble(t, Config{Concurrency: 1 + chance.IntN(8)})
			reports := rand.New(rand.NewPCG(seed, 1))
			lost := make(chan struct{}, 1) // a lock: senders report at once
			b.report = func([]job.Outcome) error {
				lost <- struct{}{}
				defer func() { <-lost }()
				if reports.IntN(3) == 0 {
					return job.ErrOutcomeUnknown
				}
				return nil
			}
			for range 300 {
				accept(t, b.Executor, randomBatch(chance, executions))
				time.Sleep(time.Duration(chance.IntN(400)) * time.Millisecond)
			}
			time.Sleep(time.Minute)
			expectEachOnce(t, b, executions)
		})
	}
}

func randomBatch(chance *rand.Rand, executions int) job.Batch {
	batch := job.Batch{Term: 1, Lease: time.Duration(chance.IntN(500)) * time.Millisecond}
	for range chance.IntN(4) {
		a := assignment(chance.IntN(executions), []string{quick, hold}[chance.IntN(2)])
		a.Timeout = time.Duration(1+chance.IntN(1000)) * time.Millisecond
		batch.Assignments = append(batch.Assignments, a)
	}
	if chance.IntN(4) == 0 {
		batch.Aborts = append(batch.Aborts, ref(chance.IntN(executions), 1))
	}
	return batch
}

func expectEachOnce(t *testing.T, b *bubble, executions int) {
	t.Helper()
	if n := b.OpenCount(); n != 0 {
		t.Errorf("%d attempts open, want 0", n)
	}
	reported := map[string]bool{}
	for len(b.got) > 0 {
		o := <-b.got
		reported[o.Execution.String()] = true
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
		if !reported[id] {
			t.Errorf("%s has no outcome", id)
		}
	}
}
