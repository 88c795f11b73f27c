//go:build !race

package node_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/job"
)

// simJobs draws jobs and changes of jobs.
type simJobs struct {
	chance *rand.Rand
	// scale stretches the intervals, so that a month has no more slots than memory
	// can hold.
	scale int
	drawn int
}

var (
	overlaps   = []job.OverlapPolicy{job.OverlapSkip, job.OverlapAllow, job.OverlapCancelPrevious, job.OverlapBufferOne}
	misfires   = []job.MisfirePolicy{job.MisfireFireOnce, job.MisfireFireAll, job.MisfireSkip}
	guarantees = []job.Guarantee{job.AtLeastOnce, job.AtMostOnce}
	// zones change their clocks on different days, one of them by half an hour.
	zones = []string{"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago"}
	// crons are from often to seldom.
	crons = []string{
		"*/3 * * * *", "*/7 * * * *", "2-59/10 * * * *", "*/15 8-18 * * *",
		"*/20 * * * *", "7,37 * * * *", "7 * * * *", "30 1,2 * * *", "30 */2 * * *", "0 0 * * *", "15 */3 * * MON-FRI", "0 12 1 * *",
	}
	intervals = []int{60, 90, 150, 300, 420, 900}
)

// values is how often all combinations of the policies are drawn.
const policyCount = 4 * 3 * 2

// pick is one of the values.
func pick[T any](chance *rand.Rand, values []T) T { return values[chance.IntN(len(values))] }

func ptr[T any](v T) *T { return &v }

// create draws a new job: each combination of policies in its turn, the rest by
// chance. The query is for the target.
func (s *simJobs) create() (c checker.Change, query url.Values) {
	i := s.drawn
	s.drawn++
	c = s.schedule()
	c.Overlap = ptr(string(overlaps[i%4]))
	c.Misfire = ptr(string(misfires[i/4%3]))
	c.Guarantee = ptr(string(guarantees[i/12%2]))
	query = url.Values{}
	s.window(&c)
	switch s.chance.IntN(4) {
	case 0:
		query.Set("hold", "2s")
	case 1:
		query.Set("hold", fmt.Sprintf("%ds", 10+s.chance.IntN(20)))
	case 2:
		c.TimeoutSeconds = ptr(300)
		query.Set("hold", fmt.Sprintf("%ds", 60+s.chance.IntN(200)))
	}
	switch s.chance.IntN(4) {
	case 0:
		query.Set("fail", fmt.Sprint(1+s.chance.IntN(3)))
		s.retries(&c)
	case 1:
		query.Set("flaky", fmt.Sprint(10+s.chance.IntN(40)))
		s.retries(&c)
	case 2:
		c.TimeoutSeconds = ptr(5 + s.chance.IntN(20))
	}
	return c, query
}

func (s *simJobs) schedule() (c checker.Change) {
	if s.chance.IntN(2) == 0 {
		c.IntervalSeconds = ptr(pick(s.chance, intervals) * s.scale)
		return c
	}
	seldom := crons
	if s.scale > 1 {
		seldom = crons[4:]
	}
	c.Cron, c.Timezone = ptr(pick(s.chance, seldom)), ptr(pick(s.chance, zones))
	return c
}

// window draws how old a slot may be that is caught up on. A job that catches up on
// all of them, one after the other, may have to do with more than it can in any
// time: it is always given a limit.
func (s *simJobs) window(c *checker.Change) {
	if *c.Misfire == string(job.MisfireFireAll) || s.chance.IntN(2) == 0 {
		c.CatchupSeconds = ptr(30 + s.chance.IntN(1800))
	}
}

func (s *simJobs) retries(c *checker.Change) {
	c.Retries, c.RetrySeconds = ptr(s.chance.IntN(4)), ptr(5+s.chance.IntN(40))
}

// update draws a change of anything but the state.
func (s *simJobs) update() (c checker.Change) {
	switch s.chance.IntN(6) {
	case 0:
		c.Overlap = ptr(string(pick(s.chance, overlaps)))
	case 1:
		c.Misfire = ptr(string(pick(s.chance, misfires)))
		s.window(&c)
	case 2:
		c.Guarantee = ptr(string(pick(s.chance, guarantees)))
	case 3:
		s.retries(&c)
	default:
		c = s.schedule()
	}
	return c
}

// specOf is the new job that a change asks for.
func specOf(name string, c checker.Change, query url.Values) job.Spec {
	s := job.DefaultSpec()
	s.Name = name
	query.Set("job", name)
	s.Target.URL = "http://target:80/?" + query.Encode()
	applyTo(&s, c)
	return s
}

// applyTo makes the change.
func applyTo(s *job.Spec, c checker.Change) {
	if c.Cron != nil {
		s.Schedule.Cron, s.Schedule.Interval = *c.Cron, 0
	}
	if c.IntervalSeconds != nil {
		s.Schedule.Cron, s.Schedule.Interval = "", time.Duration(*c.IntervalSeconds)*time.Second
	}
	set(&s.Schedule.Timezone, c.Timezone)
	set((*string)(&s.State), c.State)
	set((*string)(&s.Overlap), c.Overlap)
	set((*string)(&s.Misfire), c.Misfire)
	set((*string)(&s.Guarantee), c.Guarantee)
	set(&s.Retries, c.Retries)
	seconds(&s.CatchupWindow, c.CatchupSeconds)
	seconds(&s.RetryDelay, c.RetrySeconds)
	seconds(&s.Timeout, c.TimeoutSeconds)
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

func seconds(field *time.Duration, value *int) {
	if value != nil {
		*field = time.Duration(*value) * time.Second
	}
}
