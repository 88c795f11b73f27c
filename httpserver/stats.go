package httpserver

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// The query parameters of /stats.
const (
	paramWindow = "window"
	paramStep   = "step"
)

const (
	defaultWindow = 24 * time.Hour
	maxWindow     = 31 * day
	// maxSteps bounds the series; usualSteps is how many a series has at most whose
	// step is not asked for.
	maxSteps   = 1500
	usualSteps = 168

	day = 24 * time.Hour
)

// statsSteps are what is tried for a window, in this order.
var statsSteps = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day,
}

// getStats is GET /stats.
func (s *Server) getStats(ctx context.Context, c *call) (*response, error) {
	q := parseQuery(c.query, []string{paramWindow, paramStep, paramNamespace, paramConsistency})
	namespace, err := c.listed(q)
	if err != nil {
		return nil, err
	}
	ask := q.statsWindow(time.Now())
	ask.Namespace = namespace
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	series, err := s.config.Statistics.Stats(ctx, ask)
	if err != nil {
		return nil, err
	}
	return success(http.StatusOK, encodeStatistics(ask, series))
}

// statsWindow reads the window and the step. Steps are multiples of the step since the
// Unix epoch, and the last one is under way: it ends after now, and the window with it.
func (q *query) statsWindow(now time.Time) job.StatsQuery {
	window := q.minutes(paramWindow, defaultWindow)
	step := q.minutes(paramStep, usualStep(window))
	if step > window {
		q.add(paramStep, "must not be longer than the window, %s", shortDuration(window))
		return job.StatsQuery{}
	}
	steps := (window + step - 1) / step
	if steps > maxSteps {
		q.add(paramStep, "must be at least %s: a series has at most %d steps", shortDuration(leastStep(window)), maxSteps)
		return job.StatsQuery{}
	}
	to := time.UnixMilli(now.UnixMilli() - now.UnixMilli()%step.Milliseconds()).UTC().Add(step)
	return job.StatsQuery{From: to.Add(-steps * step), To: to, Step: step}
}

// minutes reads a duration of whole minutes, up to maxWindow.
func (q *query) minutes(name string, usual time.Duration) time.Duration {
	text, given := q.values[name]
	if !given {
		return usual
	}
	d, ok := parseLongDuration(text)
	if !ok || d < time.Minute || d > maxWindow || d%time.Minute != 0 {
		q.add(name, "must be a duration of whole minutes, from 1m to 31d, for example 30m, 24h or 7d")
		return usual
	}
	return d
}

// usualStep makes a series that a person can look at.
func usualStep(window time.Duration) time.Duration {
	for _, step := range statsSteps {
		if window <= usualSteps*step {
			return step
		}
	}
	return day
}

// leastStep is the shortest one that the window may be cut into.
func leastStep(window time.Duration) time.Duration {
	least := (window + maxSteps - 1) / maxSteps
	return (least + time.Minute - 1).Truncate(time.Minute)
}

// longUnits are the units of a duration, each of which is there once at most, the
// longest first.
var longUnits = []struct {
	letter byte
	length time.Duration
}{{'w', 7 * day}, {'d', day}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}

// parseLongDuration reads whole numbers with units, none of which is beyond maxWindow:
// 90m, 1d12h, 7d.
func parseLongDuration(s string) (time.Duration, bool) {
	rest, total := s, time.Duration(0)
	for _, unit := range longUnits {
		digits, after, found := strings.Cut(rest, string(unit.letter))
		n, err := strconv.ParseUint(digits, 10, 64)
		if !found || err != nil {
			continue
		}
		if n > uint64(maxWindow/unit.length) {
			return 0, false
		}
		total += time.Duration(n) * unit.length
		rest = after
	}
	return total, rest == "" && s != ""
}

// shortDuration writes whole minutes as parseLongDuration reads them.
func shortDuration(d time.Duration) string {
	var b strings.Builder
	for _, unit := range longUnits {
		if n := d / unit.length; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10))
			b.WriteByte(unit.letter)
			d -= n * unit.length
		}
	}
	return b.String()
}

func encodeStatistics(q job.StatsQuery, series []job.Stats) api.Statistics {
	total := job.Stats{At: q.From}
	out := api.Statistics{
		From: api.Time{Time: q.From}, To: api.Time{Time: q.To}, StepSeconds: seconds(q.Step),
		Series: make([]api.Stats, 0, len(series)),
	}
	for i := range series {
		total.Add(&series[i])
		out.Series = append(out.Series, encodeStats(&series[i]))
	}
	out.Total = encodeStats(&total)
	return out
}

func encodeStats(s *job.Stats) api.Stats {
	return api.Stats{
		At:          api.Time{Time: s.At},
		Counts:      api.Counts(s.Counts),
		Attempts:    s.Attempts,
		SuccessRate: successRate(s.Counts),
		Lateness: api.Lateness{
			P50: quantileMs(&s.Lateness, 0.5), P90: quantileMs(&s.Lateness, 0.9),
			P99: quantileMs(&s.Lateness, 0.99), Max: quantileMs(&s.Lateness, 1),
		},
	}
}

// successRate has six decimals; null if nothing ended by itself.
func successRate(c job.Counts) *float64 {
	called := c.Success + c.Failed
	if called == 0 {
		return nil
	}
	const decimals = 1e6
	rate := math.Floor(float64(c.Success)/float64(called)*decimals) / decimals
	return &rate
}

func quantileMs(h *job.Histogram, share float64) *float64 {
	bound, known := h.Quantile(share)
	if !known {
		return nil
	}
	ms := float64(bound) / float64(time.Millisecond)
	return &ms
}
