package main

import (
	"encoding/json"
	"math/rand/v2"

	"github.com/cronraft/cronraft/internal/checker"
)

// spec is a job that a client is about to create: how its target behaves, and what
// differs from the API's defaults.
type spec struct {
	behaviour string
	change    checker.Change
}

// patch is the change as the API's JSON.
func patch(c checker.Change) map[string]any {
	fields := map[string]any{}
	put(fields, "cronExpression", c.Cron)
	put(fields, "intervalSeconds", c.IntervalSeconds)
	put(fields, "timezone", c.Timezone)
	put(fields, "state", c.State)
	put(fields, "overlapPolicy", c.Overlap)
	put(fields, "misfirePolicy", c.Misfire)
	put(fields, "catchupWindowSeconds", c.CatchupSeconds)
	put(fields, "deliveryGuarantee", c.Guarantee)
	put(fields, "retries", c.Retries)
	put(fields, "retryDelaySeconds", c.RetrySeconds)
	put(fields, "timeoutSeconds", c.TimeoutSeconds)
	return fields
}

func put[T any](fields map[string]any, name string, value *T) {
	if value != nil {
		fields[name] = *value
	}
}

// body is the request that creates the job.
func (s spec) body(name, targetURL string) string {
	fields := patch(s.change)
	fields["name"] = name
	fields["targetUrl"] = targetURL + "/" + s.behaviour + "/" + name
	return encode(fields)
}

func encode(fields map[string]any) string {
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err) // a map of strings and numbers
	}
	return string(text)
}

// job begins a spec: due every so many seconds.
func job(behaviour string, seconds int) spec {
	return spec{behaviour: behaviour, change: checker.Change{IntervalSeconds: &seconds}}
}

func (s spec) overlap(policy string) spec {
	s.change.Overlap = &policy
	return s
}

func (s spec) misfire(policy string) spec {
	s.change.Misfire = &policy
	return s
}

func (s spec) guarantee(g string) spec {
	s.change.Guarantee = &g
	return s
}

func (s spec) retry(times, delay int) spec {
	s.change.Retries, s.change.RetrySeconds = &times, &delay
	return s
}

func (s spec) timeout(seconds int) spec {
	s.change.TimeoutSeconds = &seconds
	return s
}

func (s spec) cron(expression, zone string) spec {
	s.change.IntervalSeconds = nil
	s.change.Cron, s.change.Timezone = &expression, &zone
	return s
}

// The policies, in the API's words.
var (
	overlaps   = []string{"SKIP", "ALLOW", "CANCEL_PREVIOUS", "BUFFER_ONE"}
	misfires   = []string{"FIRE_ONCE", "FIRE_ALL", "SKIP"}
	guarantees = []string{"AT_LEAST_ONCE", "AT_MOST_ONCE"}
	behaviours = []string{behaveOK, behaveOK, behaveSlow, behaveFlaky, behaveFail}
)

const (
	atMostOnce     = "AT_MOST_ONCE"
	cancelPrevious = "CANCEL_PREVIOUS"
	bufferOne      = "BUFFER_ONE"
	allow          = "ALLOW"
	fireAll        = "FIRE_ALL"
	skip           = "SKIP"
)

// steadySpecs are jobs that nobody changes while a scenario lasts, so that what
// they owe is plain: every policy with every behaviour that matters to it.
func steadySpecs(withLong bool) []spec {
	specs := []spec{
		job(behaveOK, 1), job(behaveOK, 1), job(behaveOK, 1), job(behaveOK, 1), job(behaveOK, 2), job(behaveOK, 3),
		job(behaveSlow, 1), job(behaveSlow, 2), job(behaveSlow, 1).timeout(2),
		job(behaveOK, 1).overlap(allow), job(behaveOK, 1).overlap(allow), job(behaveSlow, 1).overlap(allow), job(behaveSlow, 3).overlap(allow),
		job(behaveOK, 1).overlap(cancelPrevious), job(behaveSlow, 1).overlap(cancelPrevious), job(behaveSlow, 2).overlap(cancelPrevious),
		job(behaveOK, 1).overlap(bufferOne), job(behaveSlow, 1).overlap(bufferOne), job(behaveSlow, 2).overlap(bufferOne),
		job(behaveOK, 1).misfire(fireAll), job(behaveOK, 1).misfire(fireAll).overlap(allow), job(behaveSlow, 2).misfire(fireAll),
		job(behaveOK, 1).misfire(skip), job(behaveSlow, 2).misfire(skip),
		job(behaveOK, 1).guarantee(atMostOnce), job(behaveOK, 1).guarantee(atMostOnce).overlap(allow),
		job(behaveSlow, 1).guarantee(atMostOnce), job(behaveSlow, 2).guarantee(atMostOnce).overlap(cancelPrevious),
		job(behaveFlaky, 5).retry(3, 1), job(behaveFlaky, 3).retry(3, 1).overlap(allow), job(behaveFlaky, 2).retry(2, 1).overlap(cancelPrevious),
		job(behaveFlaky, 3).retry(1, 1).guarantee(atMostOnce), job(behaveFlaky, 2).retry(3, 1).overlap(bufferOne), job(behaveFail, 4).retry(1, 1),
		job(behaveOK, 1).cron("* * * * *", "UTC"), job(behaveOK, 1).cron("* * * * *", "Europe/Berlin").misfire(fireAll),
	}
	if withLong {
		specs = append(specs,
			job(behaveLong, 5), job(behaveLong, 5).overlap(allow), job(behaveLong, 4).overlap(cancelPrevious),
			job(behaveLong, 5).overlap(bufferOne), job(behaveLong, 5).guarantee(atMostOnce))
	}
	return specs
}

// anySpec draws a job for a client that will change it.
func anySpec(rng *rand.Rand) spec {
	s := job(pick(rng, behaviours), 1+rng.IntN(5)).overlap(pick(rng, overlaps)).misfire(pick(rng, misfires)).guarantee(pick(rng, guarantees))
	if rng.IntN(2) == 0 {
		s = s.retry(1+rng.IntN(3), 1)
	}
	return s
}

// anyChange draws an edit; a nil state means that it neither pauses nor resumes.
func anyChange(rng *rand.Rand) checker.Change {
	switch rng.IntN(6) {
	case 0:
		return job("", 1+rng.IntN(5)).change
	case 1:
		return job("", 1).cron("* * * * *", "UTC").change
	case 2:
		return spec{}.overlap(pick(rng, overlaps)).change
	case 3:
		return spec{}.misfire(pick(rng, misfires)).change
	case 4:
		return spec{}.guarantee(pick(rng, guarantees)).change
	default:
		return spec{}.retry(rng.IntN(3), 1).change
	}
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
