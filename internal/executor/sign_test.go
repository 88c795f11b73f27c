package executor

import (
	"strings"
	"testing"
)

func TestSignatures(t *testing.T) {
	t.Parallel()
	const (
		key  = "cron_live_0123456789abcdef0123456789abcdef"
		want = "v1,L/FEs+56BH+KEPlyB+7at0tsk3Lunzydvm2UHpIuByk="
	)
	sign := func(keys ...string) string {
		return signatures(keys, "exec_1a2b3c4d5e6f", 1795421148, `{"a":1}`)
	}
	if got := sign(key); got != want {
		t.Errorf("one key: %q, want %q", got, want)
	}
	got := sign("cron_live_new", key)
	first, second, ok := strings.Cut(got, " ")
	if !ok || second != want || first == want || !strings.HasPrefix(first, "v1,") {
		t.Errorf("two keys: %q", got)
	}
}
