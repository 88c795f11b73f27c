package executor

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/crashpoint"
)

func TestReached_BeforeAndAfterTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b *bubble
		var reached []crashpoint.Point
		var requests, outcomes []int
		b = startBubble(t, Config{Concurrency: 1, Reached: func(p crashpoint.Point) {
			time.Sleep(time.Minute) // whatever is under way comes to rest
			b.target.mu.Lock()
			defer b.target.mu.Unlock()
			reached = append(reached, p)
			requests = append(requests, len(b.target.began))
			outcomes = append(outcomes, len(b.got))
		}})
		assign(t, b.Executor, assignment(1, quick), assignment(2, quick))
		time.Sleep(time.Hour)
		b.target.mu.Lock()
		defer b.target.mu.Unlock()
		want := []crashpoint.Point{crashpoint.Assigned, crashpoint.Answered, crashpoint.Assigned, crashpoint.Answered}
		if !slices.Equal(reached, want) {
			t.Errorf("reached %q, want %q", reached, want)
		}
		if want := []int{0, 1, 1, 2}; !slices.Equal(requests, want) {
			t.Errorf("requests made = %v, want %v", requests, want)
		}
		if want := []int{0, 0, 1, 1}; !slices.Equal(outcomes, want) {
			t.Errorf("outcomes reported = %v, want %v", outcomes, want)
		}
	})
}
