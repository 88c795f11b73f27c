package main

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSpec_Body(t *testing.T) {
	t.Parallel()
	s := job(behaveSlow, 2).overlap(allow).misfire(fireAll).guarantee(atMostOnce).retry(3, 1).timeout(2)
	var got map[string]any
	if err := json.Unmarshal([]byte(s.body("a", "http://target")), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"name": "a", "targetUrl": "http://target/slow/a", "intervalSeconds": 2.0, "overlapPolicy": "ALLOW", "misfirePolicy": "FIRE_ALL",
		"deliveryGuarantee": "AT_MOST_ONCE", "retries": 3.0, "retryDelaySeconds": 1.0, "timeoutSeconds": 2.0,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got = patch(job(behaveOK, 1).cron("* * * * *", "UTC").change)
	if want := map[string]any{"cronExpression": "* * * * *", "timezone": "UTC"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestSpecs_CoverPolicies wants every policy to be tried by a job that nobody
// changes, and by the draws.
func TestSpecs_CoverPolicies(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	var drawn []spec
	for range 300 {
		drawn = append(drawn, anySpec(rng), spec{change: anyChange(rng)})
	}
	for name, specs := range map[string][]spec{"steady": steadySpecs(true), "drawn": drawn} {
		seen := map[string]bool{}
		for _, s := range specs {
			seen[valueOf(s.change.Overlap)], seen["misfire "+valueOf(s.change.Misfire)], seen[valueOf(s.change.Guarantee)] = true, true, true
		}
		for _, policy := range slices.Concat(overlaps[1:], []string{"misfire FIRE_ALL", "misfire SKIP"}, guarantees[1:]) {
			if !seen[policy] {
				t.Errorf("no %s job is %s", name, policy)
			}
		}
	}
}
