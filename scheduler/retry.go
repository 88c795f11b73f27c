package scheduler

import (
	"math/rand/v2"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// maxRetryAfter bounds how long a target may postpone a retry.
const maxRetryAfter = 24 * time.Hour

// retryable reports whether another attempt may be made, and could end otherwise:
// not if somebody cancelled this one, nor if the target may not be called. One
// that was lost and comes here is of a job that wants no second try (see
// [recorder.isLoss]).
func retryable(err *job.AttemptError) bool {
	if err == nil {
		return false
	}
	switch err.Code {
	case job.ErrCancelled, job.ErrBlockedTarget, job.ErrNodeLost:
		return false
	default:
		return true
	}
}

// retryDelay is the pause after an attempt that failed, the failures before it
// not counting; false if the spec leaves no retries. The target may lengthen
// it, never shorten.
func retryDelay(spec *job.Spec, failures int, retryAfter time.Duration) (time.Duration, bool) {
	if failures >= spec.Retries {
		return 0, false
	}
	delay := spec.RetryDelay
	if spec.Backoff == job.BackoffExponential {
		delay = jitter(doubled(spec.RetryDelay, failures, spec.RetryMaxDelay))
		delay = min(delay, spec.RetryMaxDelay)
	}
	return max(delay, min(retryAfter, maxRetryAfter)), true
}

// doubled is d doubled n times, at most limit.
func doubled(d time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 0 && d < limit; n-- {
		d *= 2
	}
	return min(d, limit)
}

// jitter spreads d evenly over 0.8 to 1.2 of it, so that jobs that failed
// together do not retry together.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
