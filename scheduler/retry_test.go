package scheduler

import (
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestRetryDelay_Fixed(t *testing.T) {
	t.Parallel()
	spec := &job.Spec{Retries: 2, RetryDelay: 10 * time.Second, Backoff: job.BackoffFixed, RetryMaxDelay: time.Hour}
	f := func(failures int, retryAfter, want time.Duration, wantOK bool) {
		t.Helper()
		if got, ok := retryDelay(spec, failures, retryAfter); got != want || ok != wantOK {
			t.Errorf("retryDelay(%d, %v) = %v, %t, want %v, %t", failures, retryAfter, got, ok, want, wantOK)
		}
	}
	f(0, 0, 10*time.Second, true)
	f(1, 0, 10*time.Second, true)
	f(2, 0, 0, false)
	f(0, time.Second, 10*time.Second, true)
	f(0, time.Minute, time.Minute, true)
	f(0, 100*time.Hour, 24*time.Hour, true)
}

func TestRetryDelay_ExponentialDoublesWithJitterUpToTheMaximum(t *testing.T) {
	t.Parallel()
	spec := &job.Spec{Retries: 50, RetryDelay: 10 * time.Second, Backoff: job.BackoffExponential, RetryMaxDelay: time.Minute}
	for failures, base := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute} {
		for range 100 {
			got, ok := retryDelay(spec, failures, 0)
			if low, high := base*8/10, min(base*12/10, time.Minute); !ok || got < low || got > high {
				t.Fatalf("after %d failures: %v, %t, want from %v to %v", failures, got, ok, low, high)
			}
		}
	}
	if got, ok := retryDelay(spec, 49, 0); !ok || got > time.Minute {
		t.Errorf("after 49 failures: %v, %t, want at most a minute", got, ok)
	}
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	for code, want := range map[job.ErrorCode]bool{
		job.ErrTimeout: true, job.ErrHTTPStatus: true, job.ErrDNS: true, job.ErrProtocol: true,
		job.ErrCancelled: false, job.ErrBlockedTarget: false,
	} {
		if got := retryable(&job.AttemptError{Code: code}); got != want {
			t.Errorf("retryable(%s) = %t, want %t", code, got, want)
		}
	}
	if retryable(nil) {
		t.Error("a success is retryable")
	}
}
