package checker

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestCheck_CorrectRuns wants no run of a correct toy to be blamed.
func TestCheck_CorrectRuns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		toy := playToy(seed, 6, 2*time.Minute, "")
		report := Check(toy.h, toyLimits(toy))
		if !report.OK() {
			rt.Fatalf("a correct run was blamed:\n%s", report.String())
		}
	})
}
