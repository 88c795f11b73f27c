package executor

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// TestNow_SkewsWhatOthersRead has a node whose wall clock is an hour ahead.
func TestNow_SkewsWhatOthersRead(t *testing.T) {
	t.Parallel()
	const skew = time.Hour
	date := time.Now().Add(skew + time.Minute).UTC().Format(http.TimeFormat)
	timestamp := make(chan string, 1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		timestamp <- r.Header.Get(headerTimestamp)
		w.Header().Set("Retry-After", date)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	r := newReporter()
	begun := time.Now()
	e := start(t, Config{Reporter: r, Now: func() time.Time { return time.Now().Add(skew) }})
	reply := assign(t, e, assignment(1, url))
	o := r.outcome(t)
	took := time.Since(begun)

	within := func(what string, at time.Time) {
		t.Helper()
		if ahead := at.Sub(begun); ahead < skew-time.Second || ahead > skew+took {
			t.Errorf("%s is %s ahead, want %s", what, ahead, skew)
		}
	}
	within("the reply's clock", reply.Clock)
	within("StartedAt", o.StartedAt)
	seconds, err := strconv.ParseInt(<-timestamp, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	within("the signed timestamp", time.Unix(seconds, 0))
	if o.RetryAfter <= 0 || o.RetryAfter > time.Minute {
		t.Errorf("RetryAfter = %s, want at most a minute", o.RetryAfter)
	}
	if o.Duration <= 0 || o.Duration > took {
		t.Errorf("Duration = %s, want at most %s: it is no matter of the wall clock", o.Duration, took)
	}
}

// TestNow_JumpsDoNotTouchTheLease: the lease and the tokens know only the
// monotonic clock.
func TestNow_JumpsDoNotTouchTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var jump time.Duration
		b := startBubble(t, Config{Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(jump)
		}})
		begun := time.Now()
		reply := firstReply(t, b.Executor)
		for _, by := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
			mu.Lock()
			jump = by
			mu.Unlock()
			time.Sleep(time.Second)
			reply = take(t, b.Executor, on(reply, 3*time.Second, assignment(1, hold)))
		}
		expectCode(t, b.outcome(t), job.ErrNodeLost)
		if after := time.Since(begun); after != 4*time.Second {
			t.Errorf("the lease ended after %s, want 4s", after)
		}
	})
}
