package executor

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

// FuzzRetryAfter reads what a target may say: the pause has bounds, and is the one that
// was meant.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "5", "-5", "1.5", "99999999999999999999", "86401", "+1", " 1", "Thu, 26 Mar 2026 16:15:00 GMT", "Thursday, 26-Mar-26 16:15:00 GMT", "Thu Mar 26 16:15:00 2026", "\x00"} {
		f.Add(seed)
	}
	now := time.Date(2026, 3, 26, 16, 12, 30, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		got := retryAfter(value, now)
		if got < 0 || got > maxRetryAfter {
			t.Fatalf("%q is %v", value, got)
		}
		if again := retryAfter(strconv.FormatInt(int64(got/time.Second), 10), now); again != got.Truncate(time.Second) {
			t.Fatalf("%q is %v, and that many seconds are %v", value, got, again)
		}
		if at := now.Add(got).UTC().Format(http.TimeFormat); got > 0 && retryAfter(at, now) != got {
			t.Fatalf("%q is %v, and %s is %v", value, got, at, retryAfter(at, now))
		}
	})
}
